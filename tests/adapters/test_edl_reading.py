"""CMX 3600 lists: events, channels, rates and what is left alone."""

from __future__ import annotations

import importlib
from fractions import Fraction
from pathlib import Path

import pytest
from testkit import edl
from testkit.shared import shared

from nlecompanion.errors import DocumentError, UnsupportedDocument
from nlecompanion.model import LeftAlone, Reason, Span, TimelineFacts, Use
from nlecompanion.timeline.choice import choose
from nlecompanion.timeline.contract import Adapter, timeline_facts
from nlecompanion.timeline.uses import read_uses

ADAPTER: Adapter = importlib.import_module("nlecompanion.adapters.edl").ADAPTER
parse_event = importlib.import_module("nlecompanion.adapters.edl.lines").parse_event

NTSC = Fraction(30_000, 1001)
#: How many uses each real list with sound holds; the others are refused as picture only.
WITH_SOUND = {
    "llc_12_16_TL01_MUSIC.edl": 296,
    "otio_multi_audio.edl": 1,
    "pyedl_test_24.edl": 4,
}


def write(folder: Path, text: str, name: str = "cut.edl") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def read(folder: Path, text: str, name: str = "cut.edl") -> tuple[TimelineFacts, tuple[Use, ...]]:
    timeline = ADAPTER.read(write(folder, text, name))
    return timeline_facts(timeline), read_uses(timeline)


def event(codes: str, channels: str = "A", rest: str = "* FROM CLIP NAME: a.wav") -> str:
    return f"001  REEL     {channels:<5} C        {codes}\n{rest}\n"


def reason(use: Use) -> Reason | None:
    return None if use.left_alone is None else use.left_alone.reason


def real_lists() -> list[Path]:
    return sorted(shared("timelines/corpus/edl").glob("*.edl"))


def test_every_real_list_is_read_or_refused_with_a_sentence() -> None:
    read_ones, sentences = {}, []
    for path in real_lists():
        assert ADAPTER.score(path, path.read_bytes()[:65_536]) == 90
        try:
            read_ones[path.name] = len(read_uses(ADAPTER.read(path)))
        except UnsupportedDocument as error:
            sentences.append(str(error))
    assert read_ones == WITH_SOUND
    assert len(sentences) == 13
    for sentence in sentences:
        assert "no sound. Export the EDL with its audio tracks" in sentence
        assert "\n" not in sentence


def test_the_music_list_is_left_alone() -> None:
    path = shared("timelines/corpus/edl") / "llc_12_16_TL01_MUSIC.edl"
    uses = read_uses(ADAPTER.read(path))
    facts = timeline_facts(ADAPTER.read(path))
    assert (facts.rate, facts.drop_frame) == (NTSC, True)
    chosen = choose(uses, (), Fraction(1, 4))
    assert {reason(use) for use in chosen} == {Reason.MUSIC_ROLE}
    # Events on two channels with one source are one use, and no length is off by a dropped frame.
    assert sum(len(use.addresses) for use in uses) == 588
    assert all(use.left_alone is None for use in uses)


def test_the_worked_case_of_a_list_without_sound() -> None:
    with pytest.raises(UnsupportedDocument, match="4 picture events and no sound"):
        ADAPTER.read(shared("timelines/corpus/edl") / "otio_25fps.edl")


def test_a_list_of_all_sorts(tmp_path: Path) -> None:
    facts, uses = read(tmp_path, edl.CUT_25)
    assert (facts.name, facts.rate, facts.start_frame) == (
        "Scene 3 (rough)",
        Fraction(25),
        90_000,
    )
    found = {use.name: use for use in uses}
    first = found["A003 take 1.mov"]
    assert first.media_url == "/Volumes/Rushes/A003 take 1.mov"
    assert (first.record, first.source.start_s) == (
        Span(Fraction(0), Fraction(6)),
        Fraction("36004.2"),
    )
    assert (first.lead_s, first.tail_s) == (Fraction(0), Fraction(12, 25))
    second = found["A004 take 2.mov"]
    assert (second.lead_s, second.tail_s) == (Fraction(0), Fraction(10, 25))
    assert {use.track for use in uses} == {"A1", "A2", "A3"}
    assert {use.name: reason(use) for use in uses if use.left_alone} == {
        "slow.mov": Reason.RETIMED,
        "back.mov": Reason.REVERSED,
        "still.mov": Reason.FROZEN,
    }
    assert found["A005 take 3.mov"].track == "A3"  # by its AUD line
    assert found["lav.wav"].channels is None


