"""Final Cut Pro 7 XML for tests: documents as an editor exports them.

Nothing here uses the adapter: it is the second opinion that the adapter is held against.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

from lxml import etree
from testkit.fcp7xml_elements import (
    characteristics,
    effect,
    el,
    rate_element,
    ticks_of,
    timecode_element,
)

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n'


@dataclass(frozen=True)
class Media:
    """A media file as the document describes it; `frames` and `start_frame` count at `rate`."""

    path: Path
    rate: Fraction
    frames: int
    channels: int = 2
    start_frame: int = 0
    drop_frame: bool = False
    picture: bool = True
    sample_rate_hz: int = 48_000


@dataclass(frozen=True)
class Clip:
    """A clip: `start` and `end` in frames of the sequence, `source_in` in frames of the media.

    `channels` are the media's channels that it plays, one-based; empty means all of them.
    """

    media: Media
    start: int
    end: int
    source_in: int = 0
    enabled: bool = True
    speed_percent: float = 100.0
    with_picture: bool = False
    channels: tuple[int, ...] = ()
    gain: float | None = None
    offline: bool = False

    def source_out(self, rate: Fraction) -> int:
        length_s = (self.end - self.start) / rate * Fraction(self.speed_percent) / 100
        return self.source_in + round(length_s * self.media.rate)

    def played(self) -> tuple[int, ...]:
        return self.channels or tuple(range(1, self.media.channels + 1))


@dataclass(frozen=True)
class Track:
    """A sound track of the editor (a stereo one is two elements in Premiere's XML)."""

    clips: tuple[Clip, ...]
    name: str = ""
    channels: int = 2
    enabled: bool = True
    crossfades: tuple[int, ...] = ()


@dataclass
class _Writer:
    rate: Fraction
    premiere: bool
    next_id: int = 1
    file_ids: dict[Media, str] = field(default_factory=dict)
    picture: list[etree._Element] = field(default_factory=list)

    def id(self, stem: str = "clipitem") -> str:
        self.next_id += 1
        return f"{stem}-{self.next_id}"


def premiere_xml(
    tracks: tuple[Track, ...],
    rate: Fraction = Fraction(25),
    name: str = "Cut",
    start_frame: int = 0,
    drop_frame: bool = False,
) -> bytes:
    """xmeml 4 with exploded tracks, links, ticks, files by id and a DOCTYPE, as Premiere writes."""
    return _document(_Writer(rate, True), "4", tracks, name, start_frame, drop_frame)


def resolve_xml(
    tracks: tuple[Track, ...],
    rate: Fraction = Fraction(25),
    name: str = "Cut",
    start_frame: int = 90_000,
    drop_frame: bool = False,
) -> bytes:
    """xmeml 5 with one clip for all channels and bare links, as Resolve writes it."""
    return _document(_Writer(rate, False), "5", tracks, name, start_frame, drop_frame)


def _document(
    writer: _Writer,
    version: str,
    tracks: tuple[Track, ...],
    name: str,
    start_frame: int,
    drop_frame: bool,
) -> bytes:
    sound = [element for track in tracks for element in _track(writer, track)]
    _number_links(sound)
    duration = max((clip.end for track in tracks for clip in track.clips), default=0)
    audio = el("audio")
    if writer.premiere:
        audio.append(el("numOutputChannels", "2"))
        audio.append(el("format", characteristics(48_000)))
    audio.extend(sound)
    picture = el("track", *writer.picture, el("enabled", "TRUE"), el("locked", "FALSE"))
    clock = timecode_element(start_frame, writer.rate, drop_frame, with_frame=True)
    sequence = el(
        "sequence",
        el("uuid", "5d1c8a52-7c1e-4d4f-9c35-0d0f6b8a4a11") if writer.premiere else None,
        el("duration", str(duration)),
        rate_element(writer.rate),
        el("name", name),
        el("media", el("video", picture), audio),
        clock,
        el("labels", el("label2", "Forest")) if writer.premiere else None,
    )
    if writer.premiere:
        sequence.set("id", "sequence-1")
        sequence.set("TL.SQAudioVisibleBase", "0")
    root = el("xmeml", sequence)
    root.set("version", version)
    etree.indent(root, "\t")
    return (_DECLARATION + etree.tostring(root, encoding="unicode") + "\n").encode()


def _track(writer: _Writer, track: Track) -> list[etree._Element]:
    width = track.channels if writer.premiere else 1
    lanes: list[list[etree._Element]] = [[] for _ in range(width)]
    for clip in track.clips:
        for lane, element in zip(lanes, _clip(writer, clip, width), strict=False):
            lane.append(element)
    elements = []
    for index, lane in enumerate(lanes):
        items = _with_crossfades(writer, track, lane)
        element = el(
            "track",
            *items,
            el("enabled", "TRUE" if track.enabled else "FALSE"),
            el("locked", "FALSE"),
            el("outputchannelindex", str(index + 1)) if writer.premiere else None,
        )
        if writer.premiere:
            if track.name:
                element.set("MZ.TrackName", track.name)
            element.set("currentExplodedTrackIndex", str(index))
            element.set("totalExplodedTrackCount", str(width))
            element.set("premiereTrackType", {1: "Mono", 2: "Stereo"}.get(width, "5.1"))
        elements.append(element)
    return elements


def _with_crossfades(
    writer: _Writer, track: Track, lane: list[etree._Element]
) -> list[etree._Element]:
    """Joins clip n and n + 1 by a centred transition of 10 frames for each n in `crossfades`."""
    items: list[etree._Element] = []
    for n, element in enumerate(lane):
        items.append(element)
        if n not in track.crossfades:
            continue
        cut = track.clips[n].end
        items.append(
            el(
                "transitionitem",
                el("start", str(cut - 5)),
                el("end", str(cut + 5)),
                el("alignment", "center"),
                el("cutPointTicks", str(ticks_of(5, writer.rate))) if writer.premiere else None,
                rate_element(writer.rate),
                el("effect", el("name", "Cross Fade (+3dB)"), el("mediatype", "audio")),
            )
        )
        _stretch(element, "end", "out", 5, track.clips[n], writer.rate)
        _stretch(lane[n + 1], "start", "in", -5, track.clips[n + 1], writer.rate)
    return items


def _stretch(
    element: etree._Element, record: str, source: str, frames: int, clip: Clip, rate: Fraction
) -> None:
    element.find(record).text = "-1"  # type: ignore[union-attr]
    place = element.find(source)
    assert place is not None
    place.text = str(int(place.text or 0) + round(frames / rate * clip.media.rate))
    ticks = element.find(f"pproTicks{source.capitalize()}")
    if ticks is not None:
        ticks.text = str(ticks_of(int(place.text), clip.media.rate))


def _clip(writer: _Writer, clip: Clip, width: int) -> list[etree._Element]:
    ids = [writer.id() for _ in range(width)]
    linked = list(ids)
    if clip.with_picture:
        linked.insert(0, writer.id())
        picture = _clipitem(writer, clip, linked[0], None)
        picture.extend(_links(writer, linked))
        writer.picture.append(picture)
    elements = []
    for place, clip_id in enumerate(ids):
        element = _clipitem(writer, clip, clip_id, clip.played()[place] if writer.premiere else 1)
        if writer.premiere:
            element.set("premiereChannelType", "mono" if width == 1 else "stereo")
        if len(linked) > 1:
            element.extend(_links(writer, linked))
        elements.append(element)
    return elements


def _clipitem(writer: _Writer, clip: Clip, clip_id: str, channel: int | None) -> etree._Element:
    media, out = clip.media, clip.source_out(writer.rate)
    filters = []
    if clip.speed_percent != 100:
        filters.append(effect("timeremap", "speed", f"{clip.speed_percent:g}"))
    if clip.gain is not None and channel is not None:
        filters.append(effect("audiolevels", "level", f"{clip.gain:g}"))
    source = el("sourcetrack", el("mediatype", "audio"), el("trackindex", str(channel)))
    element = el(
        "clipitem",
        el("masterclipid", f"master-{media.path.name}") if writer.premiere else None,
        el("name", media.path.name),
        el("enabled", "TRUE" if clip.enabled else "FALSE"),
        el("duration", str(media.frames)),
        rate_element(media.rate),
        el("start", str(clip.start)),
        el("end", str(clip.end)),
        el("in", str(clip.source_in)),
        el("out", str(out)),
        el("pproTicksIn", str(ticks_of(clip.source_in, media.rate))) if writer.premiere else None,
        el("pproTicksOut", str(ticks_of(out, media.rate))) if writer.premiere else None,
        _file(writer, media, clip.offline),
        *filters,
        source if channel is not None else None,
    )
    element.set("id", clip_id)
    return element


def _file(writer: _Writer, media: Media, offline: bool) -> etree._Element:
    if offline:
        element = el("file", el("name", media.path.name))
        element.set("id", f"file-offline-{media.path.name}")
        return element
    known = media in writer.file_ids
    element = el("file")
    element.set("id", writer.file_ids.setdefault(media, writer.id("file")))
    if known:
        return element
    url = quote(media.path.as_posix(), safe="/")
    prefix = "file://localhost" if writer.premiere else "file://"
    audio = el(
        "audio", characteristics(media.sample_rate_hz), el("channelcount", str(media.channels))
    )
    video = el("video", el("samplecharacteristics", el("width", "1920"), el("height", "1080")))
    element.extend(
        (
            el("name", media.path.name),
            el("pathurl", prefix + url),
            rate_element(media.rate),
            el("duration", str(media.frames)),
            timecode_element(media.start_frame, media.rate, media.drop_frame, writer.premiere),
            el("media", video if media.picture else None, audio),
        )
    )
    return element


def _links(writer: _Writer, ids: list[str]) -> list[etree._Element]:
    links = []
    for clip_id in ids:
        link = el("link", el("linkclipref", clip_id))
        if writer.premiere:
            link.extend((el("mediatype", "audio"), el("trackindex", "0"), el("clipindex", "0")))
            link.append(el("groupindex", "1"))
        links.append(link)
    return links


def _number_links(tracks: list[etree._Element]) -> None:
    """Track and clip numbers of the links, once all tracks stand."""
    places = {
        item.get("id", ""): (number, index)
        for number, track in enumerate(tracks, start=1)
        for index, item in enumerate(
            [i for i in track if i.tag in ("clipitem", "transitionitem")], start=1
        )
    }
    for link in (link for track in tracks for link in track.iter("link")):
        place = places.get(link.findtext("linkclipref") or "")
        if link.find("trackindex") is None:
            continue
        link.find("mediatype").text = "video" if place is None else "audio"  # type: ignore[union-attr]
        for tag, value in zip(("trackindex", "clipindex"), place or (1, 1), strict=True):
            link.find(tag).text = str(value)  # type: ignore[union-attr]
