"""The codec simulation: what it takes away, what it leaves, and that the target follows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from nlecompanion.engines.dialogue import bands, spectrum
from nlecompanion.training import loss
from nlecompanion.training.batches import Batch
from nlecompanion.training.codec import codec_factor, coded

RATE_HZ = bands.RATE_HZ


def powers(sound: np.ndarray) -> Tensor:
    return spectrum.band_powers(spectrum.analyse(torch.from_numpy(sound.astype(np.float32))))[None]


def white(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(RATE_HZ) * 0.1


def factor(mix: Tensor, ratio_db: float, fall_db: float = 0.0) -> Tensor:
    return codec_factor(mix, torch.tensor([ratio_db]), torch.tensor([fall_db]))


def batch_of(voice: Tensor, other: Tensor) -> Batch:
    ones = torch.ones(len(voice), bands.BANDS)
    return Batch(voice + other, voice.clone(), voice.clone(), ones, torch.tensor([True]))


def noise_db(mix: Tensor, kept: Tensor) -> float:
    """Error of the coded sizes against the sizes, over the mixture."""
    low = slice(4, bands.SINGLE_BINS)
    error = mix[..., low] * (kept[..., low].sqrt() - 1.0).square()
    return float(10 * torch.log10(error.sum() / mix[..., low].sum()))


@pytest.mark.parametrize("ratio_db", [12.0, 15.0, 18.0])
def test_quantising_noise_lies_where_the_step_puts_it(ratio_db: float) -> None:
    mix = powers(white())
    assert noise_db(mix, factor(mix, ratio_db)) == pytest.approx(-ratio_db, abs=1.5)


def test_a_lower_rate_makes_more_holes() -> None:
    mix = powers(white())
    holes = [
        float((factor(mix, ratio_db)[..., : bands.SINGLE_BINS] == 0).float().mean())
        for ratio_db in (20.0, 12.0, 6.0)
    ]
    assert holes[0] < 0.03
    assert holes[0] < holes[1] < holes[2]
    assert holes[2] > 0.3


def test_a_weak_bin_beside_a_strong_one_is_lost_and_alone_it_stays() -> None:
    times = np.arange(RATE_HZ) / RATE_HZ
    bin_hz = bands.BIN_HZ
    strong = np.sin(2 * np.pi * 40 * bin_hz * times)
    weak = 0.01 * np.sin(2 * np.pi * 44 * bin_hz * times)
    beside, alone = powers(strong + weak), powers(weak)
    middle = slice(20, 70)
    assert not factor(beside, 12.0)[0, middle, 44].any()
    assert float(factor(beside, 12.0)[0, middle, 40].min()) > 0.5
    assert float(factor(alone, 12.0)[0, middle, 44].min()) > 0.5


def test_less_is_kept_of_high_bands_where_bits_are_saved() -> None:
    mix = powers(white())
    even, falling = factor(mix, 10.0), factor(mix, 10.0, 8.0)
    assert float(falling[..., -5:].mean()) < 0.8 * float(even[..., -5:].mean())
    torch.testing.assert_close(falling[..., :40], even[..., :40])


def test_wide_bands_lose_what_the_same_step_takes_from_their_bins() -> None:
    spectra = spectrum.analyse(torch.from_numpy(white().astype(np.float32)))
    each = (spectra.real.square() + spectra.imag.square())[..., bands.SINGLE_BINS :]
    mix = spectrum.band_powers(spectra)[None]
    kept = factor(mix, 8.0)[..., bands.SINGLE_BINS : -1]
    step = 12.0 * each.mean() * 10**-0.8
    by_bins = float((each * (each > step / 4)).sum() / each.sum())
    assert float(kept.mean()) == pytest.approx(by_bins, abs=0.05)


def test_the_target_is_the_voice_in_the_coded_mixture() -> None:
    voice, other = powers(white(1)), powers(0.5 * white(2))
    whole = batch_of(voice, other)
    before = whole.mix.clone(), whole.voice.clone()
    after = coded(whole, 1.0, np.random.default_rng(3))
    share = after.mix / before[0].clamp(min=1e-20)
    torch.testing.assert_close(after.voice, before[1] * share)
    # The gain that was right for a bin is right after coding too.
    ideal = (before[1] / before[0].clamp(min=1e-20)).clamp(max=1.0)
    left_db = loss.error_ratio_db(ideal, after)
    assert float(left_db) < float(loss.input_ratio_db(after))


def test_it_is_repeatable_and_can_be_left_off() -> None:
    def fresh() -> Batch:
        return batch_of(powers(white(1)), powers(white(2)))

    first, second = (coded(fresh(), 1.0, np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(first.mix, second.mix)
    assert not torch.equal(first.mix, fresh().mix)
    assert torch.equal(coded(fresh(), 0.0, np.random.default_rng(5)).mix, fresh().mix)


def test_a_voice_that_is_coded_away_is_no_voice() -> None:
    silence = torch.zeros(1, 40, bands.BANDS)
    after = coded(batch_of(silence, powers(white())[:, :40]), 1.0, np.random.default_rng(0))
    assert not after.spoken.any()
    nothing = coded(batch_of(silence, silence.clone()), 1.0, np.random.default_rng(0))
    assert torch.isfinite(nothing.mix).all()
