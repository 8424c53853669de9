"""The loop with the machine's own clock, real threads and real file events."""

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from testkit.watching import END, PROFILES, Bench, check, deliver

from nlecompanion.errors import NoSpace
from nlecompanion.watch.contract import JobResult, SystemClock, WatchSettings, WorkOrder, inline
from nlecompanion.watch.daemon import open_daemon

#: Far above what any of these need; reached only when something is broken.
PATIENCE_S = 20


class Running:
    """A daemon in a thread; `wait_for` blocks until a document of that name was worked on."""

    def __init__(self) -> None:
        self._done: dict[str, threading.Event] = {}

    def event(self, name: str) -> threading.Event:
        return self._done.setdefault(name, threading.Event())

    def work(self, order: WorkOrder) -> JobResult:
        result = deliver(order)
        self.event(order.document.name).set()
        return result

    def wait_for(self, name: str) -> None:
        assert self.event(name).wait(PATIENCE_S), f"{name} was not worked on"


@contextmanager
def running(root: Path, **settings: Any) -> Iterator[Running]:
    state, stop = Running(), threading.Event()
    chosen = WatchSettings(**{"profiles": PROFILES, "still_s": 0.05, **settings})
    with open_daemon(root, inline(state.work), check, chosen, SystemClock()) as daemon:
        thread = threading.Thread(target=daemon.run, args=(stop,))
        thread.start()
        try:
            yield state
        finally:
            stop.set()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def drop(root: Path, name: str) -> None:
    (root / "inbox" / name).write_bytes(name.encode() + END)


def test_a_real_event_wakes_the_daemon(tmp_path: Path) -> None:
    with running(tmp_path, rescan_s=3600) as daemon:
        drop(tmp_path, "first.xml")
        daemon.wait_for("first.xml")
        # By now the daemon waits for an hour, or for an event.
        drop(tmp_path, "second.xml")
        daemon.wait_for("second.xml")


def test_a_file_in_a_new_sub_folder_is_found(tmp_path: Path) -> None:
    with running(tmp_path, rescan_s=3600) as daemon:
        drop(tmp_path, "first.xml")
        daemon.wait_for("first.xml")
        (tmp_path / "inbox" / "subtitled").mkdir()
        drop(tmp_path, "subtitled/second.xml")
        daemon.wait_for("second.xml")


def test_polling_needs_no_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*args: object) -> None:
        raise AssertionError("no events were asked for")

    monkeypatch.setattr("nlecompanion.watch.daemon.waking", none)
    with running(tmp_path, rescan_s=3600, polling=True, poll_s=0.1) as daemon:
        drop(tmp_path, "first.xml")
        daemon.wait_for("first.xml")
        drop(tmp_path, "second.xml")
        daemon.wait_for("second.xml")


def test_where_events_cannot_be_had_it_polls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_more(observer: object) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr("watchdog.observers.api.BaseObserver.start", no_more)
    with running(tmp_path, rescan_s=3600, poll_s=0.1) as daemon:
        drop(tmp_path, "first.xml")
        daemon.wait_for("first.xml")
        drop(tmp_path, "second.xml")
        daemon.wait_for("second.xml")
    assert "inotify watch limit reached" in caplog.text


def test_trouble_is_waited_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from nlecompanion.watch.journal import Journal

    sight = Journal.sight
    troubles = iter([NoSpace("No space for the journal. Free some.")])

    def full_once(journal: Journal, *args: Any) -> None:
        for trouble in troubles:
            raise trouble
        sight(journal, *args)

    monkeypatch.setattr(Journal, "sight", full_once)
    with running(tmp_path, retry_parked_s=0.1, poll_s=0.1, polling=True) as daemon:
        drop(tmp_path, "first.xml")
        daemon.wait_for("first.xml")
    assert caplog.text.count("No space for the journal") == 1


def test_the_daemons_own_reading_does_not_wake_it(bench: Bench) -> None:
    from watchdog.events import FileClosedNoWriteEvent, FileModifiedEvent, FileOpenedEvent

    from nlecompanion.watch.events import _Waker

    woken: list[bool] = []
    waker = _Waker(lambda: woken.append(True))
    waker.on_any_event(FileOpenedEvent("a.xml"))
    waker.on_any_event(FileClosedNoWriteEvent("a.xml"))
    assert not woken
    waker.on_any_event(FileModifiedEvent("a.xml"))
    assert woken


def test_the_pause_ends_when_something_is_due(bench: Bench) -> None:
    with bench.daemon(poll_s=30, retry_parked_s=7) as daemon:
        assert daemon.step() == 30
        bench.drop("a.xml")
        assert daemon.step() == 5
        bench.clock.advance(2)
        assert daemon.step() == 3

        def full(order: WorkOrder) -> JobResult:
            raise NoSpace("No space.")

        bench.behaviour = full
        bench.turn(daemon, 3)
        assert daemon.step() == 7
