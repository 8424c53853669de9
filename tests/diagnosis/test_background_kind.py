"""Music, steady noise, events and babble: real ones, none of which the weights have seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from testkit.meters import (
    RATE_HZ,
    VOICES,
    blocks,
    found,
    recordings,
    sound_of,
    spaced,
    voice_of,
    whole,
)
from testkit.shared import shared
from testkit.sound import as_samples, noise

from nlecompanion.diagnosis.background_kind import BackgroundKind, Kind
from nlecompanion.diagnosis.findings import MixtureMeters, SplitMeters, gather
from nlecompanion.model import Samples

#: What the first 20 s of the shared recordings hold, where that is clear. Left out: street
#: scenes and offices that are several things at once, and "music" that begins with 20 s of rain.
STEADY = (
    "blanket_city", "blanket_storm", "blanket_wind", "moodist_construction-site",
    "moodist_heavy-rain", "moodist_highway", "moodist_howling-wind", "moodist_inside-a-train",
    "moodist_airplane", "moodist_traffic", "moodist_wind-in-trees",
)  # fmt: skip
EVENTS = (
    "moodist_walk-on-gravel", "moodist_typewriter", "moodist_dog-barking",
    "moodist_ambulance-siren", "moodist_fireworks",
)  # fmt: skip
BABBLE = ("moodist_restaurant", "moodist_crowded-bar", "valyria_lively_crowd")
ONLY_RAIN = "valyria_Ove_Melaa_-_Rainy"


def kind_of(background: Samples, voice_too: Samples | None = None) -> BackgroundKind | None:
    """As if a split had given that background, and that voice."""
    nothing = np.zeros_like(background) if voice_too is None else voice_too
    mixture = MixtureMeters(RATE_HZ, background.shape[1])
    split = SplitMeters(RATE_HZ, background.shape[1])
    for part, rest in zip(blocks(nothing), blocks(background), strict=True):
        split.push(part, rest)
    return gather(mixture, split, ()).background


def right(paths: list[Path], kind: Kind) -> float:
    kinds = [kind_of(sound_of(path)) for path in paths]
    return float(np.mean([found is not None and found.kind is kind for found in kinds]))


def named(names: tuple[str, ...]) -> list[Path]:
    return [path for path in recordings("noise") if path.stem in names]


def test_music_is_music() -> None:
    paths = [path for path in recordings("music") if path.stem != ONLY_RAIN]
    assert len(paths) >= 19
    assert right(paths, Kind.MUSIC) >= 0.9


def test_steady_noise_is_steady() -> None:
    assert right(named(STEADY), Kind.STEADY) >= 0.9


def test_events_are_events_mostly() -> None:
    """Five items: fireworks run into one roar, a siren glides as voices do."""
    assert right(named(EVENTS), Kind.EVENTS) >= 0.6


def test_real_babble_is_babble_mostly() -> None:
    """Three items: the lively crowd is so dense that it reads as noise."""
    assert right(named(BABBLE), Kind.BABBLE) >= 0.6


def babble(seed: int) -> Samples:
    """Ten of the shared voices at once, at different levels, in some room."""
    from scipy.signal import fftconvolve

    rng = np.random.default_rng(seed)
    length = 8 * RATE_HZ
    total = np.zeros(length)
    rooms = [sound_of(path)[:, 0] for path in recordings("rir")]
    for name in rng.permutation(VOICES)[:10]:
        mono = np.resize(np.roll(voice_of(str(name))[:, 0], int(rng.integers(length))), length)
        total += mono / np.std(mono) * 10 ** (rng.uniform(-8, 0) / 20)
    wet = fftconvolve(total, rooms[seed % len(rooms)])[:length]
    return as_samples(0.05 * wet / np.std(wet))


def test_many_voices_at_once_are_babble() -> None:
    shared("audio/rir")
    kinds = [kind_of(babble(seed)) for seed in range(16)]
    assert np.mean([k is not None and k.kind is Kind.BABBLE for k in kinds]) >= 0.8


def test_a_voice_s_residue_does_not_change_the_kind() -> None:
    same = 0
    music = [path for path in recordings("music") if path.stem != ONLY_RAIN]
    paths = music[:8] + named(STEADY)[:8]
    for index, path in enumerate(paths):
        alone = sound_of(path, 10.0)[:, :1]
        residue = voice_of(VOICES[index % len(VOICES)], 10.0)
        count = min(len(alone), len(residue))
        level = np.sqrt(np.mean(alone[:count] ** 2) / np.mean(residue[:count] ** 2))
        leaked = alone[:count] + residue[:count] * level * np.float32(10 ** (-15 / 20))
        before, after = kind_of(alone[:count]), kind_of(leaked)
        same += before is not None and after is not None and before.kind is after.kind
    assert same >= 0.85 * len(paths)


def test_shares_sum_to_one_and_sureness_is_the_greatest() -> None:
    kind = kind_of(as_samples(noise(6, level_db=-40)))
    assert kind is not None
    assert kind.kind is Kind.STEADY
    shares = (kind.music_share, kind.steady_share, kind.events_share, kind.babble_share)
    assert sum(shares) == pytest.approx(1)
    assert kind.sureness == max(shares)


def test_without_a_split_the_gaps_of_the_mixture_are_asked() -> None:
    speech, spans = spaced()
    hiss = as_samples(noise(20, level_db=-45))
    kind = found(speech + hiss, speech=spans).background
    assert kind is not None
    assert kind.kind is Kind.STEADY
    assert found(speech + hiss, speech=whole(speech)).background is None


def test_silence_has_no_kind() -> None:
    assert kind_of(np.zeros((4 * RATE_HZ, 1), np.float32)) is None
    assert kind_of(as_samples(noise(1, level_db=-40))) is None
