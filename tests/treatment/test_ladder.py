"""The ladder: the lowest rung that will do, harm before noise, and a ledger of all attempts."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from testkit.windows import RATE_HZ, SPEECH, background_of, voice_of

from nlecompanion.model import Samples, Span
from nlecompanion.settings import profile_names
from nlecompanion.treatment.harm import LIMITS, HarmLimits, Symptom
from nlecompanion.treatment.ladder import (
    RUNGS_DB,
    TARGETS,
    WORTH_A_DB,
    Attempt,
    Climb,
    ReadabilityTarget,
    climb,
    receipt_values,
)
from nlecompanion.treatment.spectra import WindowSpectra, analyse

EASY = ReadabilityTarget(mean=0.7, quietest_fifth=0.1)
OUT_OF_REACH = ReadabilityTarget(mean=0.999, quietest_fifth=0.999)
#: Nothing harms.
BLIND = HarmLimits(
    warble_db=100, kurtosis_log2=100, sig_drop=100, lost_consonants_db=100, pumping_db=100,
    unsteady_db=100, floor_drop_db=100, decay_loss_db=100,
)  # fmt: skip


def window(background_level: float = 0.05, voice: Samples | None = None) -> WindowSpectra:
    voice = voice_of() if voice is None else voice
    return analyse(voice, background_of(background_level), SPEECH, RATE_HZ)


def check_ledger(found: Climb) -> None:
    """Ids count up, each entry differs from its parent in the one field that it names."""
    for number, attempt in enumerate(found.attempts):
        assert attempt.id == number
        if attempt.parent is None:
            assert number == 0
            continue
        parent = found.attempts[attempt.parent]
        assert attempt.parent < number
        changes = [
            field
            for field in ("intensity_db", "presence_db")
            if getattr(attempt, field) != getattr(parent, field)
        ]
        assert changes == [attempt.changed]
    left = [a for a in found.attempts if not a.left_because]
    assert left == [found.chosen]


@pytest.mark.parametrize("background_level", [0.003, 0.02, 0.05, 0.1, 0.2])
def test_it_stops_at_the_first_rung_that_will_do(background_level: float) -> None:
    found = climb(window(background_level), EASY, BLIND)
    assert found.readable
    means = [a.readability.mean for a in found.attempts]
    assert all(mean is not None and mean < EASY.mean for mean in means[:-1])
    assert means[-1] is not None
    assert means[-1] >= EASY.mean
    assert [a.intensity_db for a in found.attempts] == list(RUNGS_DB[: len(means)])
    check_ledger(found)


def test_a_good_take_is_left_at_nothing() -> None:
    found = climb(window(0.0005), TARGETS["exposed"], LIMITS["exposed"])
    assert (found.intensity_db, found.readable, len(found.attempts)) == (0, True, 1)


def test_the_noisier_the_take_the_higher_the_rung() -> None:
    rungs = [climb(window(level), EASY, BLIND).intensity_db for level in (0.005, 0.03, 0.1, 0.2)]
    assert rungs == sorted(rungs)
    assert rungs[0] < rungs[-1]


def test_out_of_reach_ends_at_the_best_harmless_rung_and_is_flagged() -> None:
    found = climb(window(), OUT_OF_REACH, LIMITS["exposed"])
    assert not found.readable
    assert found.chosen.harm.passed
    assert 15 <= found.intensity_db <= 18
    assert found.attempts[-1].harm.failed
    assert Symptom.DRY in found.attempts[-1].harm.failed or found.attempts[-2].harm.failed
    assert "harm begins above" in found.reason
    check_ledger(found)


def test_where_leakage_ends_the_rise_the_lowest_of_equals_is_taken() -> None:
    noise = background_of(0.05)
    leak = np.float32(0.5)
    spectra = analyse(voice_of() + leak * noise, (1 - leak) * noise, SPEECH, RATE_HZ)
    found = climb(spectra, OUT_OF_REACH, BLIND)
    assert not found.readable
    assert found.intensity_db < 30
    assert len(found.attempts) == len(RUNGS_DB)
    assert "more does not help" in found.reason
    check_ledger(found)


def test_after_a_failed_gate_half_a_step_back_is_tried_once() -> None:
    limits = HarmLimits(floor_drop_db=7)
    found = climb(window(), OUT_OF_REACH, limits)
    assert [a.intensity_db for a in found.attempts] == [0, 3, 6, 9, 7.5]
    assert found.attempts[-1].parent == 3
    assert found.intensity_db == 6
    assert not found.readable
    check_ledger(found)


def test_lost_consonants_get_at_most_3_db_of_presence() -> None:
    # The split takes the highs of the voice into the background.
    voice = voice_of(0.05)
    spectrum = np.fft.rfft(voice[:, 0])
    frequencies_hz = np.fft.rfftfreq(len(voice), 1 / RATE_HZ)
    dull = np.fft.irfft(spectrum * np.where(frequencies_hz > 4000, 0.3, 1.0), len(voice))
    estimate = dull.astype(np.float32)[:, None]
    spectra = analyse(estimate, voice - estimate + background_of(0.0005), SPEECH, RATE_HZ)
    found = climb(spectra, OUT_OF_REACH, HarmLimits(pumping_db=100))
    lifted = [a for a in found.attempts if a.changed == "presence_db"]
    assert len(lifted) == 1
    assert 0 < lifted[0].presence_db <= 3
    assert lifted[0].parent is not None
    before = found.attempts[lifted[0].parent]
    assert before.harm.failed == (Symptom.CONSONANTS,)
    assert lifted[0].harm.harm < before.harm.harm
    check_ledger(found)


def test_a_network_is_asked_of_what_would_be_chosen_only() -> None:
    asked: list[tuple[float, float]] = []

    def sig_of(intensity_db: float, presence_db: float) -> float:
        asked.append((intensity_db, presence_db))
        return 3.5 - 0.05 * intensity_db

    unheard = climb(window(), OUT_OF_REACH, BLIND)
    found = climb(window(), OUT_OF_REACH, BLIND, sig_of=sig_of, sig_source="a network 1.0")
    assert found.intensity_db == unheard.intensity_db
    assert set(asked) == {(0.0, 0.0), (found.intensity_db, found.presence_db)}
    assert found.chosen.harm.findings[-1].measure == "DNSMOS SIG lost"
    assert receipt_values(found)["sig"] == "a network 1.0"
    assert "not installed" in receipt_values(unheard)["sig"]


def test_what_a_network_hears_as_harm_is_taken_back() -> None:
    limits = replace(BLIND, sig_drop=0.4)
    found = climb(window(), OUT_OF_REACH, limits, sig_of=lambda db, _: 3.5 - 0.05 * db)
    # 9 dB lose 0.45; half a step back from there loses 0.375.
    assert found.intensity_db == 7.5
    assert any("DNSMOS SIG lost 0.5 MOS" in a.left_because for a in found.attempts)
    assert "harm begins above" in found.reason
    check_ledger(found)


def test_where_every_rung_loses_the_take_is_left_alone() -> None:
    limits = replace(BLIND, sig_drop=0.1)
    found = climb(window(), OUT_OF_REACH, limits, sig_of=lambda db, _: 3.5 if db == 0 else 1.0)
    assert found.intensity_db == 0
    assert not found.readable
    check_ledger(found)


def test_a_decibel_must_earn_its_keep() -> None:
    free = climb(window(0.02), OUT_OF_REACH, BLIND)
    earned = [_earned(attempt) for attempt in free.attempts]
    assert earned[free.chosen.id] == max(earned)
    assert free.intensity_db < max(RUNGS_DB)


def _earned(attempt: Attempt) -> float:
    found = attempt.readability
    values = [v for v in (found.mean, found.quietest_fifth, found.word_endings) if v is not None]
    return float(np.mean(values)) - WORTH_A_DB * attempt.intensity_db


def test_beside_a_noisy_clip_less_is_taken() -> None:
    """A floor far under the neighbours' would be heard at every cut."""
    alone = climb(window(), OUT_OF_REACH, HarmLimits(pumping_db=100))
    own_db = alone.chosen.harm.take_floor_db
    assert own_db is not None
    beside_db = own_db + 6
    noisy = climb(window(), OUT_OF_REACH, HarmLimits(pumping_db=100), neighbour_floor_db=beside_db)
    assert noisy.intensity_db < alone.intensity_db
    assert any(Symptom.DRY in a.harm.failed for a in noisy.attempts)
    assert receipt_values(noisy)["neighbour_floor_db"] == pytest.approx(beside_db, abs=0.001)


