"""Jobs in processes of their own: whatever becomes of one, the daemon says so and goes on."""

from __future__ import annotations

import os
import platform
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from testkit.clock import FakeClock
from testkit.watching import Bench

from nlecompanion.errors import Interrupted, NoSpace, UnsafeDocument
from nlecompanion.file_lock import open_lock, try_lock
from nlecompanion.job_process import JobProcesses, WorkFault
from nlecompanion.settings import Settings, load_profile
from nlecompanion.settings_wire import settings_from, settings_to
from nlecompanion.watch.contract import JobResult, Needs, Underway, WorkDied, WorkOrder
from nlecompanion.watch.daemon import Daemon

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and processes of POSIX")

#: Far above what any of these need; reached only when something is broken.
PATIENCE_S = 60
COMMAND = (sys.executable, str(Path(__file__).with_name("scripted_job.py")))


class Shop:
    """Starts scripted jobs and waits for them without sleeping."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.processes = JobProcesses(COMMAND, self.clock.monotonic_s)
        self.told: list[tuple[float, float, str]] = []
        self.heard = threading.Event()
        self._folder = folder
        self._jobs = 0

    def start(self, what: str, **order: object) -> Underway:
        self._jobs += 1
        place = self._folder / str(self._jobs)
        (place / "staging").mkdir(parents=True)
        (place / "scene.xml").write_text(f"{what} {place.name}")
        made = WorkOrder(
            place / "scene.xml",
            "exposed",
            place / "out",
            place / "staging",
            lambda: False,
            lambda *told: self.told.append(told),
            wake=self.heard.set,
            **order,  # type: ignore[arg-type]
        )
        return self.processes.start(made, Settings(engine="dsp"), stall_s=100)

    def until_told(self, work: Underway) -> None:
        """Until the work has said how far it is."""
        seen = len(self.told)
        while len(self.told) == seen:
            assert self.poll(work) is None

    def result(self, work: Underway) -> JobResult:
        while (result := self.poll(work)) is None:
            pass
        return result

    def poll(self, work: Underway) -> JobResult | None:
        self.heard.clear()
        result = work.poll()
        if result is None:
            assert self.heard.wait(PATIENCE_S)
            result = work.poll()
        return result

    def pid(self) -> int:
        """Of the process that said last how far it is."""
        return int(self.told[-1][2].split()[1])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    with made.processes:
        yield made


def is_gone(pid: int) -> bool:
    """Whether a process, or a zombie of it, has ended; waits for it."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], PATIENCE_S)[0])
    finally:
        os.close(descriptor)


def test_one_process_does_one_job_after_another(shop: Shop, tmp_path: Path) -> None:
    for number in (1, 2):
        result = shop.result(shop.start("deliver"))
        assert result == JobResult(tmp_path / str(number) / "out", 2, 0, "2 uses cleaned")
        assert (tmp_path / str(number) / "out" / "conformed").is_file()
    assert [told[:2] for told in shop.told] == [(1.0, 4.0), (1.0, 4.0)]
    assert shop.told[0] == shop.told[1]


def test_two_jobs_at_once_have_a_process_each(shop: Shop) -> None:
    first = shop.start("wait")
    shop.until_told(first)
    waiting = shop.pid()
    shop.result(shop.start("deliver"))
    assert shop.pid() != waiting
    first.stop()
    with pytest.raises(Interrupted):
        shop.result(first)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("crash", "SIGSEGV"),
        ("killed", "SIGKILL.*memory runs out"),
        ("leaves", "exit code 7"),
    ],
)
def test_a_process_that_dies_costs_its_job(shop: Shop, what: str, told: str) -> None:
    with pytest.raises(WorkDied, match=told):
        shop.result(shop.start(what))
    assert shop.result(shop.start("deliver")).cleaned == 2


def test_work_that_does_not_move_is_ended(shop: Shop) -> None:
    work = shop.start("hang")
    shop.until_told(work)
    shop.clock.advance(100)
    assert work.poll() is None
    shop.clock.advance(1)
    with pytest.raises(WorkDied, match="has not moved for 100 s"):
        work.poll()
    assert is_gone(shop.pid())


def test_work_that_is_asked_to_stop_does(shop: Shop) -> None:
    work = shop.start("wait")
    shop.until_told(work)
    work.stop()
    with pytest.raises(Interrupted):
        shop.result(work)
    # A stop that came too late must not end the next job.
    assert shop.result(shop.start("deliver")).cleaned == 2


def test_work_that_does_not_stop_is_ended(shop: Shop) -> None:
    work = shop.start("hang")
    shop.until_told(work)
    work.stop()
    shop.clock.advance(24)
    assert work.poll() is None
    shop.clock.advance(2)
    with pytest.raises(Interrupted, match="did not stop within 25 s"):
        work.poll()
    assert is_gone(shop.pid())


def test_what_the_work_raises_is_raised_here(shop: Shop) -> None:
    with pytest.raises(NoSpace, match="the disk is full"):
        shop.result(shop.start("full"))
    with pytest.raises(UnsafeDocument, match="it nests too deep"):
        shop.result(shop.start("refused"))
    with pytest.raises(OSError, match="some name") as caught:
        shop.result(shop.start("system"))
    assert caught.value.errno == 30
    with pytest.raises(WorkFault, match="KeyError: 'a fault of ours'"):
        shop.result(shop.start("fault"))


def test_what_a_library_prints_is_no_answer(shop: Shop) -> None:
    assert shop.result(shop.start("chatter")).cleaned == 2


def test_orders_and_settings_arrive(shop: Shop) -> None:
    result = shop.result(shop.start("sparing", is_sparing=True))
    assert result == JobResult(None, 0, 0, "True dsp exposed")


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="the filter is one of Linux",
)
def test_work_has_no_network(shop: Shop) -> None:
    assert shop.result(shop.start("network")).message == "PermissionError"


