"""What a mixer's hands must do and must not do: tones live or die, measured in dB."""

from __future__ import annotations

import numpy as np
import pytest
from testkit.shared import shared
from testkit.sound import (
    as_samples,
    level_at_db,
    level_db,
    noise,
    read_sound,
    si_sdr_db,
    tone,
    voice,
)

from nlecompanion.engines import dsp_hum
from nlecompanion.engines.dsp import FACTORY, Dsp
from nlecompanion.engines.dsp_decimate import decimated, interpolated
from nlecompanion.engines.dsp_noise import noise_floor
from nlecompanion.engines.dsp_stft import Stft
from nlecompanion.model import Samples, Take

RATE_HZ = 48_000


def voice_of(samples: Samples, rate_hz: int = RATE_HZ) -> Samples:
    return Dsp().split(Take(samples, rate_hz)).voice.samples


def middle(samples: Samples) -> Samples:
    quarter = len(samples) // 4
    return samples[quarter:-quarter]


def hum_of(mains_hz: float, length_s: float, rate_hz: int = RATE_HZ) -> Samples:
    lines = [tone(k * mains_hz, length_s, rate_hz, -38 - 2 * k) for k in (1, 2, 3, 4, 5, 7)]
    return as_samples(np.sum(lines, axis=0))


@pytest.mark.parametrize("frame_samples", [256, 2048])
@pytest.mark.parametrize("length_samples", [1, 100, 5_000, 48_001])
def test_unit_masks_give_the_sound_back(frame_samples: int, length_samples: int) -> None:
    stft = Stft(frame_samples)
    sound = as_samples(noise(1.1, level_db=-10), noise(1.1, seed=2))[:length_samples]
    ones = np.ones((stft.frames(length_samples), stft.bins), np.float32)
    np.testing.assert_allclose(stft.masked(sound, lambda at: ones[at]), sound, atol=1e-6)


def test_power_of_white_noise_is_its_mean_square() -> None:
    power = Stft(2048).power(as_samples(noise(10, level_db=-30)))
    assert 10 * np.log10(power[8:-8, 2:-2].mean()) == pytest.approx(-30, abs=0.1)


def test_the_noise_floor_is_the_noise_and_not_the_voice() -> None:
    hiss = noise(20, level_db=-50)
    alone = noise_floor(Stft(2048).power(as_samples(hiss)))
    assert 10 * np.log10(alone[40:-40, 20:-20].mean()) == pytest.approx(-50, abs=0.5)
    with_voice = noise_floor(Stft(2048).power(as_samples(hiss + voice(20))))
    rise_db = 10 * np.log10(np.median(with_voice[:, 10:200] / alone[:, 10:200]))
    assert rise_db < 2


@pytest.mark.parametrize(("frequency_hz", "kept"), [(20, False), (40, False), (120, True)])
def test_rumble_dies_and_the_voice_does_not(frequency_hz: float, kept: bool) -> None:
    # In bursts, as only what is steady would be taken for noise or hum.
    gate = np.repeat(np.arange(20) % 2, RATE_HZ // 2)
    sound = as_samples(tone(frequency_hz, 10) * gate + noise(10, level_db=-80))
    loss_db = level_db(sound) - level_db(voice_of(sound))
    assert loss_db < 1 if kept else loss_db > 15


@pytest.mark.parametrize("frequency_hz", [100, 200, 500, 1_000, 4_000, 7_000])
def test_syllables_at_any_pitch_survive(frequency_hz: float) -> None:
    gate = np.repeat(np.arange(40) % 4 < 2, RATE_HZ // 4)
    sound = as_samples(tone(frequency_hz, 10) * gate + noise(10, level_db=-80))
    assert level_db(sound) - level_db(voice_of(sound)) < 1


@pytest.mark.parametrize("mains_hz", [49.93, 50.0, 60.0, 60.1])
def test_mains_hum_dies_under_a_voice(mains_hz: float) -> None:
    hum, speech = hum_of(mains_hz, 12), as_samples(voice(12))
    found = voice_of(speech + hum)
    before, after = si_sdr_db(speech + hum, speech), si_sdr_db(found, speech)
    assert after > before + 6
    estimate = dsp_hum.hum(speech + hum, RATE_HZ)
    assert estimate is not None
    # The others lie under the voice's own partials, where they are neither measured nor heard.
    for harmonic in (1, 2, 4):
        left = middle(hum - estimate)
        drop_db = level_at_db(middle(hum), harmonic * mains_hz, RATE_HZ) - level_at_db(
            left, harmonic * mains_hz, RATE_HZ
        )
        assert drop_db > 12, f"harmonic {harmonic}"


@pytest.mark.parametrize(
    ("what", "sound"),
    [
        ("a voice", voice(10)),
        ("noise", noise(10)),
        ("one steady tone", tone(150, 10)),
        ("a chord held for long", sum(tone(f, 10) for f in (98.0, 123.5, 146.8, 196.0, 293.7))),
        ("hum of another machine", sum(tone(55.0 * k, 10) for k in (1, 2, 3, 4, 5))),
        ("two lines only", tone(50, 10) + tone(100, 10)),
    ],
)
def test_what_is_not_mains_hum_is_left_alone(what: str, sound: Samples) -> None:
    assert dsp_hum.hum(as_samples(sound), RATE_HZ) is None, what


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 96_000])
def test_hum_is_found_at_any_rate(rate_hz: int) -> None:
    hum = hum_of(50.05, 10, rate_hz)
    estimate = dsp_hum.hum(hum + as_samples(noise(10, rate_hz, -60)), rate_hz)
    assert estimate is not None
    assert level_db(middle(estimate - hum)) < level_db(middle(hum)) - 20


