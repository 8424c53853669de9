"""Faults that need a clock of their own: the daemon is turned by hand, its documents are real."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from benchmarks.faults_field import Count, make_takes
from testkit.fcp7xml import Clip, Media, Track, premiere_xml
from testkit.watching import Bench, deliver

from nlecompanion.watch.contract import JobResult, WorkOrder
from nlecompanion.watching import Reader

_YEAR_S = 3.2e7
_AT_ONCE = 100


@contextmanager
def _bench() -> Iterator[tuple[Bench, list[Path]]]:
    """A folder whose documents are read by the real readers; the work is a copy."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name, Reader() as reader:
        room = Path(name)
        bench = Bench(room / "watched")
        bench.check = reader
        yield bench, make_takes(room / "media")


def _timeline(takes: list[Path], name: str) -> bytes:
    clip = Clip(Media(takes[0], Fraction(25), 62, picture=False), 0, 50, 5)
    return premiere_xml((Track((clip,), "Dialogue"),), Fraction(25), name)


def _count(bench: Bench, sent: dict[str, bytes]) -> Count:
    """Every document held against the deliveries, which are copies of it."""
    count = Count(len(sent))
    delivered = [
        (folder / "conformed").read_bytes()
        for folder in sorted((bench.root / "done").iterdir())
        if (folder / "conformed").is_file()
    ]
    left = [content for content in delivered if content not in set(sent.values())]
    for name, content in sent.items():
        times = delivered.count(content)
        count.lost += times == 0
        count.doubled += max(0, times - 1)
        if times != 1:
            count.told.append(f"{name} was delivered {times} times")
    count.half_written = len(left) + len(bench.lying("working"))
    return count


def clock_jumps(documents: int, chance: random.Random) -> Count:
    """The machine's clock is set to another time again and again, by up to a year either way."""
    sent: dict[str, bytes] = {}
    with _bench() as (bench, takes):
        for number in range(documents):
            name = f"scene {number}.xml"
            sent[name] = _timeline(takes, name)
            with bench.daemon() as daemon:
                bench.drop(name, sent[name])
                for _ in range(6):
                    bench.clock.jump(chance.uniform(-_YEAR_S, _YEAR_S))
                    bench.turn(daemon, chance.uniform(0, 5))
        with bench.daemon() as daemon:
            for _ in range(4):
                bench.turn(daemon, 5)
        return _count(bench, sent)


def dropped_at_once(documents: int, chance: random.Random) -> Count:
    """So many timelines in one moment, in no order."""
    numbers = list(range(documents))
    chance.shuffle(numbers)
    with _bench() as (bench, takes):
        sent = {f"scene {n}.xml": _timeline(takes, f"scene {n}") for n in numbers}
        with bench.daemon() as daemon:
            for name, content in sent.items():
                bench.drop(name, content)
            for _ in range(4):
                bench.turn(daemon, 5)
        return _count(bench, sent)


def slow_copies(documents: int, chance: random.Random) -> Count:
    """Copies that stop and go; what is worked on must be the whole document, never a part."""
    count = Count()
    for first in range(0, documents, _AT_ONCE):
        count.add(_slow_copies(min(_AT_ONCE, documents - first), chance))
    return count


def _slow_copies(documents: int, chance: random.Random) -> Count:
    early: list[str] = []
    with _bench() as (bench, takes):
        sent = {f"scene {n}.xml": _timeline(takes, f"scene {n}") for n in range(documents)}

        def work(order: WorkOrder) -> JobResult:
            if order.document.read_bytes() != sent[order.document.name]:
                early.append(f"{order.document.name} was started early")
            return deliver(order)

        bench.behaviour = work
        written = dict.fromkeys(sent, 0)
        with bench.daemon() as daemon:
            while any(written[name] < len(content) for name, content in sent.items()):
                for name, content in sent.items():
                    # A third of them pauses, for longer than a file has to be still.
                    if chance.random() < 2 / 3:
                        written[name] += chance.randrange(1, len(content) // 2)
                        bench.drop(name, content[: written[name]])
                bench.turn(daemon, chance.uniform(0.5, 8))
            for _ in range(4):
                bench.turn(daemon, 5)
        count = _count(bench, sent)
    count.half_written += len(early)
    count.told += early
    return count
