"""Real exports: read as a person reads them, patched and undone to the canonical byte."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from testkit import fcpxml_undo as kit
from testkit.fcpxml import ADAPTER, is_valid
from testkit.passthrough_plan import passthrough_plan
from testkit.shared import shared

from nlecompanion.model import ConformPlan, Loss, Reason, Span, TimelineMarker, Use
from nlecompanion.timeline.choice import choose
from nlecompanion.timeline.contract import timeline_facts
from nlecompanion.timeline.uses import read_uses

#: Document: (all uses, uses that may be cleaned).
DOCUMENTS = {
    "llc_FCPXML_1_9.fcpxml": (173, 173),
    "ofk_23.98.fcpxml": (10, 6),
    "ofk_360Video.fcpxml": (1, 1),
    "ofk_50.fcpxml": (20, 8),
    "ofk_AudioOnly.fcpxml": (5, 5),
    "ofk_ClipMetadata.fcpxml": (1, 1),
    "ofk_CompoundClipSample.fcpxml": (1, 0),
    "ofk_CutSample.fcpxml": (4, 4),
    "ofk_Keywords.fcpxml": (6, 6),
    "ofk_MulticamMarkers2.fcpxml": (2, 1),
    "ofk_MulticamSample.fcpxml": (2, 1),
    "ofk_MulticamSampleWithCuts.fcpxml": (9, 7),
    "ofk_Occlusion3.fcpxml": (9, 5),
    "ofk_SyncClip.fcpxml": (2, 1),
    "ofk_TimelineWithSecondaryStoryline.fcpxml": (12, 12),
    "ofk_TimelineWithSecondaryStorylineWithAudioKeyframes.fcpxml": (12, 12),
    "resolve_tsvedl_broll2.fcpxml": (1, 1),
}
#: No sound in any of these: pictures, titles and silent media.
SILENT = (
    "ofk_1920x1080.fcpxml",
    "ofk_4096x2160.fcpxml",
    "ofk_5120x2160.fcpxml",
    "ofk_AuditionMarkers2.fcpxml",
    "ofk_BasicMarkers.fcpxml",
    "ofk_BasicMarkers_1HourProjectStart.fcpxml",
    "ofk_CompoundClips.fcpxml",
    "ofk_Custom500x500.fcpxml",
    "ofk_HiddenMarkers.fcpxml",
    "ofk_ImageSample.fcpxml",
    "ofk_Occlusion.fcpxml",
    "ofk_Occlusion2.fcpxml",
    "ofk_PhotoshopSample1.fcpxml",
    "ofk_RolesList.fcpxml",
    "ofk_TransitionMarkers1.fcpxml",
    "ofk_TransitionMarkers2.fcpxml",
    "ofk_TwoClipsMarkers.fcpxml",
    "scenedet_2997fps-rubric-clips.fcpxml",
    "scenedet_60fps-rubric-clips.fcpxml",
    "scenedet_60fps-rubric-compound-clips.fcpxml",
    "scenedet_60fps-rubric-markers.fcpxml",
)
MARKERS = (
    TimelineMarker(Span(Fraction(1), Fraction(2)), "DX not cleaned: retimed", "50 % speed", "RED"),
    TimelineMarker(Span(Fraction(3), Fraction(0)), "DX not cleaned: offline", "Ünnamed", "BLUE"),
)


def corpus(name: str) -> Path:
    return shared(f"timelines/corpus/fcpxml/{name}")


def uses_of(name: str) -> tuple[Use, ...]:
    return read_uses(ADAPTER.read(corpus(name)))


def frames(use: Use, rate: Fraction) -> tuple[Any, ...]:
    """Record in and out and source in, in frames."""
    return use.record.start_s * rate, use.record.end_s * rate, use.source.start_s * rate


def conform(
    path: Path, folder: Path, markers: Sequence[TimelineMarker] = MARKERS, name: str = "Cut clean"
) -> tuple[bytes, bytes, ConformPlan, tuple[Loss, ...]]:
    plan = passthrough_plan(ADAPTER.read(path), folder / "Töne #1", name, markers=markers)
    target = folder / "delivered.fcpxml"
    losses = ADAPTER.patch(path, plan, target)
    return path.read_bytes(), target.read_bytes(), plan, losses


def test_every_document_is_among_the_tested() -> None:
    found = {path.name for path in shared("timelines/corpus/fcpxml").iterdir()}
    assert found == {*DOCUMENTS, *SILENT}


@pytest.mark.parametrize("name", [*DOCUMENTS, *SILENT])
def test_every_document_is_recognised_and_read(name: str) -> None:
    path = corpus(name)
    assert ADAPTER.score(path, path.read_bytes()[:65_536]) == 100
    uses = read_uses(ADAPTER.read(path))
    eligible = [use for use in uses if use.left_alone is None]
    assert (len(uses), len(eligible)) == DOCUMENTS.get(name, (0, 0))
    assert all(use.record.duration_s == use.source.duration_s for use in eligible)
    assert len({use.addresses for use in uses}) == len(uses)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_undoing_the_conform_gives_the_document_back(name: str, tmp_path: Path) -> None:
    original, delivered, plan, _ = conform(corpus(name), tmp_path)
    assert kit.canonical(kit.undo(original, delivered, plan)) == kit.canonical(original)
    assert kit.canonical_picture(delivered) == kit.canonical_picture(original)
    assert kit.repeated_ids(delivered) == []
    assert delivered.splitlines()[:3] == original.splitlines()[:3]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_conformed_document_follows_its_dtd(name: str, tmp_path: Path) -> None:
    original, delivered, _, _ = conform(corpus(name), tmp_path)
    assert is_valid(original)
    assert is_valid(delivered)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_clean_clips_lie_where_the_originals_lie_and_sound_the_same_instant(
    name: str, tmp_path: Path
) -> None:
    conform(corpus(name), tmp_path)
    after = read_uses(ADAPTER.read(tmp_path / "delivered.fcpxml"))
    eligible = [use for use in uses_of(name) if use.left_alone is None]
    clean = [use for use in after if use.track.startswith("DX clean")]
    assert sorted(map(place, clean)) == sorted(map(place, eligible))
    rest = [use for use in after if not use.track.startswith("DX clean")]
    assert all(use.left_alone is not None for use in rest)


def place(use: Use) -> tuple[Fraction, Fraction, Fraction, int]:
    instant_s = (use.media_start_s or Fraction(0)) + use.source.start_s
    return use.record.start_s, use.record.end_s, instant_s, len(use.channels or ())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_conformed_document_can_be_conformed_again(name: str, tmp_path: Path) -> None:
    conform(corpus(name), tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    once, twice, plan, _ = conform(tmp_path / "delivered.fcpxml", again, (), "Cut clean 2")
    assert kit.canonical(kit.undo(once, twice, plan)) == kit.canonical(once)
    assert kit.repeated_ids(twice) == []
    assert is_valid(twice)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_second_run_finds_nothing_to_clean(name: str, tmp_path: Path) -> None:
    conform(corpus(name), tmp_path)
    again = choose(read_uses(ADAPTER.read(tmp_path / "delivered.fcpxml")), (), Fraction(0))
    assert all(use.left_alone is not None for use in again)


def test_d4_music_and_effects_are_cleaned_only_when_asked_for(tmp_path: Path) -> None:
    uses = uses_of("ofk_AudioOnly.fcpxml")
    assert {use.role for use in uses} == {"music.music-1", "effects"}
    chosen = choose(uses, (), Fraction(1, 2))
    assert {u.left_alone and u.left_alone.reason for u in chosen} == {Reason.MUSIC_ROLE}
    asked = choose(uses, ("effects",), Fraction(1, 2))
    assert [use.name for use in asked if use.left_alone is None] == ["Water Lake 3"] * 2
    # Sound only: the clip is disabled, and the new one has the same form.
    original, delivered, _, _ = conform(corpus("ofk_AudioOnly.fcpxml"), tmp_path)
    new = kit.added_clips(original, delivered)
    assert {clip.get("format") for clip in new} == {"r4"}
    assert {(clip.get("audioRole") or "").partition(".")[0] for clip in new} == {"music", "effects"}
    old = [
        c for c in etree.fromstring(delivered).iter("asset-clip") if c.get("ref") in ("r2", "r3")
    ]
    assert {clip.get("enabled") for clip in old} == {"0"}


def test_d5_the_synced_sound_is_mono_and_in_its_place(tmp_path: Path) -> None:
    sound, video = uses_of("ofk_SyncClip.fcpxml")
    assert video.left_alone is not None
    assert video.left_alone.reason is Reason.MUTED
    assert (sound.name, sound.role, sound.channels) == ("TestAudio", "effects.effects-1", (0,))
    assert sound.record == Span(Fraction(0), Fraction(3_744_914, 720_000))
    assert sound.media_start_s == 0
    assert sound.source.start_s == 0
    facts = timeline_facts(ADAPTER.read(corpus("ofk_SyncClip.fcpxml")))
    assert facts.rate == 25
    assert (facts.start_frame, facts.sample_rate_hz) == (90_000, 48_000)
    original, delivered, _, _ = conform(corpus("ofk_SyncClip.fcpxml"), tmp_path)
    (asset,) = kit.added_assets(original, delivered)
    (clip,) = kit.added_clips(original, delivered)
    assert asset.get("audioChannels") == "1"
    parent = clip.getparent()
    assert parent is not None
    assert (parent.tag, clip.get("offset"), clip.get("lane")) == ("sync-clip", "0s", "-2")


def test_d6_the_audio_angle_is_found_and_angles_stay_switched(tmp_path: Path) -> None:
    name = "ofk_MulticamSampleWithCuts.fcpxml"
    rate = Fraction(24_000, 1001)
    uses = [use for use in uses_of(name) if use.left_alone is None]
    assert [use.media_url.rpartition("/")[2] for use in uses] == [
        "4CH001I.wav",
        "Day2_InterviewOwners_02_B.mov",
        "Day2_InterviewOwners_02_B.mov",
        "Day2_InterviewOwners_02_A.mov",
        "Day2_InterviewOwners_02_A.mov",
        "Day2_InterviewOwners_02_B.mov",
        "4CH001I.wav",
    ]
    assert frames(uses[0], rate) == (0, 1137, 0)
    assert uses[0].media_start_s == 41_029
    # Angle B starts 304 frames into the multicam clip, A 260.
    assert frames(uses[1], rate) == (1137, 1947, 1137 - 304)
    assert frames(uses[3], rate) == (2803, 3632, 2803 - 260)
    assert frames(uses[6], rate) == (5774, 6630, 5774)
    _, delivered, _, _ = conform(corpus(name), tmp_path)
    switches = [
        [source.get("srcEnable") for source in clip.iterfind("mc-source")]
        for clip in etree.fromstring(delivered).iter("mc-clip")
    ]
    assert switches == [["video", "none"], *[["video"]] * 5, ["video", "none"]]


def test_d7_pieces_of_one_file_count_from_the_file() -> None:
    name = "llc_FCPXML_1_9.fcpxml"
    uses = uses_of(name)
    facts = timeline_facts(ADAPTER.read(corpus(name)))
    assert facts.rate == 25
    assert (facts.start_frame, facts.drop_frame) == (90_000, False)
    assert {use.media_url for use in uses} == {"file:///Users/Per/Movies/Test/input.mov"}
    # Each asset starts where its piece does; that is no clock of the file's own.
    assert {use.media_start_s for use in uses} == {None}
    assert frames(uses[0], Fraction(25)) == (0, 346, 0)
    assert frames(uses[1], Fraction(25)) == (346, 626, 346)
    assert all(use.record.start_s == use.source.start_s for use in uses)
    short = [u for u in choose(uses, (), Fraction(1, 2)) if u.left_alone is not None]
    assert {use.left_alone.reason for use in short if use.left_alone} == {Reason.TOO_SHORT}
    assert min(use.record.duration_s for use in short) == Fraction(1, 25)


def test_a_split_edit_is_read_where_its_sound_lies() -> None:
    uses = uses_of("ofk_TimelineWithSecondaryStorylineWithAudioKeyframes.fcpxml")
    use = next(u for u in uses if u.name == "00000")
    rate = Fraction(24_000, 1001)
    # The picture is cut in at 278; audioStart is 49 frames before start.
    assert frames(use, rate) == (278 - 49, 278 - 49 + 565, 2475)


def test_a_conformed_rate_is_a_speed() -> None:
    uses = uses_of("ofk_50.fcpxml")
    reasons = [str(use.left_alone) for use in uses if use.left_alone is not None]
    assert sum("23.98 frames a second" in reason for reason in reasons) == 5
    assert sum("is conformed" in reason for reason in reasons) == 3


def test_a_compound_clip_of_many_sounds_is_left_with_a_sentence() -> None:
    (use,) = uses_of("ofk_CompoundClipSample.fcpxml")
    assert use.left_alone is not None
    assert use.left_alone.reason is Reason.NESTED
    assert "12 sounds" in use.left_alone.detail


def test_volume_keyframes_and_noise_reduction_come_along(tmp_path: Path) -> None:
    name = "ofk_TimelineWithSecondaryStorylineWithAudioKeyframes.fcpxml"
    original, delivered, _, _ = conform(corpus(name), tmp_path)
    old = next(c for c in etree.fromstring(original).iter("asset-clip") if c.get("name") == "00000")
    wanted = [frame.attrib for frame in old.iterfind("adjust-volume//keyframe")]
    assert len(wanted) == 4
    new = [
        clip
        for clip in kit.added_clips(original, delivered)
        if [frame.attrib for frame in clip.iterfind("adjust-volume//keyframe")] == wanted
    ]
    assert len(new) == 1
    assert new[0].find("adjust-volume/param/fadeIn") is not None
    assert new[0].find("audio-channel-source/adjust-noiseReduction") is not None
