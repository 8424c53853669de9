import os
import subprocess
import sys
from pathlib import Path

import pytest

from nlecompanion.errors import WatchError
from nlecompanion.watch.scan import scan_inbox, sighting_of


def fill(inbox: Path, *names: str) -> None:
    for name in names:
        path = inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_documents_at_any_depth_with_size_and_time(tmp_path: Path) -> None:
    fill(tmp_path, "a.xml", "subtitled/b.otio", "subtitled/reel 1/c.otio")
    os.utime(tmp_path / "a.xml", ns=(5, 7_000_000_000))
    found = {s.path: s for s in scan_inbox(tmp_path).found}
    assert list(found) == ["a.xml", "subtitled/b.otio", "subtitled/reel 1/c.otio"]
    assert (found["a.xml"].size_bytes, found["a.xml"].modified_ns) == (1, 7_000_000_000)
    assert sighting_of(tmp_path, "a.xml") == found["a.xml"]
    assert sighting_of(tmp_path, "none.xml") is None


def test_unfinished_files_and_system_folders_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, "a.xml.part", ".git/a.xml", "@eaDir/a.xml", "__MACOSX/a.xml")
    scan = scan_inbox(tmp_path)
    assert (scan.found, scan.left_out, scan.unreadable) == ([], {}, {})


def test_media_are_left_out_with_a_reason(tmp_path: Path) -> None:
    fill(tmp_path, "media/take 1.wav")
    scan = scan_inbox(tmp_path)
    assert scan.found == []
    assert "is media" in scan.left_out["media/take 1.wav"]


def test_a_bundle_is_one_document_with_the_size_of_all_and_notices_any_change(
    tmp_path: Path,
) -> None:
    fill(tmp_path, "cut.fcpxmld/Info.fcpxml", "CUT.OTIOD/content.otio", "CUT.OTIOD/media/a.wav")
    scan = scan_inbox(tmp_path)
    assert scan.left_out == {}
    found = {s.path: s for s in scan.found}
    assert {path: s.size_bytes for path, s in found.items()} == {"cut.fcpxmld": 1, "CUT.OTIOD": 2}
    assert sighting_of(tmp_path, "CUT.OTIOD") == found["CUT.OTIOD"]
    os.utime(tmp_path / "CUT.OTIOD" / "media" / "a.wav", ns=(5, 5))
    assert sighting_of(tmp_path, "CUT.OTIOD") != found["CUT.OTIOD"], "an older file is a change"
    (tmp_path / "cut.fcpxmld" / "Info.fcpxml").rename(tmp_path / "cut.fcpxmld" / "Other.fcpxml")
    assert sighting_of(tmp_path, "cut.fcpxmld") != found["cut.fcpxmld"], "a rename is a change"


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes need POSIX")
def test_links_and_pipes_are_no_jobs(tmp_path: Path) -> None:
    inbox, outside = tmp_path / "inbox", tmp_path / "outside"
    inbox.mkdir()
    fill(outside, "a.xml")
    (inbox / "link.xml").symlink_to(outside / "a.xml")
    (inbox / "folder").symlink_to(outside)
    (inbox / "dangling.xml").symlink_to(outside / "none.xml")
    os.mkfifo(inbox / "pipe.xml")
    scan = scan_inbox(inbox)
    assert scan.found == []
    assert set(scan.left_out) == {"link.xml", "folder", "dangling.xml", "pipe.xml"}


def test_an_inbox_that_is_not_there_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(WatchError, match="cannot be read"):
        scan_inbox(tmp_path / "unmounted")


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may read every folder"
)
def test_what_lies_in_an_unreadable_folder_is_not_taken_for_gone(tmp_path: Path) -> None:
    fill(tmp_path, "subtitled/a.xml", "b.xml")
    (tmp_path / "subtitled").chmod(0)
    try:
        scan = scan_inbox(tmp_path)
    finally:
        (tmp_path / "subtitled").chmod(0o700)
    assert [s.path for s in scan.found] == ["b.xml"]
    assert scan.may_hold("subtitled/a.xml")
    assert not scan.may_hold("subtitled.xml")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows 260 characters")
@pytest.mark.parametrize("top", ["a", "a.otiod"])
def test_folders_without_end_harm_nobody(tmp_path: Path, top: str) -> None:
    fill(tmp_path, "b.xml")
    deep = os.open(tmp_path, os.O_RDONLY)
    for number in range(1500):
        name = top if number == 0 else "a"
        os.mkdir(name, dir_fd=deep)
        inner = os.open(name, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)
    scan = scan_inbox(tmp_path)
    assert [s.path for s in scan.found] == ["b.xml"]
    (why,) = scan.unreadable.values()
    assert "100 folders deep" in why
    assert sighting_of(tmp_path, top) is None or top == "a"
    subprocess.run(["rm", "-r", str(tmp_path / top)], check=True)
