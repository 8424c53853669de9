"""Before and after of a preview are equally loud, and nothing is driven into clipping for it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from testkit.regions import region_of
from testkit.speech import speech

from nlecompanion.diagnosis.loudness import LoudnessMeter, loudness_hops, loudness_lufs
from nlecompanion.model import Samples, Span
from nlecompanion.work.preview import MATCHED_LU, write_pair

RATE_HZ = 48_000


def lufs(path: Path) -> float:
    sound, _ = soundfile.read(path, dtype="float32", always_2d=True)
    meter = LoudnessMeter(RATE_HZ, sound.shape[1])
    meter.push(sound)
    powers = meter.finish()
    whole = [Span(Fraction(0), Fraction(len(sound), RATE_HZ))]
    found = loudness_lufs(powers, loudness_hops(whole, powers.size))
    assert found is not None
    return found


@pytest.mark.parametrize("gain_db", [-12.0, -3.0, 0.0, 5.0])
def test_both_are_equally_loud(gain_db: float, tmp_path: Path) -> None:
    before = speech(8)
    region = region_of(before, RATE_HZ, tmp_path / "take.wav")
    after: Samples = before * np.float32(10 ** (gain_db / 20))
    soundfile.write(tmp_path / "after.wav", after, RATE_HZ, subtype="FLOAT")
    paths = write_pair(region, tmp_path)
    assert abs(lufs(paths[0]) - lufs(paths[1])) <= MATCHED_LU
    # The quieter of the two keeps its level.
    quieter = min(0.0, gain_db)
    written, _ = soundfile.read(paths[0], dtype="float32", always_2d=True)
    assert np.abs(written).max() == pytest.approx(
        np.abs(before).max() * 10 ** (quieter / 20), rel=0.02
    )
