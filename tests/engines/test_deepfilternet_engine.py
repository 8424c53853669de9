"""DeepFilterNet3 with its published weights, on real voices."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from testkit.engines import Recut
from testkit.shared import shared
from testkit.sound import (
    as_samples,
    delay_samples,
    level_db,
    noise,
    read_sound,
    si_sdr_db,
    voice,
)

from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.contract import Geometry
from nlecompanion.engines.deepfilternet.factory import FACTORY
from nlecompanion.engines.deepfilternet.splitter import DeepFilterNet
from nlecompanion.engines.threads import set_threads
from nlecompanion.errors import EngineError
from nlecompanion.model import Samples, Take

RATE_HZ = 48_000


@pytest.fixture(scope="module")
def engine() -> Iterator[DeepFilterNet]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NLECOMPANION_WEIGHTS", str(shared("weights/DeepFilterNet3").parent))
        yield FACTORY.create()


@pytest.fixture(scope="module")
def speech() -> Samples:
    """Eight seconds of a real voice in real music, mono at 48 kHz."""
    return read_sound(shared("bench/00_mix.flac"))[0]


@pytest.fixture(scope="module")
def film() -> Samples:
    """Fifty seconds of a film's trailer: dialogue, score and effects, stereo at 48 kHz."""
    return read_sound(shared("audio/film/sintel_trailer_48k.ogg"))[0]


