"""Starts again in every state in which a daemon can have been killed."""

import pytest
from testkit.watching import Bench, deliver

from nlecompanion.errors import MediaError, NoSpace
from nlecompanion.watch.contract import JobResult, WorkOrder


class Killed(BaseException):
    """Stands in for the end of the process: nothing in the daemon may catch it."""


def test_seen(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.turn(daemon)
    assert bench.states() == {"a.xml": ["seen"]}
    with bench.daemon() as daemon:
        bench.turn(daemon, 1000)
        assert bench.orders == [], "the wait begins anew: nobody looked in between"
        bench.turn(daemon, 5)
    assert bench.states() == {"a.xml": ["done"]}


def test_seen_and_taken_away_meanwhile(bench: Bench) -> None:
    with bench.daemon() as daemon:
        path = bench.drop("a.xml")
        bench.turn(daemon)
    path.unlink()
    with bench.daemon() as daemon:
        bench.settle(daemon)
        assert daemon.is_idle
    assert bench.states() == {"a.xml": ["gone"]}


def test_stable(bench: Bench) -> None:
    def die(order: WorkOrder) -> JobResult:
        raise Killed

    bench.behaviour = die
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.drop("b.xml")
        with pytest.raises(Killed):
            bench.settle(daemon)
    assert bench.states() == {"a.xml": ["working"], "b.xml": ["stable"]}
    bench.behaviour = deliver
    with bench.daemon() as daemon:
        bench.turn(daemon)
    assert bench.states() == {"a.xml": ["done"], "b.xml": ["done"]}


def test_working_with_nothing_delivered(bench: Bench) -> None:
    def die(order: WorkOrder) -> JobResult:
        (order.staging / "half").write_bytes(b"x")
        raise Killed

    bench.behaviour = die
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        with pytest.raises(Killed):
            bench.settle(daemon)
    assert bench.lying("working") == ["a"]
    bench.behaviour = deliver
    with bench.daemon() as daemon:
        bench.turn(daemon)
    assert [order.out.name for order in bench.orders] == ["a", "a"]
    assert bench.lying("done") == ["a"]
    assert bench.lying("working") == []


@pytest.mark.parametrize("delivers", [True, False])
def test_working_with_everything_delivered(bench: Bench, delivers: bool) -> None:
    def die(order: WorkOrder) -> JobResult:
        if delivers:
            deliver(order)
        else:
            order.out.with_name("a.txt").write_text("nothing to do\n")
        raise Killed

    bench.behaviour = die
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        with pytest.raises(Killed):
            bench.settle(daemon)
    bench.behaviour = deliver
    with bench.daemon() as daemon:
        bench.settle(daemon)
    assert len(bench.orders) == 1
    assert bench.states() == {"a.xml": ["done"]}
    assert bench.lying("done") == ["a" if delivers else "a.txt"]


def test_working_on_a_document_that_has_changed_meanwhile(bench: Bench) -> None:
    def die(order: WorkOrder) -> JobResult:
        raise Killed

    bench.behaviour = die
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        with pytest.raises(Killed):
            bench.settle(daemon)
    bench.behaviour = deliver
    bench.drop("a.xml", b"new</end>")
    with bench.daemon() as daemon:
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["gone", "done"]}
    assert (bench.root / "done" / "a" / "conformed").read_bytes() == b"new</end>"


def test_parked_is_tried_at_once(bench: Bench) -> None:
    def full(order: WorkOrder) -> JobResult:
        raise NoSpace("No space.")

    bench.behaviour = full
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
    bench.clock.jump(-1e6)
    bench.behaviour = deliver
    with bench.daemon() as daemon:
        bench.turn(daemon)
    assert bench.states() == {"a.xml": ["done"]}


@pytest.mark.parametrize("fails", [True, False])
def test_done_and_failed_stay_so(bench: Bench, fails: bool) -> None:
    def fail(order: WorkOrder) -> JobResult:
        raise MediaError("Offline.")

    bench.behaviour = fail if fails else deliver
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.drop("b.xml", b"a.xml</end>")
        bench.settle(daemon)
    before = bench.states()
    for _ in range(3):
        with bench.daemon() as daemon:
            bench.settle(daemon, 1000)
    assert bench.states() == before
    assert len(bench.orders) == 1


def test_failed_but_killed_before_the_journal_knew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(order: WorkOrder) -> JobResult:
        raise MediaError("Offline.")

    def die(*args: object) -> None:
        raise Killed

    bench.behaviour = fail
    bench.drop("a.xml")
    with bench.daemon() as daemon, monkeypatch.context() as patch:
        patch.setattr("nlecompanion.watch.journal.Journal.fail", die)
        with pytest.raises(Killed):
            bench.settle(daemon)
    assert bench.lying("failed") == ["a.xml", "a.xml.txt"]
    with bench.daemon() as daemon:
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["failed"]}
    assert bench.lying("failed") == ["a.xml", "a.xml.txt"]
