"""De-echo: a reverberant voice comes closer, a dry one is left alone, lengths and images hold."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from testkit.rooms import RATE_HZ, InRoom, both_microphones, c50_db, in_room, resampled, room
from testkit.sound import level_db
from testkit.speech import speech

from nlecompanion.model import Samples
from nlecompanion.treatment.de_echo import (
    DeEchoLimits,
    DeEchoMeter,
    DeEchoPlan,
    apply_de_echo,
    fit_de_echo,
    plan_de_echo,
    receipt_values,
    within_budget,
)
from nlecompanion.treatment.de_echo_frames import Analysis, Framing, Spectra, Synthesis
from nlecompanion.treatment.de_echo_voice import DeEchoSpectra
from nlecompanion.treatment.stems import Stems

LIMITS = DeEchoLimits()
FULL = DeEchoPlan(strength=1.0, reason="by test", c50_db=2.0)
#: Rooms with T60 from 0.5 s (0.6 to 2.5 s).
ROOMS = (
    "openair_st",
    "seminar_room_clap",
    "wbs_binaural-s3_r4_bd",
    "wbs_cardiod-35-10-spread",
    "wbs_omni-35-10",
)
VOICES = ("kerstin_de_rhasspy-0011", "mmi_MalePart-NoNoise", "jfk")


def treated(voice: Samples, plan: DeEchoPlan, *, block: int = 100_000) -> Samples:
    background = np.zeros_like(voice)
    blocks = [
        Stems(voice[i : i + block], background[i : i + block]) for i in range(0, len(voice), block)
    ]
    return np.concatenate([stems.voice for stems in apply_de_echo(blocks, plan, RATE_HZ)])


def fitted(voice: Samples, plan: DeEchoPlan) -> DeEchoPlan:
    return fit_de_echo(plan, lambda start, count: voice[start : start + count], len(voice), RATE_HZ)


def stretches(sound: Samples, framing: Framing) -> Iterator[Spectra]:
    analysis = Analysis(framing, sound.shape[1])
    yield from analysis.push(sound)
    yield from analysis.finish()


def c50_after_db(heard: InRoom, plan: DeEchoPlan, output: Samples) -> float:
    """Early: the gains of the whole, laid on the early part alone. Late: all else that came out,
    so that whatever prediction gets wrong counts as late.
    """
    framing = Framing.at(RATE_HZ)
    process, synthesis = DeEchoSpectra(plan, framing, 1), Synthesis(framing, 1)
    gains = [g for spectra in stretches(heard.sound, framing) for _, g in process.push(spectra)]
    gains += [g for _, g in process.finish()]
    early = stretches(heard.early.astype(np.float32)[:, None], framing)
    parts = [synthesis.push(spectra * g) for spectra, g in zip(early, gains, strict=True)]
    near = np.concatenate(parts)[: len(output)]
    return level_db(near) - level_db(output - near)


@pytest.fixture(scope="module", params=ROOMS)
def rises(request: pytest.FixtureRequest) -> list[tuple[float, float, float]]:
    """C50's rise, STOI's change and the low band's change for each voice in a room."""
    stoi = pytest.importorskip("pystoi").stoi
    response = room(request.param)
    found = []
    for name in VOICES:
        heard = in_room(resampled(f"audio/speech/{name}.flac")[: 7 * RATE_HZ], response)
        # As the diagnosis would: its blind figure lies about 4 dB over the room's own.
        plan = fitted(heard.sound, plan_de_echo(c50_db(response) + 4, 1.0, LIMITS))
        output = treated(heard.sound, plan)
        before_db = level_db(heard.early) - level_db(heard.late)
        meter = DeEchoMeter(RATE_HZ)
        meter.push(heard.sound, output)
        found.append(
            (
                c50_after_db(heard, plan, output) - before_db,
                float(
                    stoi(heard.dry, output[:, 0], RATE_HZ)
                    - stoi(heard.dry, heard.sound[:, 0], RATE_HZ)
                ),
                meter.finish().low_band_change_db,
            )
        )
    return found


def test_real_voices_in_measured_rooms(rises: list[tuple[float, float, float]]) -> None:
    c50s, stois, lows = (np.array(values) for values in zip(*rises, strict=True))
    assert c50s.mean() >= 5
    assert c50s.max() <= 10
    assert stois.mean() > 0
    assert stois.min() >= 0
    assert np.abs(lows).max() <= 2


