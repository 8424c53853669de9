"""CMX 3600 lists: comments in a copy, and an audio-only list for each cleaned track."""

from __future__ import annotations

import importlib
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testkit import edl
from testkit.contract import made_up_plan
from testkit.passthrough_plan import passthrough_plan

from nlecompanion.errors import DocumentError
from nlecompanion.model import ConformPlan, Loss, Reason, Span, TimelineMarker, Use
from nlecompanion.timeline.contract import Adapter, timeline_facts
from nlecompanion.timeline.uses import read_uses
from nlecompanion.units import frames_from_timecode, timecode_from_frames

ADAPTER: Adapter = importlib.import_module("nlecompanion.adapters.edl").ADAPTER

NTSC = Fraction(30_000, 1001)


class Done:
    """A list before and after, with the lists of cleaned clips beside it."""

    def __init__(self, folder: Path, text: str) -> None:
        self.path, self.target = folder / "cut.edl", folder / "out" / "cut clean.edl"
        self.target.parent.mkdir(exist_ok=True)
        for old in self.target.parent.iterdir():
            old.unlink()
        self.path.write_bytes(text.encode())
        timeline = ADAPTER.read(self.path)
        self.facts, self.uses = timeline_facts(timeline), read_uses(timeline)
        self.plan: ConformPlan = passthrough_plan(timeline, folder, "Cut clean")
        self.losses: tuple[Loss, ...] = ADAPTER.patch(self.path, self.plan, self.target)
        self.text = self.target.read_bytes().decode()

    def made(self) -> list[Path]:
        return sorted(p for p in self.target.parent.iterdir() if p != self.target)

    def cleaned(self) -> list[Use]:
        return [use for path in self.made() for use in read_uses(ADAPTER.read(path))]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_copy_differs_in_comments_and_title_only(tmp_path: Path, newline: str) -> None:
    text = edl.CUT_25.replace("\n", newline)
    done = Done(tmp_path, text)
    assert edl.without_notes(done.text, text) == text
    assert done.text.count("MUTE THIS EVENT") == len(done.plan.disable) == 5
    assert done.text.startswith(f"TITLE:   Cut clean{newline}")


def test_one_list_for_each_cleaned_track(tmp_path: Path) -> None:
    done = Done(tmp_path, edl.CUT_25)
    assert [path.name for path in done.made()] == [
        "cut clean DX clean 1.edl",
        "cut clean DX clean 2.edl",
        "cut clean DX clean 3.edl",
    ]
    for path in done.made():
        text = path.read_text(encoding="utf-8")
        assert text.splitlines()[1:3] == ["FCM: NON-DROP FRAME", "* FPS: 25"]
        found = edl.events(text)
        assert all("V" not in line.channels for line in found)
        assert all(len(line.reel) <= 8 for line in found)


def test_events_are_those_of_the_originals(tmp_path: Path) -> None:
    done = Done(tmp_path, edl.CUT_25)
    first, second, third = (edl.events(p.read_text(encoding="utf-8")) for p in done.made())
    assert [(e.number, e.channels, e.kind, e.length) for e in first] == [
        ("001", "AA", "C", ""),
        ("002", "AA", "C", ""),
        ("002", "AA", "D", "012"),
        ("003", "AA", "C", ""),
        ("003", "AA", "D", "010"),
    ]
    original = edl.events(edl.CUT_25)
    assert (first[0].source_in, first[0].record_out) == (original[1].source_in, "01:00:06:00")
    assert first[2].source_out == original[3].source_out
    assert (first[4].reel, first[4].record_in) == ("BL", "01:00:10:00")
    assert [e.channels for e in second] == ["A2"]
    assert [e.channels for e in third] == ["A3", "NONE"]
    text = done.made()[0].read_text(encoding="utf-8")
    assert f"(REEL {first[0].reel} A1)" in text
    assert "AUD  3    4" in done.made()[2].read_text(encoding="utf-8")


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    done = Done(tmp_path, edl.CUT_25)
    eligible = {use.id: use for use in done.uses if use.left_alone is None}
    clips = [clip for track in done.plan.tracks for clip in track.clips]
    start_s = Fraction(done.facts.start_frame) / done.facts.rate
    found = []
    for path in done.made():
        facts = timeline_facts(ADAPTER.read(path))
        for use in read_uses(ADAPTER.read(path)):
            assert reason(use) is Reason.ALREADY_CLEANED
            at_s = facts.start_frame / facts.rate - start_s + use.record.start_s
            found.append((use.media_url, at_s, use.record.duration_s, use.source.start_s))
    assert sorted(found) == sorted(
        (
            str(clip.media.path),
            clip.record.start_s,
            clip.record.duration_s,
            eligible[clip.use_id].source.start_s,
        )
        for clip in clips
    )


