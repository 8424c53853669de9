"""The trainer's parts against slower or independent methods."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from testkit.training_sounds import RATE_HZ, folders, voice

from nlecompanion.engines.dialogue import bands, spectrum
from nlecompanion.engines.dialogue.network import DialogueNetwork, NetworkShape
from nlecompanion.errors import MediaUnreadable, SettingsError
from nlecompanion.training import augment, loss
from nlecompanion.training.batches import Batch
from nlecompanion.training.compute import compute_type
from nlecompanion.training.floor import lower_floor
from nlecompanion.training.mixing import MixingRules, mix_batch
from nlecompanion.training.optimiser import orthogonal
from nlecompanion.training.pools import Place, Pool
from nlecompanion.training.sources import collect


def noise(samples: int, seed: int = 0) -> augment.Sound:
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32) * 0.1


def test_error_from_band_sums_is_the_error_of_the_spectra() -> None:
    x, s = (spectrum.analyse(torch.from_numpy(noise(20_000, seed))) for seed in (1, 2))
    gains = torch.rand(x.shape[0], bands.BANDS)
    product = (x * s.conj()).real
    sums = torch.cat([product[..., : bands.SINGLE_BINS], spectrum.wide_sums(product)], dim=-1)
    batch = Batch(
        spectrum.band_powers(x)[None],
        sums[None],
        spectrum.band_powers(s)[None],
        torch.ones(1, bands.BANDS),
        torch.tensor([True]),
    )
    slow = (spectrum.expand(gains) * x - s).abs().square().sum() / s.abs().square().sum()
    fast = loss.error_ratio_db(gains[None], batch)
    assert float(fast) == pytest.approx(10 * np.log10(float(slow)), abs=1e-3)


def test_analysis_and_synthesis_give_the_samples_back() -> None:
    samples = torch.from_numpy(noise(12_345))
    back = spectrum.synthesise(spectrum.analyse(samples), 12_345)
    torch.testing.assert_close(back, samples, atol=1e-6, rtol=0)


def test_bands_cover_every_bin_once() -> None:
    assert bands.band_widths().sum() == bands.BINS
    assert (bands.band_widths() >= 1).all()
    assert np.all(np.diff(bands.band_of_bin()) >= 0)
    assert bands.bark_widths().sum() == pytest.approx(1.0, abs=1e-5)
    assert (bands.bark_widths() > 0).all()


@pytest.mark.parametrize("shape", [(20, 60), (40, 40), (50, 10)])
def test_orthogonal_factors_have_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.from_numpy(np.random.default_rng(0).standard_normal(shape)).float()
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.4


def test_losing_voice_costs_more_than_leaving_background() -> None:
    ones = torch.ones(1, 4, bands.BANDS)
    batch = Batch(ones, ones / 2, ones / 2, torch.ones(1, bands.BANDS), torch.tensor([True]))
    ideal = 0.5**0.5
    little, much = (
        float(loss.magnitude_distance(ones * gain, batch, 2.0))
        for gain in (ideal * 0.5, ideal * 1.5)
    )
    assert little > much


def test_uncounted_bands_cost_nothing() -> None:
    ones = torch.ones(1, 4, bands.BANDS)
    counted = torch.ones(1, bands.BANDS)
    counted[:, 200:] = 0
    batch = Batch(ones, ones, ones, counted, torch.tensor([True]))
    gains = ones.clone()
    gains[..., 200:] = 0.0
    assert float(loss.magnitude_distance(gains, batch, 2.0)) == pytest.approx(0.0, abs=1e-9)
    assert float(loss.error_ratio_db(gains, batch)) < -55.0


def test_a_pool_is_the_same_whether_filled_at_once_or_in_turns() -> None:
    def make(rng: np.random.Generator) -> tuple[augment.Sound, float]:
        return rng.standard_normal(10_240).astype(np.float32), 24_000.0

    first, second = (Pool(make, 3, 10_240, (1, 1)) for _ in range(2))
    first.fill_to(8)
    for count in (3, 5, 8):
        second.fill_to(count)
    assert torch.equal(first.low, second.low)
    assert torch.equal(first.wide, second.wide)


def test_a_batch_has_the_wanted_ratios_and_is_repeatable() -> None:
    def make(rng: np.random.Generator) -> tuple[augment.Sound, float]:
        return rng.standard_normal(48_128).astype(np.float32), 24_000.0

    pools = Pool(make, 4, 48_128, (1, 0)), Pool(make, 4, 48_128, (1, 1))
    for pool in pools:
        pool.fill_to(4)
    plain = MixingRules(6.0, 6.0, no_voice=0, no_background=0, automation=0, lost_bandwidth=0)
    first = mix_batch(*pools, 3, plain, (5,))
    second = mix_batch(*pools, 3, plain, (5,))
    assert torch.equal(first.mix, second.mix)
    assert torch.equal(first.product, second.product)
    # Error over voice of gains of 1 is background over voice.
    torch.testing.assert_close(loss.input_ratio_db(first), torch.full((3,), -6.0), atol=0.3, rtol=0)


def test_silent_items_have_no_voice() -> None:
    def make(rng: np.random.Generator) -> tuple[augment.Sound, float]:
        return rng.standard_normal(10_240).astype(np.float32), 24_000.0

    pools = Pool(make, 4, 10_240, (1, 0)), Pool(make, 4, 10_240, (1, 1))
    for pool in pools:
        pool.fill_to(4)
    batch = mix_batch(*pools, 4, MixingRules(no_voice=1.0), (1,))
    assert not batch.spoken.any()
    assert not batch.voice.any()
    assert batch.mix.sum() > 0


def test_whole_groups_are_held_out(tmp_path: Path) -> None:
    speech, _, _ = folders(tmp_path, np.random.default_rng(0))
    kept, held = collect([speech], tmp_path / "cache", clean=True)
    assert held is not None
    assert not {r.group for r in kept.recordings} & {r.group for r in held.recordings}
    assert len(kept.recordings) + len(held.recordings) == 7
    everything, nothing = collect([speech], tmp_path / "cache", clean=True, held_out=0)
    assert len(everything.recordings) == 7
    assert nothing is None


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no recordings under"):
        collect([tmp_path], tmp_path / "cache", clean=False)


def test_a_damaged_recording_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF nothing")
    with pytest.raises(MediaUnreadable, match=r"broken\.wav"):
        collect([tmp_path], tmp_path / "cache", clean=False)


def test_bandwidth_is_measured(tmp_path: Path) -> None:
    spectrum_of = np.fft.rfft(noise(240_000))
    spectrum_of[40_000:] = 0
    narrow = np.fft.irfft(spectrum_of).astype(np.float32)
    soundfile.write(tmp_path / "narrow.wav", narrow, RATE_HZ, subtype="FLOAT")
    kept, _ = collect([tmp_path], tmp_path / "cache", clean=False)
    assert 7900 < kept.recordings[0].bandwidth_hz < 8200


def test_a_room_adds_no_delay() -> None:
    rng = np.random.default_rng(2)
    click = np.zeros(24_000, np.float32)
    click[5000] = 1.0
    wet = augment.in_room(click, augment.synthetic_room(rng))
    assert int(np.argmax(np.abs(wet))) == 5000
    assert np.abs(wet[:4990]).max() < 1e-5
    assert np.abs(wet[5500:]).max() > 1e-4


def test_a_high_floor_is_lowered_and_a_low_one_left() -> None:
    rng = np.random.default_rng(1)
    clean = voice(6.0, 120.0, rng)
    hiss = noise(len(clean), 5) * np.float32(0.03)
    noisy = clean + hiss
    lowered = lower_floor(noisy)
    pause = np.abs(clean) == 0
    assert np.square(lowered[pause]).sum() < 0.2 * np.square(noisy[pause]).sum()
    assert np.square(lowered - clean)[~pause].sum() < 0.02 * np.square(clean).sum()
    assert np.array_equal(lower_floor(clean), clean)


@pytest.mark.parametrize(
    ("wish", "short_s", "expected"),
    [
        ("auto", 0.2, torch.bfloat16),
        ("auto", 0.9, torch.float32),
        ("auto", 3.0, torch.float32),
        ("bfloat16", 3.0, torch.bfloat16),
        ("float32", 0.1, torch.float32),
    ],
)
def test_bfloat16_is_taken_where_it_is_fast(
    wish: str, short_s: float, expected: torch.dtype
) -> None:
    def seconds(number: torch.dtype) -> float:
        return short_s if number == torch.bfloat16 else 1.0

    assert compute_type(wish, torch.device("cpu"), seconds) == expected


def test_speed_changes_pitch_and_keeps_length(tmp_path: Path) -> None:
    times = np.arange(4 * RATE_HZ) / RATE_HZ
    tone = (0.5 * np.sin(2 * np.pi * 1000 * times)).astype(np.float32)
    soundfile.write(tmp_path / "tone.wav", tone, RATE_HZ)
    kept, _ = collect([tmp_path], tmp_path / "cache", clean=False)
    rng = np.random.default_rng(0)
    changed, _ = augment.at_other_speed(kept, RATE_HZ, ((5, 4),), 1.0, rng)
    assert len(changed) == RATE_HZ
    assert int(np.argmax(np.abs(np.fft.rfft(changed)))) == pytest.approx(800, abs=1)


def white_pools(slots: int = 4, samples: int = 10_240) -> tuple[Pool, Pool]:
    def make(rng: np.random.Generator) -> tuple[augment.Sound, float]:
        return rng.standard_normal(samples).astype(np.float32), 24_000.0

    pools = Pool(make, slots, samples, (1, 0)), Pool(make, slots, samples, (1, 1))
    for pool in pools:
        pool.fill_to(slots)
    return pools


PLAIN = MixingRules(
    6.0, 6.0, no_voice=0, no_background=0, second_voice=0, pauses=0, automation=0, colour=0,
    lost_bandwidth=0, crowd=0, effort=0, codec=0,
)  # fmt: skip


def test_crowds_are_background_and_only_that() -> None:
    pools = white_pools()
    without, within = (
        mix_batch(*pools, 4, replace(PLAIN, crowd=chance), (9,)) for chance in (0.0, 1.0)
    )
    # Levels are drawn afterwards; the ratio is kept: the same voice stands in another background.
    shares = [one.voice / one.voice.sum((1, 2), keepdim=True) for one in (within, without)]
    torch.testing.assert_close(*shares)
    mixed = [one.mix / one.voice.sum((1, 2), keepdim=True) for one in (within, without)]
    assert float((mixed[0] - mixed[1]).abs().sum()) > 0.1 * float(mixed[1].sum())
    torch.testing.assert_close(
        loss.input_ratio_db(within), torch.full((4,), -6.0), atol=0.5, rtol=0
    )


def test_raised_voices_are_brighter_than_plain_ones() -> None:
    pools = white_pools()
    plain, raised = (
        mix_batch(*pools, 4, replace(PLAIN, effort=chance), (9,)).voice for chance in (0.0, 1.0)
    )
    centres_hz = torch.from_numpy(bands.band_centres_hz())
    low, high = centres_hz < 250.0, centres_hz > 2500.0
    tilts = [
        10 * torch.log10(one[..., high].mean((1, 2)) / one[..., low].mean((1, 2)))
        for one in (raised, plain)
    ]
    rise_db = tilts[0] - tilts[1]
    assert float(rise_db.min()) > 5.5
    assert float(rise_db.max()) < 15.5


def test_workers_change_nothing_but_who_prepares() -> None:
    def make(rng: np.random.Generator) -> tuple[augment.Sound, float]:
        return rng.standard_normal(10_240).astype(np.float32), float(rng.uniform(4e3, 24e3))

    with ThreadPoolExecutor(3) as workers:
        pools = [Pool(make, 3, 10_240, (1, 1), place) for place in (None, Place(workers=workers))]
        for count in (2, 7, 8, 30):
            for pool in pools:
                pool.fill_to(count)
            assert torch.equal(pools[0].low, pools[1].low)
            assert torch.equal(pools[0].wide, pools[1].wide)
            assert torch.equal(pools[0].bandwidth_hz, pools[1].bandwidth_hz)


def test_a_step_stays_on_its_device() -> None:
    # The device "meta" has no numbers, but refuses tensors of another one as a GPU does.
    device = torch.device("meta")

    def make(rng: np.random.Generator) -> tuple[augment.Sound, float]:
        return rng.standard_normal(10_240).astype(np.float32), 8_000.0

    pools = [Pool(make, 4, 10_240, (1, kind), Place(device)) for kind in range(2)]
    for pool in pools:
        pool.fill_to(4)
    everything = MixingRules(second_voice=1, crowd=1, codec=1, effort=1, lost_bandwidth=1)
    batch = mix_batch(pools[0], pools[1], 4, everything, (1,))
    shape = NetworkShape(width=16, level_radius_frames=10, dilations=(1, 2))
    network = DialogueNetwork(shape).to(device)
    value = loss.training_loss(network(batch.mix, torch.bfloat16), batch, loss.LossWeights())
    value.backward()  # type: ignore[no-untyped-call]
    assert value.device == device
    assert {one.device for one in (batch.mix, batch.counted, batch.spoken)} == {device}
    assert loss.input_ratio_db(batch).device == device
    assert all(parameter.grad is not None for parameter in network.parameters())
