"""Clipping, limiting, bandwidth and codec damage: found where made, absent where not."""

from __future__ import annotations

import numpy as np
import pytest
from testkit.damage import clipped, coded, limited
from testkit.meters import RATE_HZ, VOICES, blocks, recordings, voice_of, whole
from testkit.sound import as_samples, noise, read_sound, tone, voice

from nlecompanion.diagnosis.bandwidth import Bandwidth
from nlecompanion.diagnosis.clipping import Clipping
from nlecompanion.diagnosis.findings import MixtureMeters
from nlecompanion.diagnosis.limiting import Limiting
from nlecompanion.model import Samples

#: Recordings that no lossy codec has seen, half of which the limits were set by.
LOSSLESS_VOICES = tuple(name for name in VOICES if not name.startswith("uh_"))
SET_BY = ("kerstin", "ravdess_M01", "ravdess_F14", "vctk_p234", "richard", "dfn_free")


def heard(sound: Samples, rate_hz: int = RATE_HZ) -> MixtureMeters:
    meters = MixtureMeters(rate_hz, sound.shape[1])
    for block in blocks(sound):
        meters.push(block)
    return meters


def clipping(sound: Samples) -> Clipping:
    found = heard(sound).clipping.finish()
    assert found is not None
    return found


def at_16_bit(sound: Samples) -> Samples:
    return (np.round(sound * 32768) / 32768).astype(np.float32)


def test_clean_voices_and_music_that_was_recorded_clean_are_not_clipped() -> None:
    assert not [name for name in VOICES if clipping(voice_of(name)).clipped]
    music = [read_sound(path)[0] for path in recordings("music", "visqol*")]
    assert not any(clipping(sound).clipped for sound in music)


@pytest.mark.parametrize("gain_db", [0.0, -12.0])
def test_overdrive_is_found_also_when_gained_down(gain_db: float) -> None:
    """Peaks 1, 3 and 6 dB over the limit; where fewer than 20 samples were cut, none counts."""
    found: dict[int, list[bool]] = {1: [], 3: [], 6: []}
    for name in VOICES:
        for over_db in found:
            cut = clipped(voice_of(name), over_db)
            ceiling = float(np.abs(cut).max())
            samples_cut = int((np.abs(cut) > 0.9999 * ceiling).sum())
            if samples_cut < 20:
                continue
            gained = cut / ceiling * np.float32(10 ** (gain_db / 20))
            result = clipping(at_16_bit(gained))
            found[over_db].append(result.clipped)
            if result.clipped:
                assert result.level_dbfs == pytest.approx(gain_db, abs=0.1)
                assert result.clipped_share < 2 * samples_cut / len(cut)
    assert sum(map(len, found.values())) > 35
    assert np.mean(found[1]) >= 0.9
    assert np.mean(found[3]) >= 0.95
    assert np.mean(found[6]) == 1


def test_the_clipped_channel_is_named() -> None:
    mono = voice_of("vctk_p234")
    both = np.concatenate([mono, clipped(mono, 6)], axis=1)
    assert clipping(both).channels == (False, True)


def test_a_limiter_and_a_low_tone_are_no_clipping_but_a_square_wave_is() -> None:
    for name in VOICES[:6]:
        assert not clipping(limited(voice_of(name), RATE_HZ, 12)).clipped
    assert not clipping(as_samples(tone(60, 5, level_db=-6))).clipped
    square = as_samples(np.sign(tone(200, 2)))
    found = clipping(square)
    assert found.clipped
    assert found.level_dbfs == pytest.approx(0, abs=0.1)
    assert found.clipped_share > 0.9


def test_silence_has_no_clipping() -> None:
    assert heard(np.zeros((4800, 1), np.float32)).clipping.finish() is None


def limits(sound: Samples) -> Limiting:
    found = heard(sound).limiting.finish(whole(sound))
    assert found is not None
    return found


