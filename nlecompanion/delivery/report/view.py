"""What the page shows, as frozen values: the template only lays them out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nlecompanion.delivery.report.sounds import Pictures
from nlecompanion.model import Ruling, UseReport


class Kind(Enum):
    """What became of a use. The order is that of urgency; `mark` says it without colour."""

    UNFIXABLE = ("unfixable", "✕", "Beyond saving: the original plays, the best effort is off")
    OPEN = ("open", "?", "Dialogue that could not be cleaned")
    LISTEN = ("listen", "!", "Cleaned, listen before use")
    CLEANED = ("cleaned", "✓", "Cleaned")
    GOOD = ("good", "=", "Good already, kept")
    LEFT = ("left", "–", "Left alone")

    def __init__(self, css: str, mark: str, label: str) -> None:
        self.css = css
        self.mark = mark
        self.label = label

    @property
    def short(self) -> str:
        """The label's first words."""
        return self.label.partition(":")[0]

    @property
    def needs_person(self) -> bool:
        """Whether somebody has to look at it."""
        return self in (Kind.UNFIXABLE, Kind.OPEN, Kind.LISTEN)


def kind_of(report: UseReport) -> Kind:
    """What became of one use."""
    if report.left_alone is not None:
        if report.marked:
            return Kind.OPEN
        kept = report.verdict is not None and report.verdict.ruling is Ruling.KEEP
        return Kind.GOOD if kept else Kind.LEFT
    ruling = None if report.verdict is None else report.verdict.ruling
    return {
        Ruling.UNFIXABLE: Kind.UNFIXABLE,
        Ruling.WARN: Kind.LISTEN,
        Ruling.DELIVER: Kind.CLEANED,
    }.get(ruling or Ruling.KEEP, Kind.LEFT)


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a list: what, and in words and numbers how much."""

    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Flag:
    """A place that needs a person; `anchor` is the card that tells more, if there is one."""

    kind: Kind
    timecode: str
    until: str
    name: str
    text: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of the strip, in per cent of its width; `title` and `anchor` may be empty."""

    kind: Kind
    left: str
    width: str
    title: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """One track of the strip."""

    track: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One attempt of the ledger, in words."""

    number: int
    intensity: str
    changed: str
    readability: str
    quietest: str
    harm: str
    left_because: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """One harm gate at the chosen intensity."""

    symptom: str
    measure: str
    value: str
    limit: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Ledger:
    """How a file's intensity was found; `owner` is the card that tells it for all that share it."""

    owner: str
    steps: tuple[Step, ...]
    gates: tuple[Gate, ...]
    done: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Media:
    """What is seen and heard of a use. Pictures or sound may be missing, each with the reason."""

    caption: str
    timecode: str
    length_s: str
    pictures: Pictures | None
    sound: tuple[str, str] | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One treated use. `summary` comes first, in words; `ledger` is None where nothing is known."""

    anchor: str
    kind: Kind
    name: str
    track: str
    timecode: str
    until: str
    file: str
    summary: str
    facts: tuple[Fact, ...]
    phrases: tuple[tuple[str, str], ...]
    ledger: Ledger | None


@dataclass(frozen=True, slots=True)
class Row:
    """One use that has no card."""

    kind: Kind
    timecode: str
    name: str
    track: str
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A file of the delivery."""

    href: str
    name: str
    what: str


@dataclass(frozen=True, slots=True)
class Top:
    """What was asked, what was done, what needs a person."""

    title: str
    made_by: str
    headline: str
    asked: tuple[Fact, ...]
    done: tuple[Fact, ...]
    counts: tuple[tuple[Kind, int], ...]
    links: tuple[Link, ...]
    losses: tuple[Fact, ...]
