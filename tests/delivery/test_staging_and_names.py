"""A delivery is whole or absent; its names are free and fit every file system."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlecompanion.delivery.names import MAX_BYTES, safe_stem, unique_name
from nlecompanion.delivery.staging import disk_errors, reserve, reserve_exactly
from nlecompanion.errors import DeliveryError, NoSpace, NotWritable


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_stands_under_the_final_name_before_commit(tmp_path: Path) -> None:
    staging, number = reserve(tmp_path, "Scene clean")
    with staging:
        (staging.folder / "a.wav").write_bytes(b"x")
        assert not staging.final.exists()
        staging.commit()
    assert number == 1
    assert names(tmp_path) == ["Scene clean"]
    assert names(tmp_path / "Scene clean") == ["a.wav"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    staging, _ = reserve(tmp_path, "Scene clean")
    with pytest.raises(RuntimeError), staging:
        (staging.folder / "a.wav").write_bytes(b"x")
        raise RuntimeError
    assert names(tmp_path) == []


def test_the_next_number_is_taken(tmp_path: Path) -> None:
    for expected in (1, 2, 3):
        staging, number = reserve(tmp_path, "S")
        with staging:
            staging.commit()
        assert number == expected
    assert names(tmp_path) == ["S", "S 2", "S 3"]


def test_two_at_once_do_not_share_a_name(tmp_path: Path) -> None:
    first, _ = reserve(tmp_path, "S")
    second, number = reserve(tmp_path, "S")
    with first, second:
        assert number == 2
        first.commit()
        second.commit()
    assert names(tmp_path) == ["S", "S 2"]


def test_what_a_dead_process_left_is_taken_over(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path;"
        "from nlecompanion.delivery.staging import reserve;"
        "reserve(Path(sys.argv[1]), 'S'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert names(tmp_path) == [".S.partial"]
    staging, number = reserve(tmp_path, "S")
    with staging:
        assert number == 1
        staging.commit()
    assert names(tmp_path) == ["S"]


def test_a_name_that_must_be_this_one(tmp_path: Path) -> None:
    with reserve_exactly(tmp_path / "S") as staging:
        staging.commit()
    with pytest.raises(DeliveryError, match="there already"):
        reserve_exactly(tmp_path / "S")


def test_a_folder_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    staging, _ = reserve(tmp_path, "S")
    with pytest.raises(DeliveryError, match="appeared"), staging:
        (tmp_path / "S").mkdir()
        (tmp_path / "S" / "precious").touch()
        staging.commit()
    assert names(tmp_path) == ["S"]
    assert names(tmp_path / "S") == ["precious"]


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, NoSpace), (errno.EACCES, NotWritable)])
def test_the_systems_errors_become_ours(tmp_path: Path, number: int, kind: type) -> None:
    with pytest.raises(kind) as caught, disk_errors(tmp_path / "not there yet"):
        raise OSError(number, os.strerror(number))
    assert str(tmp_path) in str(caught.value)


@given(st.text())
def test_any_name_becomes_a_file_name(text: str) -> None:
    stem = safe_stem(text)
    assert stem
    assert len(stem.encode("utf-8")) <= MAX_BYTES
    assert not set(stem) & set('\\/:*?"<>|\0\n')
    assert stem == stem.strip(" .")


@pytest.mark.parametrize("text", ["Häuser 10%", "会议", "مقابلة", "it's #1"])
def test_ordinary_names_are_kept(text: str) -> None:
    assert safe_stem(text) == text


def test_unique_names_differ_whatever_the_case() -> None:
    assert unique_name("a DX", ".wav", {"A dx.wav".casefold()}) == "a DX 2.wav"
