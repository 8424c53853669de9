"""Hands a conform plan back: comments in a copy of the list, and a list for each cleaned track.

The format has one list of events, all of which play: nothing can be switched off in it, and what
is added to it would play besides. So no event is touched.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path

from nlecompanion.model import ConformPlan, Loss, TimelineMarker
from nlecompanion.units import timecode_from_frames

from .cut import Cut, Event, open_cut
from .lines import MUTE_WORDS, NOTE, Text, title_prefix
from .lists import ListWriter, one_line

#: Avid's locator colours.
_COLORS = {"RED", "GREEN", "BLUE", "CYAN", "MAGENTA", "YELLOW", "BLACK", "WHITE", "PINK"}
_LIKE = {"PURPLE": "MAGENTA", "ORANGE": "YELLOW"}
_MAX_NUMBERS_TOLD = 40


def patch_document(path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:
    """Writes the list with comments to `target`, and `<stem> <track name>.edl` beside it.

    Raises:
        DocumentError: the plan names an address that the list does not have.
    """
    cut = open_cut(path)
    disabled = [cut.event_at(address) for address in plan.disable]
    losses: list[Loss] = []
    writer = ListWriter(cut, plan, losses)
    lists = {
        target.with_name(f"{target.stem} {one_line(track.name)}.edl"): writer.list_of(track)
        for track in plan.tracks
    }
    wanted = [m.name for m, track in zip(lists, plan.tracks, strict=True) if track.enabled]
    _tell(cut, plan, disabled, wanted, losses)
    losses += [
        Loss(made.name, "an EDL cannot switch a track off: import this list only if you want it")
        for made, track in zip(lists, plan.tracks, strict=True)
        if not track.enabled
    ]
    target.write_bytes(_encoded(_commented(cut, plan, disabled), cut.written.text, losses))
    for made, lines in lists.items():
        made.write_bytes(_new_list(lines, cut.written.text))
    return tuple(losses)


def _tell(
    cut: Cut, plan: ConformPlan, disabled: list[Event], lists: list[str], losses: list[Loss]
) -> None:
    """What an editor has to do by hand, and what had to be assumed."""
    name = cut.written.name
    if disabled:
        numbers = ", ".join(event.written.number for event in disabled[:_MAX_NUMBERS_TOLD])
        more = len(disabled) - _MAX_NUMBERS_TOLD
        losses.append(
            Loss(
                name,
                f"an EDL cannot switch events off: import {', '.join(lists)} onto new audio tracks "
                f"and mute {len(disabled)} events by hand: {numbers}"
                + (f" and {more} more" if more > 0 else ""),
            )
        )
    if cut.rate.assumed and (plan.tracks or plan.markers):
        losses.append(
            Loss(
                name,
                f"the list does not say its frame rate; {float(cut.rate.rate):.3f} was assumed, as "
                f"{cut.rate.why}. If that is wrong, add a line '* FPS: 24' or the like and run "
                "again",
            )
        )


def _commented(cut: Cut, plan: ConformPlan, disabled: Iterable[Event]) -> list[tuple[str, str]]:
    """The list's lines with their ends: renamed, with notes and locators below the events."""
    below: dict[int, list[str]] = {}
    homes = {clip.use_id: track.name for track in plan.tracks for clip in track.clips}
    lists = {
        address: homes[clip.use_id]
        for track in plan.tracks
        for clip in track.clips
        for address in clip.like
    }
    for event in disabled:
        where = lists.get(event.address, "")
        note = f"{NOTE} {MUTE_WORDS}, CLEANED IN {one_line(where)}" if where else ""
        below.setdefault(event.written.last_line, []).append(note or f"{NOTE} {MUTE_WORDS}")
    text = cut.written.text
    known = {line.rstrip() for line in text.lines}  # a second run must not repeat its locators
    events = sorted(cut.events, key=lambda event: event.record_in)
    starts = [event.record_in for event in events]
    for marker in plan.markers:
        frame = cut.start + round(marker.record.start_s * cut.rate.rate)
        event = events[max(0, bisect_right(starts, frame) - 1)]
        locator = _locator(cut, marker, frame)
        if locator not in known:
            below.setdefault(event.written.last_line, []).append(locator)
    result: list[tuple[str, str]] = []
    for number, (line, end) in enumerate(zip(text.lines, text.ends, strict=True)):
        if number == cut.written.title_line and cut.written.title != plan.timeline_name:
            line = title_prefix(line) + one_line(plan.timeline_name)
        result.append((line, end))
        for added in below.get(number, ()):
            last_line, last_end = result[-1]
            result[-1] = (last_line, last_end or text.newline)
            result.append((added, last_end))
    if cut.written.title_line is None and plan.timeline_name:
        result.insert(0, (f"TITLE: {one_line(plan.timeline_name)}", text.newline))
    return result


def _locator(cut: Cut, marker: TimelineMarker, frame: int) -> str:
    color = marker.color.upper()
    color = color if color in _COLORS else _LIKE.get(color, "RED")
    code = timecode_from_frames(frame, cut.rate.rate, cut.drop_frame).replace(";", ":")
    words = ". ".join(text for text in (marker.name, marker.comment) if text)
    return f"* LOC: {code} {color:<7} {one_line(words)}".rstrip()


def _encoded(lines: list[tuple[str, str]], text: Text, losses: list[Loss]) -> bytes:
    whole = "".join(line + end for line, end in lines)
    try:
        return text.mark + whole.encode(text.encoding)
    except UnicodeEncodeError:
        losses.append(
            Loss("comments", f"the list is in {text.encoding}; letters that it lacks became '?'")
        )
        return text.mark + whole.encode(text.encoding, "replace")


def _new_list(lines: list[str], text: Text) -> bytes:
    whole = "".join(line + text.newline for line in lines)
    try:
        return text.mark + whole.encode(text.encoding)
    except UnicodeEncodeError:
        # Paths must arrive whole; editors read UTF-8 where the old code page does not suffice.
        return whole.encode("utf-8", "replace")
