"""Workers that die, hang and fill the memory cost their own request, and nobody else's."""

from __future__ import annotations

import itertools
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from testkit import odd_worker

from nlecompanion.errors import Interrupted, NleCompanionError, NoSpace
from nlecompanion.work.pool import Failed, Here, Pool, Request, automatic_workers
from nlecompanion.work.worker_jobs import Done, Shelf

COMMAND = (sys.executable, str(Path(odd_worker.__file__)))
LIMIT_BYTES = 2 << 30
PATIENCE_S = 20.0
linux = pytest.mark.skipif(sys.platform != "linux", reason="limits and signals of Linux")


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(2, LIMIT_BYTES, command=COMMAND) as made:
        yield made


def request(what: str, seconds: float = 1.0, **values: Any) -> Request:
    return Request(what, lambda: {"word": what} | values, seconds)


def echoes(*words: str) -> list[Request]:
    return [request("echo", word=word) for word in words]


def answered(pool: Pool | Here, requests: list[Request]) -> list[Done | Failed]:
    found = dict(pool.answers(requests, lambda *_: None))
    assert sorted(found) == list(range(len(requests)))
    return [found[number] for number in range(len(requests))]


def word(answer: Done | Failed) -> object:
    assert isinstance(answer, Done)
    return answer.values["echo"]


def test_every_request_is_answered_by_one_of_the_workers(pool: Pool) -> None:
    ticks: list[tuple[int, float]] = []
    requests = echoes(*"abcdef")
    found = dict(pool.answers(requests, lambda number, s: ticks.append((number, s))))
    assert [word(found[number]) for number in range(6)] == list("abcdef")
    assert sorted(ticks) == [(number, 1.0) for number in range(6)]
    pids = {a.values["pid"] for a in found.values() if isinstance(a, Done)}
    assert 1 <= len(pids) <= 2
    assert os.getpid() not in pids


def test_workers_are_kept_for_the_next_requests(pool: Pool) -> None:
    answered(pool, echoes("a"))
    before = pool.pids
    answered(pool, echoes("b"))
    assert pool.pids == before


@linux
def test_a_killed_workers_request_is_tried_once_more(pool: Pool, tmp_path: Path) -> None:
    dies = request("die", mark=str(tmp_path / "mark"), always=False)
    found = answered(pool, [*echoes("a"), dies, *echoes("b")])
    assert [word(answer) for answer in found] == ["a", "die", "b"]
    again = found[1]
    assert isinstance(again, Done)
    # It was not the memory: in the same blocks, so that the result is the same.
    assert again.lasting
    assert again.values["smaller"] is False


@linux
def test_what_kills_its_worker_twice_fails_alone(pool: Pool, tmp_path: Path) -> None:
    dies = request("die", mark=str(tmp_path / "mark"), always=True)
    found = answered(pool, [*echoes("a"), dies, *echoes("b")])
    assert [word(found[0]), word(found[2])] == ["a", "b"]
    assert found[1] == Failed("its worker ended with SIGKILL (signal 9), twice")


@linux
def test_an_idle_worker_may_die(pool: Pool) -> None:
    answered(pool, echoes("a"))
    (pid,) = pool.pids
    wait = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    select.select([wait], [], [], PATIENCE_S)
    os.close(wait)
    assert [word(answer) for answer in answered(pool, echoes("b", "c"))] == ["b", "c"]


@linux
def test_without_memory_it_is_tried_in_smaller_blocks(pool: Pool) -> None:
    found = answered(pool, [request("fill", always=False), *echoes("a")])
    first = found[0]
    assert isinstance(first, Done)
    assert first.values["smaller"] is True
    assert not first.lasting
    assert word(found[1]) == "a"


@linux
def test_without_memory_twice_it_fails(pool: Pool) -> None:
    found = answered(pool, [request("fill", always=True), *echoes("a")])
    assert isinstance(found[0], Failed)
    assert "ran out of memory" in found[0].line
    assert "2048 MiB" in found[0].line
    assert word(found[1]) == "a"


def test_a_silent_worker_is_ended() -> None:
    hours = itertools.count(0.0, 3600.0)
    with Pool(1, command=COMMAND, stall_s=600.0, clock=lambda: next(hours)) as pool:
        (answer,) = answered(pool, [request("hang")])
        assert isinstance(answer, Failed)
        assert "was silent for" in answer.line
        assert pool.pids == ()


def test_a_full_disk_concerns_everybody(pool: Pool) -> None:
    with pytest.raises(NoSpace, match="No space left in the room"):
        answered(pool, [request("full"), *echoes("a", "b")])


def test_a_mistake_of_ours_is_one_line(pool: Pool) -> None:
    with pytest.raises(NleCompanionError, match=r"RuntimeError: two lines\). Please report this"):
        answered(pool, [request("break")])


@linux
def test_whoever_stops_ends_the_workers() -> None:
    waits: list[int] = []
    workers = Pool(2, command=COMMAND)

    def stop(*_: object) -> None:
        waits.extend(map(os.pidfd_open, workers.pids))
        raise Interrupted("enough")

    with pytest.raises(Interrupted), workers:
        for _ in workers.answers([request("hang"), *echoes("a")], stop):
            pass
    assert len(waits) == 2
    assert all(select.select([wait], [], [], PATIENCE_S)[0] for wait in waits)
    for wait in waits:
        os.close(wait)


@linux
def test_workers_die_with_their_parent() -> None:
    script = (
        "import sys\n"
        "from nlecompanion.work.pool import Pool, Request\n"
        f"with Pool(1, command={COMMAND!r}) as pool:\n"
        "    work = [Request('hang', dict, 1.0), Request('echo', lambda: {'word': 'a'}, 2.0)]\n"
        "    for _ in pool.answers(work, lambda *_: None):\n"
        "        print(*pool.pids, flush=True)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    wait = os.pidfd_open(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert select.select([wait], [], [], PATIENCE_S)[0]
    os.close(wait)


def test_in_this_process_the_answers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = answered(Here(Shelf()), echoes("a", "b"))
    assert [word(answer) for answer in found] == ["a", "b"]


def test_in_this_process_memory_may_run_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def ones(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(np, "ones", ones)
    here = Here(Shelf())
    first, second = answered(here, [request("fill", always=a) for a in (False, True)])
    assert isinstance(first, Done)
    assert first.values["smaller"] is True
    assert isinstance(second, Failed)
    assert "memory" in second.line


@pytest.mark.parametrize(("jobs", "seconds"), [(0, 9e9), (1, 9e9), (500, 5.0)])
def test_little_work_needs_no_workers(jobs: int, seconds: float) -> None:
    assert automatic_workers(jobs, seconds) == 0
