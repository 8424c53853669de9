"""REAPER projects: what is added, what is switched off, and that no other line moved."""

from __future__ import annotations

import importlib
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testkit import rpp
from testkit.contract import made_up_plan

from nlecompanion.errors import DocumentError
from nlecompanion.model import ConformPlan, Loss, Reason, Span, TimelineMarker, Use
from nlecompanion.timeline.contract import Adapter, timeline_facts
from nlecompanion.timeline.uses import read_uses

ADAPTER: Adapter = importlib.import_module("nlecompanion.adapters.rpp").ADAPTER
decimal = importlib.import_module("nlecompanion.adapters.rpp.patch").decimal


class Done:
    """A project before and after."""

    def __init__(self, folder: Path, data: bytes) -> None:
        self.path, self.target = folder / "cut.rpp", folder / "out.rpp"
        self.path.write_bytes(data)
        timeline = ADAPTER.read(self.path)
        self.uses = read_uses(timeline)
        self.plan = made_up_plan(self.uses, "Cut clean")
        self.losses: tuple[Loss, ...] = ADAPTER.patch(self.path, self.plan, self.target)
        self.original, self.delivered = data, self.target.read_bytes()
        self.after: tuple[Use, ...] = read_uses(ADAPTER.read(self.target))

    @property
    def added(self) -> list[Use]:
        return [use for use in self.after if use.track.startswith("DX clean")]


@pytest.fixture(params=sorted(rpp.SPECIMENS))
def done(request: pytest.FixtureRequest, tmp_path: Path) -> Done:
    return Done(tmp_path, rpp.SPECIMENS[request.param])


@pytest.mark.parametrize(("label", "cleaned"), [("plain", 4), ("takes", 1), ("off grid", 3)])
def test_so_many_items_are_cleaned(tmp_path: Path, label: str, cleaned: int) -> None:
    assert len(Done(tmp_path, rpp.SPECIMENS[label]).added) == cleaned


def test_undoing_gives_the_text_back(done: Done) -> None:
    assert rpp.undo(done.original, done.delivered, done.plan) == done.original
    assert rpp.repeated_ids(done.delivered) == rpp.repeated_ids(done.original) == []


def test_each_cleaned_item_lies_where_its_original_does(done: Done) -> None:
    clips = [clip for track in done.plan.tracks for clip in track.clips]
    assert [use.record for use in done.added] == [clip.record for clip in clips]
    for clip, use in zip(clips, done.added, strict=True):
        original = next(u for u in done.uses if u.id == clip.use_id)
        assert (use.media_start_s or 0) + use.source.start_s == original.source.start_s
        assert use.left_alone is not None
        assert use.left_alone.reason is Reason.ALREADY_CLEANED


def test_originals_are_off_and_still_seen(done: Done) -> None:
    off = {use.addresses for use in done.uses if use.left_alone is None}
    for use in done.after[: len(done.uses)]:
        if use.addresses in off:
            assert use.left_alone is not None
            assert use.left_alone.reason is Reason.DISABLED
    assert rpp.picture(done.delivered) == rpp.picture(done.original)


def test_a_second_patch_makes_the_same_bytes(done: Done, tmp_path: Path) -> None:
    again = tmp_path / "again.rpp"
    ADAPTER.patch(done.path, done.plan, again)
    assert again.read_bytes() == done.delivered
    assert ADAPTER.patch(done.target, ConformPlan("Cut clean"), again) == ()
    assert again.read_bytes() == done.delivered


def test_the_track_keeps_its_sound_and_loses_its_state(tmp_path: Path) -> None:
    done = Done(tmp_path, rpp.SPECIMENS["off grid"])
    text = done.delivered.decode()
    new = text[text.index('NAME "DX clean 1"') :]
    assert "VOLPAN 0.8 0 -1 -1 1" in new
    assert "ReaEQ" in new
    assert "AUXRECV" not in new
    assert "ISBUS 0 0" in new
    assert "FADEOUT 1 0.02 0 1 0 0 0" in new
    assert {loss.where for loss in done.losses} == {"cut.rpp", "DX clean 1", "DX clean 2"}
    assert any("outside the folder" in loss.what for loss in done.losses)
    assert any("relative to the project" in loss.what for loss in done.losses)


def test_a_picked_channel_becomes_a_mono_file(tmp_path: Path) -> None:
    done = Done(tmp_path, rpp.SPECIMENS["plain"])
    boom = done.delivered.decode().split('NAME "DX clean 3"')[1]
    assert "CHANMODE 0" in boom
    assert "CHANMODE 4" not in boom
    assert '48000 1"' in boom