@pytest.mark.parametrize("strength", [0.3, 0.6])
def test_strength_is_walked_up(strength: float) -> None:
    heard = in_room(resampled(f"audio/speech/{VOICES[0]}.flac"), room(ROOMS[1]))
    weak, strong = (replace(FULL, strength=s) for s in (strength, strength + 0.3))
    rise = [c50_after_db(heard, plan, treated(heard.sound, plan)) for plan in (weak, strong)]
    assert level_db(heard.early) - level_db(heard.late) < rise[0] < rise[1]


@given(st.floats(LIMITS.c50_limit_db, 40), st.floats(0, 1))
def test_a_dry_voice_is_left_alone(c50: float, sureness: float) -> None:
    plan = plan_de_echo(c50, sureness, LIMITS)
    assert plan.off
    assert "C50" in plan.reason


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (plan_de_echo(None, 1.0, LIMITS), "no speech"),
        (plan_de_echo(0.0, 0.1, LIMITS), "sureness"),
        (plan_de_echo(0.0, 1.0, DeEchoLimits(enabled=False)), "switched off"),
        (plan_de_echo(0.0, 1.0, LIMITS, strength=0.0), "budget"),
    ],
)
def test_off_says_why_and_changes_nothing(plan: DeEchoPlan, why: str) -> None:
    assert why in plan.reason
    sound = speech(1, channels=2)
    assert np.array_equal(treated(sound, plan), sound)
    assert receipt_values(plan, None) == {"on": False, "reason": plan.reason}
    assert fitted(sound, plan) is plan


@given(st.floats(0, 60), st.floats(0.01, 1))
def test_noise_reduction_and_de_echo_never_stack_up(intensity_db: float, strength: float) -> None:
    asked = plan_de_echo(1.0, 1.0, LIMITS, strength=strength)
    allowed = within_budget(asked, intensity_db, LIMITS)
    assert 0 <= allowed.strength <= strength
    assert allowed.strength * allowed.depth_db <= max(0, LIMITS.budget_db - intensity_db) + 1e-9
    if allowed.off:
        assert f"intensity of {intensity_db:g} dB" in allowed.reason


def test_the_strength_stops_where_the_voice_is_clear_enough() -> None:
    heard = in_room(resampled(f"audio/speech/{VOICES[0]}.flac"), room(ROOMS[1]))
    modest, wanting = (
        fitted(heard.sound, replace(FULL, wanted_rise_db=wanted_db)) for wanted_db in (3.0, 6.0)
    )
    assert 0 < modest.strength < wanting.strength < 1
    assert modest.rise_db is not None
    assert 3 <= modest.rise_db < 4.5
    assert fitted(heard.sound, replace(FULL, strength=0.1)).strength == 0.1


def test_two_microphones_predict_better_than_one() -> None:
    dry = resampled("audio/speech/kerstin_de_rhasspy-0011.flac")
    one, other = (in_room(dry, response) for response in both_microphones("wbs_omni-35-10"))
    heard = np.concatenate([one.sound, other.sound], axis=1)
    plan = fitted(heard, replace(FULL, wanted_rise_db=5.0))
    assert plan.together
    rises = []
    for together in (False, True):
        # So weak that little but prediction is left.
        weak = replace(plan, strength=0.25, depth_db=1.0, makeup_db=0.0, together=together)
        output = treated(heard, weak)
        before_db = level_db(one.early) - level_db(one.late)
        rises.append(level_db(one.early) - level_db(output[:, 0] - one.early) - before_db)
    assert rises[1] > rises[0] + 1.5


def test_copies_of_one_channel_are_not_predicted_together() -> None:
    mono = speech(4)
    for channels in ([mono, 0.3 * mono], [mono, np.zeros_like(mono)], [mono] * 3):
        assert not fitted(np.concatenate(channels, axis=1), FULL).together


@pytest.mark.parametrize("length", [1, 100, 4_800, 14_400, 196_607, 196_608, 500_001])
@pytest.mark.parametrize("channels", [1, 6])
def test_length_is_kept_and_the_background_passes(length: int, channels: int) -> None:
    rng = np.random.default_rng(length)
    voice, background = rng.normal(0, 0.1, (2, length, channels)).astype(np.float32)
    out = list(apply_de_echo([Stems(voice, background)], FULL, RATE_HZ))
    assert sum(len(stems) for stems in out) == length
    assert np.array_equal(np.concatenate([stems.background for stems in out]), background)
    assert np.isfinite(np.concatenate([stems.voice for stems in out])).all()


