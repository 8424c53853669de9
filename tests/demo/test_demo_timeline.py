from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from lxml import etree

from nlecompanion.demo.timeline import (
    PPRO_TICKS_PER_S,
    Crossfade,
    Cut,
    CutFile,
    Edit,
    SoundTrack,
    path_url,
    premiere_xml,
)

PAL = Fraction(25)
NTSC = Fraction(30000, 1001)
CAMERA = CutFile(Path("/shoot/A&B <1>.mp4"), PAL, 500, 900_000, picture=True)
BOOM = CutFile(Path("/shoot/boom.wav"), PAL, 250, 10, channels=1)


def cut(*edits: Edit, crossfades: tuple[Crossfade, ...] = (), rate: Fraction = PAL) -> Cut:
    tracks = (SoundTrack("DX"), SoundTrack("Boom", 1))
    return Cut("Cut & paste", rate, 90_000, tracks, edits, crossfades, drop_frame=rate == NTSC)


def written(document: Cut) -> etree._Element:
    return etree.fromstring(premiere_xml(document).encode())


def numbers(items: list[etree._Element], *tags: str) -> list[tuple[int, ...]]:
    return [tuple(int(item.findtext(tag) or "") for tag in tags) for item in items]


def test_a_stereo_clip_becomes_a_linked_pair_and_a_picture() -> None:
    root = written(cut(Edit(CAMERA, 0, 100, 25, "DX", picture=True), Edit(BOOM, 0, 50, 0, "Boom")))
    items = root.findall(".//clipitem")
    assert [item.get("id") for item in items] == [f"clipitem-{n}" for n in (1, 2, 3, 4)]
    linked = [[link.findtext("linkclipref") for link in item.findall("link")] for item in items]
    family = ["clipitem-1", "clipitem-2", "clipitem-3"]
    assert linked == [family, family, family, []]
    sources = [item.findtext("sourcetrack/trackindex") for item in items]
    assert sources == [None, "1", "2", "1"]
    tracks = root.findall(".//audio/track")
    assert [track.get("premiereTrackType") for track in tracks] == ["Stereo", "Stereo", "Mono"]
    assert [track.get("currentExplodedTrackIndex") for track in tracks] == ["0", "1", "0"]


def test_a_file_is_defined_once_and_referred_to_after() -> None:
    root = written(cut(Edit(CAMERA, 0, 100, 25, "DX"), Edit(CAMERA, 100, 50, 300, "DX")))
    full = [file for file in root.iter("file") if len(file)]
    assert [file.get("id") for file in root.iter("file")] == ["file-1"] * 4
    assert len(full) == 1
    assert full[0].findtext("name") == "A&B <1>.mp4"
    assert full[0].findtext("timecode/string") == "10:00:00:00"
    assert root.findtext("sequence/name") == "Cut & paste"


def test_in_and_out_count_on_the_files_own_clock() -> None:
    edit = Edit(CAMERA, 30, 300, 50, "DX")
    item = written(cut(edit, rate=NTSC)).findall(".//clipitem")[0]
    # 300 frames at 29.97 are 10.01 s, 250.25 frames at 25: the ticks say exactly how much.
    assert numbers([item], "start", "end", "in", "out") == [(30, 330, 50, 300)]
    ticks = numbers([item], "pproTicksIn", "pproTicksOut")[0]
    assert Fraction(ticks[1] - ticks[0], PPRO_TICKS_PER_S) == 300 / NTSC


def test_clips_at_a_crossfade_lose_their_ends_and_gain_its_sound() -> None:
    edits = (Edit(CAMERA, 0, 100, 25, "DX"), Edit(CAMERA, 100, 80, 200, "DX"))
    fade = Crossfade("DX", 94, 100, 108)
    track = written(cut(*edits, crossfades=(fade,))).findall(".//audio/track")[0]
    kinds = [child.tag for child in track.iterchildren("clipitem", "transitionitem")]
    assert kinds == ["clipitem", "transitionitem", "clipitem"]
    assert numbers(track.findall("clipitem"), "start", "end", "in", "out") == [
        (0, -1, 25, 133),
        (-1, 180, 194, 280),
    ]
    assert track.findtext("transitionitem/alignment") == "center"


@pytest.mark.parametrize(("start", "cut_at", "end"), [(50, 50, 58)])
def test_a_fade_in_takes_nothing_from_before_the_clip(start: int, cut_at: int, end: int) -> None:
    edit = Edit(CAMERA, 50, 100, 25, "DX")
    track = written(cut(edit, crossfades=(Crossfade("DX", start, cut_at, end),)))
    item = track.findall(".//audio/track/clipitem")[0]
    assert numbers([item], "start", "end", "in", "out") == [(-1, 150, 25, 125)]
    assert track.findtext(".//transitionitem/alignment") == "start-black"


def test_speed_and_level_are_filters() -> None:
    edit = Edit(CAMERA, 0, 50, 100, "DX", picture=True, speed_percent=200, gain=0.5)
    picture, left, _ = written(cut(edit)).findall(".//clipitem")
    speed = ".//parameter[parameterid='speed']/value"
    assert (picture.findtext(speed), left.findtext(speed)) == ("200", "200")
    level = ".//parameter[parameterid='level']/value"
    assert (picture.findtext(level), left.findtext(level)) == (None, "0.5")
    # On the clip's own clock: source frame 100 at double speed.
    assert numbers([left], "in", "out") == [(50, 100)]


def test_drop_frame_timecode_is_named_so() -> None:
    timecode = written(cut(Edit(BOOM, 0, 50, 0, "Boom"), rate=NTSC)).find("sequence/timecode")
    assert timecode is not None
    assert timecode.findtext("displayformat") == "DF"
    assert ";" in (timecode.findtext("string") or "")
    assert timecode.findtext("rate/ntsc") == "TRUE"


def test_paths_are_escaped_as_premiere_does() -> None:
    assert path_url(Path("/a b/#1 100%.wav")) == "file://localhost/a%20b/%231%20100%25.wav"
    assert path_url(Path("C:/a.wav")) == "file://localhost/C%3a/a.wav"
