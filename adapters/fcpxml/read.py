"""FCPXML as an OTIO timeline with notes."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
from lxml import etree

from nlecompanion.model import TimelineFacts
from nlecompanion.timeline.choice import CLEAN_TRACK_NAME
from nlecompanion.timeline.contract import ItemNote, note_item, note_timeline
from nlecompanion.units import MAX_RATE_HZ

from .document import Document, open_document, url_of
from .sounds import Host, Sound
from .times import BadTime, time_of
from .walk import walk

DEFAULT_SAMPLE_RATE_HZ = 48_000
#: Final Cut's own grid for sound between frames; used where a time needs a finer one.
_FINE_HZ = 720_000
_SAMPLE_RATES_HZ = {
    "32k": 32_000,
    "44.1k": 44_100,
    "48k": 48_000,
    "88.2k": 88_200,
    "96k": 96_000,
    "176.4k": 176_400,
    "192k": 192_000,
}


def read_timeline(path: Path) -> otio.schema.Timeline:
    """The document's one project: its primary storyline's picture, and all sound.

    FCPXML has no tracks; sounds of one lane and role share one, as far as they do not overlap.

    Raises:
        DocumentError: with one sentence fit for the editor.
    """
    document = open_document(path)
    found = walk(document)
    start_frame = round(document.start_s * document.rate)
    timeline = otio.schema.Timeline(
        name=document.project.get("name", ""),
        global_start_time=otio.opentime.RationalTime(start_frame, float(document.rate)),
    )
    note_timeline(
        timeline,
        TimelineFacts(
            name=timeline.name,
            format="fcpxml",
            rate=document.rate,
            start_frame=start_frame,
            drop_frame=document.sequence.get("tcFormat") == "DF",
            sample_rate_hz=_SAMPLE_RATES_HZ.get(
                document.sequence.get("audioRate", ""), DEFAULT_SAMPLE_RATE_HZ
            ),
        ),
    )
    timeline.tracks.append(_picture(document, found.hosts))
    for name, sounds in _tracks(found.sounds):
        timeline.tracks.append(_track(document, name, sounds))
    return timeline


def track_name(role: str) -> str:
    """The main role (`dialogue` of `dialogue.boom`), or our own name where the subrole is ours."""
    main, _, sub = role.partition(".")
    return sub if sub.startswith(CLEAN_TRACK_NAME) else main


def _tracks(sounds: Iterable[Sound]) -> list[tuple[str, list[Sound]]]:
    """The sounds in tracks that do not overlap: what is on, and the primary storyline, first."""
    groups: dict[tuple[str, str], list[list[Sound]]] = {}
    for sound in sorted(sounds, key=lambda s: (s.is_off, s.lane != "0", s.record.start_s)):
        lanes = groups.setdefault((sound.lane, track_name(sound.role)), [])
        for lane in lanes:
            if lane[-1].record.end_s <= sound.record.start_s:
                lane.append(sound)
                break
        else:
            lanes.append([sound])
    return [(name, lane) for (_, name), lanes in groups.items() for lane in lanes]


def _track(document: Document, name: str, sounds: list[Sound]) -> otio.schema.Track:
    track = otio.schema.Track(name=name, kind=otio.schema.TrackKind.Audio)
    children: list[otio.core.Composable] = []
    position_s = Fraction(0)
    before: Sound | None = None
    for sound in sounds:
        children += _gap(sound.record.start_s - position_s) or _crossfade(before, sound)
        before = sound
        clip = _clip(document, sound)
        note_item(
            clip,
            ItemNote(
                address=sound.address,
                use=sound.address,
                record=sound.record,
                channels=sound.channels,
                frame_rate=document.rate,
                role=sound.role,
                left_alone=sound.left_alone,
                # FCPXML always counts on the media's clock, also where an asset is only a piece.
                counts_timecode=clip.media_reference.available_range is None,
            ),
        )
        children.append(clip)
        position_s = sound.record.end_s
    track.extend(children)
    return track


def _gap(length_s: Fraction) -> list[otio.core.Composable]:
    if length_s <= 0:
        return []
    length = otio.opentime.TimeRange(_time(Fraction(0)), _time(length_s))
    return [otio.schema.Gap(source_range=length)]


def _crossfade(before: Sound | None, after: Sound) -> list[otio.core.Composable]:
    """The transition between two sounds, so that the cleaned files reach under it."""
    fade = after.edges.cross_in
    if before is None or fade is None or before.edges.cross_out is None:
        return []
    if before.edges.cross_out.element is not fade.element:
        return []
    cut_s = after.record.start_s
    return [
        otio.schema.Transition(
            name=fade.element.get("name", ""),
            transition_type=otio.schema.TransitionTypes.SMPTE_Dissolve,
            in_offset=_time(max(cut_s - fade.record.start_s, Fraction(0))),
            out_offset=_time(max(fade.record.end_s - cut_s, Fraction(0))),
        )
    ]


def _clip(document: Document, sound: Sound) -> otio.schema.Clip:
    length_s = sound.source_duration_s or sound.record.duration_s
    clip = otio.schema.Clip(
        name=sound.name,
        media_reference=_reference(document, sound.asset),
        source_range=otio.opentime.TimeRange(_time(sound.source_s), _time(length_s)),
    )
    clip.enabled = not sound.is_off
    return clip


def _reference(document: Document, asset: etree._Element | None) -> otio.core.MediaReference:
    if asset is None or not url_of(asset):
        return otio.schema.MissingReference()
    available = None
    if asset.get("id", "") not in document.pieces:
        available = _available(asset)
    reference = otio.schema.ExternalReference(target_url=url_of(asset), available_range=available)
    reference.name = asset.get("name", "")
    return reference


def _available(asset: etree._Element) -> otio.opentime.TimeRange | None:
    try:
        start_s = time_of(asset, "start") or Fraction(0)
        duration_s = max(time_of(asset, "duration") or Fraction(0), Fraction(0))
    except BadTime:
        # Its clock is unknown then; what its clips play is found once the media is probed.
        return None
    return otio.opentime.TimeRange(_time(start_s), _time(duration_s))


def _picture(document: Document, hosts: list[Host]) -> otio.schema.Track:
    """The items of the primary storyline, for the neutral copy of the cut."""
    track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
    children: list[otio.core.Composable] = []
    position_s = Fraction(0)
    for host in hosts:
        children += _gap(host.record.start_s - position_s)
        length = otio.opentime.TimeRange(
            _time(host.record.start_s + host.shift_s), _time(host.record.duration_s)
        )
        if host.element.tag == "gap":
            children.append(otio.schema.Gap(source_range=length))
        else:
            asset = document.asset_of(host.element)
            seen = asset is not None and asset.get("hasVideo") == "1"
            clip = otio.schema.Clip(
                name=host.element.get("name", ""),
                media_reference=_reference(document, asset if seen else None),
                source_range=length,
            )
            clip.enabled = host.element.get("enabled", "1") != "0"
            children.append(clip)
        position_s = max(position_s, host.record.end_s)
    track.extend(children)
    return track


def _time(time_s: Fraction) -> otio.opentime.RationalTime:
    """A whole number at the slowest whole rate that names the instant exactly.

    Where that is beyond what a model holds, the nearest 1/720000 s.
    """
    if time_s.denominator > MAX_RATE_HZ or abs(time_s.numerator) >= 2**53:
        time_s = Fraction(round(time_s * _FINE_HZ), _FINE_HZ)
    return otio.opentime.RationalTime(time_s.numerator, time_s.denominator)
