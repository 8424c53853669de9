"""What an editor has decided about single uses after listening to a delivery."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from nlecompanion.errors import SettingsError

#: As far down as the profile's own `intensity_db` may go.
MAX_INTENSITY_DB = 60.0
MAX_SUBTITLE_CHARACTERS = 5_000
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What is wanted of one use; the default leaves all to the profile.

    `accept`: an offer that lies beside its original, switched off, shall play. `keep_original`:
    the use stays as it was, and wins over everything else about its sound. `intensity_db` (0 to
    60), `de_echo` and `room_tone` stand in for the profile's keys of those names, None leaves
    those. `adr`: it is to be recorded anew, whatever the verdict. `subtitle`: the words of the use
    for the draft subtitles; empty words take its line out, None keeps the draft's.

    Raises:
        SettingsError: an intensity or a subtitle that cannot be used.
    """

    accept: bool = False
    keep_original: bool = False
    intensity_db: float | None = None
    de_echo: bool | None = None
    room_tone: bool | None = None
    adr: bool = False
    subtitle: str | None = None

    def __post_init__(self) -> None:
        db = self.intensity_db
        if db is not None and not (math.isfinite(db) and 0 <= db <= MAX_INTENSITY_DB):
            raise SettingsError(
                f"intensity_db of a decision must lie between 0 and {MAX_INTENSITY_DB:g}, not {db}."
            )
        if self.subtitle is not None and len(self.subtitle) > MAX_SUBTITLE_CHARACTERS:
            raise SettingsError(
                f"A subtitle has {MAX_SUBTITLE_CHARACTERS} characters at most, "
                f"not {len(self.subtitle)}."
            )

    @property
    def sound(self) -> tuple[float | None, bool | None, bool | None]:
        """What of it changes how a region is treated: uses that differ here cannot share one."""
        return self.intensity_db, self.de_echo, self.room_tone


#: Nothing decided.
UNDECIDED = Decision()
_SWITCHES = frozenset({"accept", "keep_original", "adr"})
_CHOICES = frozenset({"de_echo", "room_tone"})


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions of one delivery, by use id."""

    by_use: Mapping[str, Decision] = field(default_factory=dict)

    def of(self, use_id: str) -> Decision:
        """What was decided about a use; `UNDECIDED` where nothing was."""
        return self.by_use.get(use_id, UNDECIDED)

    def to_json(self) -> dict[str, Any]:
        """JSON values in order of use id; what was not decided is left out."""
        uses = {
            use_id: _values(decision)
            for use_id, decision in sorted(self.by_use.items())
            if decision != UNDECIDED
        }
        return {"format": _FORMAT, "uses": uses}

    @classmethod
    def from_json(cls, value: Any) -> Decisions:
        """The decisions in these JSON values.

        Raises:
            SettingsError: they are not of that form; says where.
        """
        if not isinstance(value, dict) or not isinstance(value.get("uses"), dict):
            raise SettingsError('Decisions are an object with "format" and "uses".')
        if value.get("format") != _FORMAT:
            raise SettingsError(
                f"Decisions of format {value.get('format')!r} are not known here, only {_FORMAT}. "
                "Use the version of nlecompanion that wrote them."
            )
        return cls({use_id: _decision(use_id, told) for use_id, told in value["uses"].items()})


def _values(decision: Decision) -> dict[str, Any]:
    every = {f.name: (getattr(decision, f.name), f.default) for f in fields(Decision)}
    return {name: value for name, (value, default) in every.items() if value != default}


def _decision(use_id: str, told: Any) -> Decision:
    if not isinstance(told, dict):
        raise SettingsError(f"The decision about {use_id} is no object.")
    known = {f.name for f in fields(Decision)}
    for name, value in told.items():
        if name not in known:
            raise SettingsError(f"The decision about {use_id} has an unknown key {name!r}.")
        if not _fits(name, value):
            raise SettingsError(f"{name} in the decision about {use_id} cannot be {value!r}.")
    return Decision(**told)


def _fits(name: str, value: Any) -> bool:
    if name in _SWITCHES:
        return isinstance(value, bool)
    if value is None:
        return True
    if name in _CHOICES:
        return isinstance(value, bool)
    if name == "subtitle":
        return isinstance(value, str)
    return isinstance(value, int | float) and not isinstance(value, bool)
