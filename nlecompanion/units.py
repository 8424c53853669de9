"""Exact rates and times, timecode, decibels.

Rates become fractions once, on entry; positions are integers of something or fractions of a
second. Floats appear only where a format or a formula needs them.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

#: Nothing that an editor exports runs faster; above it a "rate" is a damaged or hostile number.
MAX_RATE_HZ = 768_000
_TIMECODE = re.compile(r"^(\d{1,3})[:;.](\d{2})[:;.](\d{2})([:;.,])(\d{2,3})$")


def exact_rate(rate_hz: float | Fraction) -> Fraction:
    """The exact rate behind a float: 23.976023976 and 23.98 become 24000/1001, 25.0 becomes 25.

    Raises:
        ValueError: zero, negative, NaN, infinite, or above 768 kHz.
    """
    if isinstance(rate_hz, float) and not math.isfinite(rate_hz):
        raise ValueError(f"a rate must be a finite number, not {rate_hz}")
    if not 0 < rate_hz <= MAX_RATE_HZ:
        raise ValueError(f"a rate must lie between 0 and {MAX_RATE_HZ} per second, not {rate_hz}")
    if isinstance(rate_hz, Fraction):
        return rate_hz
    nearest = round(rate_hz)
    if nearest and abs(rate_hz - nearest) < 1e-6:
        return Fraction(nearest)
    # SMPTE ST 12-1: the NTSC family runs at n * 1000/1001; documents round it to 2 to 9 digits.
    nominal = math.ceil(rate_hz)
    ntsc = Fraction(nominal * 1000, 1001)
    if rate_hz < 1000 and abs(rate_hz - float(ntsc)) < 0.006:
        return ntsc
    return Fraction(rate_hz).limit_denominator(1_000_000)


def exact_seconds(value: float, rate_hz: float | Fraction) -> Fraction:
    """`value` units of `1/rate_hz` as exact seconds; a value within 1e-6 of a whole one is whole.

    Raises:
        ValueError: a value that is not finite, or a rate that `exact_rate` refuses.
    """
    if not math.isfinite(value):
        raise ValueError(f"a time must be a finite number, not {value}")
    nearest = round(value)
    units = Fraction(nearest) if abs(value - nearest) < 1e-6 else Fraction(value)
    return units / exact_rate(rate_hz)


def nominal_rate(rate: Fraction) -> int:
    """Frames that a timecode counts a second: 24 for 24000/1001, 30 for 30000/1001."""
    return math.ceil(rate)


def can_drop_frames(rate: Fraction) -> bool:
    """Whether drop-frame timecode exists at this rate: 29.97 and its multiples (ST 12-1, 5.2.2)."""
    return rate.denominator == 1001 and nominal_rate(rate) % 30 == 0


def frames_from_timecode(text: str, rate: Fraction, drop_frame: bool | None = None) -> int:
    """The frame number that `HH:MM:SS:FF` names; `;` or `.` before FF means drop-frame.

    Raises:
        ValueError: not a timecode, or a frame number that the rate does not have.
    """
    match = _TIMECODE.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a timecode HH:MM:SS:FF")
    hours, minutes, seconds, frames = (int(match[i]) for i in (1, 2, 3, 5))
    nominal = nominal_rate(rate)
    if minutes > 59 or seconds > 59 or frames >= nominal:
        raise ValueError(f"{text!r} is not a timecode at {nominal} frames a second")
    if drop_frame is None:
        drop_frame = match[4] in ";,." and can_drop_frames(rate)
    total_minutes = hours * 60 + minutes
    number = (total_minutes * 60 + seconds) * nominal + frames
    if drop_frame and can_drop_frames(rate):
        # ST 12-1, 5.2.2: two numbers a minute (per 30) are skipped, except every tenth minute.
        number -= nominal // 15 * (total_minutes - total_minutes // 10)
    return number


def timecode_from_frames(number: int, rate: Fraction, drop_frame: bool = False) -> str:
    """`HH:MM:SS:FF` (`HH:MM:SS;FF` for drop-frame) of a frame number; wraps at 24 hours."""
    nominal = nominal_rate(rate)
    drop_frame = drop_frame and can_drop_frames(rate)
    if drop_frame:
        dropped = nominal // 15
        per_minute = nominal * 60 - dropped
        per_ten_minutes = nominal * 600 - dropped * 9
        number %= per_ten_minutes * 144
        tens, rest = divmod(number, per_ten_minutes)
        number += dropped * 9 * tens
        if rest >= nominal * 60:
            number += dropped * (1 + (rest - nominal * 60) // per_minute)
    number %= nominal * 86_400
    total_seconds, frames = divmod(number, nominal)
    total_minutes, seconds = divmod(total_seconds, 60)
    hours, minutes = divmod(total_minutes, 60)
    width = 3 if nominal > 100 else 2
    mark = ";" if drop_frame else ":"
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{frames:0{width}}"


def gain_from_db(level_db: float) -> float:
    """The amplitude factor of a level in dB."""
    return float(10.0 ** (level_db / 20.0))


def db_from_power(power: float, floor_db: float = -120.0) -> float:
    """A mean square (full scale = 1) in dBFS, not below `floor_db`."""
    return max(floor_db, 10.0 * math.log10(power)) if power > 0 else floor_db
