"""How likely a voice is beyond saving, from what can be measured without knowing the truth."""

from __future__ import annotations

import math

from nlecompanion.verdict.evidence import Evidence

#: Beyond saving: at no intensity does the result reach this STOI (Taal et al. 2011) against the
#: clean voice. Half of the words or more are lost there.
LIMIT_STOI = 0.65
#: Logistic regression over the calibration part of `tests/benchmarks/judgement.py` (other
#: speakers, other pieces than those that it is judged on): log odds a unit.
_BIAS = 5.51
_SBR_A_DB = -0.078
_HEARD = -3.93
_SURVIVES_A_DB = -0.196
#: Outside these ranges a measure says no more.
_SBR_DB = (-25.0, 25.0)
_SURVIVES_DB = (-10.0, 40.0)


def risk(found: Evidence) -> float:
    """Estimated probability, 0 to 1, that the voice of the window is beyond saving."""
    sbr_db = _SBR_DB[0] if found.sbr_db is None else found.sbr_db
    odds = (
        _BIAS
        + _SBR_A_DB * _within(sbr_db, _SBR_DB)
        + _HEARD * found.heard
        + _SURVIVES_A_DB * _within(found.survives_db, _SURVIVES_DB)
    )
    return 1 / (1 + math.exp(-odds))


def _within(value: float, limits: tuple[float, float]) -> float:
    return min(max(value, limits[0]), limits[1])
