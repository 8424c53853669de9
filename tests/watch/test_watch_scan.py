import os
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


def test_media_and_bundles_are_left_out_with_a_reason(tmp_path: Path) -> None:
    fill(tmp_path, "media/take 1.wav", "cut.fcpxmld/Info.fcpxml", "CUT.OTIOD/content.otio")
    scan = scan_inbox(tmp_path)
    assert scan.found == []
    assert set(scan.left_out) == {"media/take 1.wav", "cut.fcpxmld", "CUT.OTIOD"}
    assert "bundle" in scan.left_out["cut.fcpxmld"]


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
