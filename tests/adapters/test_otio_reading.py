"""Reading `.otio`: exact places, and a reason for each item that is not worked on."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from testkit import otio_json as otio
from testkit.otio_specimens import SPECIMENS
from testkit.shared import shared

from nlecompanion import plugins
from nlecompanion.errors import UnsupportedDocument
from nlecompanion.model import LeftAlone, Reason, Span, TimelineFacts, Use
from nlecompanion.timeline.contract import timeline_facts
from nlecompanion.timeline.uses import read_uses

ADAPTER = plugins.adapters()["otio"]
NTSC_24 = Fraction(24_000, 1001)


def read(tmp_path: Path, tree: Any) -> tuple[TimelineFacts, tuple[Use, ...]]:
    timeline = ADAPTER.read(otio.write(tmp_path / "cut.otio", tree))
    return timeline_facts(timeline), read_uses(timeline)


def reasons(uses: tuple[Use, ...]) -> list[Reason | None]:
    return [None if use.left_alone is None else use.left_alone.reason for use in uses]


def test_places_add_up_exactly_over_an_hour(tmp_path: Path) -> None:
    rate = 23.976
    clips = [otio.clip(86400.0 + n, 1.0, rate) for n in range(3000)]
    facts, uses = read(tmp_path, otio.timeline([otio.track(clips)], rate))
    assert facts.rate == NTSC_24
    assert facts.start_frame == 86400
    assert uses[-1].record == Span(2999 / NTSC_24, 1 / NTSC_24)
    assert uses[-1].source.start_s == 2999 / NTSC_24
    assert uses[-1].media_start_s == 86400 / NTSC_24
    assert uses[-1].frame_rate == NTSC_24


def test_25_fps_media_in_a_23_976_timeline(tmp_path: Path) -> None:
    clip = otio.clip(90250.0, 48.0, 25.0, reference=otio.media(start=90000.0, rate=25.0))
    clip["source_range"]["duration"] = otio.rt(48.0, 23.976023976023978)
    _, (use,) = read(tmp_path, otio.timeline([otio.track([clip])], 23.976023976023978))
    assert use.source == Span(Fraction(10), 48 / NTSC_24)
    assert use.record == Span(Fraction(0), 48 / NTSC_24)
    assert use.frame_rate == 25


def test_reasons_stand_beside_what_they_are_about(tmp_path: Path) -> None:
    _, uses = read(tmp_path, SPECIMENS["left alone"])
    assert reasons(uses) == [
        None,
        Reason.RETIMED,
        Reason.REVERSED,
        Reason.FROZEN,
        Reason.OFFLINE,
        Reason.GENERATED,
        Reason.NESTED,
        None,
        Reason.DISABLED,
    ]
    assert uses[7].record == Span(Fraction(160, 24), Fraction(20, 24))


@pytest.mark.parametrize(
    ("effect", "reason"),
    [
        (otio.time_warp(1), None),
        (otio.time_warp(1.0001), Reason.RETIMED),
        (otio.time_warp(0), Reason.FROZEN),
        (otio.time_warp(-0.5), Reason.REVERSED),
        (otio.time_warp(2) | {"enabled": False}, None),
        ({"OTIO_SCHEMA": "TimeEffect.1", "metadata": {}, "effect_name": "x"}, Reason.RETIMED),
        ({"OTIO_SCHEMA": "Effect.1", "metadata": {}, "effect_name": "Time stretch EQ"}, None),
    ],
)
def test_only_a_time_effect_that_is_on_is_a_reason(
    tmp_path: Path, effect: Any, reason: Reason | None
) -> None:
    on_clip = otio.track([otio.clip(86400.0, 20.0, effects=[effect])])
    on_track = otio.track([otio.clip(86400.0, 20.0)], effects=[effect])
    _, uses = read(tmp_path, otio.timeline([on_clip, on_track]))
    assert reasons(uses)[0] == reason
    assert reasons(uses)[1] == reason


def test_the_active_media_reference_counts(tmp_path: Path) -> None:
    clip = otio.clip(1000.0, 20.0)
    clip["media_references"]["proxy"] = otio.media("/proxy/A003.mov", start=990.0)
    clip["active_media_reference_key"] = "proxy"
    _, (use,) = read(tmp_path, otio.timeline([otio.track([clip])]))
    assert use.media_url == "/proxy/A003.mov"
    assert use.source.start_s == Fraction(10, 24)


def test_trims_of_track_and_stack_are_honoured(tmp_path: Path) -> None:
    """The specimen's track lets 20 to 220 through, its stack 10 to 170 of that (24 fps)."""
    _, uses = read(tmp_path, SPECIMENS["trimmed"])
    frames = [
        tuple(int(second * 24) for second in (use.record.start_s, use.record.duration_s))
        for use in uses
    ]
    assert frames == [(0, 70), (80, 50), (130, 30)]
    heads = [int(use.source.start_s * 24) for use in uses]
    assert heads == [86530 - 86400, 87000 - 86400, 88000 - 86400]