def at_rate(samples: Samples, rate_hz: int) -> Samples:
    from scipy.signal import resample_poly

    divisor = int(np.gcd(rate_hz, RATE_HZ))
    changed = resample_poly(samples, rate_hz // divisor, RATE_HZ // divisor, axis=0)
    return changed.astype(np.float32)


def voice_of(engine: DeepFilterNet, samples: Samples, rate_hz: int = RATE_HZ) -> Samples:
    """The voice, after checking what holds for any sound."""
    before = samples.copy()
    split = engine.split(Take(samples, rate_hz))
    np.testing.assert_array_equal(samples, before, "the engine wrote into its input")
    for part in (split.voice, split.background):
        assert part.samples.shape == samples.shape
        assert part.samples.dtype == np.float32
        assert part.rate_hz == rate_hz
        assert np.isfinite(part.samples).all()
    off = np.abs(split.voice.samples + split.background.samples - samples)
    assert off.max(initial=0) <= 1e-6
    return split.voice.samples


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 44_101, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate(engine: DeepFilterNet, speech: Samples, rate_hz: int, channels: int) -> None:
    sound = at_rate(speech[RATE_HZ : 2 * RATE_HZ], rate_hz).repeat(channels, axis=1)
    assert level_db(voice_of(engine, sound, rate_hz)) > -60


@pytest.mark.parametrize("length_samples", [0, 1, 2, 479, 480, 481, 9_601])
def test_any_length(engine: DeepFilterNet, speech: Samples, length_samples: int) -> None:
    voice_of(engine, speech[RATE_HZ : RATE_HZ + length_samples])


@pytest.mark.parametrize(
    "sound",
    [
        np.full(48_000, 0.5),
        np.sign(np.sin(np.arange(48_000) * 0.02) + 1e-9),
        np.eye(1, 48_000, 24_000)[0],
        np.clip(40 * voice(1), -8, 8) / 8,
        noise(1, level_db=-140),
    ],
    ids=["direct current", "square", "impulse", "clipped", "quiet"],
)
def test_hostile_sound(engine: DeepFilterNet, sound: Samples) -> None:
    assert np.abs(voice_of(engine, as_samples(sound))).max() < 4


@pytest.mark.parametrize("length_samples", [1, 48_000])
def test_silence_gives_silence(engine: DeepFilterNet, length_samples: int) -> None:
    assert not voice_of(engine, np.zeros((length_samples, 2), np.float32)).any()


def test_silence_after_sound_stays_silent(engine: DeepFilterNet, speech: Samples) -> None:
    sound = speech[: 4 * RATE_HZ].copy()
    sound[2 * RATE_HZ :] = 0
    assert not voice_of(engine, sound)[2 * RATE_HZ + 3 * 480 :].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_sound_is_refused_with_its_place(engine: DeepFilterNet, bad: float) -> None:
    sound = as_samples(noise(1), noise(1))
    sound[12_000, 1] = bad
    with pytest.raises(EngineError, match=r"sample 12000 \(0\.250 s\), channel 2"):
        engine.split(Take(sound, RATE_HZ))


def test_the_same_bits_again_and_on_two_threads(engine: DeepFilterNet, speech: Samples) -> None:
    first = voice_of(engine, speech)
    np.testing.assert_array_equal(voice_of(engine, speech.copy()), first)
    set_threads(2)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NLECOMPANION_WEIGHTS", str(shared("weights")))
            np.testing.assert_array_equal(voice_of(FACTORY.create(), speech), first)
    finally:
        set_threads(1)


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_no_delay_and_little_damage_to_a_clean_voice(engine: DeepFilterNet, rate_hz: int) -> None:
    clean = at_rate(read_sound(shared("bench/00_clean.flac"))[0], rate_hz)
    found = voice_of(engine, clean, rate_hz)
    assert delay_samples(found, clean) == 0
    assert si_sdr_db(found, clean) > 20


def test_a_stereo_image_does_not_move(engine: DeepFilterNet, speech: Samples) -> None:
    mono = voice_of(engine, speech)
    both = voice_of(engine, speech.repeat(2, axis=1))
    np.testing.assert_array_equal(both, mono.repeat(2, axis=1))
    panned = voice_of(engine, np.hstack([speech, np.float32(0.25) * speech]))
    assert level_db(panned[:, :1]) > level_db(mono) - 1
    np.testing.assert_allclose(panned[:, 1], 0.25 * panned[:, 0], atol=1e-6)
    inverted = voice_of(engine, np.hstack([speech, -speech]))
    np.testing.assert_allclose(inverted, np.hstack([mono, -mono]), atol=1e-6)


def test_channels_of_a_surround_take_do_not_touch(engine: DeepFilterNet, speech: Samples) -> None:
    sound = np.zeros((2 * RATE_HZ, 6), np.float32)
    sound[:, 2] = speech[: len(sound), 0]
    sound[:, 5] = noise(2)
    found = voice_of(engine, sound)
    np.testing.assert_array_equal(found[:, 2:3], voice_of(engine, sound[:, 2:3].copy()))
    assert not found[:, [0, 1, 3, 4]].any()


def seam_db(engine: DeepFilterNet, samples: Samples, rate_hz: int, block_s: int) -> float:
    """The largest 10 ms by which a run in blocks misses one in a piece, over the voice's level."""
    own = engine.geometry(rate_hz, samples.shape[1])
    assert own.block_samples % own.context_samples == 0
    cut = Recut(engine, Geometry(block_s * rate_hz, own.context_samples, own.fade_samples))
    parts = split_blocks(
        cut, lambda low, high: samples[low:high], len(samples), rate_hz, samples.shape[1]
    )
    found = np.concatenate([part.voice.samples for part in parts])
    whole = engine.split(Take(samples, rate_hz)).voice.samples
    missed = (found - whole)[: len(whole) // 480 * 480].reshape(-1, 480 * samples.shape[1])
    return max(level_db(one) for one in missed) - level_db(whole)


@pytest.mark.parametrize(("rate_hz", "channels"), [(48_000, 1), (44_100, 2)])
def test_blocks_agree_with_one_piece(
    engine: DeepFilterNet, film: Samples, rate_hz: int, channels: int
) -> None:
    part = at_rate(film[20 * RATE_HZ : 42 * RATE_HZ, :channels], rate_hz)
    assert seam_db(engine, part, rate_hz, 10) < -60


def test_blocks_on_another_grid_would_be_noticed(engine: DeepFilterNet, film: Samples) -> None:
    assert seam_db(engine, film[20 * RATE_HZ : 38 * RATE_HZ, :1], RATE_HZ, 7) > -60


def test_it_reaches_what_the_published_code_does(engine: DeepFilterNet) -> None:
    bench = shared("bench/meta.json").parent
    gains_db = []
    for entry in json.loads((bench / "meta.json").read_text("utf-8")):
        if entry["cond"] == "music+noise":
            mix, clean = (
                read_sound(bench / f"{entry['id']}_{p}.flac")[0] for p in ("mix", "clean")
            )
            gains_db.append(si_sdr_db(voice_of(engine, mix), clean) - si_sdr_db(mix, clean))
    assert len(gains_db) == 10
    assert np.mean(gains_db) == pytest.approx(7.60, abs=0.1)
