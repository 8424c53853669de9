"""A clip that stands in for another: the same clip on another file."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from fractions import Fraction

from lxml import etree

from nlecompanion.model import CleanedClip, Loss

from .edit import insert, remove, set_text, swap
from .items import Placed
from .media import FileShelf, duration_frames
from .values import TICKS_HZ, BadValue, text_of, tick_number, whole_number

#: What tells one clip's own history or place in its master, and would be untrue of a new one.
_NOT_COPIED = ("marker", "subclipinfo", "itemhistory", "uuid", "syncoffset", "link")


@dataclass(frozen=True, slots=True)
class Move:
    """Where a new clip's source lies: frames of the new file at the clip's rate.

    `frames` is what is added to the original's `<in>` as written; `rounded` what rounding to
    whole frames took away, in frames.
    """

    source_in: int
    source_out: int
    frames: int
    rounded: Fraction


def move_of(clip: CleanedClip, placed: Placed) -> Move:
    """From the original's place in its file to the same instant in the cleaned file."""
    exact = (clip.source_in_s - placed.in_s) * placed.rate
    frames = round(exact)
    source_in = placed.source_in + frames
    written_in = _frame(placed.element, "in")
    if written_in is None or written_in < 0:
        written_in = placed.source_in
    return Move(
        source_in=source_in,
        source_out=placed.source_out + frames,
        frames=source_in - written_in,
        rounded=exact - frames,
    )


def original_of(clip: CleanedClip, placed: Placed) -> Placed:
    """What a new clip is made after: a plain one takes the form only, and its own places."""
    if not clip.plain:
        return placed
    element = deepcopy(placed.element)
    element.tail = None
    remove(element, "filter", "subclipinfo")
    start, end = (
        round(at_s * placed.sequence_rate) for at_s in (clip.record.start_s, clip.record.end_s)
    )
    frames = round((end - start) / placed.sequence_rate * placed.rate)
    for tag, value in (("start", start), ("end", end), ("in", 0), ("out", frames)):
        set_text(element, tag, str(value), ("rate", "name"))
    if element.find("pproTicksIn") is not None:
        set_text(element, "pproTicksIn", "0")
        set_text(element, "pproTicksOut", str(round(frames * TICKS_HZ / placed.rate)))
    return replace(
        placed,
        element=element,
        track=placed.element.getparent() if placed.track is None else placed.track,
        outer_start=start,
        outer_end=end,
        start=start,
        end=end,
        source_in=0,
        source_out=frames,
        outer_in_s=Fraction(0),
        in_s=Fraction(0),
        before=None,
        after=None,
    )


def _frame(element: etree._Element, path: str) -> int | None:
    try:
        return whole_number(element, path)
    except BadValue:
        return None


def stand_in(
    clip: CleanedClip, placed: Placed, place: int, shelf: FileShelf, mono: bool
) -> etree._Element:
    """The new clip for the original `placed`, which is the `place`-th of its use."""
    element = deepcopy(placed.element)
    element.tail = None
    remove(element, *_NOT_COPIED)
    element.set("id", shelf.ids.new("clipitem"))
    if mono and element.get("premiereChannelType"):
        element.set("premiereChannelType", "mono")
    frames = duration_frames(clip.media, placed.rate, shelf.needed_frames.get(clip.media.id, 0))
    move = move_of(clip, placed)
    if move.source_in < 0 or move.source_out > frames:
        move = _within(clip, placed, move, element)
    _note_losses(clip, placed, move, shelf, frames)
    set_text(element, "name", clip.media.path.name)
    _move_source(element, placed, move)
    set_text(element, "duration", str(frames), ("name",))
    _move_filters(element, placed.element, move.frames, frames)
    file = shelf.file(clip.media, placed.element, placed.rate)
    old_file = element.find("file")
    if old_file is None:
        insert(element, file, ("name", "rate", "start", "end", "in", "out", "enabled"))
    else:
        swap(old_file, file)
    if element.find("masterclipid") is not None:
        set_text(element, "masterclipid", shelf.master(clip.media))
    if element.find("enabled") is not None:
        set_text(element, "enabled", "TRUE")
    source = element.find("sourcetrack")
    if source is not None and source.find("trackindex") is not None:
        set_text(source, "trackindex", str(place + 1))
    return element


