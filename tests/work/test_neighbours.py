"""The floor of the clips beside a region's own, from what was heard before any split."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from testkit.model import media, use

from nlecompanion.diagnosis.moments import Track
from nlecompanion.model import Region, Span
from nlecompanion.settings import Profile
from nlecompanion.work.neighbours import neighbour_floors_db

PROFILE = Profile(min_intensity_db=6.0, keep_sbr_db=30.0)


def region(number: int, record_s: float, track_number: int = 1) -> Region:
    """10 s of a file of its own, played from `record_s` on."""
    source = Span(Fraction(0), Fraction(10))
    record = Span(Fraction(record_s), Fraction(10))
    own = replace(use(number, track_number=track_number), source=source, record=record)
    return Region(f"r{number}", media(), (0,), 48_000, 0, 480_000, (own,), None, Fraction(0))


def track(floor_db: float, speech_s: float = 5.0) -> Track:
    """Speech at 0 dB for the first seconds, then the floor."""
    powers = np.full(500, 10 ** (floor_db / 10))
    powers[: round(speech_s * 50)] = 1.0
    spoken = (Span(Fraction(0), Fraction(speech_s)),) if speech_s else ()
    return Track(spoken, np.ones(313, np.float32), powers)


def test_a_neighbour_counts_as_it_will_be_left() -> None:
    heard = [(region(1, 0), track(-20)), (region(2, 10), track(-40))]
    # -40 dB is good enough to be kept; -20 dB gets 6 dB at the least.
    assert neighbour_floors_db(heard, PROFILE) == {"r1": -40.0, "r2": -26.0}


def test_the_noisiest_neighbour_is_what_the_ear_compares_with() -> None:
    heard = [
        (region(1, 0), track(-10)), (region(2, 10), track(-25)), (region(3, 20), track(-15)),
    ]  # fmt: skip
    assert neighbour_floors_db(heard, PROFILE)["r2"] == -16.0


@pytest.mark.parametrize(
    "other", [region(2, 11.5), region(2, 10, track_number=2), region(2, -11.5)]
)
def test_far_away_or_on_another_track_it_is_no_neighbour(other: Region) -> None:
    assert neighbour_floors_db([(region(1, 0), track(-20)), (other, track(-20))], PROFILE) == {}


@pytest.mark.parametrize("speech_s", [0.0, 0.1, 10.0, 9.9])
def test_without_speech_or_without_gaps_there_is_no_floor(speech_s: float) -> None:
    heard = [(region(1, 0), track(-20)), (region(2, 10), track(-20, speech_s))]
    assert neighbour_floors_db(heard, PROFILE) == {"r2": -26.0}


def test_silence_is_no_floor_and_no_error() -> None:
    silent = Track((Span(Fraction(0), Fraction(5)),), np.ones(313, np.float32), np.zeros(500))
    heard = [(region(1, 0), silent), (region(2, 10), silent)]
    assert neighbour_floors_db(heard, PROFILE) == {}
    assert neighbour_floors_db([], PROFILE) == {}


def test_the_order_of_the_regions_does_not_matter() -> None:
    heard = [(region(n, 10 * n), track(-10.0 - 3 * n)) for n in range(4)]
    assert neighbour_floors_db(heard, PROFILE) == neighbour_floors_db(heard[::-1], PROFILE)
