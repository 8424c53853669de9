"""The new clips: connected clips on cleaned files, with all that the originals' sound carries."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import count

from lxml import etree

from nlecompanion.model import CleanedClip, CleanedMedia, CleanTrack, Loss

from ..fcp7xml.edit import file_url
from ..xml_safe import xml_text
from .document import Document
from .levels import Carried, carried
from .sounds import Sound
from .times import time_text

#: The first versions with `asset-clip`, and with `media-rep` in an asset.
_ASSET_CLIP_SINCE = (1, 6)
_MEDIA_REP_SINCE = (1, 9)
_NO_RATE = "FFVideoFormatRateUndefined"


class Shelf:
    """The document's resources: makes one asset for each cleaned file, when it is first used."""

    def __init__(self, document: Document) -> None:
        self.document = document
        root = document.xml.tree.getroot()
        self._taken = {element.get("id") for element in root.iter() if element.get("id")}
        self._numbers: Iterator[int] = count(1)
        self._assets: dict[str, etree._Element] = {}
        self.format_id = next(
            (
                form.get("id", "")
                for form in root.iterfind("resources/format")
                if form.get("name") == _NO_RATE
            ),
            "",
        )

    @property
    def assets(self) -> list[etree._Element]:
        """Those that were made, in their order."""
        return list(self._assets.values())

    def asset_id(self, media: CleanedMedia) -> str:
        """The id of the file's asset."""
        asset = self._assets.get(media.id)
        if asset is None:
            asset = self._assets[media.id] = self._asset(media)
        return asset.get("id", "")

    def _asset(self, media: CleanedMedia) -> etree._Element:
        asset = etree.Element(
            "asset",
            id=self._new_id(),
            name=xml_text(media.path.stem),
            start=time_text(media.start_s),
            duration=time_text(media.duration_s),
            hasAudio="1",
            audioSources="1",
            audioChannels=str(media.channels),
            audioRate=str(media.rate_hz),
        )
        url = file_url(media.path, localhost=False)
        if self.document.version >= _MEDIA_REP_SINCE:
            etree.SubElement(asset, "media-rep", kind="original-media", src=url)
        else:
            asset.set("src", url)
        return asset

    def _new_id(self) -> str:
        name = next(f"r{n}" for n in self._numbers if f"r{n}" not in self._taken)
        self._taken.add(name)
        return name


def role_of(sound: Sound, track: CleanTrack) -> str:
    """The original's main role, with the track's name as subrole: `dialogue.DX clean 1`."""
    main = sound.role.partition(".")[0] or "dialogue"
    return xml_text(f"{main}.{track.name.replace('.', ' ')}")


def stand_in(
    clip: CleanedClip,
    sound: Sound,
    track: CleanTrack,
    lane: int,
    offset_s: Fraction,
    shelf: Shelf,
    losses: list[Loss],
) -> etree._Element:
    """The connected clip for `sound`, at `offset_s` of the item that it is anchored to.

    Its local time is its file's clock, as in the original: the same timecode is the same instant.
    """
    start_s = clip.media.start_s + clip.source_in_s
    taken = carried(sound.levels, sound.edges, clip.record.start_s - start_s, sound.component)
    switch = {} if track.enabled else {"enabled": "0"}
    _note_losses(clip, losses)
    attributes = {
        "ref": shelf.asset_id(clip.media),
        "lane": str(lane),
        "offset": time_text(offset_s),
        "name": xml_text(clip.media.path.stem),
        "start": time_text(start_s),
        "duration": time_text(clip.record.duration_s),
        **switch,
    }
    role = role_of(sound, track)
    channels = ", ".join(str(n + 1) for n in range(clip.media.channels))
    if shelf.document.version < _ASSET_CLIP_SINCE:
        element = _audio_element(clip, attributes, role, channels, taken, losses)
        if _speakers(sound):
            element.set("outCh", _speakers(sound))
        return element
    if shelf.format_id:
        attributes["format"] = shelf.format_id
    attributes["audioRole"] = role
    element = etree.Element("asset-clip", attributes)
    _append(element, taken.clip_volume, taken.clip_panner)
    speakers = _speakers(sound)
    if taken.component or speakers:
        component = etree.Element("audio-channel-source", srcCh=channels)
        if speakers:
            component.set("outCh", speakers)
        component.set("role", role)
        component.extend(taken.component)
        element.append(component)
    element.extend(taken.clip_filters)
    return element


def _speakers(sound: Sound) -> str:
    """Where the original's channels play: `L, R`; empty where the document leaves it open."""
    own = "" if sound.component is None else sound.component.get("outCh", "")
    inner = sound.levels[0].element if sound.levels else None
    if not own and inner is not None and inner.tag == "audio":
        own = inner.get("outCh", "")
    return own


def _append(parent: etree._Element, *children: etree._Element | None) -> None:
    parent.extend([child for child in children if child is not None])


def _audio_element(
    clip: CleanedClip,
    attributes: dict[str, str],
    role: str,
    channels: str,
    taken: Carried,
    losses: list[Loss],
) -> etree._Element:
    """FCPXML 1.5 has no `asset-clip`; an `audio` element plays the file there."""
    element = etree.Element("audio", attributes)
    element.set("role", role)
    element.set("srcCh", channels)
    _append(element, taken.clip_volume, taken.clip_panner)
    element.extend(taken.clip_filters)
    if taken.component:
        losses.append(
            Loss(clip.use_id, "FCPXML 1.5 cannot carry its channel settings on a new clip")
        )
    return element


def _note_losses(clip: CleanedClip, losses: list[Loss]) -> None:
    end_s = clip.source_in_s + clip.record.duration_s
    missing_s = max(-clip.source_in_s, end_s - clip.media.duration_s)
    if missing_s > 0:
        losses.append(
            Loss(
                clip.use_id,
                f"the clip reaches {float(missing_s) * 1000:.1f} ms past {clip.media.path.name}",
            )
        )
