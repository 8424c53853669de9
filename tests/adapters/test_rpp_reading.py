"""REAPER projects: what is read, and the reasons to leave an item alone."""

from __future__ import annotations

import importlib
from fractions import Fraction
from pathlib import Path

import pytest
from testkit import rpp
from testkit.shared import shared

from nlecompanion.model import ConformPlan, Reason, Span, Use
from nlecompanion.timeline.contract import Adapter, timeline_facts
from nlecompanion.timeline.uses import read_uses

ADAPTER: Adapter = importlib.import_module("nlecompanion.adapters.rpp").ADAPTER
quoted = importlib.import_module("nlecompanion.adapters.rpp.tree").quoted
split_words = importlib.import_module("nlecompanion.adapters.rpp.tree").split_words

WAV = rpp.source("WAVE", "/a/b.wav")


def write(folder: Path, data: bytes) -> Path:
    path = folder / "cut.rpp"
    path.write_bytes(data)
    return path


def uses_of(folder: Path, *tracks: str) -> list[Use]:
    return list(read_uses(ADAPTER.read(write(folder, rpp.project(*tracks)))))


def only(folder: Path, body: str, offset: str = "0", **more: str) -> Use:
    (use,) = uses_of(
        folder, rpp.track(1, "DX", rpp.item(1, "1", "2", rpp.take("a", body, offset, **more)))
    )
    return use


def reason(use: Use) -> Reason | None:
    return None if use.left_alone is None else use.left_alone.reason


@pytest.mark.parametrize("name", ["perlence_empty.RPP", "perlence_vst.RPP"])
def test_real_projects_are_read_and_come_back_as_they_were(name: str, tmp_path: Path) -> None:
    path = shared("timelines/corpus/rpp") / name
    uses = read_uses(ADAPTER.read(path))
    assert {reason(use) for use in uses} <= {Reason.GENERATED}
    assert len(uses) == (0 if "empty" in name else 2)
    ADAPTER.patch(path, ConformPlan(""), tmp_path / "out.rpp")
    assert (tmp_path / "out.rpp").read_bytes() == path.read_bytes()


def test_times_are_the_decimals_of_the_text(tmp_path: Path) -> None:
    uses = read_uses(ADAPTER.read(write(tmp_path, rpp.SPECIMENS["plain"])))
    assert uses[2].record == Span(Fraction("8.9"), Fraction(2))
    assert uses[0].source == Span(Fraction("12.25"), Fraction(4))
    assert uses[0].frame_rate is None
    assert [use.track for use in uses[:4]] == ["Dialogue"] * 3 + ["Boom"]


def test_finer_decimals_go_to_a_sixteenth_of_a_sample(tmp_path: Path) -> None:
    uses = read_uses(ADAPTER.read(write(tmp_path, rpp.SPECIMENS["off grid"])))
    for use in uses:
        for time_s in (use.record.start_s, use.record.duration_s, use.source.start_s):
            assert (time_s * 768_000).denominator == 1
        assert use.source.duration_s == use.record.duration_s
    assert abs(uses[0].record.start_s - Fraction("1.23456789012345")) <= Fraction(1, 1_536_000)
    assert abs(uses[1].source.start_s - Fraction("0.00001")) <= Fraction(1, 1_536_000)


@pytest.mark.parametrize(
    ("base", "mode", "rate", "drop"),
    [
        (25, 0, Fraction(25), False),
        (30, 1, Fraction(30_000, 1001), True),
        (30, 2, Fraction(30_000, 1001), False),
        (24, 2, Fraction(24_000, 1001), False),
        (24, 1, Fraction(24_000, 1001), False),
    ],
)
def test_the_frame_rate_is_the_projects(
    tmp_path: Path, base: int, mode: int, rate: Fraction, drop: bool
) -> None:
    facts = timeline_facts(ADAPTER.read(write(tmp_path, rpp.project(base=base, mode=mode))))
    assert (facts.rate, facts.drop_frame) == (rate, drop)
    assert facts.start_frame == round(3600 * rate)
    assert facts.sample_rate_hz == 48_000


@pytest.mark.parametrize(
    ("mode", "channels"),
    [("0", None), ("1", None), ("2", None), ("3", (0,)), ("4", (1,)), ("8", (5,)), ("67", None)],
)
def test_the_channel_mode_picks_channels(
    tmp_path: Path, mode: str, channels: tuple[int, ...] | None
) -> None:
    assert only(tmp_path, WAV, CHANMODE=mode).channels == channels


