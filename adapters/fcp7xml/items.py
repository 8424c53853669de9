"""A track's items with exact places: transitions resolved, sources in seconds.

`<start>` and `<end>` count in the sequence's rate, `<in>` and `<out>` in the clip's own; `-1`
stands for the outer end of the transition beside the clip, and `<in>`/`<out>` then take in the
overlap (seen in exports of Final Cut Pro 7 and Premiere: out - in = outer end - outer start).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from lxml import etree

from nlecompanion.model import LeftAlone, Reason

from .document import ITEMS, Xmeml, address_of
from .reasons import retiming, why_left_alone
from .values import (
    TICKS_HZ,
    BadValue,
    frame_number,
    part_text,
    parts_of,
    rate_in,
    text_of,
    tick_number,
    whole_number,
)

#: What later stages ask of a clip; keeping all its children would double the memory.
_KEPT = ("file", "sequence", "sourcetrack", "name", "enabled", "filter")
_PLACES = ("start", "end", "in", "out", "duration", "subclipinfo")


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """A transition: `start` and `end` are its outer ends, `cut` where the picture is cut."""

    element: etree._Element
    start: int
    end: int
    cut: int


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A clip or generator at its place.

    `outer_start` and `outer_end` are frames of the sequence with the transitions' overlap,
    `start` and `end` from cut to cut. `outer_in_s` is the source position at `outer_start`, in
    seconds from the file's first frame; `in_s` the one at `start`. `source_in` and `source_out`
    are `<in>` and `<out>` in frames of the file at `rate`; `parts` some of the element's
    children by name. `track` is the track that it counts as
    part of, where the element itself stands in another one or nowhere.
    """

    element: etree._Element
    address: str
    track_number: int
    outer_start: int
    outer_end: int
    start: int
    end: int
    rate: Fraction
    sequence_rate: Fraction
    source_in: int
    source_out: int
    outer_in_s: Fraction
    in_s: Fraction
    before: Crossing | None
    after: Crossing | None
    left_alone: LeftAlone | None
    parts: Mapping[str, etree._Element]
    track: etree._Element | None = None


@dataclass(frozen=True, slots=True)
class _Written:
    """What the element itself says, None where it says nothing or -1."""

    start: int | None
    end: int | None
    source_in: int
    source_out: int
    rate: Fraction
    fault: str = ""


def place_track(document: Xmeml, track: etree._Element, track_number: int) -> list[Placed]:
    """The clips and generators of one track, in record order."""
    siblings = [(n, child) for n, child in enumerate(track) if child.tag in ITEMS]
    crossings = {
        k: crossing
        for k, (_, child) in enumerate(siblings)
        if child.tag == "transitionitem"
        and (crossing := _crossing(document.rate, siblings, k)) is not None
    }
    placed: list[Placed] = []
    position = 0
    for k, (index, child) in enumerate(siblings):
        if child.tag == "transitionitem":
            continue
        item = _place(
            document,
            child,
            address_of(track_number, index, child),
            track_number,
            (crossings.get(k - 1), crossings.get(k + 1)),
            position,
        )
        placed.append(item)
        position = item.end
    ordered = sorted(placed, key=lambda item: item.start)
    return _without_overlaps(document, ordered)


def _crossing(
    rate: Fraction, siblings: list[tuple[int, etree._Element]], k: int
) -> Crossing | None:
    element = siblings[k][1]
    try:
        start, end = whole_number(element, "start"), whole_number(element, "end")
    except BadValue:
        return None
    if start is None or end is None or not 0 <= start <= end:
        return None
    return Crossing(element, start, end, _cut(rate, element, siblings, k, start, end))


def _cut(
    rate: Fraction,
    element: etree._Element,
    siblings: list[tuple[int, etree._Element]],
    k: int,
    start: int,
    end: int,
) -> int:
    alignment = text_of(element, "alignment")
    if alignment.startswith("start"):
        return start
    if alignment.startswith("end"):
        return end
    ticks = tick_number(element, "cutPointTicks")
    if ticks is not None:
        cut = start + round(Fraction(ticks, TICKS_HZ) * rate)
        if start <= cut <= end:
            return cut
    for beside, path in ((k - 1, "end"), (k + 1, "start")):
        if 0 <= beside < len(siblings):
            try:
                value = whole_number(siblings[beside][1], path)
            except BadValue:
                value = None
            if value is not None and start < value < end:
                return value
    return (start + end) // 2


def _place(
    document: Xmeml,
    element: etree._Element,
    address: str,
    track_number: int,
    crossings: tuple[Crossing | None, Crossing | None],
    position: int,
) -> Placed:
    parts = parts_of(element)
    written = _written(document, parts)
    outer_start, outer_end, before, after = _outer(document.rate, written, crossings, position)
    outer_in_s = written.source_in / written.rate
    start = before.cut if before else outer_start
    end = after.cut if after else outer_end
    end = max(end, start)
    in_s = outer_in_s + (start - outer_start) / document.rate
    return Placed(
        element=element,
        address=address,
        track_number=track_number,
        outer_start=outer_start,
        outer_end=outer_end,
        start=start,
        end=end,
        rate=written.rate,
        sequence_rate=document.rate,
        source_in=written.source_in,
        source_out=written.source_out,
        outer_in_s=outer_in_s,
        in_s=in_s,
        before=before,
        after=after,
        left_alone=_reason(document, element, parts, written, outer_end - outer_start),
        parts={tag: parts[tag] for tag in _KEPT if tag in parts},
    )