def reason(use: Use) -> Reason | None:
    return None if use.left_alone is None else use.left_alone.reason


def test_a_second_run_finds_nothing_to_do(tmp_path: Path) -> None:
    done = Done(tmp_path, edl.CUT_25)
    timeline = ADAPTER.read(done.target)
    assert all(use.left_alone is not None for use in read_uses(timeline))
    again = tmp_path / "again.edl"
    assert ADAPTER.patch(done.target, ConformPlan(timeline.name), again) == ()
    assert again.read_bytes() == done.target.read_bytes()


def test_what_an_editor_must_do_by_hand_is_told(tmp_path: Path) -> None:
    losses = Done(tmp_path, edl.CUT_25).losses
    assert "mute 5 events by hand: 002, 003, 010, 005, 009" in losses[0].what
    assert "25.000 was assumed" in losses[1].what
    stated = Done(tmp_path, edl.CUT_25.replace("\n\n", "\n* FPS: 25\n\n", 1)).losses
    assert len(stated) == 1


def test_locators_stand_below_the_event_that_they_mark(tmp_path: Path) -> None:
    path = tmp_path / "cut.edl"
    path.write_text(edl.CUT_25, encoding="utf-8")
    markers = (
        TimelineMarker(Span(Fraction(21), Fraction(1)), "DX not cleaned: retimed", "slow\nfilm"),
        TimelineMarker(Span(Fraction(0), Fraction(1)), "first", "", "ORANGE"),
    )
    ADAPTER.patch(path, ConformPlan("Scene 3 (rough)", markers=markers), tmp_path / "out.edl")
    lines = (tmp_path / "out.edl").read_text(encoding="utf-8").splitlines()
    at = lines.index("* LOC: 01:00:21:00 RED     DX not cleaned: retimed. slow film")
    assert lines[at - 1] == "* FROM CLIP NAME:  slow.mov"
    assert "* LOC: 01:00:00:00 YELLOW  first" in lines
    assert edl.without_notes("\n".join(lines) + "\n", edl.CUT_25).count("LOC") == 1


def test_drop_frame_stays_drop_frame(tmp_path: Path) -> None:
    text = (
        "TITLE: Cut\nFCM: DROP FRAME\n"
        "001  R1       A     C        00:00:59:28 00:01:30:02 01:00:59:28 01:01:30:02\n"
        "* FROM CLIP NAME: a.wav\n"
    )
    done = Done(tmp_path, text)
    (made,) = done.made()
    (line,) = edl.events(made.read_text(encoding="utf-8"))
    assert "FCM: DROP FRAME" in made.read_text(encoding="utf-8")
    assert (line.source_in, line.source_out) == ("00:00:59:28", "00:01:30:02")
    assert (line.record_in, line.record_out) == ("01:00:59:28", "01:01:30:02")
    assert [loss.where for loss in done.losses] == ["cut.edl"]  # 29.97 is not assumed


def test_reels_are_safe_and_do_not_clash(tmp_path: Path) -> None:
    path = tmp_path / "cut.edl"
    path.write_text(
        "".join(
            f"00{n}  A003__TA A     C        0{n}:00:00:00 0{n}:00:04:00 01:00:0{n * 4 - 4}:00"
            f" 01:00:0{n * 4}:00\n* FROM CLIP NAME: {n}.wav\n"
            for n in (1, 2)
        ),
        encoding="utf-8",
    )
    uses = read_uses(ADAPTER.read(path))
    plan = made_up_plan(uses, "Cut clean")  # its files have quotes and spaces in their names
    ADAPTER.patch(path, plan, tmp_path / "out.edl")
    text = (tmp_path / "out DX clean 1.edl").read_text(encoding="utf-8")
    assert [line.reel for line in edl.events(text)] == ["A003_TAK", "A003_T_2"]
    assert "对白" in text


