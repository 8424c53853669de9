"""xmeml as an OTIO timeline with notes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
from lxml import etree

from nlecompanion.model import Span, TimelineFacts
from nlecompanion.timeline.contract import ItemNote, note_item, note_timeline, number_track

from .document import Xmeml, open_xmeml
from .items import Crossing, Placed, place_track
from .reasons import speed_of
from .uses import Sounding, soundings
from .values import (
    BadValue,
    Timecode,
    common_rate,
    is_false,
    rate_of,
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
    for number, element in enumerate(document.picture_tracks, start=1):
        placed = place_track(document, element, number)
        tracks.append(_track(document, element, f"V{number}", "Video", placed, {}))
    sound = [place_track(document, t, n) for n, t in enumerate(document.audio_tracks, start=1)]
    notes = soundings(document, sound)
    numbers = _editor_numbers(document.audio_tracks)
    for element, placed, number in zip(document.audio_tracks, sound, numbers, strict=True):
        track = _track(document, element, f"A{number}", "Audio", placed, notes)
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
        clip = _item(document, item, max(0, item.end - max(item.start, position)))
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


def _item(document: Xmeml, item: Placed, length: int) -> otio.schema.Clip:
    file = document.file_of(item.element)
    clock = _clock(file, item.rate)
    reference, reference_rate = _reference(item, file, clock)
    at_s = clock.start_s + item.in_s
    rate = item.rate
    if (at_s * rate).denominator != 1:
        rate = common_rate(common_rate(rate, document.rate), reference_rate)
    clip = otio.schema.Clip(
        name=text_of(item.element, "name") or text_of(file, "name"),
        media_reference=reference,
        source_range=otio.opentime.TimeRange(
            _time(round(at_s * rate), rate), _time(length, document.rate)
        ),
    )
    clip.enabled = not is_false(item.element, "enabled")
    speed = speed_of(item.element)
    if speed is not None and speed != 1:
        clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=float(speed)))
    return clip


def _clock(file: etree._Element | None, fallback_rate: Fraction) -> Timecode:
    try:
        rate = rate_of(file) or fallback_rate
        return timecode_of(file, rate) or Timecode(0, rate, False)
    except BadValue:
        # Only a label is lost: positions count from the file's first frame, not from its clock.
        return Timecode(0, fallback_rate, False)


def _reference(
    item: Placed, file: etree._Element | None, clock: Timecode
) -> tuple[otio.core.MediaReference, Fraction]:
    if item.element.tag == "generatoritem":
        name = text_of(item.element, "effect/effectid") or text_of(item.element, "name")
        return otio.schema.GeneratorReference(generator_kind=name), clock.rate
    url = text_of(file, "pathurl")
    if file is None or not url:
        return otio.schema.MissingReference(), clock.rate
    try:
        rate, duration = rate_of(file) or item.rate, whole_number(file, "duration")
    except BadValue:
        rate, duration = item.rate, None
    if duration is None or duration < 0:
        # A file of unstated length has at least what the clip plays of it.
        rate, duration = item.rate, item.source_out
    available = otio.opentime.TimeRange(_time(clock.frame, clock.rate), _time(duration, rate))
    reference = otio.schema.ExternalReference(target_url=url, available_range=available)
    reference.name = text_of(file, "name")
    return reference, clock.rate
