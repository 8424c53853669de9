"""Nested sequences, seen through where one sound plays in them.

A nested sequence's sound goes on and off at the clip that shows it, as a whole. Where just one
sound plays within that clip's range, a clip of that sound in the outer sequence plays the same
instants, and the nested clip can be disabled; what stands inside the nested sequence is not
touched, since other clips may show it too.
"""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction

from lxml import etree

from nlecompanion.model import LeftAlone, Reason

from .document import Xmeml, address_of
from .edit import set_text
from .items import Placed, place_track
from .uses import Sounding, soundings
from .values import (
    TICKS_HZ,
    BadValue,
    is_false,
    parts_of,
    rate_of,
    text_of,
    tick_number,
    whole_number,
)

_OFF = (Reason.DISABLED, Reason.MUTED)
_NEXT_MOVE = "Put its clips into the timeline themselves, or export the nested sequence by itself."
_SILENT = "without sound in its range"
_PANNER = "PannerCurrentValue"

Inner = tuple[list[Placed], list[Sounding]]


def placed_sounds(document: Xmeml) -> tuple[list[list[Placed]], dict[str, Sounding]]:
    """The sound tracks' items and their uses; nested sequences as the one sound in them."""
    tracks = [place_track(document, t, n) for n, t in enumerate(document.audio_tracks, start=1)]
    notes = soundings(document, tracks)
    groups: dict[str, list[Placed]] = defaultdict(list)
    for item in (item for track in tracks for item in track):
        if "sequence" in item.parts:
            groups[notes[item.address].use].append(item)
    if not groups:
        return tracks, notes
    seen: dict[str, Placed] = {}
    for group in groups.values():
        found = _see_through(document, group)
        for outer, inner, sounding in found:
            seen[outer.address] = inner
            channels = notes[outer.address].channels if sounding is None else sounding.channels
            notes[outer.address] = Sounding(group[0].address, channels)
    return [[seen.get(item.address, item) for item in track] for track in tracks], notes


def _see_through(
    document: Xmeml, group: list[Placed]
) -> list[tuple[Placed, Placed, Sounding | None]]:
    """Each clip of a nested use with what stands for it; itself, with the reason, where not."""
    try:
        inside = _inside(document, group)
    except BadValue as error:
        inside = f"whose {error}"
    if isinstance(inside, str):
        return [(outer, _refused(document, outer, inside), None) for outer in group]
    items, notes = inside
    shown = [_shown(outer, item) for outer, item in zip(group, items, strict=True)]
    if any(item is None for item in shown):
        why = "whose cut does not fall on a frame of the sound inside it"
        return [(outer, _refused(document, outer, why), None) for outer in group]
    return [
        (outer, item, note)
        for outer, item, note in zip(group, shown, notes, strict=True)
        if item is not None
    ]


def _refused(document: Xmeml, outer: Placed, why: str) -> Placed:
    if outer.left_alone is not None and outer.left_alone.reason in _OFF:
        return outer
    if why == _SILENT:
        return replace(outer, left_alone=LeftAlone(Reason.NO_SPEECH, "nothing sounds in its range"))
    sequence = document.sequence_of(outer.element)
    name = text_of(sequence, "name") or text_of(outer.element, "name")
    detail = f"{name[:60]!r} is a nested sequence {why}. {_NEXT_MOVE}"
    return replace(outer, left_alone=LeftAlone(Reason.NESTED, detail))


def _inside(document: Xmeml, group: list[Placed]) -> Inner | str:
    """The one sound that a nested use plays, in the order of its channels; else why not."""
    sequence = document.sequence_of(group[0].element)
    if sequence is None:
        return "that the document does not hold"
    if rate_of(sequence) != document.rate:
        return "with a frame rate of its own"
    if any(item.before or item.after for item in group):
        return "with a transition"
    if any(item.element.find("filter") is not None for item in group):
        return "with filters or a level of its own"
    first_s, length = group[0].in_s, group[0].end - group[0].start
    first = first_s * document.rate
    if first.denominator != 1:
        return "that starts between two frames"
    inner = _document_inside(document, sequence)
    tracks = [place_track(inner, t, n) for n, t in enumerate(inner.audio_tracks, start=1)]
    heard = [
        item
        for track in tracks
        for item in track
        if item.outer_start < first + length and item.outer_end > first and not _is_off(item)
    ]
    return _only_use(heard, soundings(inner, tracks), len(group))


