"""The chain between split and mix: nothing is lost, moved or invented, whatever goes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from testkit.rooms import in_room
from testkit.sound import level_db
from testkit.speech import RATE_HZ, speech
from testkit.stems import blocks, spoken, together

from nlecompanion.diagnosis.findings import MixtureMeters, SplitMeters, gather
from nlecompanion.model import Samples, Span
from nlecompanion.treatment.chain import (
    Chain,
    ChainLimits,
    ChainPlan,
    ChainReport,
    fit_chain,
    plan_chain,
)
from nlecompanion.treatment.compression import CompressionLimits
from nlecompanion.treatment.de_echo import DeEchoLimits
from nlecompanion.treatment.finishing import FinishingLimits, VoiceBandMeter
from nlecompanion.treatment.hum_lines import HumLineMeter
from nlecompanion.treatment.rumble_plan import RumbleLimits
from nlecompanion.treatment.sibilance import SibilanceLimits
from nlecompanion.treatment.stems import Stems

ALL_OFF = ChainLimits(
    RumbleLimits(high_pass_hz=0, hum_db=0, plosive_db=0),
    DeEchoLimits(enabled=False),
    FinishingLimits(CompressionLimits(ratio=1), SibilanceLimits(deess_db=0), presence_db=0),
)
#: Echo is taken for certain, so that every step runs.
EVERYTHING = ChainLimits(de_echo=DeEchoLimits(c50_limit_db=100, least_sureness=0))


@dataclass(frozen=True)
class Given:
    """Voice and background, and where somebody speaks."""

    stems: Stems
    spoken: tuple[Span, ...]

    @property
    def sound(self) -> Samples:
        return self.stems.voice + self.stems.background


def given(voice: Samples, background: Samples | None = None) -> Given:
    other = np.zeros_like(voice) if background is None else background
    return Given(Stems(voice, other), spoken(voice + other))


def planned(of: Given, limits: ChainLimits, intensity_db: float = 6.0) -> ChainPlan:
    """As the pipeline plans: from what is measured on the sound and its stems."""
    channels = of.sound.shape[1]
    mixture, split = MixtureMeters(RATE_HZ, channels), SplitMeters(RATE_HZ, channels)
    hum, bands = HumLineMeter(RATE_HZ, channels), VoiceBandMeter(RATE_HZ, channels)
    mixture.push(of.sound)
    hum.push(of.sound)
    split.push(of.stems.voice, of.stems.background)
    bands.push(of.stems.voice)
    findings = gather(mixture, split, of.spoken)
    lines = hum.finish(None if findings.hum is None else findings.hum.fundamental_hz)
    plan = plan_chain(findings, lines, bands.finish(), of.spoken, limits, intensity_db=intensity_db)
    voice = of.stems.voice
    return fit_chain(plan, lambda at, count: voice[at : at + count], len(voice), RATE_HZ)


def run(of: Given, plan: ChainPlan, block_samples: int = 48_000) -> tuple[Stems, ChainReport]:
    chain = Chain(plan, RATE_HZ, of.sound.shape[1])
    given_blocks = blocks(of.stems.voice, of.stems.background, block_samples)
    return together(chain.run(given_blocks)), chain.report(of.spoken)


@cache
def echoing() -> Given:
    """Speech in a room that dies away in 0.8 s, over rumble, hum and noise, 10 s."""
    generator = np.random.default_rng(1)
    place = np.arange(9 * RATE_HZ)
    tail = generator.normal(size=40_000) * np.exp(-np.arange(40_000) / 5_500)
    heard = in_room(speech(9, noise=0)[:, 0].astype(np.float64), tail)
    hum = sum(0.01 / n * np.sin(2 * np.pi * 50 * n * place / RATE_HZ) for n in range(1, 5))
    rumble = 0.02 * np.sin(2 * np.pi * 23 * place / RATE_HZ)
    noise = generator.normal(0, 0.002, place.size)
    background = np.pad(hum + rumble + noise, (0, len(heard.dry) - place.size))
    return given(heard.sound, background.astype(np.float32)[:, None])


def test_every_step_is_at_work_and_no_sample_is_lost() -> None:
    of = echoing()
    plan = planned(of, EVERYTHING)
    treated, report = run(of, plan)
    assert plan.rumble.notches
    assert not plan.rumble.off
    assert not plan.de_echo.off
    assert not plan.finishing.off
    assert len(treated) == len(of.stems)
    assert report.rumble.hum_change_db is not None
    assert report.rumble.hum_change_db < -6
    assert report.de_echo is not None
    assert abs(report.de_echo.low_band_change_db) <= 2
    assert 0 < report.finishing.reduction_95_db < 4


@pytest.mark.parametrize("block_samples", [1_000, 33_333, 10**7])
def test_the_cut_into_blocks_does_not_matter(block_samples: int) -> None:
    of = echoing()
    plan = planned(of, EVERYTHING)
    one, _ = run(of, plan)
    other, _ = run(of, plan, block_samples)
    assert np.array_equal(one.voice, other.voice)
    assert np.array_equal(one.background, other.background)


def test_the_same_twice() -> None:
    of = echoing()
    one, first = run(of, planned(of, EVERYTHING))
    other, second = run(of, planned(of, EVERYTHING))
    assert np.array_equal(one.voice, other.voice)
    assert np.array_equal(one.background, other.background)
    assert first == second


def test_switched_off_everything_passes_bit_for_bit() -> None:
    of = echoing()
    plan = planned(of, ALL_OFF)
    treated, report = run(of, plan)
    assert plan.rumble.off
    assert plan.de_echo.off
    assert plan.finishing.off
    assert np.array_equal(treated.voice, of.stems.voice)
    assert np.array_equal(treated.background, of.stems.background)
    assert report.de_echo is None
    assert report.finishing.reasons == (
        "compression switched off",
        "de-esser switched off",
        "presence switched off",
    )


def test_intensity_and_echo_share_one_budget() -> None:
    of = echoing()
    strengths = [planned(of, EVERYTHING, intensity_db).de_echo.strength for intensity_db in (6, 12)]
    assert strengths[0] > strengths[1] > 0
    spent = planned(of, EVERYTHING, intensity_db=18).de_echo
    assert spent.off
    assert "budget" in spent.reason


def test_a_dry_voice_keeps_its_room() -> None:
    of = given(speech(8, noise=0.001))
    plan = planned(of, ChainLimits())
    assert plan.de_echo.off
    assert "C50" in plan.de_echo.reason


def test_silence_in_silence_out() -> None:
    of = given(np.zeros((3 * RATE_HZ, 2), np.float32))
    treated, _ = run(of, planned(of, ChainLimits()))
    assert len(treated) == 3 * RATE_HZ
    assert not treated.voice.any()
    assert not treated.background.any()


def music(seconds: float, channels: int = 2) -> Samples:
    """A chord throughout."""
    place = np.arange(round(seconds * RATE_HZ))[:, None] / RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * place) for hz in (220.0, 277.2, 329.6, 440.0))
    return np.repeat(0.05 * chord, channels, axis=1).astype(np.float32)


def in_stereo(seconds: float) -> Given:
    return given(np.repeat(speech(seconds), 2, axis=1))


def no_gap() -> Given:
    whole = speech(8, noise=0)
    loud = np.abs(whole[:, 0]).reshape(-1, 480).max(axis=1) > 0.02
    return given(whole[np.repeat(loud, 480)])


def one_dead_channel() -> Given:
    alive = speech(4)
    return given(np.concatenate([alive, np.zeros_like(alive)], axis=1))


BAD: dict[str, Callable[[], Given]] = {
    "0.3 s": lambda: given(speech(0.3)),
    "one sample": lambda: given(speech(1)[:1]),
    "no gap": no_gap,
    "music throughout": lambda: given(speech(6, channels=2, noise=0), music(6)),
    "music alone": lambda: given(np.zeros((4 * RATE_HZ, 2), np.float32), music(4)),
    "clipped": lambda: given(np.clip(20 * speech(4), -1, 1).astype(np.float32)),
    "mono in stereo": lambda: in_stereo(4),
    "one dead channel": one_dead_channel,
    "5.1": lambda: given(speech(3, channels=6)),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("limits", [ChainLimits(), EVERYTHING], ids=["usual", "everything"])
def test_bad_input_comes_out_whole_and_no_louder(kind: str, limits: ChainLimits) -> None:
    of = BAD[kind]()
    treated, report = run(of, planned(of, limits))
    assert treated.voice.shape == of.stems.voice.shape
    assert np.isfinite(treated.voice).all()
    assert np.isfinite(treated.background).all()
    # Presence is the only step that may lift anything, by 3 dB.
    assert level_db(treated.voice) <= level_db(of.stems.voice) + 3
    assert all(report.finishing.reasons)
    assert all(report.rumble.reasons)


@pytest.mark.parametrize("limits", [ChainLimits(), EVERYTHING], ids=["usual", "everything"])
def test_mono_stays_mono_and_a_dead_channel_dead(limits: ChainLimits) -> None:
    both = in_stereo(5)
    treated, _ = run(both, planned(both, limits))
    assert np.array_equal(treated.voice[:, 0], treated.voice[:, 1])
    half = one_dead_channel()
    treated, _ = run(half, planned(half, limits))
    assert not treated.voice[:, 1].any()
