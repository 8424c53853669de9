"""The risk of being beyond saving: a probability that every piece of evidence moves rightly."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from nlecompanion.verdict.evidence import Evidence
from nlecompanion.verdict.risk import risk

MIDDLING = Evidence(sbr_db=-5, heard=0.6, heard_in_voice=0.9, survives_db=18)
CLEAN = Evidence(sbr_db=20, heard=1, heard_in_voice=1, survives_db=40)
HOPELESS = Evidence(sbr_db=-20, heard=0.02, heard_in_voice=0.3, survives_db=5)


def test_clean_and_hopeless_are_told_apart() -> None:
    assert risk(CLEAN) < 0.01
    assert risk(HOPELESS) > 0.95


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("sbr_db", np.linspace(-25, 25, 11)),
        ("heard", np.linspace(0, 1, 11)),
        ("survives_db", np.linspace(-10, 40, 11)),
    ],
)
def test_better_evidence_is_less_risk(field: str, values: np.ndarray) -> None:
    chances = [risk(replace(MIDDLING, **{field: float(value)})) for value in values]
    assert all(a > b for a, b in pairwise(chances))


@pytest.mark.parametrize("beyond", [(-90.0, -25.0), (90.0, 25.0)])
def test_ratios_beyond_the_calibrated_range_say_no_more(beyond: tuple[float, float]) -> None:
    far_db, end_db = beyond
    assert risk(replace(MIDDLING, sbr_db=far_db)) == risk(replace(MIDDLING, sbr_db=end_db))


def test_nobody_heard_counts_as_the_lowest_ratio() -> None:
    assert risk(replace(MIDDLING, sbr_db=None)) == risk(replace(MIDDLING, sbr_db=-25))
    nothing = Evidence(None, 0.0, 0.0, -300.0)
    assert 0.5 < risk(nothing) < 1
