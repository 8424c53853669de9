"""No true peak over the ceiling; what is under it comes back bit for bit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from testkit.shared import shared
from testkit.sound import as_samples, noise, read_sound, tone
from testkit.speech import speech

from nlecompanion.diagnosis.true_peak import TruePeakMeter
from nlecompanion.model import Samples
from nlecompanion.treatment.limit import LimitMeter, limit_peaks

RATE_HZ = 48_000


def peak_dbtp(samples: Samples, rate_hz: int = RATE_HZ) -> float:
    meter = TruePeakMeter(rate_hz, samples.shape[1])
    meter.push(samples)
    return meter.finish()


def limited(
    samples: Samples, ceiling_dbtp: float = -1, rate_hz: int = RATE_HZ, block_samples: int = 48_000,
    meter: LimitMeter | None = None,
) -> Samples:  # fmt: skip
    cut = (samples[i : i + block_samples] for i in range(0, len(samples), block_samples))
    done = list(limit_peaks(cut, ceiling_dbtp, rate_hz, meter))
    return np.concatenate([samples[:0], *done])


@pytest.mark.parametrize("ceiling_dbtp", [-1, -3, -9])
@pytest.mark.parametrize("gain", [1, 2, 6])
def test_no_peak_is_over_the_ceiling(ceiling_dbtp: float, gain: float) -> None:
    loud = (speech(6, channels=2) * gain).astype(np.float32)
    done = limited(loud, ceiling_dbtp)
    assert done.shape == loud.shape
    assert peak_dbtp(done) <= ceiling_dbtp


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 96_000, 192_000])
def test_any_rate(rate_hz: int) -> None:
    loud = as_samples(noise(2, rate_hz, -8), noise(2, rate_hz, -14, seed=2))
    assert peak_dbtp(limited(loud, rate_hz=rate_hz), rate_hz) <= -1


def test_under_the_ceiling_every_bit_passes() -> None:
    quiet = (speech(6, channels=2) * 0.5).astype(np.float32)
    assert peak_dbtp(quiet) < -1
    assert np.array_equal(limited(quiet), quiet)


def test_only_what_is_around_a_peak_is_touched() -> None:
    samples = as_samples(tone(440, 3, level_db=-20))
    samples[RATE_HZ : RATE_HZ + 48] *= 30
    meter = LimitMeter(-1, RATE_HZ)
    done = limited(samples, meter=meter)
    touched = np.flatnonzero(done[:, 0] != samples[:, 0])
    assert touched.min() > RATE_HZ - 0.025 * RATE_HZ
    assert touched.max() < RATE_HZ + 0.026 * RATE_HZ
    report = meter.finish()
    assert 0.02 < report.limited_s < 0.06
    assert report.most_db > 3
    assert report.receipt_values()["ceiling_dbtp"] == -1


def test_the_gain_moves_gently() -> None:
    samples = as_samples(tone(4_000, 1, level_db=-9))
    samples[20_000:20_100] *= 4
    gains = limited(samples)[:, 0] / np.where(samples[:, 0] == 0, 1, samples[:, 0])
    loud = np.abs(samples[:, 0]) > 0.05
    steps = [abs(b - a) for a, b in pairwise(gains[loud].tolist())]
    assert max(steps) < 0.01


def test_all_channels_move_together() -> None:
    samples = speech(3, channels=2)
    samples[:, 0] *= 8
    done = limited(samples)
    heard = (np.abs(samples) > 1e-3).all(axis=1)
    gains = done[heard] / samples[heard]
    np.testing.assert_allclose(gains[:, 0], gains[:, 1], rtol=1e-4)


@settings(max_examples=10, deadline=None)
@given(st.integers(700, 60_000))
def test_blocks_do_not_matter(block_samples: int) -> None:
    loud = (speech(3, channels=2) * 4).astype(np.float32)
    assert np.array_equal(limited(loud, block_samples=block_samples), limited(loud))


@pytest.mark.parametrize("count", [0, 1, 10, 1000])
def test_short_sounds(count: int) -> None:
    done = limited(np.full((count, 2), 2, np.float32))
    assert done.shape == (count, 2)
    assert np.abs(done).max(initial=0) <= 10 ** (-1 / 20)


def test_silence_stays_silence() -> None:
    assert not limited(np.zeros((RATE_HZ, 6), np.float32)).any()


def test_a_finished_film_mix() -> None:
    samples, rate_hz = read_sound(shared("audio/film/sintel_trailer_48k.ogg"))
    assert peak_dbtp(samples, rate_hz) > 0.9
    done = limited(samples, rate_hz=rate_hz)
    assert peak_dbtp(done, rate_hz) <= -1
    assert (done == samples).mean() > 0.8
