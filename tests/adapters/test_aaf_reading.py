"""What is read from AAFs: real ones of every editor, and ones of our own making."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from testkit import aaf
from testkit.shared import shared

from nlecompanion.errors import DocumentError
from nlecompanion.model import Reason, Use
from nlecompanion.plugins import adapter_for, adapters
from nlecompanion.timeline.contract import timeline_facts
from nlecompanion.timeline.uses import read_uses

ADAPTER = adapters()["aaf"]
CORPUS = "timelines/corpus/aaf"
#: Document, rate, first frame, drop-frame.
CLOCKS = [
    ("MC_TC_23.976.aaf", Fraction(24_000, 1001), 86_400, False),
    ("MC_TC_25.aaf", Fraction(25), 90_000, False),
    ("MC_TC_59.94_NDF.aaf", Fraction(60_000, 1001), 216_000, False),
    ("MC_TC_119.88_DF.aaf", Fraction(120_000, 1001), 431_568, True),
    ("MC_TC_120_DF.aaf", Fraction(120), 431_568, True),
    ("otio_2997fps-DFTC.aaf", Fraction(30_000, 1001), 539_460, True),
    ("PT_AIFF_External.aaf", Fraction(30), 0, False),
]


def uses_of(path: Path) -> tuple[Use, ...]:
    return read_uses(ADAPTER.read(path))


def specimen(label: str, folder: Path) -> tuple[Use, ...]:
    return uses_of(aaf.SPECIMENS[label](folder / "cut.aaf"))


@pytest.mark.parametrize(("name", "rate", "start", "drop"), CLOCKS)
def test_rates_and_timecode(name: str, rate: Fraction, start: int, drop: bool) -> None:
    facts = timeline_facts(ADAPTER.read(shared(f"{CORPUS}/{name}")))
    assert (facts.rate, facts.start_frame, facts.drop_frame) == (rate, start, drop)


def test_every_real_document_is_read_or_refused_with_a_sentence() -> None:
    refused = {}
    counts = Counter[str]()
    for path in sorted(shared(CORPUS).glob("*.aaf")):
        assert adapter_for(path).name == "aaf"
        try:
            uses = uses_of(path)
        except DocumentError as error:
            refused[path.name] = str(error)
            continue
        counts["clips"] += len(uses)
        counts["open"] += sum(use.left_alone is None for use in uses)
    assert list(refused) == ["otio_multiple_top_level_mobs.aaf"]
    assert "2 sequences (nestTest2, testNest30_2)" in refused["otio_multiple_top_level_mobs.aaf"]
    assert counts == {"clips": 186, "open": 157}


def test_positions_count_samples_where_the_track_does() -> None:
    uses = uses_of(shared(f"{CORPUS}/DR_Stereo_Clip_Positioning.aaf"))
    assert [use.record.start_s * 48_000 for use in uses] == [0, 200_000, 432_000, 659_321]
    assert {use.record.duration_s * 48_000 for use in uses} == {93_860}
    assert {use.channels for use in uses} == {(0, 1)}


def test_a_crossfade_reaches_over_the_cut() -> None:
    uses = uses_of(shared(f"{CORPUS}/otio_transitions.aaf"))
    first = [use for use in uses if use.track_number == 1]
    frames = [
        tuple(float(time_s * 24) for time_s in (u.record.start_s, u.record.end_s, u.source.start_s))
        for u in first
    ]
    assert frames == [(0, 117, 0), (117, 194, 123), (247, 391, 55), (391, 521, 0)]
    fades = [(float(use.lead_s * 24), float(use.tail_s * 24)) for use in first]
    assert fades == [(0, 0), (48, 12), (24, 0), (0, 0)]


def test_the_imported_file_is_where_the_sound_lies_too() -> None:
    use = uses_of(shared(f"{CORPUS}/otio_transitions.aaf"))[-1]
    assert use.media_url.endswith(".mxf")
    assert use.channels == (0,)
    assert [place.channels for place in use.elsewhere] == [(1,), (1,)]
    assert use.elsewhere[0].media_url == "/Users/joshm/Desktop/DemoClips/brokchrd (loop)-HD.mp4"


def test_muted_tracks_are_left_alone() -> None:
    solo, muted = uses_of(shared(f"{CORPUS}/MC_Track_Solo_Mute.aaf"))
    assert solo.left_alone is None
    assert muted.left_alone is not None
    assert muted.left_alone.reason is Reason.MUTED


def test_a_tape_behind_the_file_says_its_timecode() -> None:
    name = "otio_subclip_sourceclip_references_compositionmob_with_mastermob.aaf"
    (use,) = uses_of(shared(f"{CORPUS}/{name}"))
    assert use.media_start_s == Fraction(360_566, 24)
    assert use.source.start_s == Fraction(1102, 24)


def test_why_clips_are_left_alone(tmp_path: Path) -> None:
    uses = specimen("avid 25", tmp_path)
    reasons = {u.addresses[0]: u.left_alone.reason for u in uses if u.left_alone is not None}
    assert reasons == {
        "S3/0": Reason.DISABLED,
        "S3/1": Reason.RETIMED,
        "S3/4": Reason.GENERATED,
        "S4/0": Reason.MUTED,
    }


def test_each_slot_is_a_channel_of_the_file(tmp_path: Path) -> None:
    uses = specimen("premiere 29.97 DF", tmp_path)
    assert [use.channels for use in uses] == [(0,), (0,), (1,), (0,)]
    assert {use.frame_rate for use in uses} == {Fraction(30_000, 1001)}
    assert uses[0].media_start_s == 1799 / Fraction(30_000, 1001)


def test_channels_of_several_files_are_no_one_clip() -> None:
    uses = uses_of(shared(f"{CORPUS}/PT_Multichannel_stereo_multi_source.aaf"))
    assert {use.left_alone.reason for use in uses if use.left_alone} == {Reason.UNSUPPORTED}
