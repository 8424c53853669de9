"""Curves, areas and fits: what turns judged mixtures into figures and weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Truths = NDArray[np.bool_]
Scores = Sequence[float] | Values
Given = Sequence[bool] | Truths


def roc(scores: Scores, truths: Given) -> tuple[Values, Values, Values]:
    """False-positive rates, true-positive rates and thresholds, from (0, 0) to (1, 1).

    Equal scores are one step. Empty curves where one of the classes is missing.
    """
    values, positive = np.asarray(scores, float), np.asarray(truths, bool)
    if positive.all() or not positive.any():
        return np.zeros(0), np.zeros(0), np.zeros(0)
    thresholds = np.unique(values)[::-1]
    found = np.array([(positive & (values >= t)).sum() for t in thresholds]) / positive.sum()
    false = np.array([(~positive & (values >= t)).sum() for t in thresholds]) / (~positive).sum()
    return np.r_[0.0, false], np.r_[0.0, found], np.r_[np.inf, thresholds]


def area_under(false: Values, found: Values) -> float | None:
    """By trapezia; None for an empty curve."""
    return float(np.trapezoid(found, false)) if false.size else None


def area_range(scores: Scores, truths: Given) -> tuple[float, float] | None:
    """The 95 % interval of the area, by 500 bootstrap samples; None where a class is missing."""
    values, positive = np.asarray(scores, float), np.asarray(truths, bool)
    rng = np.random.default_rng(1)
    areas = []
    for _ in range(500):
        chosen = rng.integers(len(values), size=len(values))
        area = _rank_area(values[chosen], positive[chosen])
        if area is not None:
            areas.append(area)
    if not areas:
        return None
    return float(np.percentile(areas, 2.5)), float(np.percentile(areas, 97.5))


def _rank_area(values: Values, positive: Truths) -> float | None:
    """The share of pairs in the right order (Mann and Whitney)."""
    from scipy.stats import rankdata

    count = int(positive.sum())
    if count in (0, positive.size):
        return None
    ranks = rankdata(values)
    pairs = count * (positive.size - count)
    return float((ranks[positive].sum() - count * (count + 1) / 2) / pairs)


def logistic(inputs: Values, truths: Truths, ridge: float = 1.0) -> Values:
    """Weights of the columns and, last, the bias, by Newton's method; inputs are standardised
    for the ridge and the weights given in the inputs' own units."""
    middle, spread = inputs.mean(axis=0), inputs.std(axis=0) + 1e-9
    rows = np.c_[(inputs - middle) / spread, np.ones(len(inputs))]
    penalty = np.diag([*[ridge] * inputs.shape[1], 0.0])
    weights = np.zeros(rows.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (chance - truths) + penalty @ weights
        curve = rows.T @ (rows * (chance * (1 - chance))[:, None]) + penalty
        weights -= np.linalg.solve(curve, slope)
    own = weights[:-1] / spread
    found: Values = np.r_[own, weights[-1] - own @ middle]
    return found


def least_squares(inputs: Values, wanted: Values) -> Values:
    """Weights of the columns and, last, the offset."""
    rows = np.c_[inputs, np.ones(len(inputs))]
    return np.asarray(np.linalg.lstsq(rows, wanted, rcond=None)[0])


def least_absolute(inputs: Values, wanted: Values) -> Values:
    """The same by least absolute error: least squares, weighted anew fifty times."""
    rows = np.c_[inputs, np.ones(len(inputs))]
    found = least_squares(inputs, wanted)
    for _ in range(50):
        weight = 1 / np.sqrt(np.abs(rows @ found - wanted) + 0.3)
        found = np.linalg.lstsq(rows * weight[:, None], wanted * weight, rcond=None)[0]
    return np.asarray(found)
