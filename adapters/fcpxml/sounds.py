"""The sounds of a project: what plays, where, from which instant of which asset."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from lxml import etree

from nlecompanion.model import LeftAlone, Reason, Span

_OFF = (Reason.DISABLED, Reason.MUTED)


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """An element whose volume, panner and audio filters act on a sound.

    `record = local + shift_s` for its local times; `start_s` and `end_s` are the record range of
    its audio, where its fades lie.
    """

    element: etree._Element
    shift_s: Fraction
    start_s: Fraction
    end_s: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class Crossfade:
    """A transition with sound between two items, from `record.start_s` to `record.end_s`."""

    element: etree._Element
    record: Span


@dataclass(frozen=True, slots=True)
class Edges:
    """What transitions with sound do to an item of a storyline.

    A fade, in seconds, has silence on its other side; a crossfade another item.
    """

    fade_in_s: Fraction = Fraction(0)
    fade_out_s: Fraction = Fraction(0)
    cross_in: Crossfade | None = None
    cross_out: Crossfade | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Host:
    """The item of the primary storyline that new clips are anchored to.

    `offset = record + shift_s`; `only_s` is the one offset that is certain where the item's own
    times do not run with the timeline's.
    """

    element: etree._Element
    shift_s: Fraction
    record: Span
    only_s: Fraction | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where the walk is: `record = local + shift_s`.

    `window` is the record range that an enclosing clip lets through; `roles` the role settings
    of enclosing sync, compound and multicam clips; `components` the channel settings of an
    enclosing `clip`.
    """

    shift_s: Fraction
    path: str = ""
    lane: str = "0"
    host: Host | None = None
    window: tuple[Fraction, Fraction] | None = None
    levels: tuple[Level, ...] = ()
    left_alone: LeftAlone | None = None
    roles: tuple[etree._Element, ...] = ()
    sync: etree._Element | None = None
    components: tuple[etree._Element, ...] = ()
    edges: Edges = Edges()
    shared: bool = False
    depth: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """One sound that is switched on and off by itself, at `switch`.

    `source_s` is where it starts on the asset's own clock. `levels` run from the innermost out.
    """

    address: str
    switch: etree._Element
    name: str
    record: Span
    source_s: Fraction
    asset: etree._Element | None
    channels: tuple[int, ...] | None
    role: str
    lane: str
    host: Host | None
    levels: tuple[Level, ...] = ()
    component: etree._Element | None = None
    edges: Edges = Edges()
    left_alone: LeftAlone | None = None
    source_duration_s: Fraction | None = None

    @property
    def is_off(self) -> bool:
        """Whether the document itself switches it off."""
        return self.left_alone is not None and self.left_alone.reason in _OFF


def first_reason(*reasons: LeftAlone | None) -> LeftAlone | None:
    """The reason that rules: switched off before all others, then in the order given."""
    given = [reason for reason in reasons if reason is not None]
    return next((r for r in given if r.reason in _OFF), given[0] if given else None)


def full_role(role: str) -> str:
    """`dialogue` as Final Cut writes it in full: `dialogue.dialogue-1`."""
    role = role or "dialogue"
    return role if "." in role else f"{role}.{role}-1"
