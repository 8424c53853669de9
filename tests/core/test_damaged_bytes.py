"""What fuzzing has found in readers of bytes from outside: each ends in an error of ours."""

from __future__ import annotations

import contextlib
import sqlite3
import zipfile
from pathlib import Path

import pytest
from benchmarks.fuzz_parsers import PARSERS, Parser

from nlecompanion.archive import open_archive, unpack
from nlecompanion.errors import NleCompanionError, NotATimeline, SettingsError, WatchError
from nlecompanion.media.riff import missing_sound_bytes
from nlecompanion.settings import load_settings
from nlecompanion.watch.contract import SystemClock
from nlecompanion.watch.journal import Journal
from nlecompanion.watch.options import load_options


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_the_whole_ones_are_read(name: str, tmp_path: Path) -> None:
    for file_name, data in PARSERS[name].seeds():
        path = tmp_path / file_name
        path.write_bytes(data)
        PARSERS[name].read(path)


@pytest.mark.filterwarnings("ignore:Failed to parse:RuntimeWarning")
@pytest.mark.parametrize("name", sorted(PARSERS))
def test_the_empty_and_the_halved_are_read_or_refused(name: str, tmp_path: Path) -> None:
    parser: Parser = PARSERS[name]
    for file_name, data in parser.seeds():
        path = tmp_path / file_name
        for content in (b"", data[: len(data) // 2], data[: len(data) // 2] * 2, data[::-1]):
            path.write_bytes(content)
            with contextlib.suppress(NleCompanionError):
                parser.read(path)


def _zip(path: Path) -> bytearray:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("méd.wav", b"sound" * 9)
    return bytearray(path.read_bytes())


def _unpacked(path: Path) -> None:
    with open_archive(path) as archive:
        unpack(archive, ["méd.wav"], path.parent / "out")


@pytest.mark.parametrize("last", [False, True])
def test_a_zip_with_names_of_no_alphabet_is_refused(tmp_path: Path, last: bool) -> None:
    path = tmp_path / "cut.otioz"
    content = _zip(path)
    name = "méd".encode()
    at = content.rindex(name) if last else content.index(name)
    content[at + 1] = 0xFF
    path.write_bytes(content)
    with pytest.raises(NotATimeline, match="no whole zip"):
        _unpacked(path)


def test_a_zip_with_a_member_outside_of_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.otioz"
    content = _zip(path)
    directory = content.index(b"PK\x01\x02")
    content[directory + 42 : directory + 46] = b"\xff\xff\xff\x7f"
    path.write_bytes(content)
    with pytest.raises(NotATimeline, match="outside of the file"):
        _unpacked(path)


def test_a_zip_of_the_thirteenth_month_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "cut.otioz"
    content = _zip(path)
    directory = content.index(b"PK\x01\x02")
    content[directory + 14 : directory + 16] = ((46 << 9) | (13 << 5) | 40).to_bytes(2, "little")
    path.write_bytes(content)
    _unpacked(path)
    assert (tmp_path / "out" / "méd.wav").read_bytes() == b"sound" * 9
    assert (tmp_path / "out" / "méd.wav").stat().st_mtime == 315_532_800


def test_a_chunk_of_more_bytes_than_any_file_has_ends_the_look(tmp_path: Path) -> None:
    huge = (2**64 - 3).to_bytes(8, "little")
    table = b"junk" + huge
    ds64 = bytes(8) + (4).to_bytes(8, "little") + bytes(8) + (1).to_bytes(4, "little") + table
    wave = b"RF64" + b"\xff" * 4 + b"WAVEds64" + len(ds64).to_bytes(4, "little") + ds64
    path = tmp_path / "take.wav"
    path.write_bytes(wave + b"junk" + b"\xff" * 4 + b"data" + (4).to_bytes(4, "little") + bytes(4))
    assert missing_sound_bytes(path) == 0
    caf = b"caff\0\1\0\0" + b"desc" + (2**63 - 1).to_bytes(8, "big") + bytes(16)
    path.write_bytes(caf)
    assert missing_sound_bytes(path) == 0


def test_a_home_of_nobody_is_a_setting_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('media_roots = ["~nobody-of-that-name/media"]\n')
    with pytest.raises(SettingsError, match=r"media_roots in settings\.toml cannot be found"):
        load_settings(tmp_path / "settings.toml")
    (tmp_path / "watch.toml").write_text('state_dir = "~nobody-of-that-name/x"\n')
    with pytest.raises(SettingsError, match=r"state_dir in .* cannot be found"):
        load_options(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA user_version = -7",
        "PRAGMA ignore_check_constraints = ON; "
        "INSERT INTO jobs (path, size_bytes, modified_ns, state) VALUES ('a', 1, 1, 'nonsense')",
        "INSERT INTO jobs (path, size_bytes, modified_ns, state, profile) "
        "VALUES ('a', 1, 1, 'seen', CAST(X'ff' AS TEXT))",
    ],
)
def test_a_journal_of_nonsense_is_told_in_a_line(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "journal.sqlite3"
    Journal(path, SystemClock()).__exit__(None, None, None)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(statement)
    connection.close()
    with (
        pytest.raises(WatchError, match="cannot be used") as caught,
        Journal(path, SystemClock()) as journal,
    ):
        journal.current()
    assert "\n" not in str(caught.value)


def test_a_cut_inside_an_element_called_depth_may_yet_become_a_timeline(tmp_path: Path) -> None:
    """`<depth>` stands in every FCP7 XML: a copy that stops there is not refused for good."""
    from nlecompanion.plugins import adapters

    path = tmp_path / "cut.xml"
    path.write_bytes(b'<?xml version="1.0"?><xmeml version="4"><sequence><depth>16')
    with pytest.raises(NotATimeline):
        adapters()["fcp7xml"].read(path)
