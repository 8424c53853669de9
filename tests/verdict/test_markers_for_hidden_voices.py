"""A loud use on a dialogue track in which nobody is heard gets a marker; a quiet pause does not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from testkit.damage import clipped
from testkit.model import use
from testkit.sound import as_samples, noise, voice

from nlecompanion.diagnosis.findings import Findings, MixtureMeters, gather
from nlecompanion.model import Diagnosis, LeftAlone, Reason, Samples, Span, UseReport
from nlecompanion.verdict.flags import USUAL_SPEECH_DB, hints, mark_dialogue


def nobody(level_db: float | None, track: str = "Dialogue 1", role: str = "") -> UseReport:
    diagnosis = Diagnosis((), Fraction(0), "mixture", None, level_db, None)
    made = use(track=track, role=role, track_number=1)
    return UseReport(made, LeftAlone(Reason.NO_SPEECH, "0 s"), diagnosis)


def somebody(level_db: float) -> UseReport:
    speech = (Span(Fraction(0), Fraction(2)),)
    diagnosis = Diagnosis(speech, Fraction(2), "mixture", level_db, -60.0, 20.0)
    return UseReport(use(2, track="V", track_number=2), None, diagnosis)


def marked(report: UseReport, *others: UseReport, tracks: tuple[str, ...] = ()) -> bool:
    return mark_dialogue([report, *others], (), tracks)[0].marked


@pytest.mark.parametrize(("level_db", "expected"), [(-10.0, True), (-18.9, True), (-19.1, False)])
def test_loud_is_6_db_over_the_speech_of_the_others(level_db: float, *, expected: bool) -> None:
    assert marked(nobody(level_db), somebody(-25.0)) is expected


def test_alone_it_is_compared_with_usual_dialogue() -> None:
    assert marked(nobody(USUAL_SPEECH_DB + 6))
    assert not marked(nobody(USUAL_SPEECH_DB))


def test_only_where_track_role_or_the_user_say_dialogue() -> None:
    assert not marked(nobody(-10, "A1"))
    assert marked(nobody(-10, "A1", role="dialogue"))
    assert marked(nobody(-10, "A1"), tracks=("A1",))


def test_what_was_not_measured_is_not_marked() -> None:
    assert not marked(nobody(None))


def test_the_marker_says_why() -> None:
    (report,) = mark_dialogue([nobody(USUAL_SPEECH_DB + 12)], (), ())
    assert "12 dB louder than the speech" in str(report.left_alone)
    (quiet,) = mark_dialogue([nobody(USUAL_SPEECH_DB)], (), ())
    assert quiet.left_alone == nobody(USUAL_SPEECH_DB).left_alone


@pytest.mark.parametrize(
    ("evidence", "word"),
    [
        ({"hinted_speech_s": 1.1}, "may be a voice that is lost"),
        ({"clipped_share": 0.3}, "30 % of it is cut off"),
        ({"hinted_speech_s": 0.9, "clipped_share": 0.01}, ""),
    ],
)
def test_what_the_split_or_the_damage_hints_at_is_marked_where_dialogue_is_meant(
    evidence: dict[str, float], word: str
) -> None:
    hinted = replace(nobody(-50), evidence=evidence)
    (report,) = mark_dialogue([hinted], (), ())
    assert report.marked is bool(word)
    assert word in str(report.left_alone)
    elsewhere = replace(hinted, use=use(track="A1", track_number=1))
    assert not mark_dialogue([elsewhere], (), ())[0].marked


def test_hints_are_told_in_numbers_or_not_at_all() -> None:
    assert hints(Fraction(0), findings(as_samples(noise(2, level_db=-40)))) is None
    spoken = as_samples(voice(6) + noise(6, level_db=-40))
    cut = hints(Fraction(3, 2), findings(clipped(spoken, 30.0)))
    assert cut is not None
    assert cut["hinted_speech_s"] == 1.5
    assert cut["clipped_share"] > 0.1


def findings(sound: Samples) -> Findings:
    meters = MixtureMeters(48_000, 1)
    meters.push(sound)
    return gather(meters, None, ())
