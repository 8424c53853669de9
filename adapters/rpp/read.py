"""A REAPER project as an OTIO timeline with notes."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

import opentimelineio as otio

from nlecompanion.model import Span, TimelineFacts
from nlecompanion.timeline.contract import ItemNote, note_item, note_timeline
from nlecompanion.units import MAX_RATE_HZ, can_drop_frames

from .items import Bad, Item, number, project_items
from .tree import Project, open_project

DEFAULT_SAMPLE_RATE_HZ = 48_000
#: What a new project is set to.
DEFAULT_RATE = Fraction(30)


def read_timeline(path: Path) -> otio.schema.Timeline:
    """The project's tracks; all of them may hold sound.

    Positions are the decimals of the text, to the nearest sixteenth of a sample: finer ones are
    nothing that REAPER plays, and no whole number at any rate.

    Raises:
        DocumentError: with one sentence fit for the editor.
    """
    project = open_project(path)
    facts = facts_of(project)
    grid = tick_rate(facts.sample_rate_hz)
    timeline = otio.schema.Timeline(
        name=facts.name, global_start_time=_time(facts.start_frame, facts.rate)
    )
    note_timeline(timeline, facts)
    by_track: dict[int, list[Item]] = {}
    for item in project_items(project):
        by_track.setdefault(item.track_number, []).append(item)
    for track_number, block in enumerate(project.tracks(), start=1):
        name = _text(project, "NAME", block.lines) or f"Track {track_number}"
        track = otio.schema.Track(name=name, kind=otio.schema.TrackKind.Audio)
        track.extend(_children(by_track.get(track_number, []), grid))
        timeline.tracks.append(track)
    return timeline


def facts_of(project: Project) -> TimelineFacts:
    """What holds for the whole project."""
    rate, drop_frame = _frame_rate(project)
    return TimelineFacts(
        name=_text(project, "TITLE", project.root.lines),
        format="rpp",
        rate=rate,
        start_frame=round(_offset_s(project) * rate),
        drop_frame=drop_frame,
        sample_rate_hz=_sample_rate_hz(project),
    )


def tick_rate(sample_rate_hz: int) -> Fraction:
    """Sixteenths of a sample a second, or the finest parts that a rate may have."""
    return Fraction(sample_rate_hz * min(16, max(1, MAX_RATE_HZ // sample_rate_hz)))


def _words(project: Project, key: str) -> tuple[str, ...]:
    line = project.find(project.root, key)
    return () if line is None else project.words(line)


def _text(project: Project, key: str, lines: list[int]) -> str:
    for line in lines:
        if project.key(line) == key:
            words = project.words(line)
            return words[1] if len(words) > 1 else ""
    return ""


def _frame_rate(project: Project) -> tuple[Fraction, bool]:
    """TIMEMODE's fourth and fifth number: frames a second; 1 is 29.97 drop, 2 the slower twin."""
    words = _words(project, "TIMEMODE")
    base = words[4] if len(words) > 4 else ""
    mode = words[5] if len(words) > 5 else "0"
    if not re.fullmatch(r"\d{1,3}", base) or int(base) == 0:
        return DEFAULT_RATE, False
    rate = Fraction(int(base))
    if mode in ("1", "2"):
        rate = rate * 1000 / 1001
    return rate, mode == "1" and can_drop_frames(rate)


def _offset_s(project: Project) -> Fraction:
    words = _words(project, "PROJOFFS")
    try:
        return max(Fraction(0), number(words[1], "PROJOFFS")) if len(words) > 1 else Fraction(0)
    except Bad:
        # Only the labels of times depend on it.
        return Fraction(0)


def _sample_rate_hz(project: Project) -> int:
    """The project's rate where it is switched on; else media run at their own."""
    words = _words(project, "SAMPLERATE")
    if len(words) > 2 and words[2] != "0" and re.fullmatch(r"\d{4,6}", words[1]):
        rate_hz = int(words[1])
        if 8_000 <= rate_hz <= MAX_RATE_HZ:
            return rate_hz
    return DEFAULT_SAMPLE_RATE_HZ


def _time(value: int, rate: Fraction) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(value, float(rate))


def _range(start: int, length: int, rate: Fraction) -> otio.opentime.TimeRange:
    return otio.opentime.TimeRange(_time(start, rate), _time(length, rate))


def _children(items: list[Item], grid: Fraction) -> list[otio.core.Composable]:
    children: list[otio.core.Composable] = []
    reached = 0
    for item in sorted(items, key=lambda item: item.position_s):
        start, length = round(item.position_s * grid), round(item.length_s * grid)
        if start > reached:
            children.append(otio.schema.Gap(source_range=_range(0, start - reached, grid)))
        clip = otio.schema.Clip(
            name=item.name or Path(item.file.replace("\\", "/")).name,
            media_reference=_reference(item),
            source_range=_range(_source_in(item, grid), length, grid),
        )
        clip.enabled = item.left_alone is None or item.left_alone.reason.value != "disabled"
        note_item(
            clip,
            ItemNote(
                address=item.address,
                use=item.address,
                record=Span(start / grid, length / grid),
                channels=item.channels,
                left_alone=item.left_alone,
            ),
        )
        children.append(clip)
        reached = max(reached, start + length)
    return children


def _source_in(item: Item, grid: Fraction) -> int:
    """On the clock of the file: REAPER counts from its first sample; ours say their timecode."""
    offset = round(item.offset_s * grid)
    own = item.own
    return offset if own is None else offset + round(Fraction(own.start_sample, own.rate_hz) * grid)


def _reference(item: Item) -> otio.core.MediaReference:
    if not item.file:
        return otio.schema.MissingReference()
    reference = otio.schema.ExternalReference(target_url=media_url(item.file))
    own = item.own
    if own is not None:
        rate = Fraction(own.rate_hz)
        reference.available_range = _range(own.start_sample, own.length_samples, rate)
    return reference


def media_url(file: str) -> str:
    """An absolute path of this system as a URL, any other as it stands."""
    if os.name != "nt" and file.startswith("/") and not file.startswith("//"):
        return f"file://{quote(file)}"
    return file
