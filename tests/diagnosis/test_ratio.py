"""The steadied ratio of speech to background, by itself and on mixtures of known ratio."""

from __future__ import annotations

from itertools import pairwise

import pytest

from nlecompanion.diagnosis.ratio import steadied_sbr_db


def test_without_a_split_there_is_no_ratio() -> None:
    assert steadied_sbr_db(None, None) is None
    assert steadied_sbr_db(None, 12.0) is None


@pytest.mark.parametrize("split_db", [-80.0, -25.0, 25.0, 90.0])
def test_beyond_what_is_decided_the_split_is_believed(split_db: float) -> None:
    assert steadied_sbr_db(split_db, 5.0) == split_db


@pytest.mark.parametrize("gaps_db", [None, 2.0, 15.0])
def test_a_higher_ratio_of_the_split_is_a_higher_ratio(gaps_db: float | None) -> None:
    found = [steadied_sbr_db(float(split_db), gaps_db) for split_db in range(-24, 25)]
    assert all(a < b for a, b in pairwise(found))  # type: ignore[operator]


def test_gaps_move_it_within_limits_only() -> None:
    quiet, loud = steadied_sbr_db(5.0, 20.0), steadied_sbr_db(5.0, 0.0)
    assert quiet is not None
    assert loud is not None
    assert quiet > loud
    assert steadied_sbr_db(5.0, 90.0) == steadied_sbr_db(5.0, 30.0)
    assert steadied_sbr_db(5.0, -90.0) == steadied_sbr_db(5.0, -10.0)