def test_loudness_of_a_tone_is_bs_1770s() -> None:
    """BS.1770-4: 997 Hz at 0 dBFS peak in one channel reads -3.01 LKFS."""
    wave = tone(997, 5, level_db=-3.01)
    found = limits(as_samples(wave))
    assert found.loudness_lufs == pytest.approx(-3.01, abs=0.1)
    assert found.crest_db == pytest.approx(3.01, abs=0.1)
    assert limits(as_samples(wave, wave)).loudness_lufs == pytest.approx(0, abs=0.1)


def test_limiting_lowers_the_peak_to_loudness_ratio() -> None:
    clean, pressed, falls_db = [], [], []
    for name in VOICES:
        sound = voice_of(name)
        before = limits(sound)
        after = limits(limited(sound, RATE_HZ, 18))
        clean.append(before.peak_to_loudness_db)
        pressed.append(after.peak_to_loudness_db)
        falls_db.append(before.peak_to_loudness_db - after.peak_to_loudness_db)
        assert after.ceiling_share >= before.ceiling_share
    assert min(clean) > 14
    assert np.median(pressed) < 15
    assert np.median(falls_db) > 5


def band(sound: Samples, rate_hz: int = RATE_HZ) -> Bandwidth:
    found = heard(sound, rate_hz).bandwidth.finish()
    assert found is not None
    return found


@pytest.mark.parametrize("highest_hz", [4000, 5500, 8000, 11_025])
def test_bandwidth_within_1_khz(highest_hz: int) -> None:
    from scipy.signal import fftconvolve, firwin

    errors_hz = []
    for name in LOSSLESS_VOICES:
        sound = voice_of(name)
        if band(sound).highest_hz < highest_hz + 500:
            continue
        taps = firwin(801, highest_hz, fs=RATE_HZ, window=("kaiser", 9.0))
        low = fftconvolve(sound[:, 0], taps, mode="same")
        found = band(at_16_bit(as_samples(low)))
        assert not found.codec_damaged, (name, found)
        errors_hz.append(abs(found.highest_hz - highest_hz))
    assert len(errors_hz) >= 10
    assert float(np.mean(errors_hz)) < 500
    assert np.mean(np.array(errors_hz) < 1000) >= 0.9


def test_full_band_noise_reaches_to_the_top() -> None:
    found = band(as_samples(noise(3, level_db=-40)))
    assert found.highest_hz > 23_000
    assert found.codec_sureness < 0.1


def test_no_lossless_recording_is_named_damaged_by_a_codec() -> None:
    rest = recordings("music", "visqol*") + recordings("noise", "clear*")
    rest += recordings("film", "mmi_noisy*")
    named = [name for name in LOSSLESS_VOICES if band(voice_of(name)).codec_damaged]
    for path in rest:
        sound, rate_hz = read_sound(path)
        found = heard(sound, rate_hz).bandwidth.finish()
        # Rooms at night are too quiet to tell.
        if found is not None and found.codec_damaged:
            named.append(path.name)
    # An orchestra's quiet strings thin out as a coder's do, just over the limit.
    assert set(named) <= {"visqol_ravel48_stereo.flac"}


@pytest.mark.parametrize(("codec", "kbps"), [("mp3", 32), ("mp3", 64), ("aac", 32), ("aac", 64)])
def test_lossy_coding_is_named_on_voices_that_the_limits_were_not_set_by(
    codec: str, kbps: int
) -> None:
    named = []
    for name in LOSSLESS_VOICES:
        if name not in SET_BY:
            named.append(band(coded(voice_of(name, 8.0), RATE_HZ, codec, kbps)).codec_damaged)
    assert len(named) >= 8
    assert np.mean(named) >= 0.85


def test_lossy_sources_of_the_shared_folder_are_named() -> None:
    assert all(band(voice_of(name)).codec_damaged for name in ("uh_de", "uh_en", "uh_fr"))


def test_a_synthetic_voice_is_not_coded() -> None:
    assert not band(as_samples(voice(6))).codec_damaged