@pytest.mark.parametrize("factor", [2, 14, 16])
def test_down_and_up_again_keeps_the_hum_band(factor: int) -> None:
    rate_hz = 3_000 * factor
    for frequency_hz in (50, 400, 900):
        sound = as_samples(tone(frequency_hz, 2, rate_hz, -10))
        low = decimated(sound, factor)
        np.testing.assert_allclose(
            middle(low)[:, 0], middle(tone(frequency_hz, 2, 3_000, -10)), atol=1e-3
        )
        back = interpolated(low, factor, len(sound))
        assert level_db(middle(back - sound)) < level_db(sound) - 45


@pytest.mark.parametrize("frequency_hz", [2_100, 2_900, 5_950])
def test_nothing_folds_into_the_hum_band(frequency_hz: float) -> None:
    sound = as_samples(tone(frequency_hz, 2, RATE_HZ, -10))
    assert level_db(middle(decimated(sound, 16))) < -10 - 50


def test_stationary_noise_goes_down_evenly() -> None:
    hiss = as_samples(noise(10, level_db=-40))
    found = voice_of(hiss)
    assert 10 < level_db(hiss) - level_db(found) < 20
    # Musical noise is spiky: its power varies more than that of Gaussian noise (kurtosis ratio,
    # Uemura et al. 2008). 1 is none at all, plain spectral subtraction is above 5.
    spread = [_spread(Stft(2048).power(sound)) for sound in (found, hiss)]
    assert spread[0] / spread[1] < 1.5


def _spread(power: Samples) -> float:
    inner = power[50:-50, 20:900].astype(np.float64)
    return float((inner**2).mean() / inner.mean() ** 2)


def test_voice_in_noise_gets_better_and_clean_voice_stays() -> None:
    speech = as_samples(voice(12))
    for level in (-35, -30, -25):
        mixture = speech + as_samples(noise(12, level_db=level))
        gain_db = si_sdr_db(voice_of(mixture), speech) - si_sdr_db(mixture, speech)
        assert gain_db > 4, f"noise at {level} dB"
    assert si_sdr_db(voice_of(speech), speech) > 25


def test_gaps_go_down_no_further_than_six_db_more() -> None:
    speech = voice(12)
    gap = slice(5 * RATE_HZ, 6 * RATE_HZ)
    speech[gap] = 0
    rng = np.random.default_rng(1)
    # Room sounds that come and go are not noise to the tracker; only the gap itself is.
    bursts = noise(12, level_db=-75) * np.repeat(rng.uniform(0, 2, 120), RATE_HZ // 10)
    sound = as_samples(speech + bursts)
    drop_db = level_db(sound[gap]) - level_db(voice_of(sound)[gap])
    assert 3 < drop_db < 21


def test_short_shouts_without_a_pause_are_not_taken_for_noise() -> None:
    shout = as_samples(voice(3))[RATE_HZ // 10 : RATE_HZ // 10 + 9_600]
    assert level_db(shout) - level_db(voice_of(shout)) < 1


def test_a_louder_copy_is_split_the_same_way() -> None:
    sound = as_samples(voice(5) + noise(5))
    np.testing.assert_allclose(voice_of(sound * 4) / 4, voice_of(sound), atol=1e-5)


def test_real_speech_survives() -> None:
    for name in ("kerstin_de_rhasspy-0011.flac", "jfk.flac"):
        sound, rate_hz = read_sound(shared(f"audio/speech/{name}"))
        assert si_sdr_db(voice_of(sound, rate_hz), sound) > 20, name


def test_the_factory_is_ready_and_ranks_itself() -> None:
    assert FACTORY.readiness().ready
    assert FACTORY.merit_db is not None
    assert 0 < FACTORY.merit_db < 5
