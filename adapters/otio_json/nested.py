"""Nested sequences, seen through where one sound plays in them.

A stack in an audio track goes on and off as a whole. Where just one clip sounds within its range,
a clip of that sound beside it plays the same instants, and the stack can be disabled; what stands
inside it is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

from nlecompanion.model import LeftAlone, Reason, Span

from .dialects import PREMIERE, Channels, channel_reader
from .document import Document, child_list, item_range, label_of, schema_of
from .placing import (
    Placed,
    Window,
    holder_reason,
    item_reason,
    lengths,
    place_items,
)
from .times import DocTime, Json

_OFF = (Reason.DISABLED, Reason.MUTED)
_NEXT_MOVE = "Decompose it in the editor, or export it by itself."
_SILENT = "nothing sounds in its range"


def placed_sounds(document: Document) -> Iterator[Placed]:
    """All sounding items of the audio tracks; a nested sequence as the one sound in it.

    Raises:
        UnsupportedDocument: an item without a length, after which nothing has a place.
    """
    channels_of = channel_reader(document)
    for entry in place_items(document):
        if schema_of(entry.item) != "Stack":
            yield entry
            continue
        found = _see_through(document, entry, channels_of)
        if isinstance(found, Placed):
            off = entry.left_alone if _is_off(entry.left_alone) else None
            yield replace(found, left_alone=off)
        elif _is_off(entry.left_alone):
            yield entry
        elif found == _SILENT:
            yield replace(entry, left_alone=LeftAlone(Reason.NO_SPEECH, _SILENT))
        else:
            detail = f"it is a nested sequence {found}. {_NEXT_MOVE}"
            yield replace(entry, left_alone=LeftAlone(Reason.NESTED, detail))


def _is_off(reason: LeftAlone | None) -> bool:
    return reason is not None and reason.reason in _OFF


def _see_through(
    document: Document, entry: Placed, channels_of: Callable[[Json], Channels]
) -> Placed | str:
    """The one clip that sounds in a stack, as it would stand in the stack's place; else why not."""
    stack = entry.item
    if _has_effects(stack):
        return "with effects on it"
    siblings = document.tracks[entry.track_index]["children"]
    index = entry.child_index or 0
    beside = siblings[max(index - 1, 0) : index + 2]
    if any(schema_of(other) == "Transition" for other in beside):
        return "with a transition"
    window = Window.of(stack, "a nested sequence")
    first_s = window.start_s + entry.head_cut_s
    last_s = first_s + entry.record.duration_s
    heard: list[Placed] = []
    for place, track in enumerate(child_list(stack, "children", "a nested sequence")):
        if schema_of(track) != "Track":
            return f"with a {schema_of(track) or 'thing'} that lies on no track"
        if str(track.get("kind")).lower() != "audio":
            continue
        reason = holder_reason(track, "a track in it")
        if _is_off(reason):
            continue
        found = _on_track(document, track, place, (first_s, last_s))
        if isinstance(found, str):
            return found
        if found and (reason is not None or _has_effects(track)):
            return "with effects on a track in it"
        heard += found
    return _only(entry, heard, first_s, channels_of)


def _has_effects(holder: Json) -> bool:
    return any(
        not isinstance(effect, dict) or effect.get("enabled") is not False
        for effect in holder.get("effects") or []
    )


def _on_track(
    document: Document, track: Json, place: int, window_s: tuple[Fraction, Fraction]
) -> list[Placed] | str:
    """What sounds on one track of a stack, in the stack's own time, as far as it is shown."""
    name = label_of(track, "a track of a nested sequence")
    own = Window.of(track, name)
    heard: list[Placed] = []
    lost = False
    for index, start_s, length_s, exact in lengths(track, name, document.written_by(PREMIERE)):
        item = track["children"][index]
        shown_s, end_s = own.clip(start_s, start_s + length_s)
        shown_s, end_s = max(shown_s, window_s[0]), min(end_s, window_s[1])
        if schema_of(item) == "Transition":
            if window_s[0] <= start_s - own.start_s <= window_s[1]:
                return "with a transition inside"
        elif schema_of(item) != "Gap" and end_s > shown_s:
            reason = item_reason(item)
            if not _is_off(reason):
                if lost:
                    return "with a retimed clip inside"
                heard.append(_inner(item, (place, index), shown_s, end_s, start_s - own.start_s))
        lost = lost or not exact
    return heard


def _inner(
    item: Json, path: tuple[int, int], shown_s: Fraction, end_s: Fraction, start_s: Fraction
) -> Placed:
    known = item_range(item, label_of(item, "a nested item"))
    head_cut_s = shown_s - start_s
    length_s = Fraction(0) if known is None else known.duration.seconds
    source_start: DocTime | None = None
    if known is not None:
        source_start = DocTime(known.start.seconds + head_cut_s, known.start.rate)
    return Placed(
        track_index=0,
        child_index=None,
        item=item,
        record=Span(shown_s, end_s - shown_s),
        source_start=source_start,
        head_cut_s=head_cut_s,
        tail_cut_s=length_s - head_cut_s - (end_s - shown_s),
        channels=None,
        left_alone=item_reason(item),
        inside=path,
    )


def _only(
    entry: Placed,
    heard: list[Placed],
    first_s: Fraction,
    channels_of: Callable[[Json], Channels],
) -> Placed | str:
    if not heard:
        return _SILENT
    if len(heard) > 1:
        return f"with {len(heard)} sounds, which only go on and off together"
    (only,) = heard
    channels = channels_of(only.item) if schema_of(only.item) == "Clip" else None
    reason = only.left_alone or (channels if isinstance(channels, LeftAlone) else None)
    if reason is not None:
        return f"whose one sound is left alone ({str(reason).rstrip('.')})"
    record = Span(entry.record.start_s + only.record.start_s - first_s, only.record.duration_s)
    return replace(
        only,
        track_index=entry.track_index,
        child_index=entry.child_index,
        record=record,
        around_s=(
            entry.head_cut_s + record.start_s - entry.record.start_s,
            entry.tail_cut_s + entry.record.end_s - record.end_s,
        ),
        channels=None if isinstance(channels, LeftAlone) else channels,
    )
