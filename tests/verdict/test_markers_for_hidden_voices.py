"""A loud use on a dialogue track in which nobody is heard gets a marker; a quiet pause does not."""

from __future__ import annotations

from fractions import Fraction

import pytest
from testkit.model import use

from nlecompanion.model import Diagnosis, LeftAlone, Reason, Span, UseReport
from nlecompanion.verdict.flags import USUAL_SPEECH_DB, mark_dialogue


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