@pytest.mark.parametrize(
    ("body", "more", "expected"),
    [
        (WAV, {}, None),
        (rpp.section(WAV, "3", "9"), {}, None),
        (rpp.section(WAV, "3", "9", "2"), {}, Reason.REVERSED),
        (rpp.section(WAV, "3", "9", "3"), {}, Reason.REVERSED),
        (rpp.section(WAV, "3", "1.5"), {}, Reason.UNSUPPORTED),
        (rpp.section(rpp.section(WAV, "3", "9"), "1", "9"), {}, Reason.UNSUPPORTED),
        (WAV, {"PLAYRATE": "0.5 1 0 -1"}, Reason.RETIMED),
        (WAV, {"PLAYRATE": "fast"}, Reason.UNSUPPORTED),
        (WAV, {"SM": "0 0 + 1 1.5"}, Reason.RETIMED),
        ("<SOURCE MIDI\n  HASDATA 1 960 QN\n>", {}, Reason.GENERATED),
        ("<SOURCE CLICK\n>", {}, Reason.GENERATED),
        (rpp.source("RPP_PROJECT", "x.rpp"), {}, Reason.NESTED),
        (rpp.source("WAVE", "x.RPP"), {}, Reason.NESTED),
        ("<SOURCE WAVE\n>", {}, Reason.OFFLINE),
    ],
)
def test_the_take_says_why_it_is_left_alone(
    tmp_path: Path, body: str, more: dict[str, str], expected: Reason | None
) -> None:
    assert reason(only(tmp_path, body, **more)) is expected


def test_a_section_counts_from_its_start(tmp_path: Path) -> None:
    use = only(tmp_path, rpp.section(WAV, "3.5", "9"), "1.25")
    assert use.source == Span(Fraction("4.75"), Fraction(2))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"MUTE": "1 0"}, Reason.DISABLED),
        ({"LENGTH": "0"}, Reason.TOO_SHORT),
        ({"LENGTH": "1e99"}, Reason.UNSUPPORTED),
        ({"LENGTH": "nan"}, Reason.UNSUPPORTED),
        ({"POSITION": "-3"}, Reason.UNSUPPORTED),
        ({"POSITION": "9" * 400}, Reason.UNSUPPORTED),
    ],
)
def test_the_item_says_why_it_is_left_alone(
    tmp_path: Path, more: dict[str, str], expected: Reason
) -> None:
    item = rpp.item(1, "1", "2", rpp.take("a", WAV), **more)
    (use,) = uses_of(tmp_path, rpp.track(1, "DX", item))
    assert reason(use) is expected


def test_an_item_without_volume_is_off(tmp_path: Path) -> None:
    assert reason(only(tmp_path, WAV, VOLPAN="0 0 1 -1")) is Reason.DISABLED


def test_a_muted_folder_mutes_what_lies_in_it(tmp_path: Path) -> None:
    def track(number: int, **more: str) -> str:
        return rpp.track(
            number, f"T{number}", rpp.item(number, "0", "2", rpp.take("a", WAV)), **more
        )

    uses = uses_of(
        tmp_path,
        track(1, ISBUS="1 1", MUTESOLO="1 0 0"),
        track(2, ISBUS="1 1"),
        track(3, ISBUS="2 -2"),
        track(4),
        track(5, FREEMODE="2"),
    )
    expected = [Reason.MUTED, Reason.MUTED, Reason.MUTED, None, Reason.UNSUPPORTED]
    assert [reason(use) for use in uses] == expected


def test_the_selected_take_is_the_one_that_plays(tmp_path: Path) -> None:
    uses = read_uses(ADAPTER.read(write(tmp_path, rpp.SPECIMENS["takes"])))
    assert (uses[0].name, uses[0].source.start_s) == ("second", Fraction("11.75"))
    assert len(uses) == 8  # the empty item makes no sound


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('NAME "two words"', ("NAME", "two words")),
        ("NAME '\"hey'", ("NAME", '"hey')),
        ("NAME `a \"b\" 'c'`", ("NAME", "a \"b\" 'c'")),
        ('NAME hey"', ("NAME", 'hey"')),
        ('NAME ""', ("NAME", "")),
        ('NAME "open', ("NAME", "open")),
        ("  A   1 2 ", ("A", "1", "2")),
        ("", ()),
    ],
)
def test_words_and_quotes(line: str, words: tuple[str, ...]) -> None:
    assert split_words(line) == words


@pytest.mark.parametrize("text", ["plain", 'a "b"', "a \"b\" 'c'", "", "two\nlines"])
def test_what_is_quoted_is_read_again(text: str) -> None:
    assert split_words(quoted(text)) == (text.replace("\n", " "),)


def test_a_project_in_an_old_code_page_keeps_its_bytes(tmp_path: Path) -> None:
    data = rpp.project(rpp.track(1, "Gerausche", rpp.item(1, "0", "2", rpp.take("a", WAV))))
    path = write(tmp_path, data.replace(b"Gerausche", b"Ger\xe4usche"))
    timeline = ADAPTER.read(path)
    assert read_uses(timeline)[0].track == "Geräusche"
    ADAPTER.patch(path, ConformPlan(timeline.name), tmp_path / "out.rpp")
    assert (tmp_path / "out.rpp").read_bytes() == path.read_bytes()
