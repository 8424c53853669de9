"""Hum, rumble, plosives and pitch: made ones are found at their level, clean voices have none."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from testkit.meters import RATE_HZ, VOICES, blocks, recordings, sound_of, spoken, voice_of, whole
from testkit.sound import as_samples, noise, tone, voice

from nlecompanion.diagnosis.findings import MixtureMeters
from nlecompanion.model import Samples, Span


def heard(sound: Samples, rate_hz: int = RATE_HZ) -> MixtureMeters:
    meters = MixtureMeters(rate_hz, sound.shape[1])
    for block in blocks(sound):
        meters.push(block)
    return meters


def hum(
    fundamental_hz: float, level_db: float, length_samples: int, rate_hz: int = RATE_HZ
) -> Samples:
    """Eight harmonics that fall by 3 dB each, of that level together."""
    place = np.arange(length_samples) / rate_hz
    lines = sum(
        10 ** (-3 * n / 20) * np.sin(2 * np.pi * fundamental_hz * n * place + n)
        for n in range(1, 9)
    )
    wave = np.asarray(lines)
    wave *= 10 ** (level_db / 20) / np.sqrt(np.mean(wave**2))
    return as_samples(wave)


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("fundamental_hz", [49.9, 50.1, 60.0])
def test_hum_is_found_at_its_level_under_a_synthetic_voice(
    fundamental_hz: float, rate_hz: int
) -> None:
    spoken_part = as_samples(voice(10, rate_hz))
    humming = spoken_part + hum(fundamental_hz, -50, len(spoken_part), rate_hz)
    found = heard(humming, rate_hz).hum.finish()
    assert found is not None
    assert found.fundamental_hz == pytest.approx(fundamental_hz, abs=0.15)
    assert found.level_dbfs == pytest.approx(-50, abs=1.5)
    assert found.lines >= 3


def test_hum_under_real_voices_is_found_and_clean_voices_have_none() -> None:
    """At speech of -23 dBFS: hum of -40 always, of -50 nearly, of -58 in half the voices."""
    found: dict[int, int] = {-40: 0, -50: 0, -58: 0}
    errors_db = []
    for name in VOICES:
        clean = voice_of(name)
        clean = clean * np.float32(10 ** (-23 / 20) / np.sqrt(np.mean(clean**2)))
        assert heard(clean).hum.finish() is None, name
        for level_db in found:
            there = heard(clean + hum(50.02, level_db, len(clean))).hum.finish()
            if there is not None:
                found[level_db] += 1
                errors_db.append(there.level_dbfs - level_db)
    assert found[-40] == len(VOICES)
    assert found[-50] >= 0.9 * len(VOICES)
    assert found[-58] >= 0.5 * len(VOICES)
    assert float(np.abs(errors_db).mean()) < 1.2


def test_music_and_noise_are_no_hum() -> None:
    """The office of `clear_ch08` does hum at 50.0 Hz, 70 dB under full scale."""
    found = [
        path.name
        for folder in ("music", "noise")
        for path in recordings(folder)
        if not path.name.startswith("clear_ch08")
        and heard(sound_of(path, 10.0)).hum.finish() is not None
    ]
    assert not found


def test_hum_needs_more_than_one_line_and_some_seconds() -> None:
    assert heard(as_samples(tone(50, 10))).hum.finish() is None
    assert heard(hum(50, -30, RATE_HZ)).hum.finish() is None


def test_rumble_is_measured_below_the_lowest_pitch() -> None:
    clean = as_samples(voice(12))
    level = heard(clean).rumble.finish(100.0)
    assert level is not None
    assert level.level_dbfs < -65
    assert level.below_hz == 80
    spectrum = np.fft.rfft(noise(12, level_db=0, seed=3))
    at_hz = np.fft.rfftfreq(12 * RATE_HZ, 1 / RATE_HZ)
    spectrum[(at_hz < 20) | (at_hz > 60)] = 0
    rumble = np.fft.irfft(spectrum)
    for level_db in (-30.0, -45.0):
        made = rumble * 10 ** (level_db / 20) / np.sqrt(np.mean(rumble**2))
        found = heard(clean + as_samples(made)).rumble.finish(100.0)
        assert found is not None
        assert found.level_dbfs == pytest.approx(level_db, abs=1.0)


def test_a_single_bump_is_no_rumble() -> None:
    clean = as_samples(voice(20))
    place = np.arange(RATE_HZ // 2) / RATE_HZ
    clean[RATE_HZ * 5 : RATE_HZ * 5 + RATE_HZ // 2, 0] += np.sin(
        2 * np.pi * 40 * place
    ) * np.hanning(place.size)
    found = heard(clean).rumble.finish(None)
    assert found is not None
    assert found.level_dbfs < -55


def pop(peak: float) -> Samples:
    """A burst of breath: 55 Hz, up within 15 ms, gone after about 90."""
    place = np.arange(int(0.12 * RATE_HZ)) / RATE_HZ
    envelope = np.minimum(place / 0.015, 1) * np.exp(-place / 0.03)
    wave = np.sin(2 * np.pi * 55 * place + 0.3) * envelope
    return as_samples(peak * wave / np.abs(wave).max())


def test_planted_plosives_are_found_where_they_are() -> None:
    found = planted = extra = 0
    length_s = 0.0
    errors_ms = []
    for name in VOICES:
        sound = voice_of(name).copy()
        spans = spoken(sound)
        before = len(heard(sound).plosives.finish(spans, None))
        extra += before
        length_s += len(sound) / RATE_HZ
        peak = float(np.abs(sound).max())
        places = [
            span.start_s + Fraction(1, 5)
            for span in spans
            if span.duration_s > 1 and span.end_s * RATE_HZ < len(sound) - RATE_HZ // 2
        ]
        for place in places:
            at = int(place * RATE_HZ)
            burst = pop(0.7 * peak)
            sound[at : at + len(burst)] += burst
        planted += len(places)
        plosives = heard(sound).plosives.finish(spans, None)
        for place in places:
            near = [
                p
                for p in plosives
                if p.span.start_s < place + Fraction(3, 25) and p.span.end_s > place
            ]
            found += bool(near)
            errors_ms += [abs(float(near[0].span.start_s - place)) * 1000] if near else []
    assert planted >= 20
    assert found >= 0.9 * planted
    # Real voices have plosives of their own, but not one a sentence.
    assert extra / length_s < 1 / 20
    assert float(np.mean(errors_ms)) < 60


def test_plosives_need_speech() -> None:
    sound = as_samples(noise(6, level_db=-60))
    sound[RATE_HZ : RATE_HZ + len(pop(0.5))] += pop(0.5)
    assert heard(sound).plosives.finish((), None) == ()


@pytest.mark.parametrize("fundamental_hz", [85.0, 120.0, 190.0, 300.0])
def test_pitch_of_a_buzz(fundamental_hz: float) -> None:
    place = np.arange(3 * RATE_HZ) / RATE_HZ
    wave = sum(np.sin(2 * np.pi * fundamental_hz * n * place) / n for n in range(1, 12))
    sound = as_samples(0.05 * np.asarray(wave))
    pitch = heard(sound).pitch.finish(whole(sound))
    assert pitch is not None
    assert pitch.median_hz == pytest.approx(fundamental_hz, rel=0.01)
    assert pitch.lowest_hz == pytest.approx(fundamental_hz, rel=0.02)


def test_pitch_tells_men_from_women() -> None:
    for name in VOICES:
        if name.startswith("ravdess"):
            sound = voice_of(name)
            pitch = heard(sound).pitch.finish(spoken(sound))
            assert pitch is not None
            low, high = (75, 130) if "_M" in name else (130, 250)
            assert low < pitch.lowest_hz < high, (name, pitch)


def test_noise_has_no_pitch() -> None:
    sound = as_samples(noise(5, level_db=-30))
    assert heard(sound).pitch.finish((Span(Fraction(0), Fraction(5)),)) is None