def test_a_section_is_replaced_whole(tmp_path: Path) -> None:
    done = Done(tmp_path, rpp.SPECIMENS["takes"])
    (item,) = rpp.added_items(done.delivered)
    assert "SECTION" not in "".join(item)
    assert "".join(item).count("<SOURCE") == 2  # the other take keeps its own


def test_markers_are_numbered_on_and_coloured(tmp_path: Path) -> None:
    path = tmp_path / "cut.rpp"
    path.write_bytes(rpp.SPECIMENS["plain"])
    markers = (
        TimelineMarker(Span(Fraction(1, 3), Fraction(0)), 'say "what"', "two\nlines"),
        TimelineMarker(Span(Fraction(5), Fraction(0)), "blue", "", "BLUE"),
    )
    ADAPTER.patch(path, ConformPlan("", markers=markers), tmp_path / "out.rpp")
    text = (tmp_path / "out.rpp").read_text(encoding="utf-8")
    assert "  MARKER 2 0.33333333333333 'say \"what\". two lines' 0 16777471 1 R\n" in text
    assert '  MARKER 3 5 "blue" 0 33488896 1 R\n' in text


def test_a_title_that_was_there_is_replaced(tmp_path: Path) -> None:
    data = rpp.SPECIMENS["plain"].replace(b"  RIPPLE 0\r\n", b'  TITLE "Reel 1"\r\n  RIPPLE 0\r\n')
    path = tmp_path / "cut.rpp"
    path.write_bytes(data)
    assert timeline_facts(ADAPTER.read(path)).name == "Reel 1"
    ADAPTER.patch(path, ConformPlan("Reel 1 clean"), tmp_path / "out.rpp")
    assert (tmp_path / "out.rpp").read_bytes() == data.replace(b'"Reel 1"', b'"Reel 1 clean"')


@pytest.mark.parametrize("address", ["T1/I9:{x}", "T9/I1:", "", "E1:001"])
def test_an_address_from_elsewhere_is_refused(tmp_path: Path, address: str) -> None:
    path = tmp_path / "cut.rpp"
    path.write_bytes(rpp.SPECIMENS["plain"])
    with pytest.raises(DocumentError, match="no item at"):
        ADAPTER.patch(path, ConformPlan("x", disable=(address,)), tmp_path / "out.rpp")
    assert not (tmp_path / "out.rpp").exists()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(5, 2), "2.5"),
        (Fraction(-1, 4), "-0.25"),
        (Fraction(1, 48_000), "0.00002083333333"),
        (Fraction(10**7), "10000000"),
        (Fraction(1, 10**20), "0"),
    ],
)
def test_decimals(seconds: Fraction, text: str) -> None:
    assert decimal(seconds) == text


@st.composite
def projects(draw: st.DrawFn) -> bytes:
    """Random tracks of items: any decimals, takes, sections, states, line ends."""
    decimals = st.integers(0, 10**10).map(lambda n: f"{n / 10**7:.7f}")
    lengths = st.integers(1, 10**9).map(lambda n: f"{n / 10**8:.8f}")
    tracks = []
    for track_number in range(1, draw(st.integers(1, 3)) + 1):
        items = []
        for number in range(draw(st.integers(0, 4))):
            body = draw(st.sampled_from((rpp.CAMERA, rpp.BOOM, rpp.LAV)))
            if draw(st.booleans()):
                body = rpp.section(body, draw(decimals), "1000")
            takes = [rpp.take(f"a{track_number}{number}", body, draw(lengths))]
            if draw(st.booleans()):
                takes.append("TAKE SEL\n" + rpp.take(f"b{track_number}{number}", body, "1.5"))
            more = {"MUTE": draw(st.sampled_from(("0 0", "0 0", "1 0", "")))}
            item_id = track_number * 100 + number
            items.append(rpp.item(item_id, draw(decimals), draw(lengths), *takes, **more))
        mute = draw(st.sampled_from(("0 0 0", "0 0 0", "1 0 0")))
        tracks.append(rpp.track(track_number, f"T {track_number}", *items, MUTESOLO=mute))
    return rpp.project(*tracks, newline=draw(st.sampled_from(("\n", "\r\n"))))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(projects())
def test_any_project_survives_the_conform(tmp_path: Path, data: bytes) -> None:
    done = Done(tmp_path, data)
    test_undoing_gives_the_text_back(done)
    test_each_cleaned_item_lies_where_its_original_does(done)
    test_originals_are_off_and_still_seen(done)
