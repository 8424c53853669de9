"""Who does the work: this process, or several others that share it.

Answers come as they are ready; what they are does not depend on who gave them. A worker that dies
or falls silent costs its request one more try, alone; a request that fails again is told so, and
the others go on.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Protocol, Self

from nlecompanion.errors import NleCompanionError
from nlecompanion.isolation import known_error
from nlecompanion.work.pool_process import COMMAND, Heard, WorkerProcess
from nlecompanion.work.worker_jobs import Done, Shelf, Told, perform

logger = logging.getLogger(__name__)

#: A worker may be silent for so long, and once more as long as the sound that it works on.
STALL_S = 600.0
#: Two cores: one decodes while the other listens.
_LISTENERS = 2


@dataclass(frozen=True, slots=True)
class Request:
    """One job of `worker_jobs`: `what` with these JSON values, about so many seconds of sound.

    `values` makes them when their turn has come: many hours' surveys need not wait in memory.
    `smaller`: in smaller blocks.
    """

    what: str
    values: Callable[[], dict[str, Any]]
    seconds: float
    smaller: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that was tried twice in vain; `line` says what happened, fit for a person."""

    line: str


Answer = Done | Failed
#: Told the number of a request and seconds of sound that were just worked on.
TickOf = Callable[[int, float], None]


class Workers(Protocol):
    """Whoever answers requests; `count` of them at once."""

    @property
    def count(self) -> int:
        """How many."""

    def answers(self, requests: Sequence[Request], tick: TickOf) -> Iterator[tuple[int, Answer]]:
        """Each request's number and answer, in any order.

        Raises:
            NleCompanionError: nothing can be worked on, or `tick` raised it.
        """


class Here:
    """Works in this process."""

    count = 1

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def answers(self, requests: Sequence[Request], tick: TickOf) -> Iterator[tuple[int, Answer]]:
        """As `Workers`; only listening goes on beside each other."""
        if all(request.what == "listen" for request in requests):
            yield from self._listened(requests, tick)
            return
        for number, request in enumerate(requests):

            def told(seconds: float, number: int = number) -> None:
                tick(number, seconds)

            yield number, self._answer(request, told)

    def _listened(self, requests: Sequence[Request], tick: TickOf) -> Iterator[tuple[int, Answer]]:
        with ThreadPoolExecutor(_LISTENERS) as listeners:
            jobs = deque(listeners.submit(self._answer, r, lambda _: None) for r in requests)
            try:
                for number in range(len(requests)):
                    answer = jobs.popleft().result()
                    tick(number, 0.0)
                    yield number, answer
            finally:
                for job in jobs:  # whoever stops does not wait for all of them
                    job.cancel()

    def _answer(self, request: Request, tick: Callable[[float], None]) -> Answer:
        try:
            told = Told(self._shelf, tick, request.smaller)
            return perform(request.what, request.values(), told)
        except MemoryError as error:
            if request.smaller:
                return Failed(f"the memory ran out, in smaller blocks too ({error})")
            logger.warning("The memory ran out: once more in smaller blocks.")
            return self._answer(replace(request, smaller=True), tick)


