"""What a conform writes, in the dialects that editors write."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

import pytest
from lxml import etree
from testkit.fcp7xml import Clip, Media, Track, premiere_xml, resolve_xml
from testkit.fcp7xml_conform import Conformed, Writer, conform
from testkit.fcp7xml_elements import TICKS_HZ

from nlecompanion.model import ConformPlan, Reason, Span, TimelineMarker

FILM = Fraction(24_000, 1001)
PAL = Fraction(25)
INTERVIEW = Media(Path("/media/Interview #1 & more.mov"), PAL, 5000, start_frame=90_000)
LAV = Media(Path("/media/lav.wav"), PAL, 5000, channels=1, picture=False)
SURROUND = Media(Path("/media/mix.wav"), PAL, 5000, channels=6, picture=False)
WRITERS = pytest.mark.parametrize("writer", [premiere_xml, resolve_xml])


def texts(element: etree._Element, *paths: str) -> list[str | None]:
    return [element.findtext(path) for path in paths]


def test_a_stereo_clip_becomes_an_exploded_pair_on_its_own_file(tmp_path: Path) -> None:
    clip = Clip(INTERVIEW, 100, 200, 1000, gain=0.5, with_picture=True)
    done = conform(tmp_path, premiere_xml, Track((clip,), "Dialogue"))
    left, right = done.tracks
    for index, track in enumerate((left, right)):
        assert track.get("MZ.TrackName") == "DX clean 1"
        assert track.get("currentExplodedTrackIndex") == str(index)
        assert track.get("totalExplodedTrackCount") == "2"
        assert track.get("premiereTrackType") == "Stereo"
        assert track.findtext("outputchannelindex") == str(index + 1)
        item = track.find("clipitem")
        assert item is not None
        # Two seconds of handle are 50 frames.
        assert texts(item, "start", "end", "in", "out") == ["100", "200", "50", "150"]
        assert item.findtext("pproTicksIn") == str(50 * TICKS_HZ // 25)
        assert item.findtext("pproTicksOut") == str(150 * TICKS_HZ // 25)
        assert item.findtext("sourcetrack/trackindex") == str(index + 1)
        assert item.findtext("filter/effect/parameter/value") == "0.5"
        assert item.findtext("enabled") == "TRUE"
    ids = [track.find("clipitem").get("id") for track in (left, right)]  # type: ignore[union-attr]
    for track in (left, right):
        assert [link.text for link in track.iter("linkclipref")] == ids
        assert [link.findtext("trackindex") for link in track.iter("link")] == ["3", "4"]
        assert [link.findtext("clipindex") for link in track.iter("link")] == ["1", "1"]


def test_the_new_file_states_what_it_is(tmp_path: Path) -> None:
    done = conform(tmp_path, premiere_xml, Track((Clip(INTERVIEW, 0, 100, 1000),)))
    file = next(f for f in done.tracks[0].iter("file"))
    media = done.plan.tracks[0].clips[0].media
    assert texts(file, "name", "duration", "timecode/frame", "timecode/string") == [
        media.path.name,
        "200",
        "90950",
        "01:00:38:00",
    ]
    assert file.findtext("media/audio/channelcount") == "2"
    assert file.findtext("media/audio/samplecharacteristics/samplerate") == "48000"
    assert file.findtext("media/audio/samplecharacteristics/depth") == "24"
    assert file.find("media/video") is None
    url = urlsplit(file.findtext("pathurl") or "")
    assert url.netloc == "localhost"
    assert unquote(url.path) == media.path.as_posix()
    assert [f.get("id") for f in done.tracks[1].iter("file")] == [file.get("id")]
    assert len(next(done.tracks[1].iter("file"))) == 0


def test_clips_that_share_a_file_name_one_definition(tmp_path: Path) -> None:
    clips = (Clip(INTERVIEW, 0, 100, 1000), Clip(INTERVIEW, 200, 300, 1100))
    done = conform(tmp_path, premiere_xml, Track(clips))
    track = done.plan.tracks[0]
    shared = replace(track.clips[0].media, length_samples=480_000)
    second = replace(track.clips[1], media=shared, source_in_s=Fraction(6))
    clips_now = (replace(track.clips[0], media=shared), second)
    done.patch(replace(done.plan, tracks=(replace(track, clips=clips_now),)))
    done.check_undo()
    assert len({file.get("id") for t in done.tracks for file in t.iter("file")}) == 1
    assert len({t.text for track in done.tracks for t in track.iter("masterclipid")}) == 1
    assert [e.text for e in done.tracks[0].iter("in")] == ["50", "150"]


def test_resolves_clip_stays_one_clip_with_bare_urls(tmp_path: Path) -> None:
    clip = Clip(INTERVIEW, 100, 200, 1000, with_picture=True)
    done = conform(tmp_path, resolve_xml, Track((clip,)))
    (track,) = done.tracks
    assert track.findtext("clipitem/sourcetrack/trackindex") == "1"
    assert (track.findtext("clipitem/file/pathurl") or "").startswith("file:///")
    # The link to the picture belongs to the original.
    assert track.find("clipitem/link") is None
    assert done.losses[0].what.startswith("Resolve reads no track names")


def test_a_mono_clip_stays_mono(tmp_path: Path) -> None:
    done = conform(tmp_path, premiere_xml, Track((Clip(LAV, 0, 100),), channels=1))
    (track,) = done.tracks
    assert track.get("premiereTrackType") == "Mono"
    assert done.uses[0].channels == (0,)


def test_one_channel_of_a_pair_becomes_a_mono_track(tmp_path: Path) -> None:
    data = premiere_xml((Track((Clip(INTERVIEW, 0, 100, 1000),)),))
    root = etree.fromstring(data)
    root.findall(".//audio/track/clipitem")[0].getparent().remove(  # type: ignore[union-attr]
        root.findall(".//audio/track/clipitem")[0]
    )
    for link in root.findall(".//link"):
        link.getparent().remove(link)  # type: ignore[union-attr]
    file = root.find(".//audio/track/clipitem/file")
    assert file is not None
    file.append(etree.fromstring("<pathurl>file://localhost/media/a.mov</pathurl>"))
    done = Conformed(tmp_path, etree.tostring(root))
    done.check_undo()
    assert done.uses[0].channels == (1,)
    (track,) = done.tracks
    assert track.get("premiereTrackType") == "Mono"
    assert track.get("totalExplodedTrackCount") == "1"
    assert track.find("clipitem").get("premiereChannelType") == "mono"  # type: ignore[union-attr]
    assert track.findtext("clipitem/sourcetrack/trackindex") == "1"


def test_surround_is_one_use_of_six_elements(tmp_path: Path) -> None:
    done = conform(tmp_path, premiere_xml, Track((Clip(SURROUND, 0, 100),), channels=6))
    assert [use.channels for use in done.uses] == [(0, 1, 2, 3, 4, 5)]
    assert [t.findtext("clipitem/sourcetrack/trackindex") for t in done.tracks] == list("123456")


@WRITERS
def test_pal_media_in_a_film_timeline_lands_on_its_own_grid(tmp_path: Path, writer: Writer) -> None:
    clip = Clip(INTERVIEW, 240, 480, 1003)
    done = conform(tmp_path, writer, Track((clip,)), rate=FILM)
    (use,) = done.uses
    assert use.record == Span(240 / FILM, 240 / FILM)
    assert use.source.start_s == Fraction(1003, 25)
    assert use.frame_rate == PAL
    assert use.left_alone is None
    (clean,) = done.clean_uses()
    assert clean.record == use.record
    assert (clean.media_start_s or 0) + clean.source.start_s == 3600 + Fraction(1003, 25)
    assert len(done.losses) == (0 if writer is premiere_xml else 1)


@WRITERS
def test_what_cannot_be_cleaned_is_left_with_its_reason(tmp_path: Path, writer: Writer) -> None:
    clips = (
        Clip(INTERVIEW, 0, 50, enabled=False),
        Clip(INTERVIEW, 50, 100, speed_percent=200),
        Clip(INTERVIEW, 100, 150, 500, speed_percent=-100),
        Clip(INTERVIEW, 150, 200, offline=True),
        Clip(INTERVIEW, 200, 250),
    )
    muted = Track((Clip(INTERVIEW, 0, 50),), enabled=False)
    done = conform(tmp_path, writer, Track(clips), muted)
    reasons = [use.left_alone and use.left_alone.reason for use in done.uses]
    assert reasons == [
        Reason.DISABLED,
        Reason.RETIMED,
        Reason.REVERSED,
        Reason.OFFLINE,
        None,
        Reason.MUTED,
    ]
    assert len(done.tracks) == len(done.uses[4].addresses)


def test_a_crossfade_between_two_clean_clips_is_cloned(tmp_path: Path) -> None:
    clips = (Clip(INTERVIEW, 0, 100, 1000), Clip(INTERVIEW, 100, 200, 2000))
    done = conform(tmp_path, premiere_xml, Track(clips, crossfades=(0,)))
    first, second = done.uses
    assert (first.record, second.record) == (
        Span(Fraction(0), Fraction(4)),
        Span(Fraction(4), Fraction(4)),
    )
    assert (first.tail_s, second.lead_s) == (Fraction(1, 5), Fraction(1, 5))
    assert [use.source.start_s for use in done.uses] == [Fraction(40), Fraction(80)]
    for track in done.tracks:
        assert [item.tag for item in track][:3] == ["clipitem", "transitionitem", "clipitem"]
        assert texts(track.find("transitionitem"), "start", "end", "alignment") == [  # type: ignore[arg-type]
            "95",
            "105",
            "center",
        ]
        # 50 frames of handle before the overlap of 5 frames.
        assert [e.text for e in track.iter("in")] == ["50", "50"]
        assert [e.text for e in track.iter("start")][0::2] == ["0", "-1"]
    assert [use.record for use in done.clean_uses()] == [first.record, second.record]


def test_a_crossfade_with_one_clean_side_becomes_a_fade_of_the_same_frames(
    tmp_path: Path,
) -> None:
    clips = (Clip(INTERVIEW, 0, 100, 1000), Clip(INTERVIEW, 100, 200, 2000))
    for leave, alignment, start, end in (
        ("A1-002", "end-black", "0", "-1"),
        ("A1-001", "start-black", "-1", "200"),
    ):
        done = conform(tmp_path, premiere_xml, Track(clips, crossfades=(0,)), leave=(leave,))
        for track in done.tracks:
            (fade,) = track.findall("transitionitem")
            (item,) = track.findall("clipitem")
            assert texts(fade, "start", "end", "alignment") == ["95", "105", alignment]
            assert texts(item, "start", "end") == [start, end]
            ticks = 10 * TICKS_HZ // 25 if alignment == "end-black" else 0
            assert fade.findtext("cutPointTicks") == str(ticks)


def test_keyframes_move_with_the_source(tmp_path: Path) -> None:
    data = premiere_xml((Track((Clip(INTERVIEW, 0, 100, 1000, gain=1.0),)),))
    keys = "".join(
        f"<keyframe><when>{n}</when><value>{n / 1000}</value></keyframe>"
        for n in (900, 940, 1010, 1090)
    )
    done = Conformed(tmp_path, data.replace(b"<value>1</value>", keys.encode()))
    done.check_undo()
    for track in done.tracks:
        # The file starts at frame 950: of the two keys before it the later one holds.
        assert [e.text for e in track.iter("when")] == ["0", "60", "140"]
        assert [e.text for e in track.iter("value")] == ["0.94", "1.01", "1.09"]


def test_a_subclips_in_point_counts_from_the_subclip(tmp_path: Path) -> None:
    data = premiere_xml((Track((Clip(INTERVIEW, 0, 100, 20),)),)).replace(
        b"<sourcetrack>",
        b"<subclipinfo><startoffset>700</startoffset><endoffset>0</endoffset></subclipinfo>"
        b"<sourcetrack>",
    )
    done = Conformed(tmp_path, data)
    done.check_undo()
    assert done.uses[0].source.start_s == Fraction(720, 25)
    for track in done.tracks:
        assert track.find("clipitem/subclipinfo") is None
        assert track.findtext("clipitem/in") == "50"
        assert track.findtext("clipitem/pproTicksIn") == str(50 * TICKS_HZ // 25)


def test_rounding_to_the_grid_is_stated(tmp_path: Path) -> None:
    done = conform(tmp_path, premiere_xml, Track((Clip(INTERVIEW, 0, 100, 1000),)))
    track = done.plan.tracks[0]
    clip = track.clips[0]
    off = replace(
        clip,
        source_in_s=clip.source_in_s + Fraction(1, 100),
        media=replace(clip.media, start_s=clip.media.start_s - Fraction(1, 100)),
    )
    done.patch(replace(done.plan, tracks=(replace(track, clips=(off,)),)))
    words = " ".join(loss.what for loss in done.losses)
    assert "rounded by 0.250 frame (10.00 ms)" in words
    assert "start timecode" in words


def test_markers_lie_at_their_frames_in_each_dialects_form(tmp_path: Path) -> None:
    marker = TimelineMarker(Span(Fraction(4), Fraction(1)), "DX not cleaned", "a < b & c", "RED")
    for writer, path, value in (
        (premiere_xml, "pproColor", "4281740498"),
        (resolve_xml, "color/red", "255"),
    ):
        done = conform(tmp_path, writer, Track((Clip(INTERVIEW, 0, 100),)), markers=(marker,))
        found = etree.fromstring(done.delivered).find("sequence/marker")
        assert found is not None
        assert texts(found, "name", "comment", "in", "out", path) == [
            "DX not cleaned",
            "a < b & c",
            "100",
            "-1",
            value,
        ]


def test_drop_frame_stays_drop_frame(tmp_path: Path) -> None:
    rate = Fraction(30_000, 1001)
    media = Media(Path("/media/a.mov"), rate, 90_000, start_frame=107_892, drop_frame=True)
    track = Track((Clip(media, 0, 300, 1800),))
    done = conform(tmp_path, premiere_xml, track, rate=rate, start_frame=107_892, drop_frame=True)
    assert done.facts.drop_frame
    assert done.facts.start_frame == 107_892
    file = next(done.tracks[0].iter("file"))
    # 01:00:00;00 and 1740 frames, of which two numbers are dropped at the minute.
    assert texts(file, "timecode/string", "timecode/frame", "timecode/displayformat") == [
        "01;00;58;00",
        "109632",
        "DF",
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1", "utf-8"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encoding_mark_and_line_ends_are_kept(tmp_path: Path, encoding: str, newline: str) -> None:
    text = premiere_xml((Track((Clip(INTERVIEW, 0, 100),), "Tön"),), name="Schnitt").decode()
    declared = encoding.removesuffix("-sig")
    text = text.replace('encoding="UTF-8"', f'encoding="{declared}"').replace("\n", newline)
    done = Conformed(tmp_path, text.encode(encoding))
    done.patch(replace(done.plan, timeline_name="Schnitt 对白 clean"))
    done.check_undo()
    assert done.adapter.read(done.target).name == "Schnitt 对白 clean"
    assert done.delivered[:3] == done.original[:3]
    head = done.delivered.decode(encoding).split("<sequence", 1)[0]
    assert head == text.split("<sequence", 1)[0]
    assert ("\r\n" in done.delivered.decode(encoding)) == (newline == "\r\n")


@pytest.mark.parametrize(
    "name", ["a\0b\x1b\ud800\uffff", "<&>\"']]>", "  ", "𝄞 مرحبا 对白", "a\r\nb"]
)
def test_any_name_is_written_as_xml(tmp_path: Path, name: str) -> None:
    done = conform(tmp_path, premiere_xml, Track((Clip(INTERVIEW, 0, 100),)))
    track = replace(done.plan.tracks[0], name=name)
    marker = TimelineMarker(Span(Fraction(0), Fraction(0)), name, name)
    done.patch(ConformPlan(name, (track,), done.plan.disable, (marker,)))
    root = etree.fromstring(done.delivered)
    expected = name.translate(dict.fromkeys((0, 0x1B, 0xD800, 0xFFFF), "\ufffd"))
    assert root.findtext("sequence/name") == expected
    assert root.findtext("sequence/marker/comment") == expected


@pytest.mark.parametrize(
    ("path", "localhost", "plain"),
    [
        (PurePosixPath("/a b/100% #1.wav"), "/a%20b/100%25%20%231.wav", None),
        (PurePosixPath("/ü/u\u0308.wav"), "/%C3%BC/u%CC%88.wav", None),
        (PureWindowsPath("C:\\Ton\\a.wav"), "/C%3a/Ton/a.wav", "/C:/Ton/a.wav"),
    ],
)
def test_urls_of_both_dialects(
    tmp_path: Path, path: PurePosixPath, localhost: str, plain: str | None
) -> None:
    done = conform(tmp_path, premiere_xml, Track((Clip(INTERVIEW, 0, 100),)))
    for writer, expected in (
        (premiere_xml, f"file://localhost{localhost}"),
        (resolve_xml, f"file://{plain or localhost}"),
    ):
        done = conform(tmp_path, writer, Track((Clip(INTERVIEW, 0, 100),)))
        track = done.plan.tracks[0]
        clip = replace(track.clips[0], media=replace(track.clips[0].media, path=path))
        done.patch(replace(done.plan, tracks=(replace(track, clips=(clip,)),)))
        assert next(done.tracks[0].iter("pathurl")).text == expected
