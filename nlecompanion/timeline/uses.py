"""From the neutral model to uses: which elements sound together, where, and from which source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from nlecompanion.model import Span, Use
from nlecompanion.timeline.contract import ItemNote, item_note, track_number
from nlecompanion.units import exact_seconds

if TYPE_CHECKING:
    import opentimelineio as otio

_ZERO_S = Fraction(0)


@dataclass(frozen=True, slots=True)
class _Element:
    """One sounding item of the neutral model, with what surrounds it."""

    item: otio.core.Item
    note: ItemNote
    track: str
    track_number: int
    position: int
    lead_s: Fraction
    tail_s: Fraction


def read_uses(timeline: otio.schema.Timeline) -> tuple[Use, ...]:
    """All uses of the timeline, in track and record order, whether or not they are dialogue.

    Elements that share a `use` note are merged: their channels and addresses stand in the order
    of the elements' channels.
    """
    grouped: dict[str, list[_Element]] = {}
    for element in _elements(timeline):
        grouped.setdefault(element.note.use, []).append(element)
    uses = [_use(elements) for elements in grouped.values()]
    return tuple(sorted(uses, key=lambda use: (use.track_number, use.record.start_s, use.id)))


def _elements(timeline: otio.schema.Timeline) -> Iterator[_Element]:
    counts: dict[int, int] = {}
    import opentimelineio as otio

    transition = otio.schema.Transition
    for index, track in enumerate(timeline.audio_tracks(), start=1):
        number = track_number(track, index)
        name = track.name or f"A{number}"
        children = list(track)
        for place, child in enumerate(children):
            note = None if isinstance(child, transition) else item_note(child)
            if note is None:
                continue
            counts[number] = counts.get(number, 0) + 1
            before = children[place - 1] if place else None
            after = children[place + 1] if place + 1 < len(children) else None
            yield _Element(
                item=child,
                note=note,
                track=name,
                track_number=number,
                position=counts[number],
                # The overlap that lies on the other side of the cut is sound beyond the clip.
                lead_s=_seconds(before.in_offset) if isinstance(before, transition) else _ZERO_S,
                tail_s=_seconds(after.out_offset) if isinstance(after, transition) else _ZERO_S,
            )


def _seconds(time: otio.opentime.RationalTime) -> Fraction:
    return _exact_seconds(time.value, time.rate)


@lru_cache(maxsize=65_536)
def _exact_seconds(value: float, rate_hz: float) -> Fraction:
    """As `exact_seconds`: clips share rates, and in and out points come again and again."""
    return exact_seconds(value, rate_hz)


def _use(elements: list[_Element]) -> Use:
    first = elements[0]
    ordered = sorted(elements, key=lambda element: element.note.channels or ())
    channels: tuple[int, ...] | None = None
    if first.note.channels is not None:
        channels = tuple(channel for element in ordered for channel in element.note.channels or ())
    url, media_start_s, source = _source(first.item, first.note)
    several = len(elements) > 1
    return Use(
        id=f"A{first.track_number}-{first.position:03}",
        name=first.item.name or "",
        track=first.track,
        track_number=first.track_number,
        record=first.note.record,
        source=source,
        media_url=url,
        media_start_s=media_start_s,
        channels=channels,
        addresses=tuple(element.note.address for element in ordered),
        frame_rate=first.note.frame_rate,
        lead_s=max(element.lead_s for element in elements) if several else first.lead_s,
        tail_s=max(element.tail_s for element in elements) if several else first.tail_s,
        role=first.note.role,
        counts_timecode=first.note.counts_timecode,
        rate_is_guessed=first.note.rate_is_guessed,
        elsewhere=first.note.elsewhere if len(elements) == 1 else (),
        left_alone=next((e.note.left_alone for e in elements if e.note.left_alone), None),
    )


def _source(item: otio.core.Item, note: ItemNote) -> tuple[str, Fraction | None, Span]:
    """Media URL, the media's start timecode, and the source range from the media's first instant.

    Where the document does not say when its media start, the range still counts from wherever
    the document counts; `regions.settle` finds out once the media has been probed.
    """
    source_range = item.source_range
    reference = getattr(item, "media_reference", None)
    available = reference.available_range if reference is not None else None
    url = getattr(reference, "target_url", "") or ""
    if source_range is None and available is not None:
        source_range = available
    if source_range is None:
        return url, None, Span(Fraction(0), note.record.duration_s)
    start_s = _seconds(source_range.start_time)
    duration_s = _seconds(source_range.duration)
    if available is None:
        return url, None, Span(start_s, duration_s)
    media_start_s = _seconds(available.start_time)
    return url, media_start_s, Span(start_s - media_start_s, duration_s)
