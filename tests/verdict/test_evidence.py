"""What speaks for and against a window, measured on sound made to show it."""

from __future__ import annotations

import numpy as np
import pytest
from testkit.engines import TestedEngine
from testkit.mixtures import RATE_HZ, build, recipes
from testkit.shared import shared

from nlecompanion.engines.contract import Geometry
from nlecompanion.engines.passthrough import Passthrough
from nlecompanion.model import Samples
from nlecompanion.verdict.evidence import evidence


def nothing(seconds: float, channels: int = 1) -> Samples:
    return np.zeros((round(seconds * RATE_HZ), channels), np.float32)


def test_speech_is_heard_and_its_ratio_measured() -> None:
    folder = shared("audio")
    (recipe,) = recipes(folder, 1, "test", seed=3, sbr_db=(10, 10), length_s=8, kinds=("noise",))
    made = build(folder, recipe)
    found = evidence(made.mix, made.voice, RATE_HZ, Passthrough())
    assert found.sbr_db == pytest.approx(10, abs=1.5)
    assert found.heard > 0.9
    assert found.heard_in_voice > 0.9


def test_a_voice_that_is_found_again_survives() -> None:
    folder = shared("audio")
    (recipe,) = recipes(folder, 1, "test", seed=3, sbr_db=(0, 0), length_s=4, kinds=("noise",))
    made = build(folder, recipe)
    whole = Geometry(block_samples=len(made.mix), context_samples=0, fade_samples=0)
    faithful = TestedEngine("truth", lambda _: made.voice, whole)
    forgetful = TestedEngine("deaf", lambda take: np.zeros_like(take.samples))
    kept = evidence(made.mix, made.voice, RATE_HZ, faithful).survives_db
    lost = evidence(made.mix, made.voice, RATE_HZ, forgetful).survives_db
    assert kept > 60
    assert lost == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("seconds", [0.01, 0.1, 2])
@pytest.mark.parametrize("channels", [1, 6])
def test_silence_is_no_evidence_and_no_error(seconds: float, channels: int) -> None:
    silence = nothing(seconds, channels)
    found = evidence(silence, silence, RATE_HZ, Passthrough())
    assert found.sbr_db is None
    assert found.heard < 0.1
    assert np.isfinite(found.survives_db)
    assert set(found.receipt_values()) == {"sbr_db", "heard", "heard_in_voice", "survives_db"}
