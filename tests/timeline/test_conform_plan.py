"""The conform plan: one new track for each original, nothing overlapping, names that are free."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from testkit.model import media, use

from nlecompanion.model import CleanedMedia, LeftAlone, Reason, Span, Use, UseReport
from nlecompanion.timeline.conform import (
    cleaned_clip,
    markers_for,
    next_clean_name,
    plan_conform,
)
from nlecompanion.timeline.regions import plan_regions

FILE = CleanedMedia("r", Path("/out/a.wav"), 48_000, 2, 480_000, Fraction(3608), Fraction(25))


def clip(of: Use):  # type: ignore[no-untyped-def]
    (region,) = plan_regions([of], {of.media_url: media()}, Fraction(2), 48_000)
    return cleaned_clip(of, region, FILE)


def test_the_same_instant_of_speech() -> None:
    one = use(1, start_s=10)
    made = clip(one)
    assert made.record == one.record
    assert made.source_in_s == 2
    assert made.media.start_s + made.source_in_s == one.media_start_s + one.source.start_s  # type: ignore[operator]


def test_tracks_keep_the_editors_order() -> None:
    uses = [
        use(1, 10),
        use(2, 20),
        use(3, 10, id="A3-001", track_number=3, addresses=("t3/c1",)),
    ]
    plan = plan_conform("x", uses, {u.id: clip(u) for u in uses}, ())
    assert [t.name for t in plan.tracks] == ["DX clean 1", "DX clean 2"]
    assert [[c.use_id for c in t.clips] for t in plan.tracks] == [["A1-001", "A1-002"], ["A3-001"]]
    assert set(plan.disable) == {"t1/c1", "t2/c1", "t1/c2", "t2/c2", "t3/c1"}


def test_clips_that_would_overlap_move_to_another_track() -> None:
    uses = [use(1, 10, 4), use(2, 12, 4)]
    plan = plan_conform("x", uses, {u.id: clip(u) for u in uses}, ())
    assert [len(track.clips) for track in plan.tracks] == [1, 1]


def test_uses_without_a_clip_are_not_disabled() -> None:
    uses = [use(1), use(2, 20)]
    plan = plan_conform("x", uses, {"A1-001": clip(uses[0])}, ())
    assert plan.disable == uses[0].addresses


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        ("Scene 3", 1, "Scene 3 clean"),
        ("Scene 3", 2, "Scene 3 clean 2"),
        ("Scene 3 clean", 1, "Scene 3 clean 2"),
        ("Scene 3 clean 4", 2, "Scene 3 clean 6"),
        ("", 1, "Timeline clean"),
        ("clean", 1, "clean clean"),
    ],
)
def test_names_are_never_the_one_that_was_read(name: str, number: int, expected: str) -> None:
    assert next_clean_name(name, number) == expected


def test_markers_stand_for_marked_uses_only() -> None:
    left = LeftAlone(Reason.RETIMED, "200 %")
    reports = [UseReport(use(1), left, marked=True), UseReport(use(2), left)]
    (marker,) = markers_for(reports)
    assert marker.record == Span(Fraction(10), Fraction(4))
    assert "retimed" in marker.name
    assert "200 %" in marker.comment
