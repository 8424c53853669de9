"""Media must be still, count for a job's identity, and may go away and come back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from testkit.watching import END, Bench, deliver

from nlecompanion.errors import Interrupted, MediaError
from nlecompanion.watch.contract import JobResult, Needs, WorkOrder

USES_TAKE = b"../media/take.wav\n" + END


@pytest.fixture
def take(bench: Bench) -> Path:
    path = bench.root / "media" / "take.wav"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"sound")
    return path


def test_a_document_waits_for_media_that_grow(bench: Bench, take: Path) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml", USES_TAKE)
        bench.settle(daemon)
        for size in range(6, 12):
            bench.turn(daemon, 4)
            assert bench.orders == []
            take.write_bytes(b"x" * size)
        bench.turn(daemon, 5)
        bench.turn(daemon, 4.5)
        assert bench.states() == {"a.xml": ["seen"]}
        bench.turn(daemon, 0.5)
    assert bench.states() == {"a.xml": ["done"]}


def test_media_that_are_still_are_waited_for_once(bench: Bench, take: Path) -> None:
    reads = []
    check = bench.check

    def counting(document: Path) -> object:
        reads.append(document)
        return check(document)

    bench.check = counting  # type: ignore[assignment]
    with bench.daemon() as daemon:
        bench.drop("a.xml", USES_TAKE)
        bench.settle(daemon)
        bench.turn(daemon, 5)
    assert bench.states() == {"a.xml": ["done"]}
    assert len(reads) == 1


def test_media_that_are_not_there_are_not_waited_for(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml", USES_TAKE)
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["done"]}


def test_changed_media_under_the_same_name_are_another_job(bench: Bench, take: Path) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml", USES_TAKE)
        bench.settle(daemon)
        bench.turn(daemon, 5)
        bench.drop("b.xml", USES_TAKE)
        bench.settle(daemon)
        bench.turn(daemon, 5)
        assert bench.states()["b.xml"] == ["duplicate"]
        take.write_bytes(b"sound, mixed anew")
        bench.drop("c.xml", USES_TAKE)
        bench.settle(daemon)
        bench.turn(daemon, 5)
    assert bench.states()["c.xml"] == ["done"]
    assert bench.lying("done") == ["a", "c"]


def test_media_that_change_before_the_work_begins_are_looked_at_again(
    bench: Bench, take: Path
) -> None:
    def change_next(order: WorkOrder) -> JobResult:
        if order.document.name == "a.xml":
            take.write_bytes(b"sound, mixed anew")
        return deliver(order)

    bench.behaviour = change_next
    with bench.daemon() as daemon:
        bench.drop("a.xml", b"../media/other.wav\n" + END)
        bench.drop("b.xml", USES_TAKE)
        (take.parent / "other.wav").write_bytes(b"sound")
        bench.settle(daemon)
        bench.turn(daemon, 5)
        assert bench.states() == {"a.xml": ["done"], "b.xml": ["seen"]}
        bench.settle(daemon)
        bench.turn(daemon, 5)
    assert bench.states()["b.xml"] == ["done"]
    assert len(bench.orders) == 2


def test_media_that_go_away_during_the_work_park_it_until_they_are_back(
    bench: Bench, take: Path
) -> None:
    away = bench.root / "unmounted"

    def lose(order: WorkOrder) -> JobResult:
        take.parent.rename(away)
        bench.clock.advance(1)
        assert order.should_stop()
        raise Interrupted("its media are away")

    bench.behaviour = lose
    with bench.daemon(retry_parked_s=60) as daemon:
        bench.drop("a.xml", USES_TAKE)
        bench.settle(daemon)
        bench.turn(daemon, 5)
        assert bench.states() == {"a.xml": ["parked"]}
        assert "take.wav went away" in bench.jobs()[0].message
        for _ in range(3):
            bench.turn(daemon, 60)
        assert len(bench.orders) == 1, "work is not begun while they are away"
        assert bench.lying("failed") == bench.lying("working") == []
        away.rename(take.parent)
        bench.behaviour = deliver
        bench.turn(daemon, 60)
    assert bench.states() == {"a.xml": ["done"]}
    assert bench.lying("done") == ["a"]


def test_media_that_went_away_since_the_last_look_are_noticed_before_the_delivery_has_its_name(
    bench: Bench, take: Path
) -> None:
    away = bench.root / "unmounted"

    def lose_late(order: WorkOrder) -> JobResult:
        assert not order.should_stop()
        take.parent.rename(away)
        assert not order.should_stop(), "looked at so shortly before that it is not again"
        assert not order.may_hand_back()
        raise Interrupted("its media are away")

    bench.behaviour = lose_late
    with bench.daemon(retry_parked_s=60) as daemon:
        bench.drop("a.xml", USES_TAKE)
        bench.settle(daemon)
        bench.turn(daemon, 5)
        assert bench.states() == {"a.xml": ["parked"]}
        away.rename(take.parent)
        bench.behaviour = deliver
        bench.turn(daemon, 60)
    assert bench.states() == {"a.xml": ["done"]}


def test_an_error_while_media_are_away_is_no_failure(bench: Bench, take: Path) -> None:
    def lose(order: WorkOrder) -> JobResult:
        take.unlink()
        raise MediaError("take.wav is offline.")

    bench.behaviour = lose
    with bench.daemon() as daemon:
        bench.drop("a.xml", USES_TAKE)
        bench.settle(daemon)
        bench.turn(daemon, 5)
    assert bench.states() == {"a.xml": ["parked"]}
    assert bench.lying("failed") == []


def test_a_bundle_is_one_job_and_its_own_media_count_from_inside(bench: Bench) -> None:
    def check(document: Path) -> Needs:
        (document / "content.otio").read_bytes()
        return Needs((document / "media" / "a.wav",))

    def deliver_bundle(order: WorkOrder) -> JobResult:
        (order.staging / "whole").write_bytes((order.document / "content.otio").read_bytes())
        order.staging.rename(order.out)
        return JobResult(order.out, 1, 0, "1 use cleaned")

    bench.check, bench.behaviour = check, deliver_bundle
    with bench.daemon() as daemon:
        for name in ("cut.otiod", "copy of it.otiod"):
            bench.drop(f"{name}/content.otio", b"the cut")
            wav = bench.drop(f"{name}/media/a.wav", b"sound")
            os.utime(wav, ns=(10**9, 10**9))
        bench.settle(daemon)
        bench.turn(daemon, 5)
        assert bench.states() == {"copy of it.otiod": ["done"], "cut.otiod": ["duplicate"]}
        bench.drop("cut.otiod/content.otio", b"the cut, changed")
        bench.settle(daemon)
        bench.turn(daemon, 5)
    assert bench.states()["cut.otiod"] == ["duplicate", "done"]
    assert bench.lying("done") == ["copy of it", "cut"]


def test_a_bundle_that_is_still_copied_waits(bench: Bench) -> None:
    bench.check = lambda document: Needs(())
    with bench.daemon() as daemon:
        bench.drop("cut.fcpxmld/Info.fcpxml", b"<fcpxml>")
        for number in range(5):
            bench.turn(daemon, 4)
            bench.drop(f"cut.fcpxmld/part {number}", b"x")
        assert bench.states() == {"cut.fcpxmld": ["seen"]}


def test_a_link_in_a_bundle_is_refused(bench: Bench) -> None:
    with bench.daemon() as daemon:
        secret = bench.root / "secret"
        secret.write_text("secret" + END.decode())
        folder = bench.root / "inbox" / "cut.fcpxmld"
        folder.mkdir()
        (folder / "Info.fcpxml").symlink_to(secret)
        bench.settle(daemon, 30)
    assert bench.states() == {"cut.fcpxmld": ["failed"]}
    assert bench.orders == []
    assert bench.lying("failed") == ["cut.fcpxmld.txt"]


def test_other_keys_beside_the_document_are_another_job(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.drop("a.xml", b"same" + END)
        bench.drop("nlecompanion.toml", b"fade_ms = 5")
        bench.settle(daemon)
        bench.drop("b.xml", b"same" + END)
        bench.settle(daemon)
        bench.drop("nlecompanion.toml", b"fade_ms = 9")
        bench.drop("c.xml", b"same" + END)
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["done"], "b.xml": ["duplicate"], "c.xml": ["done"]}


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names that this user may not look at, as where a folder was closed to it."""
    names: set[str] = set()
    real = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name in names:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    return names


def test_media_that_are_closed_from_the_first_are_waited_for(
    bench: Bench, take: Path, shut: set[str]
) -> None:
    shut.add(take.name)
    with bench.daemon() as daemon:
        bench.drop("a.xml", USES_TAKE)
        bench.settle(daemon)
        assert bench.states() == {"a.xml": ["parked"]}
        assert "may not be read" in bench.jobs()[0].message
        shut.clear()
        bench.turn(daemon, 60)
        bench.turn(daemon, 5)
        bench.turn(daemon, 5)
    assert bench.states() == {"a.xml": ["done"]}
    assert bench.lying("failed") == []


def test_what_can_be_had_of_media_that_are_closed_in_part_is_worked_on(
    bench: Bench, take: Path, shut: set[str]
) -> None:
    shut.add("other.wav")
    take.with_name("other.wav").write_bytes(b"sound")
    with bench.daemon() as daemon:
        bench.drop("a.xml", b"../media/other.wav\n" + USES_TAKE)
        bench.settle(daemon)
        bench.turn(daemon, 5)
    assert bench.states() == {"a.xml": ["done"]}