def _within(clip: CleanedClip, placed: Placed, move: Move, element: etree._Element) -> Move:
    """Where `<in>` and `<out>` as written reach past the file: the range that really sounds.

    Premiere may write the overlap of the picture's transition into a sound clip that is cut hard.
    """
    source_in = round((placed.outer_in_s - placed.in_s + clip.source_in_s) * placed.rate)
    length = round((placed.outer_end - placed.outer_start) / placed.sequence_rate * placed.rate)
    for path, frame in (("start", placed.outer_start), ("end", placed.outer_end)):
        written = _frame(element, path)
        if written is not None and written >= 0:
            set_text(element, path, str(frame))
    frames = move.frames + source_in - move.source_in
    return Move(source_in, source_in + length, frames, move.rounded)


def _note_losses(
    clip: CleanedClip, placed: Placed, move: Move, shelf: FileShelf, frames: int
) -> None:
    if move.rounded:
        shelf.losses.append(
            Loss(
                clip.use_id,
                f"its source in is rounded by {float(abs(move.rounded)):.3f} frame "
                f"({float(abs(move.rounded) / placed.rate) * 1000:.2f} ms) to the frame grid",
            )
        )
    missing = max(-move.source_in, move.source_out - frames)
    if missing > 0:
        shelf.losses.append(
            Loss(
                clip.use_id,
                f"the clip reaches {missing} frames past {clip.media.path.name}; "
                "longer handles would fill them",
            )
        )


def _move_source(element: etree._Element, placed: Placed, move: Move) -> None:
    old_in = tick_number(element, "pproTicksIn")
    old_out = tick_number(element, "pproTicksOut")
    per_frame = TICKS_HZ / placed.rate
    if old_in is not None and old_out is not None:
        if placed.element.find("subclipinfo") is None:
            # Ticks keep what Premiere knows below the frame.
            new_in, new_out = (n + round(move.frames * per_frame) for n in (old_in, old_out))
        else:
            new_in, new_out = (round(n * per_frame) for n in (move.source_in, move.source_out))
        set_text(element, "pproTicksIn", str(new_in))
        set_text(element, "pproTicksOut", str(new_out))
    set_text(element, "in", str(move.source_in), ("end", "start", "rate", "name"))
    set_text(element, "out", str(move.source_out), ("in",))


def _move_filters(
    element: etree._Element, original: etree._Element, frames: int, duration: int
) -> None:
    """Filters and keyframes count from the file's first frame, as `<in>` does."""
    old_duration = text_of(original, "duration")
    for applied in element.iterfind("filter"):
        start, end = _frame(applied, "start"), _frame(applied, "end")
        if start == 0 and text_of(applied, "end") == old_duration:
            set_text(applied, "end", str(duration))
        elif start is not None and end is not None and 0 <= start <= end:
            set_text(applied, "start", str(min(max(start + frames, 0), duration)))
            set_text(applied, "end", str(min(max(end + frames, 0), duration)))
        for parameter in applied.iter("parameter"):
            _move_keyframes(parameter, frames)


def _move_keyframes(parameter: etree._Element, frames: int) -> None:
    before: list[etree._Element] = []
    for keyframe in parameter.findall("keyframe"):
        when = _frame(keyframe, "when")
        if when is None:
            continue
        set_text(keyframe, "when", str(max(when + frames, 0)))
        if when + frames <= 0:
            before.append(keyframe)
    # Of those that lie before the new file only the last one still sets a value.
    for keyframe in before[:-1]:
        parameter.remove(keyframe)