def test_the_receipt_is_plain_json_and_the_same_each_time() -> None:
    values = receipt_values(climb(window(), TARGETS["exposed"], LIMITS["exposed"]))
    again = receipt_values(climb(window(), TARGETS["exposed"], LIMITS["exposed"]))
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values == again
    assert {"intensity_db", "readable", "reason", "attempts", "target", "limits"} <= set(values)
    gates = values["attempts"][0]["gates"]
    assert {gate["symptom"] for gate in gates} == {str(symptom) for symptom in Symptom}


SILENCE = np.zeros((8 * RATE_HZ, 1), np.float32)


@pytest.mark.parametrize(
    ("voice", "background", "speech"),
    [
        (SILENCE, SILENCE, SPEECH),
        (SILENCE, background_of(0.1), ()),
        (voice_of()[:4800], background_of(0.1)[:4800], ()),
        (SILENCE[:0], SILENCE[:0], ()),
    ],
    ids=["silence", "no speech", "a tenth of a second", "nothing"],
)
def test_without_speech_nothing_is_turned_down_and_it_says_why(
    voice: Samples, background: Samples, speech: tuple[Span, ...]
) -> None:
    found = climb(analyse(voice, background, speech, RATE_HZ), EASY, LIMITS["exposed"])
    assert (found.intensity_db, found.readable) == (0, False)
    assert found.reason


def test_all_speech_and_a_dead_channel_are_decided_on() -> None:
    voice, background = voice_of(channels=2), background_of(0.05, channels=2)
    voice[:, 1] = background[:, 1] = 0
    everything = (Span(Fraction(0), Fraction(8)),)
    found = climb(analyse(voice, background, everything, RATE_HZ), EASY, LIMITS["exposed"])
    assert found.intensity_db in RUNGS_DB
    assert "leakage is taken as" in found.chosen.readability.reason


def test_each_shipped_profile_has_its_target_and_limits() -> None:
    assert set(TARGETS) == set(LIMITS) == set(profile_names())
    gentlest = TARGETS["exposed"]
    for name, target in TARGETS.items():
        assert target.mean >= gentlest.mean, name
        assert target.quietest_fifth >= gentlest.quietest_fifth, name
        assert LIMITS[name].floor_drop_db >= LIMITS["exposed"].floor_drop_db