def test_settings_survive_the_way() -> None:
    settings = Settings(
        profile=load_profile("subtitled"),
        engine="demucs",
        handles_s=Fraction(7, 3),
        tracks=("A1", "A2"),
        path_map=(("/Volumes/a", "/mnt/ä \udc80"),),
        media_roots=(Path("/media/ü"), Path("relative")),
        search_roots=(Path("/a"),),
    )
    assert settings_from(settings_to(settings)) == settings


def test_an_idle_process_ends_after_a_while(shop: Shop) -> None:
    shop.result(shop.start("deliver"))
    shop.processes.rest()
    pid = shop.pid()
    os.kill(pid, 0)
    shop.clock.advance(11)
    shop.processes.rest()
    assert is_gone(pid)


def test_an_idle_process_that_died_is_replaced(shop: Shop) -> None:
    shop.result(shop.start("deliver"))
    os.kill(shop.pid(), 9)
    assert is_gone(shop.pid())
    assert shop.result(shop.start("deliver")).cleaned == 2


def test_leaving_ends_every_process(shop: Shop) -> None:
    shop.result(shop.start("deliver"))
    shop.until_told(shop.start("hang"))
    with shop.processes:
        pass
    assert is_gone(shop.pid())


def test_the_folders_lock_is_held_as_long_as_somebody_works(shop: Shop, tmp_path: Path) -> None:
    lock, other = open_lock(tmp_path / "lock"), open_lock(tmp_path / "lock")
    assert try_lock(lock)
    work = shop.start("hang", keep_open=(lock,))
    shop.until_told(work)
    os.close(lock)  # as if the daemon had been killed
    assert not try_lock(other)
    os.kill(shop.pid(), 9)
    assert is_gone(shop.pid())
    assert try_lock(other)
    os.close(other)


_PARENT = """
import sys
from pathlib import Path
from nlecompanion.job_process import JobProcesses
from nlecompanion.settings import Settings
from nlecompanion.watch.contract import WorkOrder
place = Path(sys.argv[1])
(place / "scene.xml").write_text("hang")
order = WorkOrder(place / "scene.xml", "exposed", place / "out", place, lambda: False,
                  lambda *told: print(told[2], flush=True))
with JobProcesses((sys.executable, sys.argv[2])) as processes:
    work = processes.start(order, Settings(), 1000)
    while work.poll() is None:
        pass
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the child on Linux")
def test_a_killed_daemon_takes_the_work_with_it(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path), COMMAND[1]], stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline().split()[1])
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert is_gone(pid)


def test_the_daemon_loads_nothing_for_sound() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, nlecompanion.watching; "
            "heavy = {'torch', 'scipy', 'onnxruntime', 'av', 'nlecompanion.pipeline'}; "
            "print(heavy & {*sys.modules})",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "set()"


# With a daemon


def _turn_until(daemon: Daemon, bench: Bench, states: dict[str, list[str]]) -> None:
    """Turns the daemon while real processes work."""
    for _ in range(20_000):
        if bench.states() == states:
            return
        daemon.step()
        threading.Event().wait(0.002)
    raise AssertionError(bench.states())


@pytest.fixture
def scripted(bench: Bench, shop: Shop) -> Bench:
    """A folder whose jobs are scripted ones in real processes."""
    bench.start = lambda order: shop.processes.start(order, Settings(engine="dsp"), stall_s=100)
    bench.check = lambda document: Needs(())
    return bench


@pytest.mark.parametrize("what", ["crash", "killed", "leaves"])
def test_what_kills_its_process_twice_has_failed(scripted: Bench, what: str) -> None:
    with scripted.daemon() as daemon:
        scripted.drop("bad.xml", what.encode())
        scripted.drop("good.xml", b"deliver")
        scripted.turn(daemon)
        scripted.clock.advance(5)
        _turn_until(daemon, scripted, {"bad.xml": ["failed"], "good.xml": ["done"]})
        changes = [note for _, note in daemon._journal.changes(1)]
    line = (scripted.root / "failed" / "bad.xml.txt").read_text()
    assert ", twice." in line
    assert any("tried once more" in note for note in changes)
    assert scripted.lying("working") == []
    assert scripted.lying("done") == ["good"]


def test_a_full_disk_in_the_child_parks_the_job(scripted: Bench) -> None:
    with scripted.daemon() as daemon:
        scripted.drop("scene.xml", b"full")
        scripted.turn(daemon)
        scripted.clock.advance(5)
        _turn_until(daemon, scripted, {"scene.xml": ["parked"]})


@pytest.mark.parametrize("may", [True, False])
def test_the_daemon_has_the_last_word_before_a_delivery_gets_its_name(
    tmp_path: Path, may: bool
) -> None:
    asked: list[bool] = []

    def may_hand_back() -> bool:
        asked.append(may)
        return may

    shop = Shop(tmp_path)
    with shop.processes:
        work = shop.start("asks", may_hand_back=may_hand_back)
        if may:
            assert shop.result(work).delivery == tmp_path / "1" / "out"
        else:
            with pytest.raises(Interrupted):
                shop.result(work)
    assert asked == [may]
    assert (tmp_path / "1" / "out").is_dir() is may


def test_one_that_asks_while_it_is_stopped_gets_no_answer_and_ends(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    at_work: list[Underway] = []

    def stop_it() -> bool:
        at_work[0].stop()
        return True

    with shop.processes:
        at_work.append(shop.start("asks", may_hand_back=stop_it))
        with pytest.raises(Interrupted):
            shop.result(at_work[0])
    assert not (tmp_path / "1" / "out").exists()
