"""The mix law: linear, reversible, and nothing at all at 0 dB."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlecompanion.model import Samples
from nlecompanion.treatment.mix import mix


def noise(seed: int, channels: int = 2) -> Samples:
    generator = np.random.default_rng(seed)
    return generator.uniform(-0.5, 0.5, (1000, channels)).astype(np.float32)


@given(st.floats(0, 60), st.integers(1, 6))
def test_the_background_goes_down_by_the_intensity(intensity_db: float, channels: int) -> None:
    voice, background = noise(1, channels), noise(2, channels)
    mixed = mix(voice + background, voice, intensity_db)
    expected = voice + 10 ** (-intensity_db / 20) * background
    np.testing.assert_allclose(mixed, expected, atol=2e-7)
    assert mixed.dtype == np.float32


def test_zero_intensity_changes_nothing() -> None:
    take = noise(1)
    assert np.array_equal(mix(take, noise(2), 0), take)


def test_where_there_is_no_background_the_voice_comes_back_bit_for_bit() -> None:
    take = noise(3)
    assert np.array_equal(mix(take, take, 18), take)


def test_silence_stays_silence() -> None:
    silence = np.zeros((100, 2), np.float32)
    assert not mix(silence, silence, 30).any()


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="shape"):
        mix(noise(1), noise(2, 1), 6)
