"""What lies under the voice goes; the voice from 150 Hz on stays; nothing is late."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from testkit.shared import shared
from testkit.sound import as_samples, delay_samples, level_at_db, read_sound, tone
from testkit.speech import speech
from testkit.stems import band_db, blocks, together

from nlecompanion.model import Samples, Span
from nlecompanion.treatment.hum_lines import HumLineMeter
from nlecompanion.treatment.rumble import (
    Notch,
    RumbleLimits,
    RumbleMeter,
    RumblePlan,
    apply_rumble,
    plan_rumble,
)

RATE_HZ = 48_000
BURST = Span(Fraction(2), Fraction(12, 100))


def treated(
    samples: Samples, plan: RumblePlan, rate_hz: int = RATE_HZ, meter: RumbleMeter | None = None
) -> Samples:
    return together(apply_rumble(blocks(samples), plan, rate_hz, meter)).voice


def low_noise(count: int, high_hz: float, level_db: float, seed: int = 5) -> Samples:
    from scipy.signal import butter, sosfilt

    drawn = np.random.default_rng(seed).standard_normal(count)
    low = sosfilt(butter(4, (20, high_hz), "bandpass", fs=RATE_HZ, output="sos"), drawn)
    low *= 10 ** (level_db / 20) / np.sqrt(np.mean(low**2))
    return as_samples(low)


def hum(count: int, fundamental_hz: float, level_db: float = -40) -> Samples:
    """Eight harmonics, each 3 dB under the one before."""
    length_s = count / RATE_HZ
    lines = [tone(n * fundamental_hz, length_s, level_db=level_db - 3 * n) for n in range(1, 9)]
    return as_samples(np.sum(lines, axis=0)[:count])


def lines_of(samples: Samples, hum_hz: float) -> tuple[float | None, tuple[tuple[int, float], ...]]:
    meter = HumLineMeter(RATE_HZ, samples.shape[1])
    meter.push(samples)
    return meter.finish(hum_hz)


@pytest.mark.parametrize(
    ("pitch_hz", "cutoff_hz"), [(None, 60), (50, 40), (80, 56), (120, 84), (165, 100), (300, 100)]
)
def test_the_high_pass_follows_the_lowest_pitch(pitch_hz: float | None, cutoff_hz: float) -> None:
    assert plan_rumble(pitch_hz, None, None, (), ()).cutoff_hz == pytest.approx(cutoff_hz)


@pytest.mark.parametrize("pitch_hz", [70, 90, 110, 140])
def test_the_lowest_pitch_is_kept_and_an_octave_and_a_half_under_it_is_gone(pitch_hz: int) -> None:
    plan = plan_rumble(pitch_hz, -40, None, (), ())
    kept = treated(as_samples(tone(pitch_hz, 4)), plan)
    assert level_at_db(kept, pitch_hz, RATE_HZ) == pytest.approx(-20, abs=0.5)
    gone = treated(as_samples(tone(pitch_hz / 2.83, 4)), plan)
    assert level_at_db(gone, pitch_hz / 2.83, RATE_HZ) < -40


def test_rumble_goes_and_a_real_voice_stays() -> None:
    voice = speech(12, noise=0.0005)
    rumble = low_noise(len(voice), 45, -35)
    # The demo's lowest speaker reaches down to about 85 Hz.
    plan = plan_rumble(85, -35, None, (), ())
    cleaned = treated(voice + rumble, plan)
    assert band_db(cleaned, 20, 45) < band_db(voice + rumble, 20, 45) - 12
    assert band_db(cleaned, 150, 300) == pytest.approx(band_db(voice, 150, 300), abs=0.2)
    assert band_db(cleaned, 300, 8000) == pytest.approx(band_db(voice, 300, 8000), abs=0.05)
    assert delay_samples(cleaned, voice) == 0


@pytest.mark.parametrize("mains_hz", [49.95, 60.04])
def test_measured_hum_is_notched_and_the_voice_keeps_its_band(mains_hz: float) -> None:
    voice = speech(20, noise=0.0003)
    humming = voice + hum(len(voice), mains_hz)
    exact_hz, lines = lines_of(humming, round(mains_hz))
    assert exact_hz == pytest.approx(mains_hz, abs=0.02)
    plan = plan_rumble(85, None, exact_hz, lines, ())
    assert len(plan.notches) >= 4
    cleaned = treated(humming, plan)
    for notch in plan.notches:
        near = (notch.frequency_hz - 1, notch.frequency_hz + 1.5)
        taken = band_db(humming, *near) - band_db(cleaned, *near)
        assert taken > min(notch.depth_db, 10) - 3
    # Every line in the voice's band notched: still within 1 dB.
    change = treated(voice, plan)
    assert abs(band_db(change, 150, 300) - band_db(voice, 150, 300)) < 1


def test_where_no_hum_is_measured_nothing_is_notched() -> None:
    voice = speech(20, noise=0.0003)
    _, lines = lines_of(voice, 50)
    assert not plan_rumble(85, None, 50, lines, ()).notches
    assert not plan_rumble(85, None, None, ((1, 30.0), (2, 20.0)), ()).notches
    assert not plan_rumble(85, None, 50, ((1, 30.0),), (), RumbleLimits(hum_db=0)).notches
    assert lines_of(voice[:1000], 50) == (50, ())


@pytest.mark.parametrize(("over_db", "depth_db"), [(-10, 6), (-6, 6), (0, 9), (6, 12), (30, 12)])
def test_plosives_are_tamed_by_6_to_12_db(over_db: float, depth_db: float) -> None:
    plan = plan_rumble(None, None, None, (), ((BURST, over_db),), RumbleLimits(high_pass_hz=0))
    assert plan.plosives == ((BURST, depth_db),)


@pytest.mark.parametrize("depth_db", [6, 9, 12])
def test_a_burst_comes_down_where_it_happens_and_only_there(depth_db: float) -> None:
    voice = speech(6, noise=0.0005)
    burst = np.zeros_like(voice)
    inside = slice(int(2.02 * RATE_HZ), int(2.10 * RATE_HZ))
    burst[inside] = low_noise(inside.stop - inside.start, 90, -12)
    burst[inside] *= np.hanning(inside.stop - inside.start)[:, None]
    popped = voice + burst
    plan = RumblePlan(plosives=((BURST, depth_db),))
    meter = RumbleMeter(plan)
    cleaned = treated(popped, plan, meter=meter)
    taken = band_db(popped[inside], 20, 100) - band_db(cleaned[inside], 20, 100)
    assert taken == pytest.approx(depth_db, abs=1)
    assert meter.finish().plosive_change_db == pytest.approx(-depth_db, abs=1)
    assert abs(band_db(cleaned[inside], 160, 300) - band_db(popped[inside], 160, 300)) < 1
    for away in (slice(0, int(1.98 * RATE_HZ)), slice(int(2.14 * RATE_HZ), None)):
        np.testing.assert_allclose(cleaned[away], popped[away], atol=1e-6)


def test_the_report_says_what_an_own_measurement_finds() -> None:
    voice = speech(12, channels=2, noise=0.0005) + low_noise(12 * RATE_HZ, 45, -35)
    plan = plan_rumble(85, -35, None, (), ())
    meter = RumbleMeter(plan)
    cleaned = treated(voice, plan, meter=meter)
    report = meter.finish()
    assert report.voice_band_change_db == pytest.approx(
        band_db(cleaned, 150, 300) - band_db(voice, 150, 300), abs=0.1
    )
    assert report.low_change_db is not None
    assert report.low_change_db < -6
    assert report.receipt_values()["high_pass_hz"] == pytest.approx(59.5)


def test_real_voices_keep_150_to_300_hz_within_1_db() -> None:
    """Every fifth recording, with hum in each of the band's lines and a plosive in the middle."""
    paths = sorted(shared("audio/speech").glob("*.flac"))[::10]
    assert paths
    for path in paths:
        voice, rate_hz = read_sound(path)
        middle = Span(Fraction(len(voice), 2 * rate_hz), Fraction(1, 10))
        harmonics = tuple((order, 30.0) for order in range(1, 9))
        plan = plan_rumble(110, None, 50.0, harmonics, ((middle, 3.0),))
        change = treated(voice, plan, rate_hz)
        assert len(change) == len(voice)
        before, after = (band_db(sound, 150, 300, rate_hz) for sound in (voice, change))
        assert abs(after - before) < 1, path.name


