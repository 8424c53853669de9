"""Loudness and true peak: the made-up signals of EBU Tech 3341, and a second, slower method."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from testkit.shared import shared
from testkit.sound import as_samples, noise, read_sound, tone

from nlecompanion.diagnosis.loudness import (
    LoudnessMeter,
    TruePeakMeter,
    channel_weights,
    k_weighting,
    loudness_hops,
    loudness_lufs,
    short_term_lufs,
)
from nlecompanion.model import Samples, Span

RATE_HZ = 48_000


def powers(
    samples: Samples, rate_hz: int = RATE_HZ, block_samples: int = 65_536, layout: str = ""
) -> np.ndarray:
    meter = LoudnessMeter(rate_hz, samples.shape[1], layout)
    for start in range(0, len(samples), block_samples):
        meter.push(samples[start : start + block_samples])
    return meter.finish()


def peak_dbtp(samples: Samples, rate_hz: int = RATE_HZ, block_samples: int = 65_536) -> float:
    meter = TruePeakMeter(rate_hz, samples.shape[1])
    for start in range(0, len(samples), block_samples):
        meter.push(samples[start : start + block_samples])
    return meter.finish()


def sine(peak_db: float, length_s: float, rate_hz: int = RATE_HZ, channels: int = 2) -> Samples:
    """A sine of 1 kHz whose peak is given, as Tech 3341 writes its test signals."""
    wave = tone(1000, length_s, rate_hz, peak_db - 10 * np.log10(2))
    return as_samples(*[wave] * channels)


@pytest.mark.parametrize("rate_hz", [16_000, 32_000, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("level_db", [-23, -33])
def test_a_stereo_sine_reads_its_level(rate_hz: int, level_db: int) -> None:
    measured = loudness_lufs(powers(sine(level_db, 20, rate_hz), rate_hz))
    assert measured == pytest.approx(level_db, abs=0.1)  # Tech 3341, cases 1 and 2


@pytest.mark.parametrize(
    "parts",
    [
        [(-36, 10), (-23, 60), (-36, 10)],
        [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)],
        [(-26, 20), (-20, 20.1), (-26, 20)],
    ],
    ids=["case 3", "case 4", "case 5"],
)
def test_the_gates_leave_the_programme(parts: list[tuple[float, float]]) -> None:
    samples = np.concatenate([sine(level, length) for level, length in parts])
    assert loudness_lufs(powers(samples)) == pytest.approx(-23, abs=0.1)


def test_surround_channels_count_more() -> None:
    levels = (-28, -28, -24, -30, -30)
    samples = np.concatenate([sine(level, 20, channels=1) for level in levels], axis=1)
    measured = loudness_lufs(powers(samples, layout="5.0"))
    assert measured == pytest.approx(-23, abs=0.1)  # Tech 3341, case 6


def test_six_microphones_are_not_surround() -> None:
    assert channel_weights(6) == (1.0,) * 6
    assert channel_weights(6, "5.1(side)")[3] == 0
    assert channel_weights(2, "5.1") == (1.0, 1.0)


def test_the_filter_is_the_one_that_the_standard_prints_for_48_khz() -> None:
    shelf, high_pass = k_weighting(48_000)
    np.testing.assert_allclose(shelf[:3], [1.53512485958697, -2.69169618940638, 1.19839281085285])
    np.testing.assert_allclose(shelf[4:], [-1.69065929318241, 0.73248077421585])
    np.testing.assert_allclose(high_pass[4:], [-1.99004745483398, 0.99007225036621], rtol=1e-9)


def test_a_second_method_agrees_on_a_real_film() -> None:
    samples, rate_hz = read_sound(shared("audio/film/sintel_trailer_48k.ogg"))
    # Measured with ffmpeg's ebur128: I -12.8 LUFS, true peak 1.0 dBFS.
    assert loudness_lufs(powers(samples, rate_hz)) == pytest.approx(-12.8, abs=0.06)
    assert peak_dbtp(samples, rate_hz) == pytest.approx(1.0, abs=0.06)


def test_gating_by_hand_agrees() -> None:
    rng = np.random.default_rng(3)
    levels = 10 ** rng.uniform(-9, -1, 300)
    blocks = np.array([levels[i : i + 4].mean() for i in range(297)])
    loud = blocks[-0.691 + 10 * np.log10(blocks) > -70]
    gate_lufs = -0.691 + 10 * np.log10(loud.mean()) - 10
    kept = loud[-0.691 + 10 * np.log10(loud) > gate_lufs]
    assert loudness_lufs(levels) == pytest.approx(-0.691 + 10 * np.log10(kept.mean()), abs=1e-9)


@pytest.mark.parametrize("rate_hz", [11_025, 44_100, 48_000])
@pytest.mark.parametrize("block_samples", [997, 4_800])
def test_blocks_do_not_matter(rate_hz: int, block_samples: int) -> None:
    samples = as_samples(noise(2.75, rate_hz, -12), noise(2.75, rate_hz, -20, seed=2))
    assert np.array_equal(powers(samples, rate_hz, block_samples), powers(samples, rate_hz))
    assert peak_dbtp(samples, rate_hz, block_samples) == peak_dbtp(samples, rate_hz)


def test_there_is_one_power_for_every_100_ms() -> None:
    assert powers(as_samples(noise(2.75, 11_025)), 11_025).size == 28
    assert powers(np.zeros((1, 1), np.float32)).size == 1
    assert powers(np.zeros((0, 1), np.float32)).size == 0


def test_only_what_is_kept_counts() -> None:
    samples = np.concatenate([sine(-40, 5), sine(-20, 5)])
    measured = powers(samples)
    spans = (Span(Fraction(5), Fraction(5)),)
    assert loudness_lufs(measured, loudness_hops(spans, 100)) == pytest.approx(-20, abs=0.1)
    assert loudness_hops((Span(Fraction(-1), Fraction(5, 4)),), 100).sum() == 2
    assert loudness_hops((Span(Fraction(1, 20), Fraction(1, 10)),), 100).sum() == 0


def test_short_and_silent_sounds_have_an_answer() -> None:
    assert loudness_lufs(powers(sine(-23, 0.2))) == pytest.approx(-23, abs=0.3)
    assert loudness_lufs(powers(np.zeros((RATE_HZ, 2), np.float32))) is None
    assert loudness_lufs(np.zeros(0)) is None
    assert loudness_lufs(np.ones(9), np.zeros(9, bool)) is None
    assert short_term_lufs(np.zeros(0)).size == 0


def test_short_term_follows_within_three_seconds() -> None:
    measured = short_term_lufs(powers(np.concatenate([sine(-40, 10), sine(-20, 10)])))
    assert measured.size == 200
    assert measured[80] == pytest.approx(-40, abs=0.1)
    assert measured[120] == pytest.approx(-20, abs=0.1)


@pytest.mark.parametrize(("divisor", "degrees"), [(4, 0), (4, 45), (6, 60), (8, 67.5)])
def test_true_peak_finds_the_wave_between_the_samples(divisor: int, degrees: float) -> None:
    place = np.arange(RATE_HZ)
    wave = 0.5 * np.sin(2 * np.pi * place / divisor + np.deg2rad(degrees))
    wave *= np.clip(np.minimum(place, place[::-1]) / 4800, 0, 1)
    # Tech 3341, cases 15 to 18: -6.0 dBTP, +0.2 / -0.4.
    assert -6.4 <= peak_dbtp(as_samples(wave)) <= -5.8


def test_true_peak_agrees_with_plain_oversampling() -> None:
    from scipy.signal import firwin, lfilter, resample_poly

    # Up to 20 kHz, as sound is: on the way to Nyquist every short interpolation falls off.
    samples = as_samples(noise(1, level_db=-12), noise(1, level_db=-30, seed=2))
    samples = lfilter(
        firwin(401, 19_000, fs=RATE_HZ), [1.0], samples.astype(np.float64), axis=0
    ).astype(np.float32)
    fine = resample_poly(samples.astype(np.float64), 8, 1, axis=0)
    assert peak_dbtp(samples) == pytest.approx(20 * np.log10(np.abs(fine).max()), abs=0.15)


def test_silence_has_no_peak() -> None:
    assert peak_dbtp(np.zeros((1000, 2), np.float32)) == -120
    assert peak_dbtp(np.zeros((0, 2), np.float32)) == -120