def test_transitions_reach_beyond_the_cut(tmp_path: Path) -> None:
    _, uses = read(tmp_path, SPECIMENS["transitions"])
    reach = [(int(use.lead_s * 24), int(use.tail_s * 24)) for use in uses]
    assert reach == [(0, 7), (5, 4), (4, 3), (3, 0)]


def test_resolve_says_which_channels(tmp_path: Path) -> None:
    facts, uses = read(tmp_path, SPECIMENS["resolve"])
    assert [use.channels for use in uses] == [(0, 1), (0, 1), (1,)]
    assert facts.rate == NTSC_24


def test_resolves_later_source_tracks_lie_after_the_first(tmp_path: Path) -> None:
    """A recorder's file with a stereo pair a track: the third track's right channel is the 6th."""
    channels = [
        [{"Source Track ID": 0, "Source Channel ID": c} for c in (0, 1)],
        [{"Source Track ID": 2, "Source Channel ID": 1}],
    ]
    clips = [
        otio.clip(86400.0, 20.0, metadata={otio.RESOLVE: {"Channels": entries}})
        for entries in channels
    ]
    _, uses = read(tmp_path, otio.timeline([otio.track(clips)]))
    assert [use.channels for use in uses] == [(0, 1), (5,)]


def test_premiere_says_rates_and_channels_and_retimed_lengths(tmp_path: Path) -> None:
    facts, uses = read(tmp_path, SPECIMENS["premiere"])
    assert facts.rate == 25
    assert facts.sample_rate_hz == 44_100
    assert uses[0].channels == (1,)
    # 50 frames at 200 % last 25; 35 at 150 % last no whole number, so what follows is not known.
    assert [use.record.start_s * 25 for use in uses[:4]] == [0, 50, 75, 100]
    assert reasons(uses) == [None, Reason.RETIMED, None, Reason.RETIMED, Reason.UNSUPPORTED]


def test_a_channel_group_that_premiere_does_not_explain_is_left_alone(tmp_path: Path) -> None:
    channels = {"SecondaryAssignments": [{"SecondaryChannelIndex": 0}]}
    metadata = {otio.PREMIERE: {"AudioChannels": channels, "OriginalChannelGroupIndex": 1}}
    clip = otio.clip(86400.0, 20.0, metadata=metadata)
    _, (use,) = read(tmp_path, otio.timeline([otio.track([clip])]))
    assert reasons((use,)) == [Reason.UNSUPPORTED]


def test_premieres_mute_counts(tmp_path: Path) -> None:
    parameters = [{"DisplayName": "Mute", "ID": 0, "StartValue": {"Value": True}}]
    mute = {
        "OTIO_SCHEMA": "Effect.1",
        "metadata": {otio.PREMIERE: {"Parameters": parameters}},
        "name": "",
        "effect_name": "Volume",
    }
    on_clip = otio.track([otio.clip(86400.0, 20.0, effects=[mute])])
    on_track = otio.track([otio.clip(86400.0, 20.0)], effects=[mute])
    _, uses = read(tmp_path, otio.timeline([on_clip, on_track]))
    assert reasons(uses) == [Reason.MUTED, Reason.MUTED]