FULL = RumblePlan(
    cutoff_hz=70,
    notches=(Notch(100, 20), Notch(150, 9)),
    plosives=((Span(Fraction(1, 2), Fraction(1, 10)), 8.0), (BURST, 12.0)),
)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 60_000), min_size=1, max_size=8))
def test_blocks_do_not_matter(cuts: list[int]) -> None:
    voice = speech(3, channels=2)
    background = speech(3, channels=2, seed=2)[::-1].copy()
    whole = together(apply_rumble(blocks(voice, background, 10**9), FULL, RATE_HZ))
    edges = np.cumsum([0, *cuts])
    parts = [slice(a, b) for a, b in zip(edges, [*edges[1:], len(voice)], strict=True)]
    one = together(blocks(voice, background, 10**9))
    pieces = (type(one)(one.voice[part], one.background[part]) for part in parts)
    cut = together(apply_rumble(pieces, FULL, RATE_HZ))
    assert np.array_equal(cut.voice, whole.voice)
    assert np.array_equal(cut.background, whole.background)


def test_voice_and_background_still_sum_to_the_whole() -> None:
    voice, background = speech(3), speech(3, seed=2)[::-1].copy()
    apart = together(apply_rumble(blocks(voice, background), FULL, RATE_HZ))
    whole = treated(voice + background, FULL)
    np.testing.assert_allclose(apart.voice + apart.background, whole, atol=2e-6)


@pytest.mark.parametrize("count", [0, 1, 10, 4_800, 100_000])
@pytest.mark.parametrize("channels", [1, 6])
def test_any_length_keeps_its_length(count: int, channels: int) -> None:
    voice = np.resize(speech(3), (count, channels)).astype(np.float32)
    done = list(apply_rumble(blocks(voice), FULL, RATE_HZ))
    assert sum(map(len, done)) == count
    assert all(np.isfinite(block.voice).all() for block in done)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100, 96_000])
def test_any_rate(rate_hz: int) -> None:
    low, voice = (as_samples(tone(hz, 4, rate_hz)) for hz in (20, 200))
    plan = plan_rumble(100, None, None, (), ())
    assert level_at_db(treated(low, plan, rate_hz), 20, rate_hz) < -50
    assert level_at_db(treated(voice, plan, rate_hz), 200, rate_hz) == pytest.approx(-20, abs=0.1)


def test_silence_stays_silence_and_a_dead_channel_dead() -> None:
    assert not treated(np.zeros((200_000, 2), np.float32), FULL).any()
    one_sided = speech(3, channels=2)
    one_sided[:, 1] = 0
    assert not treated(one_sided, FULL)[:, 1].any()


def test_an_off_plan_passes_every_bit() -> None:
    off = plan_rumble(100, -90, None, (), ())
    assert off.off
    assert "90" in off.reasons[0]
    voice = speech(2)
    assert np.array_equal(treated(voice, off), voice)
    every = RumbleLimits(high_pass_hz=0, hum_db=0, plosive_db=0)
    assert plan_rumble(100, -20, 50, ((1, 30.0),), ((BURST, 3.0),), every).off
