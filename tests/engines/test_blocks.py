"""Long regions in blocks: exact cover, exact sum, no seams, bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from testkit.engines import (
    Recut,
    TestedEngine,
    not_a_number,
    not_summing,
    oracle,
    raising,
    tiny_htdemucs,
    wrong_rate,
    wrong_shape,
)
from testkit.shared import shared
from testkit.sound import as_samples, level_db, noise, read_sound, tone, voice

from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.contract import Engine, Geometry
from nlecompanion.engines.demucs import Demucs
from nlecompanion.engines.dsp import Dsp
from nlecompanion.errors import EngineError
from nlecompanion.model import Samples, Split, Take

RATE_HZ = 48_000


def reader(samples: Samples) -> Callable[[int, int], Samples]:
    """Gives slices, and fails where a sample is asked for twice or out of order."""
    asked = 0

    def read(start: int, end: int) -> Samples:
        nonlocal asked
        assert start == asked
        asked = end
        return samples[start:end]

    return read


def run(engine: Engine, samples: Samples, rate_hz: int = RATE_HZ) -> list[Split]:
    return list(split_blocks(engine, reader(samples), len(samples), rate_hz, samples.shape[1]))


def voice_of(splits: list[Split]) -> Samples:
    return np.concatenate([split.voice.samples for split in splits])


def halving(geometry: Geometry) -> TestedEngine:
    return TestedEngine("halving", lambda take: take.samples * np.float32(0.5), geometry)


@pytest.mark.parametrize(
    "geometry",
    [Geometry(1000, 0, 0), Geometry(1000, 300, 300), Geometry(1000, 700, 77), Geometry(7, 7, 7)],
)
@pytest.mark.parametrize("length_samples", [1, 6, 999, 1000, 1001, 1100, 3456])
def test_splits_cover_the_region_and_sum_to_it(geometry: Geometry, length_samples: int) -> None:
    sound = as_samples(noise(0.1, level_db=0), noise(0.1, level_db=0, seed=2))[:length_samples]
    splits = run(halving(geometry), sound)
    found = voice_of(splits)
    assert found.shape == sound.shape
    np.testing.assert_allclose(found, sound / 2, atol=1e-6)
    rest = np.concatenate([split.background.samples for split in splits])
    np.testing.assert_allclose(found + rest, sound, atol=1e-6)


def test_an_empty_region_has_no_splits() -> None:
    assert run(halving(Geometry(10, 0, 0)), np.zeros((0, 1), np.float32)) == []


def test_blocks_are_anchored_and_have_their_context() -> None:
    engine = halving(Geometry(1000, 200, 100))
    ramp = np.arange(1, 2501, dtype=np.float32)[:, None] / np.float32(4096)
    run(engine, ramp)
    ends = [(take.samples[0, 0] * 4096 - 1, take.samples[-1, 0] * 4096) for take in engine.takes]
    assert ends == [(0, 1200), (800, 2200), (1800, 2500)]


def test_neighbours_are_joined_by_a_ramp_that_sums_to_one() -> None:
    seen: list[int] = []

    def steps(take: Take) -> Samples:
        seen.append(len(seen))
        return np.full_like(take.samples, seen[-1])

    engine = TestedEngine("steps", steps, Geometry(1000, 100, 100))
    found = voice_of(run(engine, np.ones((2000, 1), np.float32)))[:, 0]
    assert (found[:950] == 0).all()
    assert (found[1050:] == 1).all()
    np.testing.assert_allclose(np.diff(found[950:1050]), 0.01, atol=1e-6)
    np.testing.assert_allclose(found[950:1050] + found[950:1050][::-1], 1, atol=1e-6)


def test_silent_blocks_never_reach_the_engine() -> None:
    engine = halving(Geometry(1000, 100, 50))
    sound = np.zeros((5000, 1), np.float32)
    sound[3950] = 1
    assert not voice_of(run(engine, sound))[:3900].any()
    # The impulse lies in the fourth block and in the context of the fifth.
    assert len(engine.takes) == 2


def test_memory_does_not_grow_with_the_length() -> None:
    engine = halving(Geometry(48_000, 4_800, 480))
    block = as_samples(noise(1), noise(1, seed=2))

    def peak_bytes(blocks: int) -> int:
        def read(start: int, end: int) -> Samples:
            return np.resize(block, (end - start, 2))

        tracemalloc.start()
        for _split in split_blocks(engine, read, blocks * 48_000, RATE_HZ, 2):
            engine.takes.clear()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak_bytes(60) < 1.1 * peak_bytes(6)


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        (raising(EngineError("no luck")), "no luck"),
        (raising(RuntimeError("out of registers")), "RuntimeError: out of registers"),
        (not_a_number(), "not a number at sample 50400"),
        (wrong_shape(), "shape"),
        (wrong_rate(), "24000 Hz for 48000 Hz"),
        (not_summing(), "miss the sound by"),
    ],
)
def test_engines_that_misbehave_are_named(engine: Engine, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        run(engine, as_samples(noise(4)))


def test_bad_samples_are_named_by_their_place_in_the_region() -> None:
    sound = as_samples(noise(5))
    sound[200_000] = np.nan
    with pytest.raises(EngineError, match=r"nan at sample 200000 \(4\.167 s\), channel 1"):
        run(halving(Geometry(48_000, 0, 0)), sound)


def test_a_reader_that_ends_early_is_named() -> None:
    sound = as_samples(noise(1))
    with pytest.raises(EngineError, match="gave"):
        list(split_blocks(halving(Geometry(48_000, 0, 0)), reader(sound), 96_000, RATE_HZ, 1))


def test_a_fade_that_does_not_fit_is_refused() -> None:
    with pytest.raises(EngineError, match="fade must fit"):
        run(halving(Geometry(1000, 10, 20)), as_samples(noise(1)))


def test_the_oracle_finds_its_takes() -> None:
    truth = as_samples(voice(6))
    mixture = truth + as_samples(noise(6, level_db=-30))
    np.testing.assert_allclose(voice_of(run(oracle([(mixture, truth)]), mixture)), truth, atol=1e-6)
    with pytest.raises(EngineError, match="does not know"):
        run(oracle([(mixture, truth)]), as_samples(noise(6, seed=9)))


def seam_db(engine: Engine, samples: Samples, rate_hz: int, blocks: int) -> float:
    """How far a run cut into blocks of `blocks` grid steps is from one in a piece."""
    own = engine.geometry(rate_hz, samples.shape[1])
    cut = Recut(engine, Geometry(blocks, own.context_samples, own.fade_samples))
    found = voice_of(run(cut, samples, rate_hz))
    whole = engine.split(Take(samples, rate_hz)).voice.samples
    return level_db(found - whole) - level_db(whole)


@pytest.mark.parametrize(("rate_hz", "steps"), [(48_000, 11), (44_100, 16)])
def test_dsp_has_no_seams(rate_hz: int, steps: int) -> None:
    # Everything that it adapts to changes on the way: noise comes and goes, and hum.
    speech, hiss = voice(26, rate_hz), noise(26, rate_hz, -45)
    hiss[: 9 * rate_hz] *= 0.1
    lines = [tone(50 * k, 26, rate_hz, -40 - 3 * k) for k in (1, 2, 3, 5)]
    hum = np.sum(lines, axis=0) * (np.arange(len(speech)) > 15 * rate_hz)
    grid = 16_384 if rate_hz == 48_000 else 14_336
    samples = as_samples(speech + hiss + hum)
    assert seam_db(Dsp(), samples, rate_hz, steps * grid) < -60


def test_dsp_geometry_lies_on_the_grid_that_this_file_cuts_by() -> None:
    for rate_hz, grid in ((48_000, 16_384), (44_100, 14_336)):
        own = Dsp().geometry(rate_hz, 1)
        assert own.block_samples % grid == own.context_samples % grid == 0


def test_dsp_has_no_seams_in_film_sound() -> None:
    samples, rate_hz = read_sound(shared("audio/film/sintel_trailer_48k.ogg"))
    assert seam_db(Dsp(), samples[: 40 * rate_hz], rate_hz, 40 * 16_384) < -60


@pytest.mark.parametrize(("rate_hz", "steps"), [(44_100, 2), (48_000, 3), (32_000, 3)])
def test_demucs_has_no_seams(rate_hz: int, steps: int) -> None:
    engine = Demucs([(tiny_htdemucs(), 1.0)], "random")
    own = engine.geometry(rate_hz, 1)
    samples = as_samples(voice(3.3, rate_hz) + noise(3.3, rate_hz))
    assert own.block_samples % 20 == 0
    assert seam_db(engine, samples, rate_hz, steps * own.block_samples // 20) < -60


def test_a_wrong_grid_would_be_noticed() -> None:
    engine = Demucs([(tiny_htdemucs(), 1.0)], "random")
    step_samples = engine.geometry(RATE_HZ, 1).block_samples // 20
    samples = as_samples(voice(3) + noise(3))
    assert seam_db(engine, samples, RATE_HZ, 3 * step_samples + 5_000) > -60
