"""New tracks: clips that stand in for others, with their effects, fades and crossfades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from nlecompanion.model import CleanedClip, CleanTrack, Loss

from .making import copy_without, new_object, new_slot
from .media import MediaShelf
from .muting import muted
from .read import Reading
from .sounds import heard_in, is_muted
from .values import AafObject, is_a, items_of, text_of, value_of, whole_number
from .walk import Crossing, is_container

_MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class _Piece:
    """A new clip at its place, in edit units, with all that its transitions take."""

    component: AafObject
    start: int
    length: int
    before: Crossing | None
    after: Crossing | None


@dataclass(frozen=True, slots=True)
class TrackMaker:
    """Appends tracks to the composition; `slots` are its slots by id, `readings` by address."""

    top: AafObject
    slots: dict[int, AafObject]
    readings: dict[str, Reading]
    shelf: MediaShelf
    losses: list[Loss]

    def append(self, track: CleanTrack) -> None:
        """The track, in the form of the one that its clips come from."""
        first = self.readings[track.clips[0].like[0]]
        old = self.slots[slot_of(first.placed.address)]
        wrappers = _wrappers(old.segment)
        pieces = [self._piece(clip, len(wrappers)) for clip in track.clips]
        if not track.enabled:
            file = self.shelf.file
            pieces = [replace(p, component=muted(file, p.component)) for p in pieces]
        length = whole_number(old.segment, "Length")
        segment = self._sequence(pieces, max(length, pieces[-1].start + pieces[-1].length), old)
        for group in reversed(wrappers):
            outer = copy_without(group, "InputSegments")
            outer["Length"].value = value_of(segment, "Length")
            outer["InputSegments"].append(segment)
            segment = outer
        physical = 1 + max(
            whole_number(slot, "PhysicalTrackNumber")
            for slot in self.top.slots
            if slot.segment is not None and slot.segment.datadef is old.segment.datadef
        )
        edit_rate = value_of(old, "EditRate")
        slot = new_slot(self.top, self._slot_id(), edit_rate, segment, track.name, physical)
        for pair in items_of(old, "TimelineMobAttributeList"):
            if text_of(pair, "Name") == "_TRACK_FORMAT":
                slot["TimelineMobAttributeList"].append(pair.copy())

    def _slot_id(self) -> int:
        # Ids from 1000 on are Avid's and Pro Tools' for timecode and markers.
        taken = {slot.slot_id for slot in self.top.slots}
        last = max((number for number in taken if number < 1000), default=0)
        return next(n for n in range(last + 1, last + len(taken) + 2) if n not in taken)

    def _piece(self, clip: CleanedClip, depth: int) -> _Piece:
        reading = self.readings[clip.like[0]]
        placed = reading.placed
        lead = placed.cut_in - placed.start
        exact = clip.source_in_s * placed.rate
        start = round(exact)
        if exact != start:
            self._lose(clip, f"its source in is rounded by {_ms(exact - start, placed.rate)}")
        piece = _Piece(placed.component, placed.start, placed.length, placed.before, placed.after)
        if clip.plain:
            begin = round(clip.record.start_s * placed.rate)
            end = round(clip.record.end_s * placed.rate)
            piece, lead = _Piece(placed.component, begin, end - begin, None, None), 0
        if start < lead:
            self._lose(clip, "the file begins at the cut; its fade or crossfade in is left out")
            piece = replace(piece, start=placed.cut_in, length=placed.length - lead, before=None)
            lead = 0
        if placed.address.count(".") > depth and not clip.plain:
            self._lose(clip, "effects over several clips of its track are not on the new clip")
        return replace(piece, component=self._stand_in(clip, reading, start - lead, piece.length))

    def _lose(self, clip: CleanedClip, what: str) -> None:
        self.losses.append(Loss(clip.use_id, what))

    def _stand_in(self, clip: CleanedClip, reading: Reading, start: int, length: int) -> AafObject:
        """A copy of the original with its effects (a plain one without), on the new file."""
        component = _playing(reading.placed.component)
        component = (_bare(component) if clip.plain else component).copy()
        component["Length"].value = length
        heard = heard_in(component)
        sources = heard.clips if heard is not None else ()
        whole = reading.channels is None
        master = self.shelf.master(clip.media, whole)
        for channel, source in enumerate(sources):
            source.mob_id, source.slot_id = master.mob_id, channel + 1
            source.start, source.length = start, length
        return component

    def _sequence(self, pieces: Sequence[_Piece], length: int, old: AafObject) -> AafObject:
        """The clips with gaps between; a crossfade whose other side is not new fades to nothing."""
        like = old.segment
        sequence = new_object(self.shelf.file, "Sequence", like.datadef)
        components: list[AafObject] = []
        position = 0
        last: _Piece | None = None
        for piece in pieces:
            after = last.after if last else None
            if after is not None and after is piece.before:
                components.append(after.component.copy())
            else:
                reach = piece.start + (piece.before.length if piece.before else 0)
                position = self._fade_out(components, after, position)
                components += self._gap(reach - position, like)
                if piece.before is not None:
                    components.append(piece.before.component.copy())
            components.append(piece.component)
            position = piece.start + piece.length
            last = piece
        position = self._fade_out(components, last.after if last else None, position)
        components += self._gap(length - position, like)
        sequence["Components"].value = components
        sequence["Length"].value = length
        return sequence

    def _fade_out(self, components: list[AafObject], after: Crossing | None, position: int) -> int:
        """Ends the last clip with its transition; the gap that follows begins where it does."""
        if after is None:
            return position
        components.append(after.component.copy())
        return position - after.length

    def _gap(self, length: int, like: AafObject) -> list[AafObject]:
        if length <= 0:
            return []
        filler = new_object(self.shelf.file, "Filler", like.datadef)
        filler["Length"].value = length
        return [filler]


def slot_of(address: str) -> int:
    """The slot id in an address: 19 of `S19/0.3`."""
    return int(address.removeprefix("S").partition("/")[0])


def _playing(component: AafObject) -> AafObject:
    """The segment that sounds: what a selector selects."""
    while is_a(component, "Selector") and not is_muted(component):
        component = value_of(component, "Selected")
    return component


def _bare(component: AafObject) -> AafObject:
    """The clip inside its effects: a source clip, or the channels side by side."""
    for _ in range(_MAX_DEPTH):
        inputs = items_of(component, "InputSegments") or items_of(component, "Components")
        if len(inputs) != 1:
            break
        component = inputs[0]
    return component


def _wrappers(segment: AafObject) -> list[AafObject]:
    """The effects over a whole track, the outermost first."""
    found = []
    while is_a(segment, "OperationGroup") and is_container(segment):
        found.append(segment)
        (segment,) = items_of(segment, "InputSegments")
    return found


def _ms(units: Fraction, rate: Fraction) -> str:
    return f"{float(abs(units) / rate) * 1000:.3f} ms to the track's edit rate"