def test_letters_that_the_code_page_lacks_are_told(tmp_path: Path) -> None:
    path = tmp_path / "cut.edl"
    path.write_bytes("TITLE: Gerät\n".encode("latin-1") + edl.CUT_25.split("\n", 1)[1].encode())
    losses = ADAPTER.patch(path, ConformPlan("对白"), tmp_path / "out.edl")
    assert [loss.where for loss in losses] == ["comments"]
    assert (tmp_path / "out.edl").read_bytes().startswith(b"TITLE: ??\n")


@pytest.mark.parametrize("address", ["E99:001", "E2:001", "", "T1/I1:", "E²:1"])
def test_an_address_from_elsewhere_is_refused(tmp_path: Path, address: str) -> None:
    path = tmp_path / "cut.edl"
    path.write_text(edl.CUT_25, encoding="utf-8")
    with pytest.raises(DocumentError, match="no event at"):
        ADAPTER.patch(path, ConformPlan("x", disable=(address,)), tmp_path / "out.edl")
    assert [made.name for made in tmp_path.iterdir()] == ["cut.edl"]


@st.composite
def lists(draw: st.DrawFn) -> tuple[str, Fraction]:
    """Random cuts with joins, gaps, dissolves and channels at three rates."""
    rate, head = draw(
        st.sampled_from(
            (
                (Fraction(25), "* FPS: 25\nFCM: NON-DROP FRAME"),
                (Fraction(24_000, 1001), "* FPS: 23.976"),
                (NTSC, "FCM: DROP FRAME"),
            )
        )
    )
    drop = "FCM: DROP" in head
    position = frames_from_timecode("01:00:00:00", rate, drop)
    lines, previous = [f"TITLE: Cut\n{head}"], None
    for number in range(1, draw(st.integers(1, 7))):
        length, source = draw(st.integers(30, 4000)), draw(st.integers(0, 500_000))
        channels = draw(st.sampled_from(("A", "A", "A2", "AA", "A7")))
        if draw(st.integers(0, 3)) == 0:
            position, previous = position + draw(st.integers(1, 99)), None
        codes = _codes((source, source + length, position, position + length), rate, drop)
        if previous is not None and previous[1] == channels and draw(st.booleans()):
            out = previous[2]
            at = _codes((out, out, position, position), rate, drop)
            lines.append(f"{number:03}  {previous[0]:<8} {channels:<5} C        {at}")
            kind = "D    012"
        else:
            kind = "C       "
        lines.append(f"{number:03}  R{number:<7} {channels:<5} {kind} {codes}")
        lines.append(f"* FROM CLIP NAME: {number - 1}.wav" if kind[0] == "D" else "* a comment")
        lines.append(f"* {'TO' if kind[0] == 'D' else 'FROM'} CLIP NAME: {number}.wav")
        position, previous = position + length, (f"R{number}", channels, source + length)
    return "\n".join(lines) + "\n", rate


def _codes(frames: tuple[int, ...], rate: Fraction, drop: bool) -> str:
    return " ".join(timecode_from_frames(f, rate, drop).replace(";", ":") for f in frames)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lists())
def test_any_list_survives_the_conform(tmp_path: Path, made: tuple[str, Fraction]) -> None:
    text, rate = made
    if text.count("\n") < 4:
        return
    done = Done(tmp_path, text)
    assert done.facts.rate == rate
    assert edl.without_notes(done.text, text) == text
    wanted = {(line.record_in, line.source_in) for line in edl.events(text) if _has_length(line)}
    found = set()
    for path in done.made():
        lines = edl.events(path.read_text(encoding="utf-8"))
        found |= {(e.record_in, e.source_in) for e in lines if _has_length(e) and e.reel != "BL"}
    assert found == wanted
    assert all(use.left_alone is None for use in done.uses)


def _has_length(line: edl.Line) -> bool:
    return line.record_in != line.record_out
