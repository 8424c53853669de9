"""Where a folder and its journal may lie, its options, and how often it is looked at."""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testkit.watching import Bench

from nlecompanion.errors import SettingsError, WatchError
from nlecompanion.watch.filesystems import linux_kind, network_kind
from nlecompanion.watch.layout import existing, prepare
from nlecompanion.watch.options import FolderOptions, load_options

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/export /mnt/media nfs4 rw,relatime 0 0
//server/share /mnt/media/local\\040cache btrfs rw 0 0
user@host:/ /mnt/ssh fuse.sshfs rw 0 0
/dev/sdb1 /mnt/ssh ext4 rw 0 0
proc /proc proc rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/a", "ext4"),
        ("/mnt/media", "nfs4"),
        ("/mnt/media/day 1/x", "nfs4"),
        ("/mnt/mediation", "ext4"),
        ("/mnt/media/local cache/x", "btrfs"),
        ("/mnt/ssh/x", "ext4"),
    ],
)
def test_the_deepest_and_latest_mount_holds_a_path(path: str, kind: str) -> None:
    assert linux_kind(Path(path), MOUNTS) == kind


@given(st.text(max_size=200))
def test_no_text_of_mounts_is_an_error(text: str) -> None:
    linux_kind(Path("/mnt"), text)


def test_the_disk_under_these_tests_is_a_local_one(tmp_path: Path) -> None:
    assert network_kind(tmp_path) is None


@pytest.fixture
def nas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks as if it lay on a network drive."""
    folder = tmp_path / "nas"
    kind = lambda path: "nfs4" if path.resolve().is_relative_to(folder) else None  # noqa: E731
    for module in ("daemon", "layout"):
        monkeypatch.setattr(f"nlecompanion.watch.{module}.network_kind", kind)
    return folder


def test_a_journal_on_a_network_drive_is_refused(nas: Path) -> None:
    with pytest.raises(WatchError, match=r"network drive \(nfs4\).*state_dir"):
        prepare(nas)


def test_a_journal_on_a_local_disk_serves_a_folder_on_a_network_drive(
    nas: Path, tmp_path: Path
) -> None:
    places = prepare(nas, tmp_path / "state")
    assert places.journal.is_relative_to(tmp_path / "state")
    assert places.shared_lock == nas / ".nlecompanion" / "lock"
    assert prepare(nas / ".." / "nas", tmp_path / "state").journal == places.journal
    other = prepare(tmp_path / "other" / "nas", tmp_path / "state")
    assert other.journal != places.journal
    places.journal.write_bytes(b"")
    assert existing(nas, tmp_path / "state") == places


def test_a_network_drive_is_looked_at_by_the_clock(
    nas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from nlecompanion.watch.contract import WatchSettings, inline
    from nlecompanion.watch.daemon import open_daemon

    def none(*args: object) -> None:
        raise AssertionError("no events were asked for")

    monkeypatch.setattr("nlecompanion.watch.daemon.waking", none)
    bench, stop = Bench(nas), threading.Event()
    stop.set()
    settings = WatchSettings({"exposed": ""})
    with (
        caplog.at_level(logging.INFO, "nlecompanion"),
        open_daemon(
            nas, inline(bench.work), bench.check, settings, state_dir=tmp_path / "s"
        ) as daemon,
    ):
        daemon.run(stop)
        assert daemon.step() == pytest.approx(settings.poll_s, abs=0.5)
    assert "network drive (nfs4)" in caplog.text


def test_two_machines_with_state_of_their_own_do_not_watch_one_folder(
    nas: Path, tmp_path: Path
) -> None:
    from nlecompanion.watch.contract import SystemClock
    from nlecompanion.watch.lock import hold

    first, second = (prepare(nas, tmp_path / name) for name in ("one", "two"))
    with (
        hold(first, SystemClock()),
        pytest.raises(WatchError, match="already watched"),
        hold(second, SystemClock()),
    ):
        pass


def test_looks_are_spread_around_the_interval(bench: Bench) -> None:
    with bench.daemon(rescan_s=60, jitter=0.1) as daemon:
        daemon._has_events = True
        pauses = {daemon.step() for _ in range(50)}
    assert all(54 <= pause_s <= 66 for pause_s in pauses)
    assert len(pauses) > 40


def test_options_are_read_and_checked(tmp_path: Path) -> None:
    assert load_options(tmp_path) == FolderOptions()
    file = tmp_path / "watch.toml"
    file.write_text('webhook = "https://example.org/x"\npolling = true\nrescan_s = 30\n')
    options = load_options(tmp_path)
    assert (options.webhook, options.polling, options.rescan_s) == (
        "https://example.org/x",
        True,
        30.0,
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rescans_s = 1", "Did you mean rescan_s"),
        ("rescan_s = 0", "between 0 and 86400"),
        ("rescan_s = nan", "between 0 and 86400"),
        ("polling = 1", "wrong kind"),
        ('state_dir = "here"', "a whole path"),
        ('webhook = "file:///etc/passwd"', "must begin with https"),
        ("= 1", "not valid TOML"),
    ],
)
def test_options_that_cannot_be_used_are_one_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "watch.toml").write_text(text)
    with pytest.raises(SettingsError, match=told):
        load_options(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="only POSIX has owners here")
def test_options_of_another_user_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may drop timelines into a shared folder must not say where news are sent."""
    (tmp_path / "watch.toml").write_text('webhook = "https://example.org/"')
    if os.geteuid() == 0:
        os.chown(tmp_path / "watch.toml", 12345, -1)
    monkeypatch.setattr("os.geteuid", lambda: 54321)
    with pytest.raises(SettingsError, match="another user"):
        load_options(tmp_path)
