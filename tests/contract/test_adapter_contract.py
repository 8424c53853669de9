"""The contract between adapters and the rest: nine promises, on every document of every format.

The numbers are those of the design's list "what must hold, for every document".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from testkit.contract import (
    CASES,
    REAL_CASES,
    Case,
    Conformed,
    conform,
    is_refused,
)
from testkit.format_kits import FileEntry, path_of_url
from testkit.shared import shared

from nlecompanion.model import CleanTrack, ConformPlan, Reason, Span
from nlecompanion.timeline.uses import read_uses

#: Refused with a sentence: a schema newer than the library's, two sequences in one AAF.
REFUSED = {"otio_screening_example.otio", "otio_multiple_top_level_mobs.aaf"}


#: How many clips the suite cleans in each, so that it cannot pass by leaving all alone.
CLEANED = {
    "aaf-avid 25": 5,
    "aaf-resolve samples": 4,
    "aaf-premiere 29.97 DF": 4,
    "aaf-DR_Stereo_Clip_Positioning.aaf": 4,
    "aaf-otio_transitions.aaf": 8,
    "otio-plain": 4,
    "otio-resolve": 3,
    "otio-premiere": 2,
    "otio-transitions": 3,
    "otio-trimmed": 3,
    "otio-old schemas": 2,
    "otio-samples": 2,
    "otio-mixed rates": 2,
    "otio-left alone": 2,
    "otio-nested": 6,
    "otio-collection": 4,
    "otio-jminor_time_warp_test_suite.otio": 31,
    "otio-llc_otio.otio": 3,
    "fcp7xml-premiere 25": 4,
    "fcp7xml-premiere 29.97 DF": 4,
    "fcp7xml-resolve 23.976": 4,
    "fcp7xml-llc_xmeml2.xml": 9,
    "fcp7xml-otio_premiere_enable_property.xml": 4,
    "fcp7xml-otio_premiere_example.xml": 7,
    "fcpxml-1.11 at 25": 9,
    "fcpxml-1.8 at 29.97 DF": 9,
    "fcpxml-1.14 at 23.976": 9,
    "fcpxml-llc_FCPXML_1_9.fcpxml": 173,
    "fcpxml-ofk_AudioOnly.fcpxml": 5,
    "fcpxml-ofk_MulticamSampleWithCuts.fcpxml": 7,
    "fcpxml-ofk_SyncClip.fcpxml": 1,
    "fcpxml-ofk_TimelineWithSecondaryStoryline.fcpxml": 12,
}
CONFORMED = [case for case in (*CASES, *REAL_CASES) if case.label not in REFUSED]


@pytest.fixture(scope="module", params=CONFORMED, ids=str)
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Conformed:
    case: Case = request.param
    conformed = conform(case, tmp_path_factory.mktemp("conform"))
    assert len(conformed.clips()) == CLEANED.get(str(case), len(conformed.clips()))
    return conformed


def test_the_real_documents_are_among_the_cases() -> None:
    shared("timelines/corpus/otio")
    shared("timelines/corpus/fcp7")
    shared("timelines/corpus/fcpxml")
    shared("timelines/corpus/aaf")
    shared("timelines/corpus/edl")
    assert Counter(case.format for case in REAL_CASES) == {
        "otio": 8,
        "fcp7xml": 7,
        "fcpxml": 38,
        "aaf": 49,
        "edl": 3,
    }


@pytest.mark.parametrize("case", [c for c in REAL_CASES if c.label in REFUSED], ids=str)
def test_a_refusal_is_one_sentence(case: Case, tmp_path: Path) -> None:
    sentence = is_refused(case, tmp_path)
    assert sentence is not None
    assert "\n" not in sentence
    assert case.label in sentence


def test_1_undoing_gives_the_input_back(done: Conformed) -> None:
    undone = done.kit.undo(done.original, done.delivered, done.plan)
    assert done.kit.canonical(undone) == done.kit.canonical(done.original)


def test_2_picture_tracks_are_equal(done: Conformed) -> None:
    assert done.kit.picture(done.delivered) == done.kit.picture(done.original)


def test_3_record_in_and_out_are_the_originals(done: Conformed) -> None:
    for clip, added in zip(done.clips(), done.added(), strict=True):
        assert added.record == done.original_use(clip).record


def test_4_the_source_is_the_same_instant(done: Conformed) -> None:
    rounded = {loss.where for loss in done.losses}
    for clip, added in zip(done.clips(), done.added(), strict=True):
        original = done.original_use(clip)
        wanted_s = (original.media_start_s or Fraction(0)) + original.source.start_s
        found_s = (added.media_start_s or Fraction(0)) + added.source.start_s
        # A format of whole frames may round, by half a frame at most, if it says so.
        step_s = 1 / original.frame_rate if rounded and original.frame_rate else Fraction(0)
        assert abs(found_s - wanted_s) <= step_s / 2
        assert added.source.duration_s == clip.record.duration_s


def test_5_the_file_entry_tells_the_truth(done: Conformed) -> None:
    media = {clip.media.path: clip.media for clip in done.clips()}
    entries = done.kit.entries(done.delivered, done.plan)
    assert {path_of_url(entry.url) for entry in entries} == set(media)
    for entry in entries:
        path = path_of_url(entry.url)
        assert path is not None
        truth = media[path]
        assert entry.start_s in (None, truth.start_s)
        if entry.duration_s is not None:
            assert abs(entry.duration_s - truth.duration_s) <= entry.duration_step_s
        assert entry.rate_hz in (None, truth.rate_hz)
        assert entry.channels in (None, truth.channels)
        assert "#" not in entry.url
        assert " " not in entry.url
        assert entry.url.isascii()


def test_5_ids_are_unique(done: Conformed) -> None:
    before = set(done.kit.repeated_ids(done.original))
    assert set(done.kit.repeated_ids(done.delivered)) <= before


def test_6_what_is_left_alone_is_untouched(done: Conformed) -> None:
    for use in done.uses:
        if use.left_alone is not None:
            for address in use.addresses:
                before = done.kit.untouched(done.original, address)
                assert done.kit.untouched(done.delivered, address) == before


def test_6_originals_are_off_and_all_others_read_as_before(done: Conformed) -> None:
    after = {use.addresses: use for use in done.delivered_uses}
    for use in done.uses:
        again = after[use.addresses]
        assert (again.record, again.source, again.channels) == (
            use.record,
            use.source,
            use.channels,
        )
        if use.left_alone is None:
            assert again.left_alone is not None
            assert again.left_alone.reason is Reason.DISABLED
        else:
            assert again.left_alone == use.left_alone


def test_7_rates_and_drop_frame_stay(done: Conformed) -> None:
    before, after = done.facts, done.delivered_facts
    assert after.name == done.plan.timeline_name
    assert (after.rate, after.start_frame, after.drop_frame, after.sample_rate_hz) == (
        before.rate,
        before.start_frame,
        before.drop_frame,
        before.sample_rate_hz,
    )
    for clip, added in zip(done.clips(), done.added(), strict=True):
        assert added.frame_rate in (done.original_use(clip).frame_rate, None)


def test_8_an_empty_plan_changes_nothing(done: Conformed, tmp_path: Path) -> None:
    again = tmp_path / f"again{done.target.suffix}"
    plan = ConformPlan(done.delivered_facts.name)
    assert done.adapter.patch(done.target, plan, again) == ()
    assert done.kit.canonical(again.read_bytes()) == done.kit.canonical(done.delivered)


def test_8_markers_that_are_there_are_not_repeated(done: Conformed, tmp_path: Path) -> None:
    again = tmp_path / f"again{done.target.suffix}"
    plan = ConformPlan(done.delivered_facts.name, markers=done.plan.markers)
    done.adapter.patch(done.target, plan, again)
    assert done.kit.canonical(again.read_bytes()) == done.kit.canonical(done.delivered)


def test_tracks_that_are_offers_are_switched_off(done: Conformed, tmp_path: Path) -> None:
    """Best efforts with all that the originals carry, and plain clips at places of their own."""
    clips = [clip for clip in done.clips() if clip.record.duration_s >= Fraction(1, 2)]
    if not clips:
        return
    first = clips[0]
    places = Span(first.record.start_s, 1 / done.facts.rate * 5)
    plain = replace(first, record=places, source_in_s=Fraction(0), plain=True)
    tracks = (
        CleanTrack("DX offer 1", first.media.channels, (first,), enabled=False),
        CleanTrack("DX tone 1", first.media.channels, (plain,), enabled=False),
    )
    plan = ConformPlan("Cut clean", tracks)
    target = tmp_path / f"offers{done.target.suffix}"
    done.adapter.patch(done.path, plan, target)
    delivered = target.read_bytes()
    undone = done.kit.undo(done.original, delivered, plan)
    assert done.kit.canonical(undone) == done.kit.canonical(done.original)
    found = [
        use
        for use in read_uses(done.adapter.read(target))
        if path_of_url(use.media_url) == first.media.path
    ]
    if done.facts.format != "edl":  # whose lists stand beside it, and are not imported
        assert [use.record for use in found] == [first.record, places]
    assert all(use.left_alone is not None for use in found)
    for use in found:
        assert use.left_alone is not None
        assert use.left_alone.reason in (Reason.DISABLED, Reason.MUTED)


def test_9_clips_of_one_source_share_a_file(done: Conformed) -> None:
    entries: dict[Path | None, FileEntry] = {}
    for entry in done.kit.entries(done.delivered, done.plan):
        assert entries.setdefault(path_of_url(entry.url), entry) == entry
    shared_by = Counter(clip.media.path for clip in done.clips())
    for path, count in shared_by.items():
        playing = [use for use in done.delivered_uses if path_of_url(use.media_url) == path]
        assert len(playing) == count
