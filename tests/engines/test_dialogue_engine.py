"""The dialogue engine's laws, with small random weights and with the packaged ones."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.dialogue import bands, spectrum
from nlecompanion.engines.dialogue.factory import INFO, DialogueFactory
from nlecompanion.engines.dialogue.inference import Inference
from nlecompanion.engines.dialogue.network import DialogueNetwork, NetworkShape, surroundings
from nlecompanion.engines.dialogue.refine import BINS, REACH_FRAMES, refined
from nlecompanion.engines.dialogue.splitter import DialogueEngine
from nlecompanion.errors import EngineError, WeightsMissing
from nlecompanion.model import Samples, Take
from nlecompanion.training.checkpoint import save_weights

SMALL = NetworkShape(width=16, level_radius_frames=10, dilations=(1, 2, 4))


@pytest.fixture(autouse=True)
def _no_own_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLECOMPANION_WEIGHTS", str(tmp_path / "weights"))


def lively_network(shape: NetworkShape = SMALL) -> DialogueNetwork:
    """Random weights whose gains differ widely: its seams would be heard."""
    torch.manual_seed(1)
    network = DialogueNetwork(shape)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name != "enter":
                parameter.copy_(torch.randn_like(parameter) * 0.3)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def small() -> DialogueEngine:
    return DialogueEngine(INFO, lively_network())


@pytest.fixture(scope="module")
def packaged() -> DialogueEngine:
    return DialogueFactory().create()


def noise(samples: int, channels: int = 1, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    bursts = np.repeat(rng.uniform(0.0, 0.2, (samples // 4000 + 1, channels)), 4000, axis=0)
    white = rng.standard_normal((samples, channels)) * bursts[:samples]
    return np.asarray(white, dtype=np.float32)


def chords(seconds: float, rate_hz: int = 48_000) -> Samples:
    """Plain music: four-note chords with overtones, one a half second."""
    times = np.arange(int(seconds * rate_hz)) / rate_hz
    sound = np.zeros_like(times)
    for number, root in enumerate((220.0, 174.6, 261.6, 196.0) * (int(seconds) + 1)):
        inside = (times >= number / 2) & (times < (number + 1) / 2)
        local = times[inside] - number / 2
        for ratio in (1.0, 1.25, 1.5, 2.0):
            for overtone in (1, 2, 3, 4):
                wave = np.sin(2 * np.pi * root * ratio * overtone * local) / overtone
                sound[inside] += wave * np.exp(-3.0 * local)
    return np.asarray(0.1 * sound[:, None], dtype=np.float32)


def test_unit_gains_give_the_take_back_to_the_sample() -> None:
    network = DialogueNetwork(SMALL)
    with torch.no_grad():
        network.enter.zero_()
        network.feature_scale.zero_()
        network.head_bias.fill_(50.0)
    take = Take(noise(50_001), 48_000)
    voice = DialogueEngine(INFO, network.eval()).split(take).voice.samples
    np.testing.assert_allclose(voice, take.samples, atol=2e-6)


@pytest.mark.parametrize("rate_hz", [48_000, 44_100, 96_000])
def test_blocks_agree_with_one_piece_to_60_db(small: DialogueEngine, rate_hz: int) -> None:
    geometry = small.geometry(rate_hz, 1)
    length = 2 * geometry.block_samples + rate_hz
    sound = noise(length)
    whole = small.split(Take(sound, rate_hz)).voice.samples
    parts = split_blocks(small, lambda low, high: sound[low:high], length, rate_hz, 1)
    joined = np.concatenate([part.voice.samples for part in parts])
    off_db = 20 * np.log10(np.abs(joined - whole).max() / np.sqrt(np.mean(whole**2)) + 1e-12)
    assert whole.shape == joined.shape
    assert off_db < -60.0


def test_a_gain_depends_on_nothing_beyond_the_reach(small: DialogueEngine) -> None:
    reach = (SMALL.reach_frames + REACH_FRAMES + 8) * 512
    sound = noise(3 * reach + 30_000)
    other = sound.copy()
    other[: len(sound) - 2 * reach] = noise(len(sound) - 2 * reach, seed=9)
    first = small.split(Take(sound, 48_000)).voice.samples
    second = small.split(Take(other, 48_000)).voice.samples
    np.testing.assert_allclose(first[-reach:], second[-reach:], atol=1e-5)
    assert np.abs(first[:1000] - second[:1000]).max() > 1e-3


@pytest.mark.parametrize("around", [True, False])
def test_the_network_reaches_as_far_as_it_says(around: bool) -> None:
    shape = replace(SMALL, surroundings=around)
    network = lively_network(shape)
    power = torch.from_numpy(np.random.default_rng(0).random((1, 400, bands.BANDS)) ** 4).float()
    changed = power.clone()
    changed[:, 200] *= 100.0
    moved = (network(power) - network(changed)).abs().amax((0, 2)) > 1e-7
    touched = np.flatnonzero(moved.numpy())
    assert 200 - touched.min() <= shape.reach_frames
    assert touched.max() - 200 <= shape.reach_frames
    assert touched.max() - touched.min() > shape.reach_frames


def test_a_gliding_tone_is_less_at_rest_than_a_held_one() -> None:
    times = torch.arange(48_000) / 48_000
    held = torch.sin(2 * torch.pi * 1000 * times)
    gliding = torch.sin(2 * torch.pi * (1000 * times + 60 * torch.sin(5 * times)))
    unrest = [
        surroundings(torch.log(spectrum.band_powers(spectrum.analyse(tone))[None] + 1e-6))[2]
        for tone in (held, gliding)
    ]
    near = slice(36, 50)
    assert float(unrest[1][0, 20:70, near].mean()) > 5 * float(unrest[0][0, 20:70, near].mean())


def test_shapes_from_before_the_surroundings_are_read() -> None:
    old = SMALL.to_json()
    del old["surroundings"]
    assert NetworkShape.from_json(old) == replace(SMALL, surroundings=False)


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 48_000])
def test_parts_sum_and_keep_their_shape(small: DialogueEngine, channels: int, rate_hz: int) -> None:
    take = Take(noise(rate_hz // 2 + 1, channels), rate_hz)
    split = small.split(take)
    assert split.voice.samples.shape == take.samples.shape
    assert split.voice.rate_hz == split.background.rate_hz == rate_hz
    np.testing.assert_allclose(
        split.voice.samples + split.background.samples, take.samples, atol=1e-6
    )


def test_a_stereo_image_does_not_move(small: DialogueEngine) -> None:
    mono = noise(96_000)
    take = Take(np.hstack([0.8 * mono, 0.3 * mono]).astype(np.float32), 48_000)
    voice = small.split(take).voice.samples
    np.testing.assert_allclose(voice[:, 0] * 0.3, voice[:, 1] * 0.8, atol=1e-6)


def test_channels_of_a_surround_take_do_not_touch(small: DialogueEngine) -> None:
    sound = noise(96_000, 6)
    alone = small.split(Take(sound[:, 2:3].copy(), 48_000)).voice.samples
    together = small.split(Take(sound, 48_000)).voice.samples
    np.testing.assert_allclose(together[:, 2:3], alone, atol=1e-6)


@pytest.mark.parametrize("length", [0, 1, 2, 511, 9600])
def test_short_takes(small: DialogueEngine, length: int) -> None:
    split = small.split(Take(noise(length) + np.float32(0.1), 48_000))
    assert split.voice.samples.shape == (length, 1)
    assert np.isfinite(split.voice.samples).all()


def test_the_same_take_gives_the_same_bits(small: DialogueEngine) -> None:
    take = Take(noise(60_000, 2), 48_000)
    first, second = small.split(take), small.split(take)
    assert np.array_equal(first.voice.samples, second.voice.samples)


def test_level_changes_nothing_but_level(small: DialogueEngine) -> None:
    sound = noise(96_000)
    loud = small.split(Take(sound, 48_000)).voice.samples
    quiet = small.split(Take(sound * np.float32(0.01), 48_000)).voice.samples
    off_db = 10 * np.log10(np.square(100 * quiet - loud).sum() / np.square(loud).sum())
    assert off_db < -35.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_refused(small: DialogueEngine, bad: float) -> None:
    sound = noise(4800)
    sound[1234, 0] = bad
    with pytest.raises(EngineError, match="1234"):
        small.split(Take(sound, 48_000))


def test_full_scale_clipping_and_dc_come_back_finite(small: DialogueEngine) -> None:
    sound = np.clip(noise(48_000) * 100, -1.0, 1.0) * np.float32(0.5) + np.float32(0.5)
    split = small.split(Take(sound.astype(np.float32), 48_000))
    assert np.abs(split.voice.samples).max() < 4.0


def test_the_filter_finds_bursts_in_a_held_note_where_gains_are_coarse() -> None:
    torch.manual_seed(0)
    times = torch.arange(3 * 48_000) / 48_000
    note = 0.3 * torch.sin(2 * torch.pi * 500 * times)
    bursts = 0.3 * torch.randn(len(times)) * (torch.sin(2 * torch.pi * 2 * times) > 0)
    sounds = spectrum.analyse(torch.stack([note, bursts]))
    ideal = sounds[1].abs().square() / sounds.abs().square().sum(0).clamp(min=1e-12)
    gains = torch.nn.functional.avg_pool1d(ideal, 9, 1, 4, count_include_pad=False)
    mixture = sounds.sum(0, keepdim=True)
    by_gains = (mixture * gains - sounds[1])[..., BINS].abs().square().sum()
    by_filter = (refined(mixture[..., BINS], gains[:, BINS]) - sounds[1, :, BINS]).abs().square()
    assert float(by_filter.sum()) < 0.5 * float(by_gains)


@pytest.mark.parametrize("around", [True, False])
@pytest.mark.parametrize("frames", [1, 2, 601])
def test_the_fast_form_gives_the_gains_of_the_network(around: bool, frames: int) -> None:
    network = lively_network(replace(SMALL, surroundings=around))
    power = torch.from_numpy(np.random.default_rng(0).random((frames, bands.BANDS)) ** 4).float()
    torch.testing.assert_close(Inference(network)(power), network(power[None])[0])


@pytest.mark.parametrize("length", [1, 511, 512, 1500, 4096, 70_001])
def test_frames_in_batches_are_those_of_the_whole(length: int) -> None:
    sound = torch.from_numpy(noise(length, 2).T.copy())
    frames, whole = spectrum.Frames(sound), spectrum.analyse(sound)
    spectra = torch.cat([part for _, part in frames.spectra()], dim=1)
    torch.testing.assert_close(spectra, whole, atol=1e-7, rtol=1e-4)
    gains = torch.rand(frames.count, bands.BINS)
    changed = frames.changed(lambda part, own: own * gains[part])
    expected = spectrum.synthesise(whole * gains, length)
    torch.testing.assert_close(changed, expected, atol=1e-6, rtol=1e-4)


def test_the_filter_solves_its_equations() -> None:
    torch.manual_seed(2)
    mixture = torch.randn(1, 4, 127, dtype=torch.complex64)
    gain = torch.rand(4, 127)
    padded = torch.nn.functional.pad(mixture, (0, 0, 1, 1))[0].to(torch.complex128)
    # One group of four frames: covariances are plain sums over them.
    three = torch.stack([padded[n : n + 4] for n in range(3)], dim=-1)
    own = torch.einsum("fbi,fbj->bij", three, three.conj())
    voice = torch.einsum("fb,fbi,fb->bi", gain.to(three.dtype), three, three[..., 1].conj())
    mean = voice[:, 1].real / own[:, 1, 1].real
    loading = 1e-3 / 3 * own.diagonal(dim1=-2, dim2=-1).real.sum(-1)
    voice[:, 1] += loading * mean
    taps = torch.linalg.solve(own + loading[:, None, None] * torch.eye(3), voice)
    found = torch.einsum("bi,fbi->fb", taps.conj(), three) * (gain / mean).clamp(max=1)
    found /= (found.abs() / three[..., 1].abs()).clamp(min=1)
    torch.testing.assert_close(refined(mixture, gain)[0], found.to(torch.complex64))


def test_missing_weights_name_the_next_move(tmp_path: Path) -> None:
    factory = DialogueFactory(tmp_path / "none.safetensors", "0" * 64)
    assert not factory.readiness().ready
    with pytest.raises(WeightsMissing, match="install nlecompanion again"):
        factory.create()


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    altered = tmp_path / "weights.safetensors"
    save_weights(altered, SMALL, dict(lively_network().state_dict()))
    with pytest.raises(EngineError, match="altered"):
        DialogueFactory(altered, "0" * 64).create()


def test_own_weights_go_first_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    own = tmp_path / "weights" / "dialogue" / "weights.safetensors"
    own.parent.mkdir(parents=True)
    save_weights(own, SMALL, dict(lively_network().state_dict()))
    factory = DialogueFactory(tmp_path / "none.safetensors", "0" * 64)
    take = Take(noise(48_000), 48_000)
    expected = DialogueEngine(INFO, lively_network()).split(take).voice.samples
    np.testing.assert_allclose(factory.create().split(take).voice.samples, expected, atol=1e-3)
    own.write_bytes(own.read_bytes()[:-100])
    with pytest.raises(EngineError, match="cannot be used"):
        factory.create()


def test_packaged_weights_are_the_released_ones(packaged: DialogueEngine) -> None:
    # That the engine was made at all says that the sum is right.
    shipped = files("nlecompanion.engines.dialogue") / "weights.safetensors"
    assert len(shipped.read_bytes()) <= 16 * 2**20
    assert packaged.info.name == "dialogue"


def test_packaged_weights_keep_silence_silent(packaged: DialogueEngine) -> None:
    assert not packaged.split(Take(np.zeros((48_000, 2), np.float32), 48_000)).voice.samples.any()


def test_packaged_weights_take_music_for_background(packaged: DialogueEngine) -> None:
    take = Take(chords(8.0), 48_000)
    voice = packaged.split(take).voice.samples
    assert 10 * np.log10(np.square(voice).sum() / np.square(take.samples).sum()) < -30.0
