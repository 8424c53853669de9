"""What becomes of a job, by what its work does and by what happens to its document meanwhile."""

import errno
import sys
import threading
from pathlib import Path

import pytest
from testkit.watching import END, Bench, deliver

from nlecompanion.errors import Interrupted, NoSpace, NotATimeline, WatchError
from nlecompanion.watch.contract import JobResult, WorkOrder


def test_no_space_parks_the_job_until_there_is_some(bench: Bench) -> None:
    def full(order: WorkOrder) -> JobResult:
        (order.staging / "half").write_bytes(b"x")
        raise NoSpace("No space in done: 3 GiB are missing.")

    bench.behaviour = full
    with bench.daemon(retry_parked_s=60) as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
        assert bench.states() == {"a.xml": ["parked"]}
        assert bench.lying("working") == bench.lying("failed") == []
        bench.turn(daemon, 59)
        assert len(bench.orders) == 1
        bench.turn(daemon, 1)
        assert len(bench.orders) == 2
        bench.behaviour = deliver
        bench.turn(daemon, 60)
    assert bench.states() == {"a.xml": ["done"]}
    assert bench.lying("done") == ["a"]


def test_a_parked_job_does_not_hold_up_the_others(bench: Bench) -> None:
    def full_once(order: WorkOrder) -> JobResult:
        if order.document.name == "a.xml":
            raise OSError(errno.ENOSPC, "No space left on device")
        return deliver(order)

    bench.behaviour = full_once
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.drop("b.xml")
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["parked"], "b.xml": ["done"]}


def test_a_job_without_a_delivery_leaves_a_line_in_done(bench: Bench) -> None:
    bench.behaviour = lambda order: JobResult(None, 0, 0, "No dialogue: 3 uses, none with speech.")
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
    assert bench.lying("done") == ["a.txt"]
    assert (bench.root / "done" / "a.txt").read_text().startswith("No dialogue")


def test_a_fault_in_the_work_fails_the_job_and_the_daemon_lives(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def fall_over(order: WorkOrder) -> JobResult:
        raise ZeroDivisionError("division by zero")

    bench.behaviour = fall_over
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
        bench.behaviour = deliver
        bench.drop("b.xml")
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["failed"], "b.xml": ["done"]}
    assert (
        "ZeroDivisionError: division by zero" in (bench.root / "failed" / "a.xml.txt").read_text()
    )
    assert any(record.exc_info for record in caplog.records)


def test_an_error_after_the_delivery_does_not_deliver_twice(bench: Bench) -> None:
    def stumble(order: WorkOrder) -> JobResult:
        deliver(order)
        raise NoSpace("No space for the log.")

    bench.behaviour = stumble
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
        bench.turn(daemon, 1000)
    assert bench.states() == {"a.xml": ["done"]}
    assert len(bench.orders) == 1


def test_work_that_tells_of_a_delivery_that_is_not_there_has_failed(bench: Bench) -> None:
    bench.behaviour = lambda order: JobResult(order.out, 1, 0, "fine")
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["failed"]}


def test_a_document_changed_before_its_turn_is_worked_on_as_it_is_now(bench: Bench) -> None:
    def change_next(order: WorkOrder) -> JobResult:
        if order.document.name == "a.xml":
            bench.drop("b.xml", b"new" + END)
        return deliver(order)

    bench.behaviour = change_next
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.drop("b.xml", b"old" + END)
        bench.settle(daemon)
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["done"], "b.xml": ["gone", "done"]}
    assert (bench.root / "done" / "b" / "conformed").read_bytes() == b"new" + END


def test_a_duplicate_steps_in_when_the_first_is_taken_away(bench: Bench) -> None:
    def take_away(order: WorkOrder) -> JobResult:
        if order.document.name == "a.xml":
            (bench.root / "inbox" / "b.xml").unlink()
        return deliver(order)

    bench.behaviour = take_away
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.drop("b.xml", b"same" + END)
        bench.drop("c.xml", b"same" + END)
        bench.settle(daemon)
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["done"], "b.xml": ["gone"], "c.xml": ["done"]}


def test_what_is_dropped_during_the_last_job_is_seen_right_after_it(bench: Bench) -> None:
    def drop_another(order: WorkOrder) -> JobResult:
        if order.document.name == "a.xml":
            bench.drop("b.xml")
        return deliver(order)

    bench.behaviour = drop_another
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
        assert bench.states() == {"a.xml": ["done"], "b.xml": ["seen"]}


def test_a_document_renamed_during_the_work_is_not_lost(bench: Bench) -> None:
    def rename(order: WorkOrder) -> JobResult:
        if order.document.name == "a.xml":
            order.document.rename(order.document.with_name("b.xml"))
            raise NotATimeline("a.xml is not there.")
        return deliver(order)

    bench.behaviour = rename
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["gone"], "b.xml": ["done"]}
    assert bench.lying("failed") == []


def test_a_stop_puts_the_job_back(bench: Bench) -> None:
    stop = threading.Event()

    def interrupted(order: WorkOrder) -> JobResult:
        stop.set()
        assert order.should_stop()
        raise Interrupted("stopped")

    bench.behaviour = interrupted
    bench.drop("a.xml")
    with bench.daemon(still_s=0, polling=True) as daemon:
        daemon.run(stop)
    assert bench.states() == {"a.xml": ["stable"]}
    bench.behaviour = deliver
    with bench.daemon() as daemon:
        bench.turn(daemon)
    assert bench.states() == {"a.xml": ["done"]}


def test_a_document_that_brings_the_process_down_goes_to_the_end_of_the_queue(
    bench: Bench,
) -> None:
    class Killed(BaseException):
        pass

    def die(order: WorkOrder) -> JobResult:
        if order.document.name == "a.xml":
            raise Killed
        return deliver(order)

    bench.behaviour = die
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.drop("b.xml")
        with pytest.raises(Killed):
            bench.settle(daemon)
    with bench.daemon() as daemon, pytest.raises(Killed):
        bench.turn(daemon)
    assert [order.document.name for order in bench.orders] == ["a.xml", "b.xml", "a.xml"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_a_document_that_cannot_be_read_for_a_while_is_parked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(document: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    def lose(order: WorkOrder) -> JobResult:
        monkeypatch.setattr("nlecompanion.watch.running.sha256_of", closed)
        raise NotATimeline("a.xml cannot be read.")

    bench.behaviour = lose
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
        assert bench.states() == {"a.xml": ["parked"]}
        bench.turn(daemon, 60)
        assert len(bench.orders) == 1
        assert bench.lying("failed") == []
        monkeypatch.undo()
        bench.behaviour = deliver
        bench.turn(daemon, 60)
    assert bench.states() == {"a.xml": ["done"]}


def test_what_was_gone_with_its_disk_is_taken_when_it_is_back(bench: Bench) -> None:
    inbox, away = bench.root / "inbox", bench.root / "unmounted"

    def unmount(order: WorkOrder) -> JobResult:
        inbox.rename(away)
        raise NotATimeline("a.xml is not there.")

    bench.behaviour = unmount
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        with pytest.raises(WatchError, match="Mount it"):
            bench.settle(daemon)
        away.rename(inbox)
        bench.behaviour = deliver
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["gone", "done"]}
