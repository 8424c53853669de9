"""What the judgement benchmark counts with: curves, areas, fits, its picture and its table."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from benchmarks.judgement_figures import Figure, table
from benchmarks.judgement_picture import Mark, roc_svg
from benchmarks.judgement_statistics import (
    area_range,
    area_under,
    least_absolute,
    least_squares,
    logistic,
    roc,
)


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(3)
    truths = rng.random(80) < 0.3
    scores = np.round(rng.standard_normal(80) + truths, 1)  # with ties
    pairs = [(a > b) + (a == b) / 2 for a in scores[truths] for b in scores[~truths]]
    false, found, _ = roc(scores, truths)
    assert area_under(false, found) == pytest.approx(np.mean(pairs))
    within = area_range(scores, truths)
    assert within is not None
    assert within[0] < np.mean(pairs) < within[1]


@pytest.mark.parametrize(("order", "area"), [(1, 1.0), (-1, 0.0), (0, 0.5)])
def test_perfect_wrong_and_blind_scores(order: int, area: float) -> None:
    truths = np.arange(10) >= 6
    false, found, _ = roc(order * np.arange(10.0), truths)
    assert area_under(false, found) == pytest.approx(area)


@pytest.mark.parametrize("truth", [True, False])
def test_one_class_alone_has_no_curve(truth: bool) -> None:
    false, found, _ = roc([0.1, 0.9], [truth, truth])
    assert area_under(false, found) is None
    assert area_range([0.1, 0.9], [truth, truth]) is None


def test_a_logistic_fit_finds_the_odds_that_made_the_data() -> None:
    rng = np.random.default_rng(4)
    inputs = rng.normal((3, -10), (1, 8), (20_000, 2))
    odds = 1.5 * inputs[:, 0] - 0.2 * inputs[:, 1] - 6
    truths = rng.random(20_000) < 1 / (1 + np.exp(-odds))
    np.testing.assert_allclose(logistic(inputs, truths), [1.5, -0.2, -6], rtol=0.06)


def test_least_absolute_error_does_not_mind_outliers() -> None:
    rng = np.random.default_rng(5)
    inputs = rng.uniform(-20, 20, (400, 1))
    wanted = 0.8 * inputs[:, 0] + 1 + rng.normal(0, 0.5, 400)
    np.testing.assert_allclose(least_squares(inputs, wanted), [0.8, 1], atol=0.1)
    wanted[inputs[:, 0] > 15] += 40
    np.testing.assert_allclose(least_absolute(inputs, wanted), [0.8, 1], atol=0.4)
    assert abs(least_squares(inputs, wanted)[0] - 0.8) > 0.3


def test_the_picture_is_valid_and_ends_in_its_corners() -> None:
    svg = roc_svg([0, 0.1, 1], [0, 0.9, 1], "a < b & c", [Mark(0.1, 0.9, "risk 0.5")])
    lines = ElementTree.fromstring(svg).findall("{*}polyline")
    curve = [line.get("points") for line in lines][-1]
    assert curve == "70.0,470.0 112.0,92.0 490.0,50.0"


def test_a_figure_knows_whether_its_limit_is_held() -> None:
    assert Figure("a", 91.0, "%", 90.0).held
    assert Figure("a", 5.1, "%", 5.0, at_most=True).held is False
    assert Figure("a", None, "%", 90.0).held is False
    assert Figure("a", 1.0).held is None
    text = table([Figure("a", 89.95, "%", 90.0, note="of 9")])
    assert "| a | 90.0 % | at least 90 | NO | of 9 |" in text
