"""Faults of the processes that work for a daemon: each costs at most one more try of its job."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults_field import PATIENCE_S, Count, Field, Nursery

_OPTIONS = "still_s = 0.2\nrescan_s = 1\npoll_s = 0.2\nretry_parked_s = 0.5\n"
#: What hangs is ended after so long; above what a step takes on a busy machine.
_HUNG = f"{_OPTIONS}stall_s = 45\n"


@contextmanager
def _field(nursery: Nursery, workers: int = 0, options: str = _OPTIONS) -> Iterator[Field]:
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        room = Path(name)
        made = Field(nursery, room / "watched", room / "media", room / "log", workers)
        (made.root / "watch.toml").write_text(options)
        yield made


def children(parent: int) -> dict[int, str]:
    """The command lines of a process's living children, by number."""
    found: dict[int, str] = {}
    for task in Path(f"/proc/{parent}/task").glob("*"):
        try:
            numbers = [int(word) for word in (task / "children").read_text().split()]
            found |= {n: Path(f"/proc/{n}/cmdline").read_text() for n in numbers}
        except OSError:  # one of them has ended since
            continue
    return {number: words for number, words in found.items() if words}


def job_process(daemon: int) -> int | None:
    """The process that does the daemon's job."""
    return next((n for n, words in children(daemon).items() if "isolated" not in words), None)


def _worker(daemon: int) -> int | None:
    """A worker of the daemon's job."""
    job = job_process(daemon)
    found = {} if job is None else children(job)
    return next((n for n, words in found.items() if "work.worker" in words), None)


def _each_once(
    nursery: Nursery,
    tries: int,
    chance: random.Random,
    harm: Callable[[int], int | None],
    kinds: list[signal.Signals],
    workers: int = 0,
    options: str = _OPTIONS,
) -> Count:
    """A timeline a try, one process harmed once in each; the daemon must live and deliver."""
    count = Count()
    with _field(nursery, workers, options) as watched, watched.daemon() as daemon:
        watched.drop("first")
        from_s = time.monotonic()
        watched.wait_until_done()
        job_s = time.monotonic() - from_s
        harmed = 0
        for number in range(tries):
            watched.drop(f"scene {number}")
            watched.wait_for_state("working")
            _wait_for(lambda: harm(daemon) is not None or not watched.is_at_work())
            time.sleep(chance.uniform(0, job_s / 2))
            if (victim := harm(daemon)) is not None and _signal(victim, chance.choice(kinds)):
                harmed += 1
            watched.wait_until_done()
            if not nursery.is_running(daemon):
                count.lost += 1
                count.told.append(f"try {number}: the daemon ended too")
        count.add(watched.count(tries))
        count.told.append(f"{harmed} processes were met at work")
    return count


def _wait_for(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not is_so() and time.monotonic() < until_s:
        time.sleep(0.02)


def _signal(number: int, kind: signal.Signals) -> bool:
    try:
        os.kill(number, kind)
    except ProcessLookupError:
        return False
    return True


def job_killed(nursery: Nursery, tries: int, chance: random.Random) -> Count:
    """The process of the job is killed, as the kernel does for memory, or crashes."""
    return _each_once(nursery, tries, chance, job_process, [signal.SIGKILL, signal.SIGSEGV])


def job_hung(nursery: Nursery, tries: int, chance: random.Random) -> Count:
    """The process of the job is stopped and never goes on by itself."""
    few = max(1, tries // 5)
    return _each_once(nursery, few, chance, job_process, [signal.SIGSTOP], options=_HUNG)


def worker_killed(nursery: Nursery, tries: int, chance: random.Random) -> Count:
    """One of two workers is killed, or crashes, in the middle of its region."""
    kinds = [signal.SIGKILL, signal.SIGSEGV]
    return _each_once(nursery, tries, chance, _worker, kinds, workers=2)


def idle(nursery: Nursery, seconds: float) -> list[str]:
    """What a daemon costs that has done a job and has nothing to do: lines with figures."""
    with _field(nursery) as watched, watched.daemon() as daemon:
        watched.drop("scene")
        watched.wait_until_done()
        until_s = time.monotonic() + PATIENCE_S
        while children(daemon) and time.monotonic() < until_s:
            time.sleep(0.2)
        before_s = processor_s(daemon)
        time.sleep(seconds)
        share = (processor_s(daemon) - before_s) / seconds
        return [
            f"idle for {seconds:.0f} s (looking every 0.2 s): {100 * share:.2f} % of a core, "
            f"{memory_mb(daemon):.0f} MB, {len(children(daemon))} children"
        ]


def processor_s(number: int) -> float:
    """Processor time that a process has used, in seconds (proc(5))."""
    words = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(number: int) -> float:
    """What of a process lies in memory and is its own, in MB."""
    lines = Path(f"/proc/{number}/status").read_text().splitlines()
    (anonymous,) = (int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))
    return anonymous * 1024 / 1e6
