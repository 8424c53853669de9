"""The weights in the code, fitted anew: the same measures, ranges and targets, on other voices.

Rows are judged mixtures of the calibration part. What is printed belongs in
`nlecompanion/verdict/risk.py`, `diagnosis/ratio.py` and `diagnosis/moments.py`. The measures are
correlated, so other draws give other weights of nearly the same judgement: compare areas and
errors, not weights, before the code's are replaced.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from benchmarks.judgement_cases import Judged
from benchmarks.judgement_statistics import least_absolute, least_squares, logistic

from nlecompanion.verdict.risk import LIMIT_STOI

#: The ranges in which the code lets its measures speak.
_RISK_SBR_DB, _SURVIVES_DB = (-25.0, 25.0), (-10.0, 40.0)
_SPLIT_DB, _GAPS_DB = (-25.0, 25.0), (-10.0, 30.0)
_HARD_DB, _HARD_GAPS_DB = (-20.0, 25.0), (0.0, 25.0)


def fitted(rows: Sequence[Judged]) -> dict[str, dict[str, float]]:
    """Weights by module, named as they are there."""
    return {"risk": _risk(rows), "ratio": _ratio(rows), "moments": _moments(rows)}


def _risk(rows: Sequence[Judged]) -> dict[str, float]:
    inputs = np.array(
        [
            (
                _within(r.evidence.sbr_db, _RISK_SBR_DB),
                r.evidence.heard,
                _within(r.evidence.survives_db, _SURVIVES_DB),
            )
            for r in rows
        ]
    )
    lost = np.array([r.best_stoi < LIMIT_STOI for r in rows])
    return _named(("sbr_a_db", "heard", "survives_a_db", "bias"), logistic(inputs, lost))


def _ratio(rows: Sequence[Judged]) -> dict[str, float]:
    known = [
        (r.diagnosis.sbr_split_db, r.diagnosis.sbr_gaps_db, r.true_sbr_db)
        for r in rows
        if r.diagnosis.sbr_split_db is not None
        and r.true_sbr_db is not None
        and _SPLIT_DB[0] < r.diagnosis.sbr_split_db < _SPLIT_DB[1]
    ]
    both = np.array([(s, _within(g, _GAPS_DB), t) for s, g, t in known if g is not None])
    alone = np.array([(s, t) for s, _, t in known])
    found = _named(("by_split", "by_gaps", "offset"), least_absolute(both[:, :2], both[:, 2]))
    return found | _named(
        ("split_alone", "split_alone_offset"), least_absolute(alone[:, :1], alone[:, 1])
    )


def _moments(rows: Sequence[Judged]) -> dict[str, float]:
    untouched = np.array([r.stoi[0.0] for r in rows])
    split = np.array([(_place(r.evidence.sbr_db, _HARD_DB),) for r in rows])
    mixture = np.array(
        [(_place(r.diagnosis.sbr_gaps_db, _HARD_GAPS_DB), r.evidence.heard) for r in rows]
    )
    return _named(("by_split", "split_offset"), least_squares(split, untouched)) | _named(
        ("by_gaps", "by_heard", "mixture_offset"), least_squares(mixture, untouched)
    )


def _place(value: float | None, limits: tuple[float, float]) -> float:
    return (_within(value, limits) - limits[0]) / (limits[1] - limits[0])


def _within(value: float | None, limits: tuple[float, float]) -> float:
    return limits[0] if value is None else min(max(value, limits[0]), limits[1])


def _named(names: Sequence[str], values: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(names, values, strict=True)}
