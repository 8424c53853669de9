"""The laws that a change of sample rate must keep."""

from __future__ import annotations

from math import gcd

import numpy as np
import pytest
from scipy.signal import firwin, upfirdn
from testkit.media_files import varied_sound

from nlecompanion.media.resample import Resampler
from nlecompanion.model import Samples

RATES = [(44_100, 48_000), (48_000, 44_100), (96_000, 48_000), (22_050, 48_000), (48_000, 47_952)]


def resampled(sound: Samples, from_hz: int, to_hz: int) -> Samples:
    """The whole of a sound, with silence before and after."""
    resampler = Resampler(from_hz, to_hz)
    length = len(sound) * to_hz // from_hz
    first, last = resampler.inputs_for(0, length)
    padded = np.zeros((max(last, len(sound)) - first, sound.shape[1]), dtype=np.float32)
    padded[-first : -first + len(sound)] = sound
    return resampler.outputs(padded[: last - first], 0, length)


def tone(frequency_hz: float, rate_hz: int) -> Samples:
    time_s = np.arange(2 * rate_hz) / rate_hz
    return np.asarray(0.5 * np.sin(2 * np.pi * frequency_hz * time_s), dtype=np.float32)[:, None]


def middle(sound: Samples) -> Samples:
    edge = len(sound) // 4
    return sound[edge:-edge]


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_tone_in_the_band_is_kept_to_the_sample(from_hz: int, to_hz: int) -> None:
    for share in (0.02, 0.4, 0.88):
        frequency_hz = share * min(from_hz, to_hz) / 2
        got = resampled(tone(frequency_hz, from_hz), from_hz, to_hz)
        expected = tone(frequency_hz, to_hz)[: len(got)]
        assert np.abs(middle(got) - middle(expected)).max() < 1e-5


@pytest.mark.parametrize(("from_hz", "to_hz"), [(48_000, 44_100), (96_000, 48_000)])
def test_a_tone_above_the_band_is_silenced(from_hz: int, to_hz: int) -> None:
    above = resampled(tone(to_hz / 2 * 1.01, from_hz), from_hz, to_hz)
    assert np.abs(middle(above)).max() < 0.5 * 10 ** (-110 / 20)


def test_nothing_is_mirrored_above_the_old_band() -> None:
    got = middle(resampled(tone(19_000, 44_100), 44_100, 48_000))[:, 0]
    spectrum = np.abs(np.fft.rfft(got * np.blackman(len(got))))
    frequencies_hz = np.fft.rfftfreq(len(got), 1 / 48_000)
    mirrored = spectrum[frequencies_hz > 22_050].max() / spectrum.max()
    assert mirrored < 10 ** (-110 / 20)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(44_100, 48_000), (48_000, 44_100)])
def test_it_agrees_with_a_slower_method(from_hz: int, to_hz: int) -> None:
    sound = varied_sound(from_hz, 1, from_hz)
    # Kept inside both pass bands, where the two filters must agree.
    kernel = firwin(801, 15_000, fs=from_hz)
    sound = np.asarray(np.convolve(sound[:, 0], kernel, "same"), dtype=np.float32)[:, None]
    common = gcd(from_hz, to_hz)
    up, down = to_hz // common, from_hz // common
    # A delay of 100 outputs, taken off again.
    taps = up * firwin(200 * down + 1, 0.95 / max(up, down), window=("kaiser", 10.0))
    slow = upfirdn(taps, sound[:, 0], up, down)[100:].astype(np.float32)
    got = resampled(sound, from_hz, to_hz)[:, 0]
    assert np.abs(middle(got[:, None])[:, 0] - middle(slow[: len(got), None])[:, 0]).max() < 1e-5


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_level_and_channels_are_kept(from_hz: int, to_hz: int) -> None:
    steady = np.tile(np.array([[0.5, -0.25, 0.0]], dtype=np.float32), (from_hz, 1))
    got = middle(resampled(steady, from_hz, to_hz))
    assert np.abs(got - steady[0]).max() < 1e-6


def test_any_stretch_is_like_the_whole() -> None:
    for from_hz, to_hz in RATES:
        sound = varied_sound(2 * from_hz, 2, from_hz)
        whole = resampled(sound, from_hz, to_hz)
        resampler = Resampler(from_hz, to_hz)
        start = 5 * resampler.period_outputs
        end = start + 12_345
        first, last = resampler.inputs_for(start, end)
        lead = np.zeros((max(0, -first), 2), np.float32)
        inputs = np.concatenate((lead, sound[max(0, first) : last]))
        assert np.abs(resampler.outputs(inputs, start, end) - whole[start:end]).max() <= 1e-6
