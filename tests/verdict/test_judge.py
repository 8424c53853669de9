"""Rulings: each follows from its evidence, and says why in numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from testkit.damage import clipped, limited
from testkit.sound import as_samples, noise, voice

from nlecompanion.diagnosis.findings import Findings, MixtureMeters, gather
from nlecompanion.model import Diagnosis, Ruling, Samples, Span, Unfixable
from nlecompanion.settings import Profile
from nlecompanion.treatment.method import Method
from nlecompanion.verdict.evidence import Evidence
from nlecompanion.verdict.judge import Case, judge, keeps

RATE_HZ = 48_000
PROFILE = Profile()
GOOD = Evidence(sbr_db=10, heard=1, heard_in_voice=1, survives_db=35)
DOUBTFUL = Evidence(sbr_db=-6, heard=0.75, heard_in_voice=0.9, survives_db=18)
HOPELESS = Evidence(sbr_db=-20, heard=0.3, heard_in_voice=0.3, survives_db=5)
UNHEARD = Evidence(sbr_db=-20, heard=0.02, heard_in_voice=0.3, survives_db=5)


def diagnosis(sbr_db: float | None) -> Diagnosis:
    speech = () if sbr_db is None else (Span(Fraction(1), Fraction(3)),)
    return Diagnosis(
        speech=speech,
        speech_s=sum((s.duration_s for s in speech), Fraction(0)),
        found_in="mixture",
        speech_level_db=-26.0,
        background_level_db=-30.0,
        sbr_db=sbr_db,
    )


def findings(sound: Samples) -> Findings:
    meters = MixtureMeters(RATE_HZ, sound.shape[1])
    meters.push(sound)
    return gather(meters, None, (Span(Fraction(1), Fraction(3)),))


def plain_sound() -> Samples:
    return as_samples(voice(6) + noise(6, level_db=-40))


def case(
    sbr_db: float | None,
    evidence: Evidence | None,
    sound: Samples | None = None,
    readability: float | None = 0.8,
    method: Method = Method.SEPARATE,
) -> Case:
    heard = findings(plain_sound() if sound is None else sound)
    return Case(diagnosis(sbr_db), heard, evidence, method, readability)


def test_what_is_good_already_is_kept() -> None:
    kept = keeps(diagnosis(31.0), PROFILE)
    assert kept is not None
    assert kept.ruling is Ruling.KEEP
    assert "31.0 dB above" in kept.reasons[0]
    assert keeps(diagnosis(29.0), PROFILE) is None
    assert keeps(diagnosis(None), PROFILE) is None


def test_a_saved_voice_is_delivered_without_a_warning() -> None:
    verdict = judge(case(10.0, GOOD), PROFILE)
    assert (verdict.ruling, verdict.kind) == (Ruling.DELIVER, None)
    assert verdict.risk is not None
    assert verdict.risk < PROFILE.warn_risk


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"evidence": DOUBTFUL}, "words are lost"),
        ({"readability": 0.3}, "readability reaches 0.30"),
        ({"method": Method.HOSTILE}, "best effort"),
    ],
)
def test_every_doubt_is_a_warning_that_names_it(changed: dict[str, object], word: str) -> None:
    values: dict[str, object] = {"evidence": GOOD, **changed}
    verdict = judge(case(2.0, **values), PROFILE)  # type: ignore[arg-type]
    assert verdict.ruling is Ruling.WARN
    assert any(word in reason for reason in verdict.reasons)


def test_without_a_measurement_it_says_so() -> None:
    for verdict in (judge(case(None, GOOD), PROFILE), judge(case(5.0, None), PROFILE)):
        assert verdict.ruling is Ruling.WARN
        assert "could not be measured" in verdict.reasons[0]


def test_a_masked_voice_lies_in_a_limited_mix() -> None:
    loud = limited(as_samples(voice(6, level_db=-20) + noise(6, level_db=-20)), RATE_HZ, 16)
    verdict = judge(case(-12.0, HOPELESS, loud), PROFILE)
    assert (verdict.ruling, verdict.kind) == (Ruling.UNFIXABLE, Unfixable.MASKED)


def test_a_damaged_voice_was_cut_off_in_the_recording() -> None:
    verdict = judge(case(-8.0, HOPELESS, clipped(plain_sound(), 30.0)), PROFILE)
    assert (verdict.ruling, verdict.kind) == (Ruling.UNFIXABLE, Unfixable.DAMAGED)


def test_a_lost_voice_is_heard_by_nobody() -> None:
    verdict = judge(case(-22.0, UNHEARD), PROFILE)
    assert (verdict.ruling, verdict.kind) == (Ruling.UNFIXABLE, Unfixable.LOST)
    assert "22.0 dB below" in verdict.reasons[0]
    assert any("%" in reason for reason in verdict.reasons)


def test_the_profile_says_how_much_risk_is_too_much() -> None:
    chance = judge(case(-6.0, DOUBTFUL), PROFILE).risk
    assert chance is not None
    careful = Profile(unfixable_risk=float(np.nextafter(chance, 0)))
    assert judge(case(-6.0, DOUBTFUL), careful).ruling is Ruling.UNFIXABLE
