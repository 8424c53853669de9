"""Where things lie on a track: components with their exact places, transitions and addresses.

AAF counts a transition as overlapping both its neighbours: a sequence is as long as its segments
together less its transitions (AAF Object Specification 1.1, `Sequence`, `Transition`). `CutPoint`
is where the cut would be without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from nlecompanion.errors import UnsupportedDocument

from .operations import is_retime
from .values import (
    MAX_UNITS,
    AafObject,
    class_of,
    is_a,
    items_of,
    length_of,
    rate_of,
    whole_number,
)

_MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Crossing:
    """A transition: its whole length and what lies before its cut, in edit units."""

    component: AafObject
    length: int
    cut: int

    @property
    def rest(self) -> int:
        """What lies after the cut."""
        return self.length - self.cut


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A segment at its place on a track: `start` and `length` with all that transitions take.

    `holder` is the object whose property `place` (with `index` where it is a vector) holds it.
    """

    address: str
    component: AafObject
    holder: AafObject
    place: str
    index: int | None
    rate: Fraction
    start: int
    length: int
    before: Crossing | None = None
    after: Crossing | None = None

    @property
    def cut_in(self) -> int:
        """Where the clip begins by the cuts, in edit units of the track."""
        return self.start + min(self.before.cut if self.before else 0, self.length)

    @property
    def cut_out(self) -> int:
        """Where it ends by the cuts, not before `cut_in`."""
        return max(self.start + self.length - (self.after.rest if self.after else 0), self.cut_in)


def placed_on(slot: AafObject) -> list[Placed]:
    """The segments of a track in order, without its gaps."""
    if slot.segment is None:
        return []
    whole = Placed(
        address=f"S{whole_number(slot, 'SlotID')}/",
        component=slot.segment,
        holder=slot,
        place="Segment",
        index=None,
        rate=rate_of(slot),
        start=0,
        length=length_of(slot.segment),
    )
    return [p for p in _leaves(whole, 0) if class_of(p.component) != "Filler"]


def is_container(component: AafObject) -> bool:
    """Whether a track's clips lie inside: a sequence, or an effect over one."""
    for _ in range(_MAX_DEPTH):
        if is_a(component, "Sequence"):
            return True
        inputs = items_of(component, "InputSegments") if is_a(component, "OperationGroup") else []
        if len(inputs) != 1 or is_retime(component):
            return False
        component = inputs[0]
    return False


def _leaves(placed: Placed, depth: int) -> Iterator[Placed]:
    if depth > _MAX_DEPTH:
        raise UnsupportedDocument(f"its segments lie more than {_MAX_DEPTH} deep in each other.")
    component = placed.component
    if not is_container(component):
        yield placed
        return
    if is_a(component, "OperationGroup"):
        (inner,) = items_of(component, "InputSegments")
        below = replace(
            placed,
            address=_below(placed.address, 0),
            component=inner,
            holder=component,
            place="InputSegments",
            index=0,
        )
        yield from _leaves(below, depth + 1)
        return
    for child in _children(placed):
        yield from _leaves(child, depth + 1)


def _below(address: str, index: int) -> str:
    return f"{address}{index}" if address.endswith("/") else f"{address}.{index}"


def _children(placed: Placed) -> list[Placed]:
    """A sequence's segments; the outermost ones take part in the sequence's own transitions."""
    position = placed.start
    children: list[Placed] = []
    waiting = placed.before
    for index, component in enumerate(items_of(placed.component, "Components")):
        length = length_of(component)
        if is_a(component, "Transition"):
            position -= length
            waiting = _crossing(component, length)
            if children:
                children[-1] = replace(children[-1], after=waiting)
            continue
        children.append(
            replace(
                placed,
                address=_below(placed.address, index),
                component=component,
                holder=placed.component,
                place="Components",
                index=index,
                start=position,
                length=length,
                before=waiting,
                after=None,
            )
        )
        position += length
        waiting = None
        if not 0 <= position <= MAX_UNITS:
            raise UnsupportedDocument(f"a track reaches to {position}, which is no position.")
    if children and waiting is None and placed.after is not None:
        children[-1] = replace(children[-1], after=placed.after)
    return children


def _crossing(component: AafObject, length: int) -> Crossing:
    cut = whole_number(component, "CutPoint")
    return Crossing(component, length, max(0, min(cut, length)))
