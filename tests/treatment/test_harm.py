"""Harm gates: each planted harm is heard, nothing gentle is accused, silence buys nothing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from testkit.mixtures import Mixture, build, recipes
from testkit.planted import HARMS
from testkit.shared import shared
from testkit.windows import RATE_HZ, SPEECH, background_of, voice_of

from nlecompanion.model import Samples, Span
from nlecompanion.treatment.harm import (
    LIMITS,
    HarmLimits,
    HarmReport,
    Symptom,
    inspect,
    more_natural,
    naturalness,
)
from nlecompanion.treatment.harm_measures import Reference, reference
from nlecompanion.treatment.spectra import analyse, analyse_output

GENTLEST = HarmLimits()
#: What each planted harm must be accused of, at least.
ACCUSED = {
    "spectral subtraction": Symptom.ROBOTIC,
    "binary mask": Symptom.ROBOTIC,
    "noisy mask": Symptom.ROBOTIC,
    "gate": Symptom.PUMPING,
    "ducked gaps": Symptom.PUMPING,
    "dull": Symptom.CONSONANTS,
    "watery": Symptom.ROBOTIC,
}


@cache
def mixtures() -> tuple[Mixture, ...]:
    folder = shared("audio")
    wanted = recipes(folder, 8, "test", seed=21, sbr_db=(-2, 12), length_s=8)
    return tuple(build(folder, recipe) for recipe in wanted)


@cache
def reference_of(number: int) -> Reference:
    made = mixtures()[number]
    return reference(analyse(made.voice, made.background, made.speech, RATE_HZ))


@cache
def harmed(number: int, name: str) -> HarmReport:
    made = mixtures()[number]
    out = HARMS[name](made.mix, made.voice, made.speech, RATE_HZ)
    return report_of(number, out)


def report_of(number: int, out: Samples) -> HarmReport:
    return inspect(reference_of(number), analyse_output(out, RATE_HZ), GENTLEST)


def gentle(number: int, intensity_db: float) -> HarmReport:
    ref = reference_of(number)
    return inspect(ref, ref.spectra.output(intensity_db), GENTLEST)


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("name", HARMS)
def test_the_natural_one_wins_against_the_quiet_robotic_one(name: str, number: int) -> None:
    natural, robotic = gentle(number, 6), harmed(number, name)
    assert natural.passed, natural.failed
    assert more_natural(natural, robotic) is natural
    assert more_natural(robotic, natural) is natural


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("name", ["binary mask", "gate", "ducked gaps", "watery"])
def test_the_planted_ones_are_indeed_quieter(name: str, number: int) -> None:
    quiet_db, noisy_db = harmed(number, name).floor_db, gentle(number, 6).floor_db
    assert quiet_db is not None
    assert noisy_db is not None
    assert quiet_db < noisy_db - 3


@pytest.mark.parametrize("name", HARMS)
def test_each_harm_is_called_by_its_name(name: str) -> None:
    measurable = [
        harmed(number, name)
        for number in range(8)
        if name != "dull" or reference_of(number).consonants.sum() >= 5
    ]
    accused = sum(ACCUSED[name] in report.failed for report in measurable)
    assert len(measurable) >= 5
    assert accused >= 0.85 * len(measurable)


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("intensity_db", [0, 3, 6, 12, 18])
def test_a_true_split_harms_at_no_intensity(number: int, intensity_db: float) -> None:
    assert gentle(number, intensity_db).failed == ()


@pytest.mark.parametrize("number", range(2))
def test_a_gain_is_no_harm(number: int) -> None:
    made = mixtures()[number]
    report = report_of(number, made.mix * np.float32(0.5))
    assert report.failed == ()
    assert report.floor_db == pytest.approx(report_of(number, made.mix).floor_db, abs=0.1)


def test_among_harmless_ones_the_quieter_wins() -> None:
    assert more_natural(gentle(0, 3), gentle(0, 12)).floor_db == gentle(0, 12).floor_db


def test_silence_wins_against_nothing() -> None:
    silent = report_of(0, np.zeros_like(mixtures()[0].mix))
    assert not silent.passed
    for name in HARMS:
        assert naturalness(gentle(0, 3)) < naturalness(silent), name


def test_a_lost_score_is_a_symptom() -> None:
    ref = reference_of(0)
    out = ref.spectra.output(6)
    assert inspect(ref, out, GENTLEST, sig_drop=0.1).passed
    assert inspect(ref, out, GENTLEST, sig_drop=0.5).failed == (Symptom.ROBOTIC,)


def test_the_floor_is_held_against_the_neighbours() -> None:
    ref = reference_of(0)
    report = inspect(ref, ref.spectra.output(12), GENTLEST)
    assert report.take_floor_db is not None
    assert report.floor_db == pytest.approx(report.take_floor_db - 12, abs=1)
    noisy = inspect(
        ref, ref.spectra.output(12), GENTLEST, neighbour_floor_db=report.take_floor_db + 8
    )
    assert noisy.failed == (Symptom.DRY,)


def test_a_limit_of_a_profile_moves_its_gate() -> None:
    ref = reference_of(0)
    out = ref.spectra.output(22)
    assert Symptom.DRY in inspect(ref, out, LIMITS["exposed"]).failed
    assert Symptom.DRY not in inspect(ref, out, LIMITS["subtitled"]).failed
    strict = replace(GENTLEST, floor_drop_db=2)
    assert Symptom.DRY in inspect(ref, ref.spectra.output(3), strict).failed


def ring_lost(voice: Samples, background: Samples, out: Samples) -> float | None:
    ref = reference(analyse(voice, background, SPEECH, RATE_HZ))
    report = inspect(ref, analyse_output(out, RATE_HZ), GENTLEST)
    (found,) = [f for f in report.findings if f.measure == "loss of the room's ring"]
    return found.value


def test_a_room_that_is_cut_off_is_heard() -> None:
    times_s = np.arange(RATE_HZ // 2) / RATE_HZ
    ring = np.random.default_rng(4).standard_normal(len(times_s)) * 10 ** (-3 * times_s / 0.5)
    dry = voice_of()[:, 0]
    wet = (dry + 0.05 * np.convolve(dry, ring)[: len(dry)]).astype(np.float32)[:, None]
    floor = background_of(0.0005)
    lost = ring_lost(wet, floor, voice_of() + floor)
    assert lost is not None
    assert lost > GENTLEST.decay_loss_db
    kept = ring_lost(wet, floor, wet + np.float32(0.25) * floor)
    assert kept is not None
    assert kept < 1


def test_a_background_that_comes_and_goes_is_no_ring() -> None:
    passing = np.sin(2 * np.pi * 2.3 * np.arange(8 * RATE_HZ) / RATE_HZ) > 0.4
    traffic = background_of(0.02) * np.where(passing, 4, 1).astype(np.float32)[:, None]
    out = voice_of() + np.float32(0.1) * traffic
    lost = ring_lost(voice_of(), traffic, out)
    assert lost is None or lost < GENTLEST.decay_loss_db


ALL = (Span(Fraction(0), Fraction(8)),)


@pytest.mark.parametrize(
    ("voice", "background", "speech"),
    [
        (voice_of() * 0, voice_of() * 0, SPEECH),
        (voice_of() * 0, background_of(0.1), ()),
        (voice_of(), background_of(0.1), ALL),
        (voice_of(), voice_of() * 0, SPEECH),
        (voice_of()[:4800], background_of(0.1)[:4800], ()),
        (np.sign(voice_of()), np.sign(background_of(1)), SPEECH),
    ],
    ids=["silence", "no speech", "no gaps", "no background", "a tenth of a second", "square"],
)
def test_odd_sound_gets_a_report_with_reasons(
    voice: Samples, background: Samples, speech: tuple[Span, ...]
) -> None:
    ref = reference(analyse(voice, background, speech, RATE_HZ))
    for intensity_db in (0, 9, 30):
        report = inspect(ref, ref.spectra.output(intensity_db), GENTLEST)
        for finding in report.findings:
            assert finding.value is not None or finding.reason
        if intensity_db == 0:
            assert report.passed
