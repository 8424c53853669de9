"""The speech is as loud as before, or as asked; riding is slow and stays within 4 dB."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from testkit.shared import shared
from testkit.sound import as_samples, noise, read_sound
from testkit.speech import speech
from testkit.stems import blocks, spoken, together

from nlecompanion.diagnosis.loudness import (
    LoudnessMeter,
    loudness_hops,
    loudness_lufs,
)
from nlecompanion.model import Samples, Span
from nlecompanion.treatment.level import (
    LevelLimits,
    LevelPlan,
    StemLoudnessMeter,
    StemPowers,
    apply_level,
    level_report,
    plan_level,
    ride_points,
)
from nlecompanion.treatment.mix import mix
from nlecompanion.treatment.ride import dialogue_spread_lu

RATE_HZ = 48_000


def powers(samples: Samples, rate_hz: int = RATE_HZ) -> np.ndarray:
    meter = LoudnessMeter(rate_hz, samples.shape[1])
    meter.push(samples)
    return meter.finish()


def stem_powers(voice: Samples, background: Samples, block_samples: int = 48_000) -> StemPowers:
    meter = StemLoudnessMeter(RATE_HZ, voice.shape[1])
    for block in blocks(voice, background, block_samples):
        meter.push(block)
    return meter.finish()


def alone(hops: np.ndarray) -> StemPowers:
    """A voice without background."""
    return StemPowers(hops, np.zeros_like(hops), np.zeros_like(hops))


def planned(
    original: np.ndarray,
    cleaned: np.ndarray,
    spans: tuple[Span, ...],
    rate_hz: int,
    limits: LevelLimits | None = None,
) -> LevelPlan:
    return plan_level(original, 0 * original, alone(cleaned), 9, spans, rate_hz, limits)


def levelled(samples: Samples, plan: LevelPlan) -> Samples:
    return together(apply_level(blocks(samples), plan)).voice


def speech_lufs(samples: Samples, spans: tuple[Span, ...]) -> float:
    measured = powers(samples)
    found = loudness_lufs(measured, loudness_hops(spans, measured.size))
    assert found is not None
    return found


@pytest.mark.parametrize("intensity_db", [0, 9, 18, 60])
def test_the_loudness_of_every_mix_is_known_from_the_stems(intensity_db: float) -> None:
    voice, background = speech(6, channels=2), as_samples(*[noise(6, level_db=-24)] * 2)
    # A background that holds some of the voice, as estimates do: the cross term counts.
    background = (background + 0.1 * voice).astype(np.float32)
    mixed = mix(voice + background, voice, intensity_db)
    np.testing.assert_allclose(
        stem_powers(voice, background).mixed(intensity_db), powers(mixed), rtol=1e-3
    )


@pytest.mark.parametrize("noise_db", [-50, -26, -18])
@pytest.mark.parametrize("intensity_db", [0, 9, 18])
@pytest.mark.parametrize("leak", [0.0, 0.1, -0.05])
def test_the_speech_is_as_loud_as_in_the_original(
    noise_db: float, intensity_db: float, leak: float
) -> None:
    """However loud the background is, and where the split gives some of the voice away."""
    voice = (0.3 * speech(12, noise=0.0)).astype(np.float32)
    noises = as_samples(noise(12, level_db=noise_db))
    spans = spoken(voice)
    estimate, rest = (1 - leak) * voice, noises + leak * voice
    # Finishing has made all of it softer.
    stems = stem_powers(np.float32(0.7) * estimate, np.float32(0.7) * rest)
    recorded = powers(voice + noises)
    plan = plan_level(recorded, powers(rest), stems, intensity_db, spans, RATE_HZ)
    done = together(apply_level(blocks(0.7 * estimate, np.float32(0.7) * rest), plan))
    out = mix(done.voice + done.background, done.voice, intensity_db)
    heard = float(np.vdot(out, voice) / np.vdot(voice, voice))
    assert 20 * np.log10(heard) == pytest.approx(0, abs=0.35)
    report = level_report(plan, recorded, stems, intensity_db, powers(out), spans)
    assert report.after_lufs == pytest.approx(plan.wanted_lufs, abs=0.1)
    assert report.before_lufs == plan.before_lufs
    assert report.mix_lufs[1] == pytest.approx(speech_lufs(out, spans))


@pytest.mark.parametrize("target_lufs", [-23, -27, -16])
def test_a_target_is_met_over_speech_alone(target_lufs: float) -> None:
    samples = np.concatenate([speech(8, noise=0), as_samples(noise(8, level_db=-45))])
    spans = spoken(samples)
    measured = powers(samples)
    plan = planned(measured, measured, spans, RATE_HZ, LevelLimits(target_lufs=target_lufs))
    assert speech_lufs(levelled(samples, plan), spans) == pytest.approx(target_lufs, abs=0.1)
    assert f"{target_lufs}" in plan.reason


def jumping(jumps_db: tuple[float, ...], length_s: int = 12) -> Samples:
    """Sentences in takes of different level, cut together."""
    take = speech(length_s, noise=0.0002)
    takes = [take * np.float32(10 ** (jump / 20)) for jump in jumps_db]
    return np.concatenate(takes).astype(np.float32)


@pytest.mark.parametrize("jumps_db", [(0, -4, 3), (0, 4.5, -1), (3, -1, 3, -1)])
def test_riding_keeps_short_term_dialogue_within_2_lu(jumps_db: tuple[float, ...]) -> None:
    samples = jumping(jumps_db)
    spans = spoken(samples)
    measured = powers(samples)
    plan = planned(measured, measured, spans, RATE_HZ, LevelLimits(ride_db=4))
    assert plan.ride is not None
    assert np.abs(plan.ride.gains_db).max() <= 4
    done = levelled(samples, plan)
    after = powers(done)
    keep = loudness_hops(spans, after.size)
    before_lu, after_lu = (dialogue_spread_lu(p, keep) for p in (measured, after))
    assert before_lu is not None
    assert after_lu is not None
    assert before_lu > 2
    assert after_lu < 2
    assert speech_lufs(done, spans) == pytest.approx(speech_lufs(samples, spans), abs=0.1)
    # A slow hand: no step between hops of 100 ms.
    assert np.abs(np.diff(plan.ride.gains_db)).max() < 1


def test_music_that_comes_and_goes_does_not_move_the_voice() -> None:
    """Riding listens to the voice: the curve is the same with music under half of it."""
    voice = jumping((0, -4, 3))
    spans = spoken(voice)
    music = np.zeros_like(voice)
    music[5 * RATE_HZ : 20 * RATE_HZ] = as_samples(noise(15, level_db=-20))
    limits = LevelLimits(ride_db=4)
    curves = []
    for background in (np.zeros_like(voice), music):
        stems = stem_powers(voice, background)
        recorded = powers(voice + background)
        plan = plan_level(recorded, powers(background), stems, 18, spans, RATE_HZ, limits)
        assert plan.ride is not None
        curves.append(plan.ride.gains_db)
    np.testing.assert_allclose(curves[0], curves[1], atol=1e-9)


def test_an_even_voice_is_not_ridden() -> None:
    samples = np.tile(speech(3, noise=0.001), (6, 1))
    measured = powers(samples)
    steady = np.full(measured.size, float(measured.mean()))
    plan = planned(steady, steady, spoken(samples), RATE_HZ, LevelLimits(ride_db=4))
    assert plan.ride is None


def test_riding_never_goes_further_than_it_may() -> None:
    samples = jumping((0, -30, 20))
    measured = powers(samples)
    for most_db in (1.0, 4.0, 30.0):
        plan = planned(measured, measured, spoken(samples), RATE_HZ, LevelLimits(ride_db=most_db))
        assert plan.ride is not None
        assert np.abs(plan.ride.gains_db).max() <= min(most_db, 4) + 1e-9


def test_the_receipts_curve_is_the_one_that_is_laid() -> None:
    samples = jumping((0, -4, 3))
    measured = powers(samples)
    plan = planned(measured, measured, spoken(samples), RATE_HZ, LevelLimits(ride_db=4))
    assert plan.ride is not None
    points = ride_points(plan.ride)
    times, gains = zip(*points, strict=True)
    told = np.interp(plan.ride.times_s, times, gains)
    assert np.abs(told - plan.ride.gains_db).max() < 0.26
    assert len(points) < plan.ride.gains_db.size
    done = powers(levelled(samples, plan))
    report = level_report(plan, measured, alone(measured), 9, done, spoken(samples))
    assert report.receipt_values()["riding"] == [list(point) for point in points]
    assert report.spread_lu is not None
    assert report.spread_lu[1] < report.spread_lu[0]


def test_off_passes_every_bit() -> None:
    samples = speech(4)
    measured = powers(samples)
    limits = LevelLimits(match=False)
    plan = planned(measured, measured / 4, spoken(samples), RATE_HZ, limits)
    assert plan.off
    assert np.array_equal(levelled(samples, plan), samples)


def test_the_same_level_needs_no_gain() -> None:
    measured = powers(speech(4))
    plan = planned(measured, measured, spoken(speech(4)), RATE_HZ)
    assert plan.gain_db == 0


@settings(max_examples=8, deadline=None)
@given(st.integers(700, 60_000))
def test_blocks_do_not_matter(block_samples: int) -> None:
    samples = jumping((0, -5), 3)
    background = as_samples(noise(6, level_db=-40))
    whole = stem_powers(samples, background, 10**9)
    cut = stem_powers(samples, background, block_samples)
    assert np.array_equal(whole.cross, cut.cross)
    mixed = whole.mixed(9)
    plan = planned(
        mixed, mixed, (Span(Fraction(0), Fraction(6)),), RATE_HZ, LevelLimits(True, -20, 4)
    )
    one, two = (
        together(apply_level(blocks(samples, background, count), plan))
        for count in (10**9, block_samples)
    )
    assert np.array_equal(one.voice, two.voice)
    assert np.array_equal(one.background, two.background)


def test_bad_input_is_left_alone_with_a_reason() -> None:
    silence = np.zeros(20)
    everywhere = (Span(Fraction(0), Fraction(2)),)
    loud = np.full(20, 1e-3)
    for original, cleaned, spans in (
        (silence, silence, everywhere),
        (loud, silence, everywhere),
        (loud, loud, ()),
        (np.zeros(0), np.zeros(0), ()),
    ):
        plan = planned(original, cleaned, spans, RATE_HZ, LevelLimits(ride_db=4))
        assert plan.off
        assert "no speech" in plan.reason
    with pytest.raises(ValueError, match="hops"):
        planned(loud, loud[:-1], everywhere, RATE_HZ)


def test_a_tenth_of_a_second_has_a_level() -> None:
    short = (Span(Fraction(1, 100), Fraction(8, 100)),)
    plan = planned(np.array([1e-3]), np.array([1e-4]), short, RATE_HZ)
    assert plan.gain_db == pytest.approx(10)


def test_no_gain_over_20_db() -> None:
    hops = np.full(50, 1e-2)
    plan = planned(hops, hops * 1e-4, (Span(Fraction(0), Fraction(5)),), RATE_HZ)
    assert plan.gain_db == 20
    assert "limit" in plan.reason


def test_real_recordings_keep_their_speech_loudness() -> None:
    paths = [
        path
        for path in sorted(shared("audio/film").glob("*.flac"))
        if not path.name.startswith("dns3_ms_realrec_musical")
    ]
    assert paths
    for path in paths:
        samples, rate_hz = read_sound(path)
        spans = spoken(samples, rate_hz)
        softer = (samples * np.float32(0.4)).astype(np.float32)
        plan = planned(powers(samples, rate_hz), powers(softer, rate_hz), spans, rate_hz)
        if plan.wanted_lufs is None:
            assert plan.off, path.name
            continue
        assert plan.gain_db == pytest.approx(-20 * np.log10(0.4), abs=0.5), path.name
