"""What is written into AAFs: clips with their effects and fades, muted originals, markers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from testkit import aaf
from testkit.contract import made_up_plan

from nlecompanion.errors import DocumentError
from nlecompanion.model import ConformPlan, Loss, Span, TimelineMarker
from nlecompanion.plugins import adapters
from nlecompanion.timeline.uses import read_uses

ADAPTER = adapters()["aaf"]


def patched(label: str, folder: Path) -> tuple[Path, ConformPlan, Path, tuple[Loss, ...]]:
    path = aaf.SPECIMENS[label](folder / "cut.aaf")
    plan = made_up_plan(read_uses(ADAPTER.read(path)), "cut clean")
    target = folder / "cut clean.aaf"
    return path, plan, target, ADAPTER.patch(path, plan, target)


def added_slots(tree: dict[str, Any], count: int) -> list[Any]:
    slots: list[Any] = tree["mobs"][tree["top"]]["Slots"]
    return [s for s in slots if s["class"] == "TimelineMobSlot"][-count:]


def kinds(components: list[Any]) -> list[str]:
    return [component["class"] for component in components]


def test_the_same_plan_gives_the_same_bytes(tmp_path: Path) -> None:
    path, plan, target, _ = patched("avid 25", tmp_path)
    again = tmp_path / "again.aaf"
    ADAPTER.patch(path, plan, again)
    assert again.read_bytes() == target.read_bytes()


def test_an_empty_plan_of_the_same_name_is_a_copy(tmp_path: Path) -> None:
    path = aaf.SPECIMENS["resolve samples"](tmp_path / "cut.aaf")
    name = ADAPTER.read(path).name
    assert ADAPTER.patch(path, ConformPlan(name), tmp_path / "copy.aaf") == ()
    assert (tmp_path / "copy.aaf").read_bytes() == path.read_bytes()


def test_fades_and_effects_come_along(tmp_path: Path) -> None:
    _, plan, target, losses = patched("avid 25", tmp_path)
    assert losses == ()
    tree = aaf.tree_of(target.read_bytes())
    first, second = added_slots(tree, len(plan.tracks))
    pan = first["Segment"]
    assert pan["class"] == "OperationGroup"
    assert pan["Operation"] == aaf.PAN
    assert kinds(pan["InputSegments"][0]["Components"]) == [
        "Filler",
        "Transition",
        "SourceClip",
        "Transition",
        "SourceClip",
        "Transition",
        "Filler",
        "OperationGroup",
        "SourceClip",
        "Transition",
        "Filler",
    ]
    gain = pan["InputSegments"][0]["Components"][7]
    assert gain["Operation"] == aaf.GAIN
    assert kinds(second["Segment"]["Components"]) == ["Filler", "SourceClip", "Filler"]


def test_the_new_tracks_are_as_long_as_the_old_ones(tmp_path: Path) -> None:
    path, plan, target, _ = patched("avid 25", tmp_path)
    before, after = (aaf.tree_of(p.read_bytes()) for p in (path, target))
    old = before["mobs"][before["top"]]["Slots"]
    for new, original in zip(added_slots(after, len(plan.tracks)), old[2:], strict=False):
        assert new["Segment"]["Length"] == original["Segment"]["Length"]


def test_a_crossfade_into_what_is_not_cleaned_fades_to_nothing(tmp_path: Path) -> None:
    path = aaf.SPECIMENS["avid 25"](tmp_path / "cut.aaf")
    plan = made_up_plan(read_uses(ADAPTER.read(path)), "cut clean")
    (first, *_) = plan.tracks
    plan = replace(plan, tracks=(replace(first, clips=first.clips[:1]),), disable=())
    target = tmp_path / "cut clean.aaf"
    ADAPTER.patch(path, plan, target)
    (slot,) = added_slots(aaf.tree_of(target.read_bytes()), 1)
    components = slot["Segment"]["InputSegments"][0]["Components"]
    assert kinds(components) == ["Filler", "Transition", "SourceClip", "Transition", "Filler"]
    (use,) = [u for u in read_uses(ADAPTER.read(target)) if u.track == "DX clean 1"]
    assert use.record == plan.tracks[0].clips[0].record


def test_a_plain_clip_has_a_place_of_its_own_and_no_effects(tmp_path: Path) -> None:
    path = aaf.SPECIMENS["avid 25"](tmp_path / "cut.aaf")
    plan = made_up_plan(read_uses(ADAPTER.read(path)), "cut clean")
    clip = plan.tracks[0].clips[2]
    record = Span(Fraction(3), Fraction(2))
    clip = replace(clip, record=record, source_in_s=Fraction(1), plain=True)
    track = replace(plan.tracks[0], clips=(clip,))
    target = tmp_path / "plain.aaf"
    assert ADAPTER.patch(path, replace(plan, tracks=(track,), disable=()), target) == ()
    (slot,) = added_slots(aaf.tree_of(target.read_bytes()), 1)
    components = slot["Segment"]["InputSegments"][0]["Components"]
    assert kinds(components) == ["Filler", "SourceClip", "Filler"]
    (use,) = [u for u in read_uses(ADAPTER.read(target)) if u.track == "DX clean 1"]
    assert (use.record, use.source.start_s) == (record, Fraction(1))


def test_what_falls_between_two_units_is_said(tmp_path: Path) -> None:
    path = aaf.SPECIMENS["avid 25"](tmp_path / "cut.aaf")
    plan = made_up_plan(read_uses(ADAPTER.read(path)), "cut clean")
    clip = plan.tracks[0].clips[0]
    clip = replace(clip, source_in_s=clip.source_in_s + Fraction(1, 100))
    track = replace(plan.tracks[0], clips=(clip,))
    (loss,) = ADAPTER.patch(path, replace(plan, tracks=(track,)), tmp_path / "t.aaf")
    assert loss.where == clip.use_id
    assert "10.000 ms" in loss.what


def test_markers_lie_on_a_track_of_their_own(tmp_path: Path) -> None:
    path = aaf.SPECIMENS["resolve samples"](tmp_path / "cut.aaf")
    markers = (
        TimelineMarker(Span(Fraction(2), Fraction(1, 2)), "DX not cleaned: offline", "Wo? 対白"),
        TimelineMarker(Span(Fraction(5), Fraction(0)), "second", ""),
    )
    target = tmp_path / "marked.aaf"
    ADAPTER.patch(path, ConformPlan("cut clean", markers=markers), target)
    with aaf.opened(target.read_bytes()) as file:
        (top,) = file.content.toplevel()
        (slot,) = [s for s in top.slots if type(s).__name__ == "EventMobSlot"]
        found = [
            (m["Position"].value, m["Length"].value, m["Comment"].value)
            for m in slot.segment.components
        ]
    assert found == [(48, 12, "DX not cleaned: offline\nWo? 対白"), (120, 1, "second")]


def test_the_copy_can_lie_beside_the_original(tmp_path: Path) -> None:
    path, _, target, _ = patched("resolve samples", tmp_path)
    before, after = (aaf.tree_of(p.read_bytes()) for p in (path, target))
    assert before["top"] != after["top"]
    assert before["top"] not in after["mobs"]


@pytest.mark.parametrize("address", ["S99/0", "S2/99", "nonsense", ""])
def test_an_address_that_is_not_there(address: str, tmp_path: Path) -> None:
    path = aaf.SPECIMENS["resolve samples"](tmp_path / "cut.aaf")
    with pytest.raises(DocumentError, match="run the timeline again"):
        ADAPTER.patch(path, ConformPlan("x", disable=(address,)), tmp_path / "target.aaf")
    assert not (tmp_path / "target.aaf").exists()
    assert list(tmp_path.iterdir()) == [path]