class Pool:
    """Works in `count` processes, which are started when they are needed.

    Leaving the `with` block ends them at once. Not for several threads at once.
    `memory_bytes` is what each may take (0: no limit).
    """

    def __init__(
        self,
        count: int,
        memory_bytes: int = 0,
        *,
        stall_s: float = STALL_S,
        command: Sequence[str] = COMMAND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.count = count
        self._memory_bytes = memory_bytes
        self._stall_s = stall_s
        self._command = command
        self._clock = clock
        self._heard: SimpleQueue[Heard] = SimpleQueue()
        self._idle: list[WorkerProcess] = []
        self._busy: dict[WorkerProcess, _Turn] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in (*self._idle, *self._busy):
            worker.end()
        self._idle.clear()
        self._busy.clear()

    @property
    def pids(self) -> tuple[int, ...]:
        """The living workers' process numbers, the busy ones first."""
        return tuple(worker.pid for worker in (*self._busy, *self._idle))

    def answers(self, requests: Sequence[Request], tick: TickOf) -> Iterator[tuple[int, Answer]]:
        """As `Workers`; the longest requests begin first, so that none ends long after the rest."""
        order = sorted(enumerate(requests), key=lambda item: (-item[1].seconds, item[0]))
        waiting = deque(_Turn(number, request) for number, request in order)
        again: deque[_Turn] = deque()
        while waiting or again or self._busy:
            while waiting and len(self._busy) < self.count:
                self._begin(waiting.popleft())
            if again and not self._busy:
                self._begin(again.popleft())
            worker, told = self._next()
            turn = self._busy[worker]
            if not isinstance(told, _Trouble) and "tick" in told:
                turn.heard_at = self._clock()
                tick(turn.number, float(told["tick"]))
                continue
            del self._busy[worker]
            if not isinstance(told, _Trouble):
                self._idle.append(worker)
                yield turn.number, Done(told["answer"], bool(told["lasting"]))
            elif turn.last:
                yield turn.number, Failed(f"its worker {told.line}, twice")
            else:
                logger.warning("A worker %s. Its request is tried once more, alone.", told.line)
                again.append(turn.once_more(smaller=told.is_memory))

    def _begin(self, turn: _Turn) -> None:
        worker = (
            self._idle.pop()
            if self._idle
            else WorkerProcess(self._heard, self._memory_bytes, self._command)
        )
        turn.heard_at = self._clock()
        self._busy[worker] = turn
        request = turn.request
        worker.ask({"do": request.what, "with": request.values(), "smaller": request.smaller})

    def _next(self) -> tuple[WorkerProcess, dict[str, Any] | _Trouble]:
        """What comes next from a busy worker: a frame, or how it ended."""
        while True:
            try:
                heard = self._heard.get(timeout=self._patience_s())
            except Empty:
                late = self._late()
                if late is None:
                    continue
                silent_s = self._clock() - self._busy[late].heard_at
                late.end()
                return late, _Trouble(f"was silent for {silent_s:.0f} s")
            worker, frame = heard.worker, heard.frame
            if worker not in self._busy:
                if frame is None and worker in self._idle:
                    self._idle.remove(worker)
                    worker.bury()
            elif frame is None:
                short = _kills_for_memory() > self._busy[worker].killed_before
                return worker, _Trouble(f"ended with {worker.bury()}", is_memory=short)
            elif "log" in frame:
                level, name, line = frame["log"]
                logging.getLogger(str(name)).log(int(level), "%s", line)
            elif "error" in frame:
                return worker, self._raised(worker, frame["error"])
            else:
                return worker, frame

    def _raised(self, worker: WorkerProcess, told: dict[str, Any]) -> _Trouble:
        """How a worker's job ended that raised something; what concerns all jobs is raised here."""
        name, line = str(told.get("class")), str(told.get("message"))
        worker.end()
        if name == "MemoryError":
            most_mib = self._memory_bytes >> 20
            return _Trouble(f"ran out of memory ({line or 'of'}; {most_mib} MiB)", is_memory=True)
        logger.debug("In the worker: %s", told.get("trace"))
        del self._busy[worker]
        error = known_error(name, line)
        raise error or NleCompanionError(f"A worker failed ({name}: {line}). Please report this.")

    def _patience_s(self) -> float:
        now = self._clock()
        return max(0.0, min(self._deadline(turn) for turn in self._busy.values()) - now)

    def _deadline(self, turn: _Turn) -> float:
        return turn.heard_at + self._stall_s + turn.request.seconds

    def _late(self) -> WorkerProcess | None:
        now = self._clock()
        late = (worker for worker, turn in self._busy.items() if self._deadline(turn) <= now)
        return next(late, None)


@dataclass(frozen=True, slots=True)
class _Trouble:
    """How a worker ended, in words; whether for want of memory."""

    line: str
    is_memory: bool = False


class _Turn:
    """A request on its way: since when its worker is silent, and whether it is its last try."""

    def __init__(self, number: int, request: Request, *, last: bool = False) -> None:
        self.number, self.request, self.last = number, request, last
        self.heard_at = 0.0
        self.killed_before = _kills_for_memory()

    def once_more(self, *, smaller: bool) -> _Turn:
        """The same for the last time."""
        return _Turn(self.number, replace(self.request, smaller=smaller), last=True)


def _kills_for_memory() -> int:
    """How many processes Linux has killed for memory since it started; 0 where it doesn't say."""
    try:
        counters = Path("/proc/vmstat").read_text(encoding="ascii").split()
        return int(counters[counters.index("oom_kill") + 1])
    except (OSError, ValueError):
        return 0


#: One worker with the dialogue engine took 1.04 GiB on two minutes of stereo (1.16 GiB of data).
NEEDED_BYTES = 5 << 28
_LEFT_BYTES = 1 << 30
#: Of less sound than this a worker's start, 2 to 3 s of a core, is a large part.
WORTH_WORKERS_S = 60.0


def automatic_workers(jobs: int, seconds: float) -> int:
    """As many as cores, free memory and jobs allow; 0, for this process, where that is one.

    `seconds` is how much sound there is in all: of a little, workers would only be started.
    """
    by_memory = (free_memory_bytes() - _LEFT_BYTES) // NEEDED_BYTES
    count = min(_cores(), jobs, by_memory)
    return count if count > 1 and seconds >= WORTH_WORKERS_S else 0


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_a_worker(count: int) -> int:
    """What each of `count` workers may take: its part of what is free, and what it needs at least.

    One that hits it is told so by its own allocator, and its region gets another try; without a
    limit the kernel would choose whom to kill.
    """
    return max(2 * NEEDED_BYTES, free_memory_bytes() // count)


def free_memory_bytes() -> int:
    """What programs can get without paging; 4 GiB where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except OSError:
        logger.debug("There is no /proc/meminfo here.")
    return 4 << 30
