"""What each kind of clip becomes, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from testkit import fcpxml_undo as kit
from testkit.fcpxml import ADAPTER, RATES, VERSIONS, Writer, is_valid, specimen
from testkit.passthrough_plan import passthrough_plan

from nlecompanion.model import ConformPlan, Loss, Reason, Span, TimelineMarker, Use
from nlecompanion.timeline.contract import timeline_facts
from nlecompanion.timeline.uses import read_uses

OFF = {Reason.DISABLED, Reason.MUTED}


@dataclass
class Done:
    original: bytes
    delivered: bytes
    plan: ConformPlan
    losses: tuple[Loss, ...]
    uses: tuple[Use, ...]
    after: tuple[Use, ...]

    @property
    def clips(self) -> list[etree._Element]:
        return kit.added_clips(self.original, self.delivered)

    def clip(self) -> etree._Element:
        (clip,) = self.clips
        return clip

    def element(self, address: str) -> etree._Element:
        return kit.element_at(etree.fromstring(self.delivered), address)


def conform(folder: Path, data: bytes, *markers: TimelineMarker) -> Done:
    path, target = folder / "cut.fcpxml", folder / "out.fcpxml"
    path.write_bytes(data)
    timeline = ADAPTER.read(path)
    plan = passthrough_plan(timeline, folder / "#1 ü", markers=markers)
    losses = ADAPTER.patch(path, plan, target)
    delivered = target.read_bytes()
    done = Done(data, delivered, plan, losses, read_uses(timeline), read_uses(ADAPTER.read(target)))
    assert kit.canonical(kit.undo(data, delivered, plan)) == kit.canonical(data)
    assert kit.canonical_picture(delivered) == kit.canonical_picture(data)
    assert kit.repeated_ids(delivered) == []
    return done


def one_clip(folder: Path, inner: str = "", picture: bool = True, **attributes: str) -> Done:
    write = Writer()
    film = write.asset("film", 3600, picture=picture)
    write.items = [write.clip(film, "0s", 50, 100, inner, **attributes)]
    return conform(folder, write.document())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("rate", RATES[:4])
def test_every_kind_of_clip_in_every_version(
    tmp_path: Path, version: tuple[int, int], rate: Fraction
) -> None:
    done = conform(tmp_path, specimen(rate, version, start_frame=86_400))
    assert is_valid(done.original)
    assert is_valid(done.delivered)
    eligible = [use for use in done.uses if use.left_alone is None]
    assert len(eligible) == len(done.clips) == 9
    records: list[Any] = sorted(
        (u.record.start_s * rate, u.record.duration_s * rate) for u in eligible
    )
    assert records == [
        (0, 100),
        (10, 60),
        (150, 40),
        (150, 40),
        (250, 80),
        (330, 70),
        (400, 60),
        (460, 60),
        (560, 60),
    ]
    clean = [use for use in done.after if use.track.startswith("DX clean")]
    assert sorted(map(_instant, clean)) == sorted(map(_instant, eligible))


def _instant(use: Use) -> tuple[Fraction, Fraction, Fraction]:
    return (
        use.record.start_s,
        use.record.end_s,
        (use.media_start_s or Fraction(0)) + use.source.start_s,
    )


def test_drop_frame_and_the_start_stay(tmp_path: Path) -> None:
    rate = Fraction(30_000, 1001)
    path = tmp_path / "cut.fcpxml"
    path.write_bytes(specimen(rate, start_frame=107_892, tc_format="DF"))
    timeline = ADAPTER.read(path)
    facts = timeline_facts(timeline)
    assert (facts.rate, facts.start_frame, facts.drop_frame) == (rate, 107_892, True)


def test_picture_is_kept_where_there_is_one(tmp_path: Path) -> None:
    done = one_clip(tmp_path)
    original = done.element("/0:asset-clip")
    assert (original.get("srcEnable"), original.get("enabled")) == ("video", None)


def test_sound_alone_is_disabled(tmp_path: Path) -> None:
    done = one_clip(tmp_path, picture=False, enabled="1")
    original = done.element("/0:asset-clip")
    assert (original.get("srcEnable"), original.get("enabled")) == (None, "0")
    assert done.after[-1].left_alone is not None


def test_the_sound_of_a_film_used_without_its_picture_is_disabled(tmp_path: Path) -> None:
    done = one_clip(tmp_path, srcEnable="audio")
    original = done.element("/0:asset-clip")
    assert (original.get("srcEnable"), original.get("enabled")) == ("audio", "0")


def test_the_new_clip_lies_below_and_says_its_role(tmp_path: Path) -> None:
    done = one_clip(tmp_path, audioRole="Interview.Anna")
    clip = done.clip()
    assert dict(clip.attrib) == {
        "ref": "r2",
        "lane": "-1",
        "offset": "3602s",
        "name": "dx_001",
        "start": "3602s",
        "duration": "4s",
        "audioRole": "Interview.DX clean 1",
    }
    (asset,) = kit.added_assets(done.original, done.delivered)
    assert (asset.get("start"), asset.get("duration")) == ("3600s", "8s")
    (use,) = [use for use in done.after if use.left_alone is None]
    assert (use.track, use.role) == ("DX clean 1", "Interview.DX clean 1")


def test_one_component_of_several_is_switched_alone(tmp_path: Path) -> None:
    done = conform(tmp_path, specimen())
    element = done.element("/2/0:asset-clip")
    assert (element.get("enabled"), element.get("srcEnable")) == (None, None)
    parts = element.findall("audio-channel-source")
    assert [part.get("enabled") for part in parts] == ["0", "0", None]
    components = [clip.find("audio-channel-source") for clip in done.clips]
    (component,) = [c for c in components if c is not None]
    assert [child.tag for child in component] == ["adjust-noiseReduction"]
    assert component.get("srcCh") == "1"
    assert (component.get("role") or "").startswith("dialogue.DX clean ")


def test_channels_that_no_component_names_are_left(tmp_path: Path) -> None:
    write = Writer()
    iso = write.asset("iso", channels=4, picture=False)
    inner = '<audio-channel-source srcCh="1" role="dialogue.boom"/>'
    write.items = [write.clip(iso, "0s", 0, 50, inner)]
    done = conform(tmp_path, write.document())
    assert [use.channels for use in done.uses] == [(0,), (1, 2, 3)]
    assert done.uses[1].left_alone is not None
    assert done.uses[1].left_alone.reason is Reason.UNSUPPORTED


def test_a_volume_of_nested_levels_is_added_up(tmp_path: Path) -> None:
    write = Writer()
    film = write.asset("film")
    inner = write.clip(film, "0s", 0, 100, '<adjust-volume amount="-4dB"/>')
    write.items = [
        f'<sync-clip offset="0s" duration="4s"><adjust-volume amount="-2.5dB"/>{inner}</sync-clip>'
    ]
    volume = conform(tmp_path, write.document()).clip().find("adjust-volume")
    assert volume is not None
    assert volume.get("amount") == "-6.5dB"


def test_a_clip_turned_all_the_way_down_is_muted(tmp_path: Path) -> None:
    done = one_clip(tmp_path, '<adjust-volume amount="-96dB"/>')
    assert [use.left_alone and use.left_alone.reason for use in done.uses] == [Reason.MUTED]


def test_keyframes_move_with_the_clock(tmp_path: Path) -> None:
    fade = (
        '<adjust-volume><param name="amount"><keyframeAnimation><keyframe time="1s" value="-3dB"/>'
        "</keyframeAnimation></param></adjust-volume>"
    )
    write = Writer()
    film = write.asset("film", 3600)
    inner = write.clip(film, "0s", 50, 100)
    write.items = [f'<sync-clip offset="0s" duration="4s">{fade}{inner}</sync-clip>']
    keyframe = conform(tmp_path, write.document()).clip().find(".//keyframe")
    assert keyframe is not None
    # A second into the sync clip is 3603 s on the film's clock.
    assert keyframe.get("time") == "3603s"


def test_a_fade_that_a_window_cuts_is_left_alone(tmp_path: Path) -> None:
    fade = '<adjust-volume><param name="amount"><fadeIn duration="1s"/></param></adjust-volume>'
    write = Writer()
    film = write.asset("film")
    inner = write.clip(film, "0s", 0, 100, fade)
    write.items = [f'<sync-clip offset="0s" start="1s" duration="3s">{inner}</sync-clip>']
    (use,) = conform(tmp_path, write.document()).uses
    assert use.left_alone is not None
    assert use.left_alone.reason is Reason.UNSUPPORTED


TRANSITION = (
    '<transition name="Cross" offset="{0}" duration="1s"><filter-audio ref="r9"/></transition>'
)


def test_crossfades_and_fades_from_silence_come_along(tmp_path: Path) -> None:
    write = Writer()
    write.resources.append('<effect id="r9" name="Audio Crossfade" uid="FFAudioTransition"/>')
    film = write.asset("film")
    write.items = [
        TRANSITION.format("0s"),
        write.clip(film, "0s", 50, 100),
        TRANSITION.format("7/2s"),
        write.clip(film, "4s", 250, 100),
    ]
    done = conform(tmp_path, write.document())
    assert is_valid(done.delivered)
    assert done.losses == ()
    half_s = Fraction(1, 2)
    assert [(use.lead_s, use.tail_s) for use in done.uses] == [(0, half_s), (half_s, 0)]
    fades = [clip.find("adjust-volume/param/fadeIn") for clip in done.clips]
    assert fades[1] is None
    assert fades[0] is not None
    assert fades[0].get("duration") == "1s"
    spine = done.clips[0].getparent()
    assert spine is not None
    assert [(e.tag, e.get("offset"), e.get("duration")) for e in spine] == [
        ("asset-clip", "0s", "4s"),
        ("transition", "7/2s", "1s"),
        ("asset-clip", "4s", "4s"),
    ]
    clean = [use for use in done.after if use.track.startswith("DX clean")]
    assert sorted(map(_instant, clean)) == sorted(map(_instant, done.uses))


def test_a_crossfade_into_what_is_not_cleaned_is_a_loss(tmp_path: Path) -> None:
    write = Writer()
    write.resources.append('<effect id="r9" name="Audio Crossfade" uid="FFAudioTransition"/>')
    film = write.asset("film")
    write.items = [
        write.clip(film, "0s", 50, 100),
        TRANSITION.format("7/2s"),
        write.clip(film, "4s", 250, 100, enabled="0"),
    ]
    done = conform(tmp_path, write.document())
    assert [loss.where for loss in done.losses] == ["A1-001"]
    assert "crossfade at its end" in done.losses[0].what


def test_a_retimed_clip_says_how(tmp_path: Path) -> None:
    points = '<timeMap><timept time="0s" value="{0}"/><timept time="100s" value="{1}"/></timeMap>'
    for values, reason in (
        (("0s", "50s"), Reason.RETIMED),
        (("90s", "0s"), Reason.REVERSED),
        (("7s", "7s"), Reason.FROZEN),
    ):
        (use,) = one_clip(tmp_path, points.format(*values)).uses
        assert use.left_alone is not None
        assert use.left_alone.reason is reason
    (use,) = one_clip(tmp_path, points.format("3s", "103s")).uses
    assert use.left_alone is None
    assert use.source.start_s == 5
    assert use.record.duration_s == 4


def test_markers_stand_on_the_item_below_them(tmp_path: Path) -> None:
    rate = Fraction(24_000, 1001)
    red = TimelineMarker(Span(120 / rate, Fraction(1)), "DX not cleaned", "why & how", "RED")
    blue = TimelineMarker(Span(5 / rate, Fraction(0)), "Note", "", "BLUE")
    done = conform(tmp_path, specimen(rate, start_frame=86_400), red, blue)
    assert is_valid(done.delivered)
    root = etree.fromstring(done.delivered)
    marker = next(m for m in root.iter("marker") if m.get("value") == "DX not cleaned")
    parent = marker.getparent()
    assert parent is not None
    assert (marker.get("completed"), marker.get("note")) == ("0", "why & how")
    # The second clip plays from frame 900 of a film that starts at 4321; 20 frames into it.
    start = marker.get("start") or ""
    assert Fraction(start.removesuffix("s")) * rate == 4321 + 900 + 20
    plain = next(m for m in root.iter("marker") if m.get("value") == "Note")
    assert plain.get("completed") is None


def test_a_version_without_asset_clips_gets_audio_elements(tmp_path: Path) -> None:
    write = Writer(version=(1, 5))
    film = write.asset("film")
    audio = f'<audio ref="{film}" lane="-1" offset="0s" duration="3600s" role="dialogue"/>'
    video = f'<video ref="{film}" offset="0s" duration="3600s">{audio}</video>'
    write.items = [f'<clip offset="0s" name="c" start="2s" duration="4s">{video}</clip>']
    data = write.document()
    done = conform(tmp_path, data)
    assert is_valid(data)
    assert is_valid(done.delivered)
    clip = done.clip()
    assert (clip.tag, clip.get("role"), clip.get("srcCh")) == (
        "audio",
        "dialogue.DX clean 1",
        "1, 2",
    )


def test_a_bundle_becomes_a_bundle(tmp_path: Path) -> None:
    bundle, target = tmp_path / "cut.fcpxmld", tmp_path / "out.fcpxmld"
    (bundle / "Analysis").mkdir(parents=True)
    (bundle / "Info.fcpxml").write_bytes(specimen())
    (bundle / "Analysis" / "track.bin").write_bytes(b"\0\1")
    assert ADAPTER.score(bundle, b"") == 100
    plan = passthrough_plan(ADAPTER.read(bundle), tmp_path)
    ADAPTER.patch(bundle, plan, target)
    delivered = (target / "Info.fcpxml").read_bytes()
    assert kit.canonical(kit.undo(specimen(), delivered, plan)) == kit.canonical(specimen())
    assert (target / "Analysis" / "track.bin").read_bytes() == b"\0\1"
    assert (bundle / "Info.fcpxml").read_bytes() == specimen()


def test_a_changed_project_is_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "cut.fcpxml"
    path.write_bytes(specimen())
    ADAPTER.patch(path, ConformPlan("Cut 3"), tmp_path / "same.fcpxml")
    assert (tmp_path / "same.fcpxml").read_bytes() == specimen()
    ADAPTER.patch(path, ConformPlan("Cut 3 clean"), tmp_path / "new.fcpxml")
    project = etree.fromstring((tmp_path / "new.fcpxml").read_bytes()).find(".//project")
    assert project is not None
    assert (project.get("name"), project.get("uid")) == ("Cut 3 clean", None)


def test_an_asset_that_is_only_as_long_as_its_clip_has_no_clock_of_its_own(tmp_path: Path) -> None:
    write = Writer()
    film = write.asset("film", 10)
    write.items = [write.clip(film, "0s", 0, 100)]
    data = write.document().replace(b'duration="3600s"', b'duration="4s"')
    (use,) = conform(tmp_path, data).uses
    # Resolve's piece of a file, from its tenth second on: the probed media decides.
    assert use.media_start_s is None
    assert use.source == Span(Fraction(10), Fraction(4))
    (use,) = conform(tmp_path, data.replace(b'id="film"', b'id="film" uid="A1"')).uses
    assert use.media_start_s == 10
    assert use.source == Span(Fraction(0), Fraction(4))