@pytest.mark.parametrize("block", [480, 7_777, 300_000])
def test_blocks_do_not_matter(block: int) -> None:
    sound = speech(10, channels=2)
    assert np.array_equal(treated(sound, FULL, block=block), treated(sound, FULL, block=10**9))


def test_memory_does_not_grow_with_length() -> None:
    piece = speech(2)

    def peak_bytes(pieces: int) -> int:
        tracemalloc.start()
        given_samples = sum(
            len(stems)
            for stems in apply_de_echo((Stems(piece, piece) for _ in range(pieces)), FULL, RATE_HZ)
        )
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert given_samples == pieces * len(piece)
        return peak

    peak_bytes(6)  # whatever is loaded once
    assert peak_bytes(20) < 1.2 * peak_bytes(8)


def test_silence_stays_silence() -> None:
    assert not treated(np.zeros((3 * RATE_HZ, 2), np.float32), FULL).any()
    assert not list(apply_de_echo([], FULL, RATE_HZ))


def test_the_first_word_is_not_late() -> None:
    sound = speech(6)
    out = treated(sound, FULL)
    spectra = np.fft.rfft(out[:, 0]) * np.conj(np.fft.rfft(sound[:, 0]))
    assert int(np.argmax(np.fft.irfft(spectra))) == 0


def test_mono_in_stereo_stays_mono_and_a_dead_channel_dead() -> None:
    mono = speech(6)
    both = treated(np.repeat(mono, 2, axis=1), FULL)
    assert np.array_equal(both[:, 0], both[:, 1])
    half = treated(np.concatenate([mono, np.zeros_like(mono)], axis=1), FULL)
    assert not half[:, 1].any()


def test_the_image_does_not_move() -> None:
    mono = speech(6)
    panned = treated(np.concatenate([0.8 * mono, 0.2 * mono], axis=1), FULL)
    np.testing.assert_allclose(panned[:, 1], panned[:, 0] / 4, atol=1e-6)


def test_steady_noise_passes_and_holds_no_holes_after_words() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.003, (8 * RATE_HZ, 1)).astype(np.float32)
    words = noise.copy()
    words[3 * RATE_HZ : 4 * RATE_HZ] += rng.normal(0, 0.3, (RATE_HZ, 1)).astype(np.float32)
    out = treated(words, FULL)
    for start_s in (1.0, 4.02, 4.1, 4.3, 6.0):
        at = slice(int(start_s * RATE_HZ), int((start_s + 0.2) * RATE_HZ))
        assert level_db(out[at]) == pytest.approx(level_db(noise[at]), abs=2)


def test_clipped_sound_stays_finite_and_no_louder() -> None:
    clipped = np.clip(20 * speech(3), -1, 1)
    out = treated(clipped, FULL)
    assert np.isfinite(out).all()
    assert level_db(out) <= level_db(clipped)


def test_the_receipt_says_what_was_taken() -> None:
    tail = np.random.default_rng(1).normal(size=30_000) * np.exp(-np.arange(30_000) / 5_000)
    heard = in_room(speech(8)[:, 0].astype(np.float64), tail)
    plan = fitted(heard.sound, plan_de_echo(1.0, 0.9, LIMITS))
    meter = DeEchoMeter(RATE_HZ)
    meter.push(heard.sound, treated(heard.sound, plan))
    values = receipt_values(plan, meter.finish())
    assert values["on"] is True
    removed_db = values["removed_energy_db"]
    assert isinstance(removed_db, float)
    assert -20 < removed_db < 0
    assert DeEchoMeter(RATE_HZ).finish().removed_db is None


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 96_000])
def test_frames_without_change_give_the_sound_back(rate_hz: int) -> None:
    sound = np.random.default_rng(1).normal(0, 0.1, (rate_hz * 6 + 7, 2)).astype(np.float32)
    framing = Framing.at(rate_hz)
    synthesis = Synthesis(framing, 2)
    back = [synthesis.push(spectra) for spectra in stretches(sound, framing)]
    np.testing.assert_allclose(np.concatenate(back)[: len(sound)], sound, atol=1e-6)
