"""Rates, times and timecode: exact, and there and back again."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlecompanion.units import (
    can_drop_frames,
    db_from_power,
    exact_rate,
    exact_seconds,
    frames_from_timecode,
    gain_from_db,
    timecode_from_frames,
)

NTSC = [Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120)]
WHOLE = [Fraction(n) for n in (24, 25, 30, 48, 50, 60, 120, 44100, 48000, 96000)]


@pytest.mark.parametrize("rate", NTSC + WHOLE)
def test_a_rate_survives_being_a_float(rate: Fraction) -> None:
    assert exact_rate(float(rate)) == rate


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (23.976023976, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (119.88, Fraction(120000, 1001)),
    ],
)
def test_rounded_ntsc_rates_are_recognised(written: float, rate: Fraction) -> None:
    assert exact_rate(written) == rate


@pytest.mark.parametrize("rate", [0, -25.0, float("nan"), float("inf"), 1e12])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        exact_rate(rate)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_impossible_times_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        exact_seconds(value, 25)


def test_seconds_are_exact() -> None:
    assert exact_seconds(86400.0, 24.0) == 3600
    assert exact_seconds(1001.0, 29.97) == Fraction(1001 * 1001, 30000)
    assert exact_seconds(12.5, 25.0) == Fraction(1, 2)


# SMPTE ST 12-1: the first minutes of drop-frame at 29.97, and one hour.
@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "00:00:00;00"),
        (1799, "00:00:59;29"),
        (1800, "00:01:00;02"),
        (17981, "00:09:59;29"),
        (17982, "00:10:00;00"),
        (107892, "01:00:00;00"),
    ],
)
def test_drop_frame_skips_numbers(number: int, text: str) -> None:
    rate = Fraction(30000, 1001)
    assert timecode_from_frames(number, rate, drop_frame=True) == text
    assert frames_from_timecode(text, rate) == number


@given(
    st.sampled_from([*NTSC, *WHOLE[:7]]),
    st.booleans(),
    st.integers(min_value=0, max_value=24 * 3600 * 24 - 1),
)
def test_timecode_there_and_back(rate: Fraction, drop: bool, number: int) -> None:
    drop = drop and can_drop_frames(rate)
    text = timecode_from_frames(number, rate, drop)
    assert frames_from_timecode(text, rate, drop) == number


@pytest.mark.parametrize("text", ["", "1:2", "00:00:61:00", "00:00:00:30", "aa:bb:cc:dd"])
def test_what_is_no_timecode_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="timecode"):
        frames_from_timecode(text, Fraction(25))


def test_decibels() -> None:
    assert gain_from_db(-20) == pytest.approx(0.1)
    assert db_from_power(0.01) == pytest.approx(-20)
    assert db_from_power(0.0) == -120
