"""What is asked of a job: retry, cancel, forget; with the daemon at work, idle, or not there."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from testkit.watching import END, Bench, deliver

from nlecompanion.cli import main
from nlecompanion.errors import Interrupted, MediaError, NoSpace, WatchError
from nlecompanion.watch import requests
from nlecompanion.watch.asking import PATIENCE_S, ask
from nlecompanion.watch.contract import JobResult, SystemClock, WorkOrder
from nlecompanion.watch.journal import Journal
from nlecompanion.watch.layout import existing
from nlecompanion.watch.requests import What
from nlecompanion.watch.status import read_status


def journal_of(bench: Bench) -> Journal:
    return Journal(bench.root / ".nlecompanion" / "journal.sqlite3", bench.clock)


def asked(bench: Bench, job: int, what: str) -> int:
    with journal_of(bench) as journal:
        return requests.ask(journal, job, What(what))


def answer(bench: Bench, number: int) -> str | None:
    with journal_of(bench) as journal:
        return requests.answer_to(journal, number)


def command(bench: Bench, *arguments: str) -> str:
    words = [arguments[0], str(bench.root), *arguments[1:]]
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def fail(order: WorkOrder) -> JobResult:
    raise MediaError("Offline.")


def test_a_failed_job_is_worked_on_again_on_request(bench: Bench) -> None:
    bench.behaviour = fail
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
        bench.behaviour = deliver
        number = asked(bench, 1, "retry")
        bench.settle(daemon)
    assert answer(bench, number) == "Job 1 (a.xml) is worked on again."
    assert bench.states() == {"a.xml": ["done"]}
    assert (bench.lying("done"), bench.lying("failed")) == (["a"], [])


def test_a_done_job_that_is_retried_gets_a_second_delivery_beside_the_first(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
        asked(bench, 1, "retry")
        bench.settle(daemon)
    assert bench.lying("done") == ["a", "a 2"]


def test_a_retry_of_what_lies_there_no_more_says_so(bench: Bench) -> None:
    bench.behaviour = fail
    with bench.daemon() as daemon:
        path = bench.drop("a.xml")
        bench.settle(daemon)
        path.unlink()
        bench.turn(daemon)
        number = asked(bench, 1, "retry")
        bench.settle(daemon)
    assert "lies in the inbox no more" in (answer(bench, number) or "")
    assert len(bench.orders) == 1


def test_a_parked_job_is_tried_at_once_on_request(bench: Bench) -> None:
    def full(order: WorkOrder) -> JobResult:
        raise NoSpace("No space.")

    bench.behaviour = full
    with bench.daemon(retry_parked_s=3600) as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
        bench.behaviour = deliver
        bench.turn(daemon)
        assert len(bench.orders) == 1
        asked(bench, 1, "retry")
        bench.turn(daemon)
    assert bench.states() == {"a.xml": ["done"]}


def test_work_is_stopped_by_cancel_and_taken_up_by_retry(bench: Bench) -> None:
    def long_work(order: WorkOrder) -> JobResult:
        (order.staging / "half").write_bytes(b"x")
        asked(bench, 1, "cancel")
        for _ in range(3):
            bench.clock.advance(1)
            if order.should_stop():
                raise Interrupted("stopped")
        raise AssertionError("the work was not told to stop within 3 s")

    bench.behaviour = long_work
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.drop("b.xml", b"a.xml" + END)
        bench.settle(daemon)
        assert bench.states()["a.xml"] == ["cancelled"]
        assert bench.lying("working") == bench.lying("failed") == bench.lying("done") == []
        bench.turn(daemon, 1000)
        assert len(bench.orders) == 1
        bench.behaviour = deliver
        asked(bench, 1, "retry")
        bench.settle(daemon)
    assert bench.states()["a.xml"] == ["done"]
    assert bench.lying("done") == ["a"]


@pytest.mark.parametrize("waits", ["seen", "stable", "parked"])
def test_what_waits_is_cancelled_before_it_is_begun(bench: Bench, waits: str) -> None:
    def first(order: WorkOrder) -> JobResult:
        if waits == "parked":
            raise NoSpace("No space.")
        asked(bench, 2, "cancel")
        return deliver(order)

    bench.behaviour = first
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.drop("b.xml")
        if waits == "seen":
            bench.turn(daemon)
            asked(bench, 2, "cancel")
        else:
            bench.settle(daemon)
        if waits == "parked":
            asked(bench, 2, "cancel")
        bench.turn(daemon, 5)
    assert bench.states()["b.xml"] == ["cancelled"]
    assert bench.lying("done") == ([] if waits == "parked" else ["a"])


def test_a_delivery_that_was_quicker_than_the_cancel_stays(bench: Bench) -> None:
    def deliver_anyway(order: WorkOrder) -> JobResult:
        asked(bench, 1, "cancel")
        return deliver(order)

    bench.behaviour = deliver_anyway
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["done"]}
    assert "done already" in (answer(bench, 1) or "")


def test_forgotten_content_is_worked_on_when_dropped_again_and_not_before(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml", b"same" + END)
        bench.settle(daemon)
        asked(bench, 1, "forget")
        bench.settle(daemon)
        assert len(bench.orders) == 1
        bench.drop("b.xml", b"same" + END)
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["forgotten"], "b.xml": ["done"]}
    assert bench.lying("done") == ["a", "b"]


def test_what_is_still_to_be_done_cannot_be_forgotten(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.turn(daemon)
        number = asked(bench, 1, "forget")
        bench.turn(daemon)
        assert answer(bench, number) == "Job 1 (a.xml) is seen; cancel it first."


def test_the_commands_work_without_a_daemon(bench: Bench) -> None:
    bench.behaviour = fail
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.drop("b.xml")
        bench.settle(daemon)
    assert "nobody watches it now; 2 failed" in command(bench, "status")
    assert "is worked on again" in command(bench, "retry", "a.xml")
    assert "is cancelled" in command(bench, "cancel", "1")
    assert "is forgotten" in command(bench, "forget", "2")
    told = json.loads(command(bench, "status", "--json"))
    assert told["daemon"] is None
    assert [(job["id"], job["state"]) for job in told["jobs"]] == [(1, "cancelled")]


def test_a_command_settles_what_a_killed_daemon_had_in_work(bench: Bench) -> None:
    class Killed(BaseException):
        pass

    def die(order: WorkOrder) -> JobResult:
        (order.staging / "half").write_bytes(b"x")
        raise Killed

    bench.behaviour = die
    with bench.daemon() as daemon, pytest.raises(Killed):
        bench.drop("a.xml")
        bench.settle(daemon)
    assert "is cancelled" in command(bench, "cancel", "1")
    assert bench.states() == {"a.xml": ["cancelled"]}
    assert bench.lying("working") == []


def test_the_commands_are_answered_by_a_daemon_at_work(tmp_path: Path) -> None:
    bench, stop, begun = Bench(tmp_path), threading.Event(), threading.Event()

    def long_work(order: WorkOrder) -> JobResult:
        order.progress(3.0, 12.0, "A001 DX.wav")
        begun.set()
        while not order.should_stop():
            threading.Event().wait(0.01)
        raise Interrupted("stopped")

    bench.behaviour = long_work
    bench.clock = SystemClock()  # type: ignore[assignment]
    with bench.daemon(still_s=0, polling=True) as daemon:
        bench.drop("a.xml")
        thread = threading.Thread(target=daemon.run, args=(stop,))
        thread.start()
        try:
            assert begun.wait(20)
            (job,) = json.loads(command(bench, "status", "--json"))["jobs"]
            assert (job["state"], job["progress"]["what"]) == ("working", "A001 DX.wav")
            assert (job["progress"]["done_s"], job["progress"]["total_s"]) == (3, 12)
            assert "3 of 12 s (25 %), A001 DX.wav" in command(bench, "status")
            assert "is cancelled." in command(bench, "cancel", "1")
            assert "is worked on again" in command(bench, "retry", "1")
        finally:
            stop.set()
            thread.join(20)


def test_a_daemon_that_does_not_answer_is_told_of(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.turn(daemon)
        with journal_of(bench) as journal:
            line = ask(
                daemon.places,
                journal,
                bench.clock,
                1,
                What.CANCEL,
                lambda s: bench.clock.advance(s),
            )
    assert "has not answered yet" in line
    assert bench.clock.monotonic_s() - 1000 >= PATIENCE_S


def test_progress_is_written_at_most_once_a_second_and_ends_with_the_work(bench: Bench) -> None:
    written = []

    def work(order: WorkOrder) -> JobResult:
        for step in range(30):
            order.progress(step, 30, "clip")
            bench.clock.advance(0.1)
            with journal_of(bench) as journal:
                written.append(requests.progress(journal)[1].done_s)
        return deliver(order)

    bench.behaviour = work
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
    assert 3 <= len(set(written)) <= 4
    with journal_of(bench) as journal:
        assert requests.progress(journal) == {}


def test_unknown_jobs_and_folders_are_one_line(bench: Bench, tmp_path: Path) -> None:
    with bench.daemon() as daemon:
        bench.turn(daemon)
    result = CliRunner().invoke(main, ["retry", str(bench.root), "7"])
    assert (result.exit_code, "no job '7'" in result.output) == (2, True)
    result = CliRunner().invoke(main, ["status", str(tmp_path / "none")])
    assert (result.exit_code, "no watched folder" in result.output) == (2, True)
    with pytest.raises(WatchError, match="no watched folder"):
        existing(tmp_path, None)


def test_a_name_that_is_no_unicode_has_a_status(bench: Bench) -> None:
    name = "caf\udce9.xml"
    with bench.daemon() as daemon:
        bench.drop(name)
        bench.turn(daemon)
        with journal_of(bench) as journal:
            (job,) = read_status(daemon.places, journal).jobs
        assert job.document == name
        assert "caf\\udce9.xml" in command(bench, "status")


def test_a_journal_of_the_first_schema_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nlecompanion.watch.schema import MIGRATIONS

    bench = Bench(tmp_path)
    place = tmp_path / ".nlecompanion" / "journal.sqlite3"
    place.parent.mkdir()
    import sqlite3

    old = sqlite3.connect(place)
    old.executescript(
        f"{MIGRATIONS[0]} PRAGMA user_version = 1;"
        "INSERT INTO jobs (path, size_bytes, modified_ns, state) VALUES ('a.xml', 1, 1, 'failed');"
        "INSERT INTO jobs (path, size_bytes, modified_ns, state, duplicate_of)"
        " VALUES ('b.xml', 1, 1, 'duplicate', 1);"
        "INSERT INTO changes (job, at_s, state, note) VALUES (1, 0, 'failed', 'x');"
    )
    old.close()
    with journal_of(bench) as journal:
        assert journal.job(2).duplicate_of == 1
        assert journal.rows("PRAGMA foreign_key_check") == []
        journal.forget(journal.job(1))
        assert [state.value for state, _ in journal.changes(1)] == ["failed", "forgotten"]
    assert bench.states() == {"a.xml": ["forgotten"], "b.xml": ["duplicate"]}