def _reason(
    document: Xmeml,
    element: etree._Element,
    parts: Mapping[str, etree._Element],
    written: _Written,
    length: int,
) -> LeftAlone | None:
    reason = why_left_alone(document, element, parts)
    if reason is None and written.fault:
        return LeftAlone(Reason.UNSUPPORTED, written.fault)
    if reason is None:
        source_length = written.source_out - written.source_in
        reason = retiming(length, source_length, document.rate, written.rate)
    return reason


def _written(document: Xmeml, parts: Mapping[str, etree._Element]) -> _Written:
    fault = ""
    rate: Fraction | None = None
    numbers: dict[str, int | None] = {}
    try:
        rate = rate_in(parts.get("rate"))
    except BadValue as error:
        fault = str(error)
    texts = {path: part_text(parts, path) for path in _PLACES}
    if texts["subclipinfo"] or "subclipinfo" in parts:
        texts["subclipinfo"] = text_of(parts["subclipinfo"], "startoffset")
    for path in _PLACES:
        try:
            numbers[path] = frame_number(texts[path], path)
        except BadValue as error:
            fault = fault or str(error)
            numbers[path] = None
    start, end, source_in, source_out = (numbers[p] for p in _PLACES[:4])
    start = start if start is not None and start >= 0 else None
    end = end if end is not None and end >= 0 else None
    if source_in is None or source_in < 0 or source_out is None:
        length = numbers["duration"] if start is None or end is None else end - start
        source_in = max(source_in or 0, 0)
        source_out = source_in + (length or 0)
    offset = numbers["subclipinfo"] or 0
    duration = numbers["duration"]
    # A subclip's in and out count from the subclip's start; where they lie past its end they
    # can only count from the file's.
    if offset > 0 and (duration is None or source_out <= duration):
        source_in, source_out = source_in + offset, source_out + offset
    return _Written(start, end, source_in, source_out, rate or document.rate, fault)


def _outer(
    sequence_rate: Fraction,
    written: _Written,
    crossings: tuple[Crossing | None, Crossing | None],
    position: int,
) -> tuple[int, int, Crossing | None, Crossing | None]:
    before, after = crossings
    length = round((written.source_out - written.source_in) / written.rate * sequence_rate)
    starts = _candidates(written.start, before, "start")
    ends = _candidates(written.end, after, "end")
    if not starts:
        starts = [ends[0] - length if ends and ends[0] >= length else position]
    if not ends:
        ends = [starts[0] + max(length, 0)]
    # Most writers mean the transition's outer end by -1, some the cut: the lengths tell.
    start, end = min(
        ((s, e) for s in starts for e in ends), key=lambda pair: abs(pair[1] - pair[0] - length)
    )
    if before is not None and not before.start <= start <= before.end:
        before = None
    if after is not None and not after.start <= end <= after.end:
        after = None
    return start, max(start, end), before, after


def _candidates(written: int | None, crossing: Crossing | None, side: str) -> list[int]:
    if written is not None:
        return [written]
    if crossing is None:
        return []
    return [crossing.start if side == "start" else crossing.end, crossing.cut]


def _without_overlaps(document: Xmeml, items: list[Placed]) -> list[Placed]:
    """Where clips of a track overlap, Premiere's ticks decide; what still overlaps is left alone.

    Premiere writes the first channel of a pair with the overlap of the *picture's* transition in
    start, end, in and out, though its sound is cut hard; its ticks and the pair's other channel
    have the true range.
    """
    result: list[Placed] = []
    for n, item in enumerate(items):
        clashes = (n > 0 and items[n - 1].end > item.start) or (
            n + 1 < len(items) and item.end > items[n + 1].start
        )
        result.append(_by_ticks(document, item) if clashes else item)
    for n, item in enumerate(result):
        if n > 0 and result[n - 1].end > item.start and item.left_alone is None:
            detail = "it overlaps the clip before it on its track"
            result[n] = replace(item, left_alone=LeftAlone(Reason.UNSUPPORTED, detail))
    return result


def _by_ticks(document: Xmeml, item: Placed) -> Placed:
    ticks_in = tick_number(item.element, "pproTicksIn")
    ticks_out = tick_number(item.element, "pproTicksOut")
    if item.before or item.after or ticks_in is None or ticks_out is None:
        return item
    in_s = round(Fraction(ticks_in, TICKS_HZ) * item.rate) / item.rate
    length = round(Fraction(ticks_out - ticks_in, TICKS_HZ) * document.rate)
    end = item.start + length
    if length <= 0 or end > item.end:
        return item
    return replace(item, outer_end=end, end=end, outer_in_s=in_s, in_s=in_s)
