"""What runs beside what: a short timeline does not wait for a long one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from testkit.watching import Bench, deliver

from nlecompanion.errors import Interrupted
from nlecompanion.watch import requests
from nlecompanion.watch.contract import JobResult, Needs, Underway, WorkDied, WorkOrder
from nlecompanion.watch.daemon import Daemon
from nlecompanion.watch.requests import What


class Manual:
    """Work that ends when the test says so."""

    def __init__(self, order: WorkOrder) -> None:
        self.order = order
        self.is_done = False
        self.is_stopped = False
        self.error: Exception | None = None

    def poll(self) -> JobResult | None:
        if self.error is not None:
            raise self.error
        if self.is_stopped:
            raise Interrupted("stopped")
        return deliver(self.order) if self.is_done else None

    def stop(self) -> None:
        self.is_stopped = True


class Lanes:
    """The jobs that were started, by name; a document's first word is its length in seconds."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.started: dict[str, Manual] = {}
        bench.start = self.start
        bench.check = lambda document: Needs((), float(document.read_text().split()[0]))

    def start(self, order: WorkOrder) -> Underway:
        self.started[order.document.stem] = made = Manual(order)
        return made

    def drop(self, name: str, seconds: float) -> None:
        self.bench.drop(f"{name}.xml", f"{seconds} {name}".encode())

    @contextmanager
    def daemon(self) -> Iterator[Daemon]:
        with self.bench.daemon() as daemon:
            yield daemon

    def settle(self, daemon: Daemon) -> None:
        """Time for what was dropped to be still, and for jobs to be started."""
        for _ in range(4):
            self.bench.clock.advance(30)
            while daemon.step() == 0.0:
                pass


@pytest.fixture
def lanes(bench: Bench) -> Lanes:
    return Lanes(bench)


HOURS_S = 3 * 3600.0


def test_a_short_job_does_not_wait_for_a_long_one(lanes: Lanes) -> None:
    with lanes.daemon() as daemon:
        lanes.drop("long", HOURS_S)
        lanes.settle(daemon)
        lanes.drop("short", 20)
        lanes.settle(daemon)
        assert set(lanes.started) == {"long", "short"}
        assert [lanes.started[n].order.is_sparing for n in ("long", "short")] == [False, True]
        lanes.started["short"].is_done = True
        lanes.settle(daemon)
        assert lanes.bench.lying("done") == ["short"]
        assert lanes.bench.states()["long.xml"] == ["working"]
        lanes.started["long"].is_done = True
        lanes.settle(daemon)
    assert lanes.bench.lying("done") == ["long", "short"]


def test_a_short_job_overtakes_long_ones_that_wait(lanes: Lanes) -> None:
    with lanes.daemon() as daemon:
        for name in ("long 1", "long 2"):
            lanes.drop(name, HOURS_S)
        lanes.settle(daemon)
        lanes.drop("short", 20)
        lanes.settle(daemon)
        assert set(lanes.started) == {"long 1", "short"}


def test_at_most_two_run_and_only_one_of_them_is_long(lanes: Lanes) -> None:
    with lanes.daemon() as daemon:
        lanes.drop("long", HOURS_S)
        lanes.settle(daemon)
        for name in ("short 1", "short 2", "another long"):
            lanes.drop(name, HOURS_S if "long" in name else 20)
        lanes.settle(daemon)
        assert len(lanes.started) == 2
        (first,) = lanes.started.keys() - {"long"}
        lanes.started[first].is_done = True
        lanes.settle(daemon)
        assert set(lanes.started) == {"long", "short 1", "short 2"}
        lanes.started["long"].is_done = True
        lanes.settle(daemon)
        assert "another long" not in lanes.started, "a short one is still at work"
        lanes.started[({"short 1", "short 2"} - {first}).pop()].is_done = True
        lanes.settle(daemon)
        assert "another long" in lanes.started


def test_what_is_dropped_during_the_work_is_seen_at_once(lanes: Lanes) -> None:
    with lanes.daemon() as daemon:
        lanes.drop("long", HOURS_S)
        lanes.settle(daemon)
        lanes.drop("another", HOURS_S)
        lanes.settle(daemon)
        assert lanes.bench.states() == {"long.xml": ["working"], "another.xml": ["stable"]}


def test_a_job_in_work_is_cancelled_and_the_others_go_on(lanes: Lanes) -> None:
    with lanes.daemon() as daemon:
        lanes.drop("long", HOURS_S)
        lanes.settle(daemon)
        lanes.drop("short", 20)
        lanes.settle(daemon)
        number = requests.ask(daemon._journal, 1, What.CANCEL)
        assert not daemon._is_asked(), "it has to be stopped first"
        lanes.settle(daemon)
        assert lanes.started["long"].is_stopped
        assert not lanes.started["short"].is_stopped
        assert requests.answer_to(daemon._journal, number) == "Job 1 (long.xml) is cancelled."
        assert lanes.bench.states() == {"long.xml": ["cancelled"], "short.xml": ["working"]}


def test_what_is_asked_of_a_job_in_work_is_answered_at_once(lanes: Lanes) -> None:
    with lanes.daemon() as daemon:
        lanes.drop("long", HOURS_S)
        lanes.settle(daemon)
        numbers = [requests.ask(daemon._journal, 1, what) for what in (What.RETRY, What.FORGET)]
        assert daemon._is_asked()
        lanes.settle(daemon)
        told = [requests.answer_to(daemon._journal, number) for number in numbers]
    assert told == [
        "Job 1 (long.xml) is working already; nothing to do.",
        "Job 1 (long.xml) is working; cancel it first.",
    ]


def test_the_end_of_the_daemon_puts_back_what_is_in_work(lanes: Lanes) -> None:
    with lanes.daemon() as daemon:
        lanes.drop("long", HOURS_S)
        lanes.settle(daemon)
        daemon._stop.set()
        daemon.run(daemon._stop)
        assert lanes.started["long"].is_stopped
        assert lanes.bench.states() == {"long.xml": ["stable"]}
    assert lanes.bench.lying("working") == []


def test_after_a_death_others_come_first_and_the_second_try_is_sparing(lanes: Lanes) -> None:
    with lanes.daemon() as daemon:
        lanes.drop("a", 1000)
        lanes.settle(daemon)
        lanes.drop("b", 1000)
        lanes.settle(daemon)
        assert set(lanes.started) == {"a"}
        lanes.started["a"].error = WorkDied("was killed")
        lanes.settle(daemon)
        assert set(lanes.started) == {"a", "b"}
        lanes.started["b"].is_done = True
        lanes.settle(daemon)
        again = lanes.started["a"]
        assert again.error is None
        assert again.order.is_sparing
        again.is_done = True
        lanes.settle(daemon)
    assert lanes.bench.lying("done") == ["a", "b"]
    assert lanes.bench.lying("failed") == []


def test_a_retry_on_request_counts_its_deaths_anew(lanes: Lanes, tmp_path: Path) -> None:
    with lanes.daemon() as daemon:
        lanes.drop("a", 1000)
        lanes.settle(daemon)
        for _ in range(2):
            lanes.started["a"].error = WorkDied("was killed")
            lanes.settle(daemon)
        assert lanes.bench.states() == {"a.xml": ["failed"]}
        requests.ask(daemon._journal, 1, What.RETRY)
        lanes.settle(daemon)
        assert not lanes.started["a"].order.is_sparing
        lanes.started["a"].is_done = True
        lanes.settle(daemon)
    assert lanes.bench.lying("done") == ["a"]