def test_positions_on_samples_have_no_frame_rate(tmp_path: Path) -> None:
    _, uses = read(tmp_path, SPECIMENS["samples"])
    assert [use.frame_rate for use in uses] == [None, None]
    assert uses[0].source == Span(Fraction(65_434, 48_000), Fraction(96_001, 48_000))


def test_drop_frame_only_where_a_program_says_so(tmp_path: Path) -> None:
    tree = otio.timeline([otio.track([otio.clip(0.0, 9.0, 29.97)])], 29.97)
    assert read(tmp_path, tree)[0].drop_frame is False
    tree["metadata"] = {otio.RESOLVE: {"Drop Frame": True}}
    assert read(tmp_path, tree)[0].drop_frame is True
    tree["global_start_time"] = otio.rt(0.0, 25.0)
    assert read(tmp_path, tree)[0].drop_frame is False


def test_what_we_made_ourselves_is_known_again(tmp_path: Path) -> None:
    ours = otio.media() | {"metadata": {"nlecompanion": {"id": "m1"}}}
    _, (use,) = read(
        tmp_path, otio.timeline([otio.track([otio.clip(86400.0, 9.0, reference=ours)])])
    )
    assert reasons((use,)) == [Reason.ALREADY_CLEANED]


def test_a_picture_only_timeline_has_no_uses(tmp_path: Path) -> None:
    assert read(tmp_path, otio.timeline([otio.picture()]))[1] == ()


def test_a_clip_without_length_leaves_no_place_for_what_follows(tmp_path: Path) -> None:
    clip = otio.clip(0.0, 1.0, source_range=None)
    clip["media_references"]["DEFAULT_MEDIA"]["available_range"] = None
    with pytest.raises(UnsupportedDocument, match="A003 on track 'A1' has no source range"):
        read(tmp_path, otio.timeline([otio.track([clip])]))


def test_two_timelines_are_one_too_many(tmp_path: Path) -> None:
    tree = SPECIMENS["collection"] | {"children": [otio.timeline([otio.picture()])] * 2}
    with pytest.raises(UnsupportedDocument, match="2 timelines"):
        read(tmp_path, tree)


def test_case_d8_only_whole_speed_is_cleaned() -> None:
    """The Avid timeline of time warps: its sound is cut where its picture is retimed."""
    path = shared("timelines/corpus/otio/jminor_time_warp_test_suite.otio")
    timeline = ADAPTER.read(path)
    uses = read_uses(timeline)
    assert len(uses) == 31
    assert {use.left_alone for use in uses} == {None}
    assert {use.media_start_s for use in uses} == {Fraction(3600)}
    assert all(
        LeftAlone(Reason.RETIMED) != use.left_alone and not effects
        for use, effects in zip(uses, _sound_effects(path), strict=True)
    )


def _sound_effects(path: Path) -> list[Any]:
    tracks = otio.timeline_of(otio.loads(path.read_bytes()))["tracks"]["children"]
    return [
        child["effects"]
        for track in tracks
        for child in track["children"]
        if track["kind"] == "Audio" and child["OTIO_SCHEMA"] == "Clip.2"
    ]


def test_case_of_a_user_whose_track_trims_itself() -> None:
    timeline = ADAPTER.read(shared("timelines/corpus/otio/llc_otio.otio"))
    uses = read_uses(timeline)
    assert [use.record.start_s * 60 for use in uses] == [0, 270, 25222]
    assert [use.source.start_s * 60 for use in uses] == [0, 3982, 270]
    assert uses[0].media_url.startswith("G:/汐洛定制女包/")
