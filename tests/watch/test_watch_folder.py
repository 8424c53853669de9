import json
import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from testkit.watching import Bench

from nlecompanion.errors import NotWritable, WatchError
from nlecompanion.watch.filing import file_failure, file_note, withdraw_failure
from nlecompanion.watch.layout import prepare
from nlecompanion.watch.lock import folder_lock


def test_makes_its_folders(tmp_path: Path) -> None:
    places = prepare(tmp_path / "new" / "watched")
    made = sorted(entry.name for entry in places.root.iterdir())
    assert made == [".nlecompanion", "done", "failed", "inbox", "working"]
    assert prepare(places.root) == places
    assert list(places.done.iterdir()) == []


@pytest.mark.parametrize("where", ["", "inbox", "done"])
def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path, where: str) -> None:
    blocked = tmp_path / "watched" / where
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("")
    with pytest.raises(WatchError, match=r"cannot be used .*watch another one"):
        prepare(tmp_path / "watched")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "done").chmod(0o500)
    try:
        with pytest.raises(WatchError, match="done cannot be used"):
            prepare(tmp_path)
    finally:
        (tmp_path / "done").chmod(0o700)


@pytest.mark.parametrize("inside", ["done/scene", "inbox", "working/deep/er"])
def test_a_folder_inside_a_watched_one_is_refused(tmp_path: Path, inside: str) -> None:
    prepare(tmp_path)
    with pytest.raises(WatchError, match="lies inside the watched folder"):
        prepare(tmp_path / inside)
    assert not (tmp_path / inside / "inbox").exists()


def test_a_second_daemon_is_told_who_holds_the_folder(bench: Bench) -> None:
    with bench.daemon():
        since = "2025-06-15T15:06:40+00:00"
        who = f"process {os.getpid()} on {socket.gethostname()} since {since}"
        with pytest.raises(WatchError, match="already watched by ") as refused, bench.daemon():
            pass
        assert who in str(refused.value)
        note = json.loads((bench.root / ".nlecompanion" / "lock").read_text())
        assert note["pid"] == os.getpid(), "the second one must not write its own name"
    with bench.daemon():
        pass


def test_a_holder_without_a_name_is_told_all_the_same(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with folder_lock(lock, 0):
        lock.write_text("")
        with pytest.raises(WatchError, match="another process"), folder_lock(lock, 0):
            pass


@pytest.mark.skipif(sys.platform == "win32", reason="shows it with the POSIX call")
def test_locks_that_do_not_lock_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "nlecompanion.watch.lock.try_lock", lambda descriptor, *, shared=False: True
    )
    with pytest.raises(WatchError, match="no working locks"), folder_lock(tmp_path / "lock", 0):
        pass


def test_no_lock_is_left_open_by_refusals(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with ExitStack() as stack:
        stack.enter_context(folder_lock(lock, 0))
        for _ in range(3):
            with pytest.raises(WatchError), folder_lock(lock, 0):
                pass
    with folder_lock(lock, 0):
        pass


def test_filing_twice_is_filing_once(tmp_path: Path) -> None:
    failed, document = tmp_path / "failed", tmp_path / "a.xml"
    failed.mkdir()
    document.write_bytes(b"one")
    assert file_failure(failed, document, "line") == "a.xml"
    assert file_failure(failed, document, "better line") == "a.xml"
    assert sorted(entry.name for entry in failed.iterdir()) == ["a.xml", "a.xml.txt"]
    assert (failed / "a.xml.txt").read_text() == "better line\n"


def test_a_document_that_cannot_be_read_gets_the_line_alone(tmp_path: Path) -> None:
    assert file_failure(tmp_path, tmp_path / "gone.xml", "line") == "gone.xml"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["gone.xml.txt"]


def test_a_copy_of_something_else_is_not_withdrawn(tmp_path: Path) -> None:
    failed, document = tmp_path / "failed", tmp_path / "a.xml"
    failed.mkdir()
    document.write_bytes(b"one")
    name = file_failure(failed, document, "line")
    document.write_bytes(b"two")
    withdraw_failure(failed, name, document)
    assert (failed / name).read_bytes() == b"one"
    document.write_bytes(b"one")
    withdraw_failure(failed, name, document)
    assert list(failed.iterdir()) == []


def test_a_name_of_full_length_can_be_filed(tmp_path: Path) -> None:
    document = tmp_path / ("x" * 251 + ".xml")
    document.write_bytes(b"one")
    failed = tmp_path / "failed"
    failed.mkdir()
    assert len(file_failure(failed, document, "line")) == 154


def test_a_folder_that_cannot_take_the_line_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotWritable, match="cannot be written to"):
        file_note(tmp_path / "none" / "a.txt", "line")


def test_a_lost_failed_folder_is_waited_out(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml", b"half")
        bench.turn(daemon)
        (bench.root / "failed").rmdir()
        with pytest.raises(NotWritable):
            bench.turn(daemon, 30)
        assert bench.states() == {"a.xml": ["seen"]}
        (bench.root / "failed").mkdir()
        bench.turn(daemon)
    assert bench.states() == {"a.xml": ["failed"]}
    assert bench.lying("failed") == ["a.xml", "a.xml.txt"]


def test_a_lost_inbox_loses_nothing(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
        (bench.root / "inbox").rename(bench.root / "elsewhere")
        with pytest.raises(WatchError, match="Mount it"):
            daemon.step()
        (bench.root / "elsewhere").rename(bench.root / "inbox")
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["done"]}
