"""Mixed work with faults for as long as one likes, and what it leaves behind in the daemon."""

from __future__ import annotations

import os
import random
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults_field import PATIENCE_S, Count, Field, Nursery
from benchmarks.faults_processes import children, job_process, memory_mb

_OPTIONS = "still_s = 0.2\nrescan_s = 1\npoll_s = 0.2\nretry_parked_s = 0.5\n"
_HOSTILE = b'<?xml version="1.0"?><!DOCTYPE xmeml [<!ENTITY a "b">]><xmeml version="4">&a;</xmeml>'
#: Of the first samples, in which libraries and caches of the interpreter still settle.
_WARM_UP_SHARE = 0.25
MAX_GROWTH = 0.05
_SETTLED = ("done", "failed", "duplicate", "gone")


@dataclass(frozen=True, slots=True)
class _Sample:
    """One look at the daemon with nothing to do."""

    memory_mb: float
    handles: int
    threads: int


def soak(seconds: float, chance: random.Random) -> Count:
    """Good, broken, doubled and interrupted jobs; at the end nothing of them may be left."""
    count = Count()
    with _room() as (nursery, room):
        watched = Field(nursery, room / "watched", room / "media", room / "log")
        (watched.root / "watch.toml").write_text(_OPTIONS)
        with watched.daemon() as daemon:
            samples: list[_Sample] = []
            until_s = time.monotonic() + seconds
            rounds = 0
            while time.monotonic() < until_s or rounds < 8:
                _round(watched, daemon, rounds, chance)
                rounds += 1
                samples.append(_at_rest(daemon))
                if not nursery.is_running(daemon):
                    raise AssertionError(f"the daemon ended in round {rounds}")
            count.add(watched.count(rounds))
            _judge(samples, count)
        left = [p.name for p in (room / "temporary").iterdir() if not p.name.startswith(".")]
        left += [p.name for p in (watched.cache / "regions" / "aside").iterdir()]
        count.half_written += len(left)
        count.told += [f"left behind: {name}" for name in left]
    return count


def _round(watched: Field, daemon: int, number: int, chance: random.Random) -> None:
    """One document, whole, broken or doubled, with or without a fault while it is worked on."""
    watched.drop(f"scene {number}")
    kind = chance.choice(["alone", "broken", "twice", "killed", "away", "stuttering"])
    inbox = watched.root / "inbox"
    whole = (inbox / f"scene {number}.xml").read_bytes()
    if kind == "broken":
        (inbox / f"broken {number}.xml").write_bytes(_HOSTILE)
    elif kind == "twice":
        (inbox / f"again {number}.xml").write_bytes(whole)
    elif kind == "killed":
        _wait_for_work(watched, f"scene {number}.xml")
        if (victim := job_process(daemon)) is not None:
            with _gone_is_fine():
                os.kill(victim, signal.SIGKILL)
    elif kind == "away":
        _wait_for_work(watched, f"scene {number}.xml")
        away = watched.media.with_name("unmounted")
        watched.media.rename(away)
        time.sleep(chance.uniform(0, 1))
        away.rename(watched.media)
    elif kind == "stuttering":
        slow = inbox / f"again {number}.xml"
        for part in range(1, 6):
            slow.write_bytes(whole[: len(whole) * part // 5])
            time.sleep(0.1)
    dropped = {entry.name for entry in inbox.iterdir()}
    watched.wait(
        lambda jobs: (
            {j.document for j in jobs} >= dropped and all(j.state.value in _SETTLED for j in jobs)
        ),
        "rest",
    )


def _wait_for_work(watched: Field, document: str) -> None:
    """Until the document is worked on, or is not any more."""
    wanted = ("working", *_SETTLED)
    watched.wait(
        lambda jobs: any(j.document == document and j.state.value in wanted for j in jobs), "work"
    )


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except ProcessLookupError:
        return


def _at_rest(daemon: int) -> _Sample:
    """After the daemon has put away what it keeps at hand for a next job."""
    until_s = time.monotonic() + PATIENCE_S
    while children(daemon):
        if time.monotonic() > until_s:
            raise AssertionError(f"children stay: {children(daemon)}")
        time.sleep(0.1)
    handles = len(list(Path(f"/proc/{daemon}/fd").iterdir()))
    threads = len(list(Path(f"/proc/{daemon}/task").iterdir()))
    return _Sample(memory_mb(daemon), handles, threads)


def _judge(samples: list[_Sample], count: Count) -> None:
    """Growth from the first to the last third of what was seen once warm."""
    warm = samples[int(len(samples) * _WARM_UP_SHARE) :]
    third = max(1, len(warm) // 3)
    first = statistics.median(s.memory_mb for s in warm[:third])
    last = statistics.median(s.memory_mb for s in warm[-third:])
    growth = last / first - 1
    # At the least seen late: a look may fall into a turn of the daemon.
    handles = min(s.handles for s in warm[-third:]) - min(s.handles for s in warm[:third])
    threads = min(s.threads for s in warm[-third:]) - min(s.threads for s in warm[:third])
    count.told.append(
        f"memory of the daemon {first:.1f} MB, then {last:.1f} MB ({100 * growth:+.1f} %), "
        f"{handles:+d} handles, {threads:+d} threads, {len(samples)} rounds"
    )
    count.half_written += (growth > MAX_GROWTH) + (handles > 0) + (threads > 0)


@contextmanager
def _room() -> Iterator[tuple[Nursery, Path]]:
    """A nursery whose temporary files lie in a folder of their own."""
    before = os.environ.get("TMPDIR")
    room = Path(tempfile.mkdtemp(prefix="faults-"))
    (room / "temporary").mkdir()
    os.environ["TMPDIR"] = str(room / "temporary")
    try:
        with Nursery() as nursery:
            yield nursery, room
    finally:
        os.environ.pop("TMPDIR")
        if before is not None:
            os.environ["TMPDIR"] = before
        shutil.rmtree(room)
