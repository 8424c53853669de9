"""Real exports: read as a person reads them, patched and undone to the canonical byte."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from testkit import fcp7xml_undo as kit
from testkit.passthrough_plan import passthrough_plan
from testkit.shared import shared

from nlecompanion import plugins
from nlecompanion.model import ConformPlan, Reason, Span, TimelineMarker, Use
from nlecompanion.timeline.contract import Adapter, timeline_facts
from nlecompanion.timeline.uses import read_uses

#: Document: (all uses, uses that may be cleaned).
DOCUMENTS = {
    "ccnmtl_markp.xml": (1, 1),
    "fcp5_ardour_sample.xml": (6, 6),
    "llc_xmeml1.xml": (6, 6),
    "llc_xmeml2.xml": (9, 9),
    "otio_empty_name_tags.xml": (33, 33),
    "otio_premiere_enable_property.xml": (5, 4),
    "otio_premiere_example.xml": (7, 7),
}
MARKERS = (
    TimelineMarker(Span(Fraction(1), Fraction(2)), "DX not cleaned: retimed", "50 % speed", "RED"),
    TimelineMarker(Span(Fraction(3), Fraction(0)), "DX not cleaned: offline", "Ünnamed", "BLUE"),
)


@pytest.fixture
def adapter() -> Adapter:
    return plugins.adapters()["fcp7xml"]


def corpus(name: str) -> Path:
    return shared(f"timelines/corpus/fcp7/{name}")


def uses_of(adapter: Adapter, name: str) -> tuple[Use, ...]:
    return read_uses(adapter.read(corpus(name)))


def frames(use: Use, rate: int | Fraction) -> tuple[Any, ...]:
    """Record in and out and source in, in frames."""
    return use.record.start_s * rate, use.record.end_s * rate, use.source.start_s * rate


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_is_recognised_and_read(adapter: Adapter, name: str) -> None:
    path = corpus(name)
    assert adapter.score(path, path.read_bytes()[:65_536]) == 100
    uses = read_uses(adapter.read(path))
    eligible = [use for use in uses if use.left_alone is None]
    assert (len(uses), len(eligible)) == DOCUMENTS[name]
    assert all(use.record.duration_s == use.source.duration_s for use in eligible)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_undoing_the_conform_gives_the_document_back(
    adapter: Adapter, name: str, tmp_path: Path
) -> None:
    original, delivered, plan = conform(adapter, corpus(name), tmp_path)
    assert kit.canonical(kit.undo(original, delivered, plan)) == kit.canonical(original)
    assert kit.canonical_picture(delivered) == kit.canonical_picture(original)
    assert kit.repeated_ids(original) == []
    assert kit.repeated_ids(delivered) == []
    assert delivered.splitlines()[:2] == original.splitlines()[:2]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_clean_clips_lie_where_the_originals_lie_and_sound_the_same_instant(
    adapter: Adapter, name: str, tmp_path: Path
) -> None:
    conform(adapter, corpus(name), tmp_path)
    before = read_uses(adapter.read(corpus(name)))
    after = read_uses(adapter.read(tmp_path / "delivered.xml"))
    eligible = [use for use in before if use.left_alone is None]
    clean = [use for use in after if use.track.startswith("DX clean")]
    assert sorted(map(place, clean)) == sorted(map(place, eligible))
    rest = [use for use in after if not use.track.startswith("DX clean")]
    assert all(use.left_alone is not None for use in rest)


def place(use: Use) -> tuple[Fraction, Fraction, Fraction, int]:
    instant_s = (use.media_start_s or Fraction(0)) + use.source.start_s
    return use.record.start_s, use.record.end_s, instant_s, len(use.addresses)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_conformed_document_can_be_conformed_again(
    adapter: Adapter, name: str, tmp_path: Path
) -> None:
    _, once, _ = conform(adapter, corpus(name), tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    # Markers that are there already are not set again, so undoing them would take the first ones.
    _, twice, plan = conform(adapter, tmp_path / "delivered.xml", again, "Cut clean 2", ())
    assert kit.canonical(kit.undo(once, twice, plan)) == kit.canonical(once)
    assert kit.repeated_ids(twice) == []


def conform(
    adapter: Adapter,
    path: Path,
    folder: Path,
    name: str = "Cut clean",
    markers: Sequence[TimelineMarker] = MARKERS,
) -> tuple[bytes, bytes, ConformPlan]:
    plan = passthrough_plan(adapter.read(path), folder / "Töne #1", name, markers=markers)
    target = folder / "delivered.xml"
    adapter.patch(path, plan, target)
    return path.read_bytes(), target.read_bytes(), plan


def test_d1_disabled_clips_are_left_and_one_path_with_two_clocks_stays_apart(
    adapter: Adapter,
) -> None:
    uses = uses_of(adapter, "otio_premiere_enable_property.xml")
    assert [frames(use, 25) for use in uses] == [
        (0, 81, 0),
        (81, 177, 0),
        (177, 220, 0),
        (220, 256, 0),
        (81, 177, 0),
    ]
    assert [use.media_start_s for use in uses] == [
        Fraction(n, 25) for n in (353, 434, 530, 573, 434)
    ]
    assert [use.left_alone and use.left_alone.reason for use in uses] == [
        None,
        None,
        Reason.DISABLED,
        None,
        None,
    ]
    assert all(use.channels == (0, 1) for use in uses)
    assert {use.media_url for use in uses[:2]} == {"file://localhost/source.mp4"}
    assert [use.track for use in uses] == ["audio_with_disabled"] * 4 + ["A2"]


def test_d2_nested_is_worked_on_inside_and_the_wav_keeps_its_drop_frame_clock(
    adapter: Adapter,
) -> None:
    uses = uses_of(adapter, "otio_premiere_example.xml")
    assert [use.left_alone for use in uses] == [None] * 7
    # The nested clip shows frames 0 to 294 of a sequence whose only sound ends at frame 100.
    nested = next(use for use in uses if frames(use, 30)[0] == 636)
    assert frames(nested, 30) == (636, 736, 0)
    assert nested.media_url.endswith("/sc01_sh010_anim.mov")
    placeholder = next(use for use in uses if use.name == "sc01_placeholder.wav")
    # 00;04;43;15 counts 8497 frames; Premiere writes this file's rate as 30, not 29.97.
    assert placeholder.media_start_s == Fraction(8497, 30)
    assert placeholder.media_url == "file://localhost/D%3a/media/sc01_placeholder.wav"


def test_d2_where_premiere_contradicts_itself_the_pairs_other_channel_is_believed(
    adapter: Adapter,
) -> None:
    # Channel 1 is written as 956-1177 and 1164-1258, overlapping; channel 2 as below.
    uses = uses_of(adapter, "otio_premiere_example.xml")[-2:]
    assert [frames(use, 30) for use in uses] == [(956, 1164, 34), (1164, 1246, 18)]
    assert [use.channels for use in uses] == [(0, 1), (0, 1)]


def test_d3_resolves_one_clip_plays_all_channels(adapter: Adapter) -> None:
    timeline = adapter.read(corpus("llc_xmeml2.xml"))
    facts = timeline_facts(timeline)
    assert facts.rate == Fraction(60)
    assert (facts.start_frame, facts.drop_frame) == (216_000, False)
    uses = read_uses(timeline)
    assert [use.channels for use in uses] == [None] * 9
    assert frames(uses[0], 60) == (306, 122_014, 306)
    assert frames(uses[8], 60) == (453_894, 461_349, 644_438)
    assert {use.media_start_s for use in uses} == {Fraction(0)}


def test_the_interview_is_one_stereo_use_between_its_fades(adapter: Adapter) -> None:
    timeline = adapter.read(corpus("ccnmtl_markp.xml"))
    facts = timeline_facts(timeline)
    assert facts.rate == Fraction(30_000, 1001)
    assert (facts.start_frame, facts.drop_frame) == (107_892, True)
    (use,) = read_uses(timeline)
    # Both places are written as -1; the fades begin at 6 and end at 44281, out - in is 44275.
    assert frames(use, facts.rate) == (6, 44_281, 0)
    assert not use.lead_s
    assert not use.tail_s
    assert use.channels == (0, 1)
    assert use.media_start_s == 67_243 / facts.rate


def test_lightworks_pairs_are_found_without_ids_or_links(adapter: Adapter) -> None:
    uses = uses_of(adapter, "fcp5_ardour_sample.xml")
    assert [len(use.addresses) for use in uses] == [2] * 6
    assert {use.channels for use in uses} == {(0, 1)}


def test_a_sequence_inside_a_project_is_found(adapter: Adapter) -> None:
    uses = uses_of(adapter, "llc_xmeml1.xml")
    assert {use.media_url for use in uses} == {"DuaLipa.mp4"}
    assert frames(uses[5], 25) == (977, 1234, 977)