def _is_off(item: Placed) -> bool:
    return item.left_alone is not None and item.left_alone.reason in _OFF


def _document_inside(document: Xmeml, sequence: etree._Element) -> Xmeml:
    """The same document with the nested sequence as the one that is meant."""
    tracks = tuple(sequence.iterfind("media/audio/track"))
    clips = {
        address_of(number, index, item): item
        for number, track in enumerate(tracks, start=1)
        for index, item in enumerate(track)
        if item.tag in ("clipitem", "generatoritem")
    }
    off = frozenset(track for track in tracks if is_false(track, "enabled"))
    return replace(document, sequence=sequence, audio_tracks=tracks, clips=clips, tracks_off=off)


def _only_use(heard: list[Placed], notes: dict[str, Sounding], width: int) -> Inner | str:
    uses = {notes[item.address].use for item in heard}
    if not uses:
        return _SILENT
    if len(uses) > 1:
        return f"with {len(uses)} sounds, which only go on and off together"
    heard.sort(key=lambda item: (notes[item.address].channels or (), item.track_number))
    if len(heard) != width:
        return f"whose one sound has {len(heard)} clips where the nested clip has {width}"
    for place, item in enumerate(heard):
        if item.left_alone is not None:
            return f"whose one sound is left alone ({item.left_alone})"
        if item.before or item.after:
            return "with a transition inside"
        if not _straight(item.element.getparent(), place):
            return "with a panned track inside"
    return heard, [notes[item.address] for item in heard]


def _straight(track: etree._Element | None, place: int) -> bool:
    """Whether a track goes to its own channel of the nested sequence, neither panned nor off."""
    if track is None:
        return False
    output = text_of(track, "outputchannelindex")
    return track.get(_PANNER, "0.5") == "0.5" and output in ("", "0", str(place + 1))


def _shown(outer: Placed, inner: Placed) -> Placed | None:
    """The inner clip as it would stand in the outer sequence; None where no frame says it."""
    first = int(outer.in_s * outer.sequence_rate)
    start = max(inner.start, first)
    end = min(inner.end, first + outer.end - outer.start)
    head = (start - inner.start) / outer.sequence_rate * inner.rate
    length = (end - start) / outer.sequence_rate * inner.rate
    in_s = inner.in_s + (start - inner.start) / outer.sequence_rate
    written_in = whole_number(inner.element, "in")
    if head.denominator != 1 or written_in is None or written_in < 0:
        return None
    start, end = start - first + outer.start, end - first + outer.start
    frames = round(length)
    element = _copy(outer, inner, (start, end), (written_in + int(head), frames), head)
    return replace(
        inner,
        element=element,
        parts=parts_of(element),
        address=outer.address,
        track_number=outer.track_number,
        track=outer.element.getparent(),
        outer_start=start,
        outer_end=end,
        start=start,
        end=end,
        source_in=inner.source_in + int(head),
        source_out=inner.source_in + int(head) + frames,
        outer_in_s=in_s,
        in_s=in_s,
        left_alone=outer.left_alone if _is_off(outer) else None,
    )


def _copy(
    outer: Placed,
    inner: Placed,
    record: tuple[int, int],
    source: tuple[int, int],
    head: Fraction,
) -> etree._Element:
    """The inner clip's element with the outer places written into it; it stands nowhere."""
    element = deepcopy(inner.element)
    element.tail = None
    start, end = record
    source_in, frames = source
    written = (("start", start), ("end", end), ("in", source_in), ("out", source_in + frames))
    for tag, value in written:
        set_text(element, tag, str(value), ("rate", "name"))
    ticks_in = tick_number(element, "pproTicksIn")
    if ticks_in is not None:
        per_frame = TICKS_HZ / inner.rate
        set_text(element, "pproTicksIn", str(ticks_in + round(head * per_frame)))
        set_text(element, "pproTicksOut", str(ticks_in + round((head + frames) * per_frame)))
    off = is_false(outer.element, "enabled")
    set_text(element, "enabled", "FALSE" if off else "TRUE", ("name",))
    return element
