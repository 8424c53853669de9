"""Times of a `.otio` document: exact seconds in, and seconds out at the document's own rates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeGuard

from nlecompanion.errors import UnsupportedDocument
from nlecompanion.units import MAX_RATE_HZ, exact_rate, exact_seconds

Json = dict[str, Any]
#: Beyond this a double no longer counts single frames.
MAX_VALUE = 2**53
#: At and above this many units a second, positions count samples or ticks and not frames.
FRAME_RATE_LIMIT_HZ = 1000


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate, exact, and as the document spells it (23.976, 24000/1001 as a double, 25)."""

    exact: Fraction
    written: float

    @classmethod
    def of(cls, exact: Fraction) -> Rate:
        """A rate that the document does not spell."""
        return cls(exact, float(exact))

    @property
    def is_frame_rate(self) -> bool:
        """Whether it counts pictures."""
        return 1 < self.exact < FRAME_RATE_LIMIT_HZ


@dataclass(frozen=True, slots=True)
class DocTime:
    """A RationalTime of the document."""

    seconds: Fraction
    rate: Rate


def copied(value: Any) -> Any:
    """A deep copy of a JSON value, without the care that other objects need."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value


def is_number(value: object) -> TypeGuard[float]:
    """Whether a JSON value is a number (`true` is not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@lru_cache(maxsize=1024, typed=True)
def _rate(written: float) -> Rate:
    return Rate(exact_rate(written), written)


@lru_cache(maxsize=65_536, typed=True)
def _time(units: float, rate: float) -> DocTime:
    if not abs(units) <= MAX_VALUE:
        raise ValueError(f"a time must lie within {MAX_VALUE} units, not {_short(units)}")
    known = _rate(rate)
    return DocTime(exact_seconds(units, known.exact), known)


def read_time(value: object, where: str) -> DocTime:
    """A RationalTime, exact.

    Raises:
        UnsupportedDocument: not a RationalTime, or one whose rate or value makes no sense.
    """
    rate = value.get("rate") if isinstance(value, dict) else None
    units = value.get("value") if isinstance(value, dict) else None
    if not is_number(rate) or not is_number(units):
        raise UnsupportedDocument(f"{where} is not a time with a rate and a value. Export again.")
    try:
        return _time(units, rate)
    except (ValueError, OverflowError) as error:
        raise UnsupportedDocument(
            f"{where} cannot be used: {_short(error)}. Export the timeline again."
        ) from error


def _short(value: object) -> str:
    text = f"{value}"
    return text if len(text) <= 120 else f"{text[:100]}…"


@dataclass(frozen=True, slots=True)
class DocRange:
    """A TimeRange of the document."""

    start: DocTime
    duration: DocTime


def read_range(value: object, where: str) -> DocRange | None:
    """A TimeRange, exact; None where there is none.

    Raises:
        UnsupportedDocument: not a TimeRange, or one of negative length.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise UnsupportedDocument(f"{where} is not a time range. Export the timeline again.")
    start = read_time(value.get("start_time"), f"The start of {where}")
    duration = read_time(value.get("duration"), f"The duration of {where}")
    if duration.seconds < 0:
        raise UnsupportedDocument(f"{where} has a negative length. Export the timeline again.")
    return DocRange(start, duration)


def write_time(seconds: Fraction, rates: Iterable[Rate]) -> tuple[Json, bool]:
    """A RationalTime at the first rate that counts `seconds` in whole units, and if it is exact.

    Where none of them does, the denominator of the seconds is the rate.
    """
    last: Rate | None = None
    for rate in (*rates, Rate.of(Fraction(seconds.denominator))):
        if rate.exact > MAX_RATE_HZ:
            continue
        last = rate
        if (seconds * rate.exact).denominator == 1:
            return _rational_time(seconds, rate), True
    return _rational_time(seconds, last or Rate.of(Fraction(MAX_RATE_HZ))), False


def _rational_time(seconds: Fraction, rate: Rate) -> Json:
    units = seconds * rate.exact
    whole_numbers = isinstance(rate.written, int) and units.denominator == 1
    value: float = int(units) if whole_numbers else float(units)
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": rate.written, "value": value}


def time_range(start: Json, duration: Json) -> Json:
    """A TimeRange of two RationalTimes."""
    return {"OTIO_SCHEMA": "TimeRange.1", "duration": duration, "start_time": start}
