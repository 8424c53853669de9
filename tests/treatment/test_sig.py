"""DNSMOS SIG: there where its weights are installed, silent about it where they are not."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from testkit.sound import as_samples, noise
from testkit.speech import speech

from nlecompanion.model import Samples
from nlecompanion.treatment import sig
from nlecompanion.treatment.sig import sig_of, sig_source

RATE_HZ = 48_000
installed = pytest.mark.skipif(find_spec("speechmos") is None, reason="speechmos is not installed")


def clean_and_noisy() -> tuple[Samples, Samples]:
    voice = speech(8)
    return voice, voice + as_samples(noise(8, level_db=-25))


def test_without_the_weights_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sig, "find_spec", lambda name: None)
    voice, take = clean_and_noisy()
    assert sig_of(take, voice, RATE_HZ) is None
    assert sig_source() == ""


@installed
def test_with_them_the_source_names_package_and_version() -> None:
    assert sig_source().startswith("speechmos ")
    assert sig_source().split()[1][0].isdigit()


@installed
def test_the_same_sound_gives_the_same_score_bit_for_bit() -> None:
    voice, take = clean_and_noisy()
    first, second = sig_of(take, voice, RATE_HZ), sig_of(take, voice, RATE_HZ)
    assert first is not None
    assert second is not None
    assert first(12.0, 0.0) == first(12.0, 0.0) == second(12.0, 0.0)


@installed
def test_a_voice_alone_sounds_better_than_in_noise_and_better_than_crushed() -> None:
    voice, take = clean_and_noisy()
    mixed = sig_of(take, voice, RATE_HZ)
    crushed = (np.sign(voice) * np.float32(0.1)).astype(np.float32)
    square = sig_of(crushed, crushed, RATE_HZ)
    assert mixed is not None
    assert square is not None
    assert 1 <= mixed(0.0, 0.0) < mixed(40.0, 0.0) <= 5
    assert square(0.0, 0.0) < mixed(40.0, 0.0)
    assert mixed(12.0, 3.0) != mixed(12.0, 0.0)


@installed
@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_any_rate_is_heard(rate_hz: int) -> None:
    tone = np.sin(np.arange(2 * rate_hz) / rate_hz * 2 * np.pi * 220).astype(np.float32)[:, None]
    heard = sig_of(tone, tone * np.float32(0.5), rate_hz)
    assert heard is not None
    assert np.isfinite(heard(6.0, 0.0))


@installed
def test_silence_and_moments_are_not_asked_about() -> None:
    silence = np.zeros((RATE_HZ * 2, 2), np.float32)
    assert sig_of(silence, silence, RATE_HZ) is None
    short = np.ones((RATE_HZ // 10, 1), np.float32)
    assert sig_of(short, short, RATE_HZ) is None
