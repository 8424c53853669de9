"""Windows lie at fixed places and put together give the sound again."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlecompanion.treatment.gains import GainCurve, apply_gains, smoothed
from nlecompanion.treatment.stems import Stems
from nlecompanion.treatment.windows import windows, zero_phase


@given(
    st.lists(st.integers(0, 50), max_size=12),
    st.integers(1, 40),
    st.integers(1, 30),
)
def test_windows_hold_the_sound_and_what_is_around_it(
    lengths: list[int], window_samples: int, reach_samples: int
) -> None:
    count = sum(lengths)
    sound = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    edges = np.cumsum([0, *lengths])
    cut = [sound[a:b] for a, b in pairwise(edges.tolist())]
    found = list(windows(cut, window_samples, reach_samples))
    whole = np.pad(sound.T, ((0, 0), (reach_samples,) * 2), mode="symmetric") if count else sound.T
    for number, window in enumerate(found):
        start = number * window_samples
        expected = whole[:, start : start + window_samples + 2 * reach_samples]
        assert np.array_equal(window, expected)
    inner = [window.shape[1] - 2 * reach_samples for window in found]
    assert sum(inner) == count
    assert all(length == window_samples for length in inner[:-1])


def test_a_zero_phase_filter_is_symmetric_and_short() -> None:
    spectrum = zero_phase(lambda at_hz: (at_hz < 1000).astype(float), 48_000, 4096, 500)
    taps = np.fft.irfft(spectrum, 4096)
    np.testing.assert_allclose(taps[1:500], taps[:-500:-1], atol=1e-7)
    assert np.abs(taps[501:-500]).max() < 1e-7


@given(st.integers(1, 500), st.integers(1, 40))
def test_gains_do_not_depend_on_blocks(block_samples: int, hops: int) -> None:
    gains_db = np.random.default_rng(hops).uniform(-6, 6, hops)
    curve = GainCurve(1000, 17, gains_db)
    ones = np.ones((500, 1), np.float32)
    cut = (
        Stems(ones[i : i + block_samples], ones[i : i + block_samples])
        for i in range(0, 500, block_samples)
    )
    laid = np.concatenate([block.voice for block in apply_gains(cut, curve)])
    assert np.array_equal(laid[:, 0], curve.amplitudes(0, 500))
    middles = (np.arange(hops) * 17 + 8)[(np.arange(hops) * 17 + 8) < 500]
    wanted = 10 ** (gains_db[: len(middles)] / 20)
    np.testing.assert_allclose(laid[middles, 0], wanted, rtol=0.12)


def test_an_empty_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        GainCurve(1000, 10, np.zeros(0))


def test_smoothing_keeps_length_and_level() -> None:
    np.testing.assert_allclose(smoothed(np.full(9, 3.0), 4), 3.0)
    assert smoothed(np.zeros(0), 4).size == 0