@pytest.mark.parametrize(
    ("line", "audio", "picture"),
    [
        ("001  AX       A     C        {}", (1,), False),
        ("001  AX       A2    C        {}", (2,), False),
        ("001  AX       AA    C        {}", (1, 2), False),
        ("001  AX       A10   C        {}", (10,), False),
        ("001  AX       B     C        {}", (1,), True),
        ("001  AX       A/V   C        {}", (1,), True),
        ("001  AX       AA/V  C        {}", (1, 2), True),
        ("001  AX       A2/V  C        {}", (2,), True),
        ("001  AX       VA1A2 C        {}", (1, 2), True),
        ("001  AX       NONE  C        {}", (), False),
        ("001  AX       V     C        {}", (), True),
        ("000001  A long reel A    C   {} ", (1,), False),
        ("1 R A C {}", (1,), False),
    ],
)
def test_channels(line: str, audio: tuple[int, ...], picture: bool) -> None:
    codes = "01:00:00:00 01:00:01:00 00:00:00:00 00:00:01:00"
    found = parse_event(line.format(codes))
    assert found is not None
    assert (found.audio, found.picture, found.kind) == (audio, picture, "C")


@pytest.mark.parametrize(
    ("line", "reel", "kind", "length"),
    [
        ("005  EVL1_HEI V      008 {}", "EVL1_HEI", "D", 8),
        ("005  D        A     D    024 {}", "D", "D", 24),
        ("005  R 1 A    AA    W001 025 {}", "R 1 A", "W001", 25),
        ("005  R        A     K B  010 {}", "R        A     K", "", 0),
    ],
)
def test_transitions(line: str, reel: str, kind: str, length: int) -> None:
    found = parse_event(line.format("01:00:00:00 01:00:01:00 00:00:00:00 00:00:01:00"))
    if not kind:
        assert found is None or found.kind != "C"
        return
    assert found is not None
    assert (found.reel, found.kind, found.transition) == (reel, kind, length)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "* 001 AX A C",
        "TITLE: 1",
        "001  AX  A  C  01:00:00:00 01:00:01:00",
        "M2 AX 025.0 00:00:00:00",
    ],
)
def test_what_is_no_event(line: str) -> None:
    assert parse_event(line) is None


ONE = "01:00:00:00 01:00:00:{f} 01:00:00:00 01:00:00:{f}"


@pytest.mark.parametrize(
    ("head", "frame", "name", "rate", "drop"),
    [
        ("", "24", "cut.edl", Fraction(25), False),
        ("", "12", "cut.edl", Fraction(25), False),
        ("", "29", "cut.edl", NTSC, False),
        ("FCM: DROP FRAME\n", "12", "cut.edl", NTSC, True),
        ("FCM: DROP FRAME\n", "40", "cut.edl", Fraction(60_000, 1001), True),
        ("FCM: NON-DROP FRAME\n", "49", "cut.edl", Fraction(50), False),
        ("* FPS: 23.976\n", "12", "cut.edl", Fraction(24_000, 1001), False),
        ("* FRAME RATE: 24 fps\n", "12", "cut.edl", Fraction(24), False),
        ("TITLE: Reel 1 30fps\n", "12", "cut.edl", Fraction(30), False),
        ("", "12", "cut 23.976fps.edl", Fraction(24_000, 1001), False),
    ],
)
def test_the_rate_is_stated_or_weighed(
    tmp_path: Path, head: str, frame: str, name: str, rate: Fraction, drop: bool
) -> None:
    facts, uses = read(tmp_path, head + event(ONE.format(f=frame)), name)
    assert (facts.rate, facts.drop_frame) == (rate, drop)
    assert uses[0].record == Span(Fraction(0), int(frame) / rate)
    assert uses[0].frame_rate == rate


def test_many_timecodes_without_frame_24_are_film(tmp_path: Path) -> None:
    codes = "01:00:00:00 01:00:00:23 01:00:00:00 01:00:00:23"
    facts, _ = read(tmp_path, event(codes) * 40)
    assert facts.rate == Fraction(24_000, 1001)


