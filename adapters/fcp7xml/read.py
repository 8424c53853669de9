"""xmeml as an OTIO timeline with notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
from lxml import etree

from nlecompanion.model import Span, TimelineFacts
from nlecompanion.timeline.contract import ItemNote, note_item, note_timeline, number_track

from .document import Xmeml, open_xmeml
from .items import Crossing, Placed, place_track
from .nested import placed_sounds
from .reasons import speed_of
from .uses import Sounding
from .values import (
    BadValue,
    Timecode,
    common_rate,
    is_false,
    part_text,
    rate_of,
    says_false,
    text_of,
    timecode_of,
    whole_number,
)

DEFAULT_SAMPLE_RATE_HZ = 48_000


def read_timeline(path: Path) -> otio.schema.Timeline:
    """The document's one sequence, picture and sound.

    Raises:
        DocumentError: with one sentence fit for the editor.
    """
    document = open_xmeml(path)
    start = document.timecode()
    timeline = otio.schema.Timeline(
        name=text_of(document.sequence, "name"),
        global_start_time=_time(start.frame, document.rate),
    )
    note_timeline(
        timeline,
        TimelineFacts(
            name=timeline.name,
            format="fcp7xml",
            rate=document.rate,
            start_frame=start.frame,
            drop_frame=start.drop_frame,
            sample_rate_hz=_sample_rate_hz(document.sequence),
        ),
    )
    tracks = []
    files = _Files()
    for number, element in enumerate(document.picture_tracks, start=1):
        placed = place_track(document, element, number)
        tracks.append(_track(document, element, f"V{number}", "Video", placed, {}, files))
    sound, notes = placed_sounds(document)
    numbers = _editor_numbers(document.audio_tracks)
    for element, placed, number in zip(document.audio_tracks, sound, numbers, strict=True):
        track = _track(document, element, f"A{number}", "Audio", placed, notes, files)
        number_track(track, number)
        tracks.append(track)
    timeline.tracks.extend(tracks)
    return timeline


def _editor_numbers(elements: Sequence[etree._Element]) -> list[int]:
    """The number that the editor shows: the elements of one exploded track count once."""
    numbers: list[int] = []
    for element in elements:
        follows = numbers and element.get("currentExplodedTrackIndex", "0") not in {"", "0"}
        numbers.append(numbers[-1] if follows else (numbers[-1] + 1 if numbers else 1))
    return numbers


def _sample_rate_hz(sequence: etree._Element) -> int:
    path = "media/audio/format/samplecharacteristics/samplerate"
    text = text_of(sequence, path)
    rate_hz = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
    return rate_hz if 8_000 <= rate_hz <= 768_000 else DEFAULT_SAMPLE_RATE_HZ


def _time(value: int, rate: Fraction) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(value, float(rate))


def _track(
    document: Xmeml,
    element: etree._Element,
    fallback_name: str,
    kind: str,
    items: list[Placed],
    notes: dict[str, Sounding],
    files: _Files,
) -> otio.schema.Track:
    name = element.get("MZ.TrackName") or text_of(element, "name") or fallback_name
    track = otio.schema.Track(name=name, kind=kind)
    track.enabled = not is_false(element, "enabled")
    children: list[otio.core.Composable] = []
    position = 0
    for n, item in enumerate(items):
        if item.start > position:
            length = otio.opentime.TimeRange(
                _time(0, document.rate), _time(item.start - position, document.rate)
            )
            children.append(otio.schema.Gap(source_range=length))
        shared = n > 0 and items[n - 1].after is item.before
        if item.before is not None and not (shared and items[n - 1].end == item.start):
            children.append(_transition(document, item.before))
        clip = _item(document, item, max(0, item.end - max(item.start, position)), files)
        sounding = notes.get(item.address)
        if sounding is not None:
            note_item(clip, _note(document, item, sounding))
        children.append(clip)
        if item.after is not None:
            children.append(_transition(document, item.after))
        position = max(position, item.end)
    track.extend(children)
    return track


def _note(document: Xmeml, item: Placed, sounding: Sounding) -> ItemNote:
    return ItemNote(
        address=item.address,
        use=sounding.use,
        record=Span(item.start / document.rate, (item.end - item.start) / document.rate),
        channels=sounding.channels,
        frame_rate=item.rate,
        left_alone=item.left_alone,
    )


def _transition(document: Xmeml, crossing: Crossing) -> otio.schema.Transition:
    return otio.schema.Transition(
        name=text_of(crossing.element, "effect/name"),
        transition_type=otio.schema.TransitionTypes.SMPTE_Dissolve,
        in_offset=_time(crossing.cut - crossing.start, document.rate),
        out_offset=_time(crossing.end - crossing.cut, document.rate),
    )


def _item(document: Xmeml, item: Placed, length: int, files: _Files) -> otio.schema.Clip:
    file = files.of(document.file_of(item.element, item.parts.get("file")), item.rate)
    at_s = file.clock.start_s + item.in_s
    rate = item.rate
    if (at_s * rate).denominator != 1:
        rate = common_rate(common_rate(rate, document.rate), file.clock.rate)
    clip = otio.schema.Clip(
        name=part_text(item.parts, "name") or file.name,
        media_reference=_reference(item, file),
        source_range=otio.opentime.TimeRange(
            _time(round(at_s * rate), rate), _time(length, document.rate)
        ),
    )
    clip.enabled = not says_false(part_text(item.parts, "enabled"))
    speed = speed_of(item.element) if "filter" in item.parts else None
    if speed is not None and speed != 1:
        clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=float(speed)))
    return clip


def _reference(item: Placed, file: _File) -> otio.core.MediaReference:
    if item.element.tag == "generatoritem":
        name = text_of(item.element, "effect/effectid") or text_of(item.element, "name")
        return otio.schema.GeneratorReference(generator_kind=name)
    if not file.url:
        return otio.schema.MissingReference()
    rate, frames = file.rate, file.frames
    if frames is None:
        # A file of unstated length has at least what the clip plays of it.
        rate, frames = item.rate, item.source_out
    available = otio.opentime.TimeRange(
        _time(file.clock.frame, file.clock.rate), _time(frames, rate)
    )
    reference = otio.schema.ExternalReference(target_url=file.url, available_range=available)
    reference.name = file.name
    return reference


@dataclass(frozen=True, slots=True)
class _File:
    """What a `<file>` says; `frames` is its length at `rate`, None where it does not say."""

    name: str
    url: str
    clock: Timecode
    rate: Fraction
    frames: int | None


class _Files:
    """The document's files, each looked at once: one may be behind thousands of clips."""

    def __init__(self) -> None:
        self._known: dict[tuple[etree._Element | None, Fraction], _File] = {}

    def of(self, file: etree._Element | None, clip_rate: Fraction) -> _File:
        """`clip_rate` counts for a file that states no rate."""
        key = (file, clip_rate)
        if key not in self._known:
            self._known[key] = _file(file, clip_rate)
        return self._known[key]


def _file(file: etree._Element | None, clip_rate: Fraction) -> _File:
    try:
        rate = rate_of(file) or clip_rate
        clock = timecode_of(file, rate) or Timecode(0, rate, False)
    except BadValue:
        # Only a label is lost: positions count from the file's first frame, not from its clock.
        clock = Timecode(0, clip_rate, False)
    try:
        rate = rate_of(file) or clip_rate
        frames = None if file is None else whole_number(file, "duration")
    except BadValue:
        rate, frames = clip_rate, None
    return _File(
        name=text_of(file, "name"),
        url=text_of(file, "pathurl"),
        clock=clock,
        rate=rate,
        frames=frames if frames is not None and frames >= 0 else None,
    )
