"""Channels: dual mono, polarity, delay, dead ones, and which carries the voice best."""

from __future__ import annotations

import numpy as np
import pytest
from testkit.meters import RATE_HZ, VOICES, blocks, recordings, sound_of, spoken, voice_of
from testkit.sound import as_samples, noise, voice

from nlecompanion.diagnosis.channels import Channels
from nlecompanion.diagnosis.findings import MixtureMeters
from nlecompanion.model import Samples, Span


def related(sound: Samples, speech: tuple[Span, ...] | None = None) -> Channels:
    meters = MixtureMeters(RATE_HZ, sound.shape[1])
    for block in blocks(sound):
        meters.push(block)
    found = meters.channels.finish(spoken(sound[:, :1]) if speech is None else speech)
    assert found is not None
    return found


def late(sound: np.ndarray, samples: int) -> np.ndarray:
    return np.pad(sound, (samples, 0))[: len(sound)]


def test_dual_mono_is_named_and_real_stereo_is_not() -> None:
    for name in VOICES[:6]:
        mono = voice_of(name)[:, 0]
        pair = related(as_samples(mono, mono)).pairs[0]
        assert pair.dual_mono
        assert not pair.inverted
        assert pair.correlation == pytest.approx(1, abs=1e-5)
    stereo = [path for path in recordings("music") if sound_of(path, 5.0).shape[1] == 2]
    assert not any(related(sound_of(path, 5.0), ()).pairs[0].dual_mono for path in stereo)


def test_a_fainter_copy_with_its_own_noise_is_not_dual_mono() -> None:
    mono = voice(8)
    pair = related(as_samples(mono, mono + noise(8, level_db=-45)), ()).pairs[0]
    assert not pair.dual_mono
    assert pair.correlation > 0.98


def test_turned_polarity_is_found_in_copies_and_in_real_pairs_of_microphones() -> None:
    for name in VOICES[:8]:
        mono = voice_of(name)[:, 0]
        assert related(as_samples(mono, -mono)).pairs[0].inverted
        # Another place and noise of its own.
        other = 0.5 * late(mono, 200) + noise(len(mono) / RATE_HZ, level_db=-60)[: len(mono)]
        assert related(as_samples(mono, -other)).pairs[0].inverted
        assert not related(as_samples(mono, other)).pairs[0].inverted


@pytest.mark.parametrize("delay_samples", [24, 240, 1200, 2000])
def test_delays_between_channels_are_measured(delay_samples: int) -> None:
    errors_ms = []
    for name in VOICES[:8]:
        mono = voice_of(name)[:, 0]
        other = late(mono, delay_samples) + noise(len(mono) / RATE_HZ, level_db=-65)[: len(mono)]
        delay_ms = related(as_samples(mono, other)).pairs[0].delay_ms
        assert delay_ms is not None, name
        errors_ms.append(abs(delay_ms - delay_samples / 48))
    assert max(errors_ms) < 0.05


def test_strangers_have_no_delay() -> None:
    sound = as_samples(noise(8, level_db=-30, seed=1), noise(8, level_db=-30, seed=2))
    pair = related(sound, ()).pairs[0]
    assert pair.delay_ms is None
    assert abs(pair.correlation) < 0.02


def test_a_dead_channel_is_named_and_never_the_best() -> None:
    mono = voice_of("vctk_p234")[:, 0]
    for rest in (np.zeros_like(mono), noise(len(mono) / RATE_HZ, level_db=-100)[: len(mono)]):
        found = related(as_samples(mono, rest))
        assert found.dead == (False, True)
        assert found.best == 0
        assert found.sureness == 1
        assert found.pairs == ()


def test_the_closest_microphone_carries_the_voice_best() -> None:
    """Four channels of a production file: lavalier, boom in a room, noisy camera, dead."""
    from scipy.signal import fftconvolve

    right = total = 0
    rooms = [sound_of(path)[:, 0] for path in recordings("rir")]
    for index, name in enumerate(VOICES):
        mono = voice_of(name)[:, 0]
        room = rooms[index % len(rooms)]
        boom = fftconvolve(mono, room)[: len(mono)]
        boom *= 0.7 * np.sqrt(np.mean(mono**2) / np.mean(boom**2))
        floor = noise(len(mono) / RATE_HZ, level_db=0, seed=index)[: len(mono)]
        rms = np.sqrt(np.mean(mono**2))
        channels = [mono + floor * rms * 10**-2.5, boom + floor * rms * 10**-2.2]
        channels += [1.5 * mono + floor * rms * 10**-0.75, np.zeros_like(mono)]
        order = np.random.default_rng(index).permutation(4)
        sound = as_samples(*(channels[i] for i in order))
        found = related(sound, spoken(as_samples(mono)))
        right += found.best == int(np.flatnonzero(order == 0)[0])
        total += 1
    assert right >= 0.9 * total