@pytest.mark.parametrize(
    ("head", "frame"),
    [("* FPS: 25\n", "29"), ("FCM: DROP FRAME\n", "75"), ("", "120"), ("* FPS: 999999\n", "1")],
)
def test_a_rate_that_cannot_be_is_refused(tmp_path: Path, head: str, frame: str) -> None:
    with pytest.raises(DocumentError, match=r"cut\.edl"):
        read(tmp_path, head + event(ONE.format(f=frame)))


def test_drop_frame_counts_without_the_dropped_numbers(tmp_path: Path) -> None:
    codes = "00:00:59:28 00:01:00:04 01:00:59:28 01:01:00:04"
    facts, (use,) = read(tmp_path, "FCM: DROP FRAME\n" + event(codes))
    assert facts.drop_frame
    assert use.record.duration_s == 4 / NTSC
    assert use.left_alone is None


def test_the_source_may_count_otherwise_than_the_record(tmp_path: Path) -> None:
    """Six frames over a minute's turn, once non-drop in drop-frame, once the other way round."""
    codes = "00:00:59:28 00:01:00:04 01:00:59:28 01:01:00:06"
    _, (use,) = read(tmp_path, "FCM: DROP FRAME\n" + event(codes))
    assert use.left_alone is None
    assert (use.source.start_s, use.source.duration_s) == ((59 * 30 + 28) / NTSC, 6 / NTSC)
    first = event("01:00:00:00 01:00:00:02 01:00:00:00 01:00:00:02")
    codes = "00:00:59:28 00:01:00:06 01:00:59:28 01:01:00:04"
    text = f"FCM: NON-DROP FRAME\n{first}FCM: DROP FRAME\n{event(codes)}"
    facts, (_, use) = read(tmp_path, text)
    assert not facts.drop_frame
    assert use.left_alone is None
    assert (use.record.duration_s, use.source.duration_s) == (6 / NTSC, 6 / NTSC)


def test_lengths_that_differ_are_retimed(tmp_path: Path) -> None:
    _, (use,) = read(tmp_path, event("00:00:00:00 00:00:04:00 01:00:00:00 01:00:03:00"))
    assert use.left_alone == LeftAlone(
        Reason.RETIMED, "100 frames of source fill 75 frames of the timeline"
    )


@pytest.mark.parametrize(
    ("comments", "url"),
    [
        ("* FROM CLIP NAME: take 1", "take 1"),
        ("*FROM CLIP NAME:  take 1.wav\n*SOURCE FILE: A003C001", "take 1.wav"),
        ("FROM CLIP NAME: take 1\n* FROM FILE: S:\\a\\take.mov", "S:\\a\\take.mov"),
        ("* SOURCE FILE: A003.mov\n* FROM CLIP NAME: B.mov", "A003.mov"),
        ("", "REEL"),
    ],
)
def test_the_likeliest_name_of_the_media(tmp_path: Path, comments: str, url: str) -> None:
    codes = "00:00:00:00 00:00:04:00 01:00:00:00 01:00:04:00"
    _, (use,) = read(tmp_path, event(codes, rest=comments))
    assert use.media_url == url


def test_auxiliary_reels_without_a_name_are_offline(tmp_path: Path) -> None:
    text = event("00:00:00:00 00:00:04:00 01:00:00:00 01:00:04:00", rest="").replace("REEL", "AX  ")
    _, (use,) = read(tmp_path, text)
    assert reason(use) is Reason.OFFLINE


def test_a_split_edit_is_left_alone(tmp_path: Path) -> None:
    codes = "00:00:00:00 00:00:04:00 01:00:00:00 01:00:04:00"
    text = "TITLE: x\nSPLIT:    AUDIO DELAY=  00:00:00:05\n" + event(codes, "B")
    _, (use,) = read(tmp_path, text)
    assert reason(use) is Reason.UNSUPPORTED


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    text = "TITLE: Gerät\r\n" + event("00:00:00:00 00:00:04:00 01:00:00:00 01:00:04:00")
    path = tmp_path / "cut.edl"
    path.write_bytes(text.replace("a.wav", "Töne.wav").encode(encoding))
    timeline = ADAPTER.read(path)
    assert timeline.name == "Gerät"
    assert read_uses(timeline)[0].media_url == "Töne.wav"
    assert ADAPTER.score(path, path.read_bytes()) == 90
