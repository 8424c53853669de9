"""A daemon's jobs in child processes: whatever native code does to one of them costs one job.

A child serves several jobs one after another, so that many short timelines do not each wait for the
libraries to load; it is ended when it has died of a job, was asked to stop one, has done its share,
or has had nothing to do for a while. The daemon itself loads no library for sound.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO, Any, Self

from nlecompanion.errors import Interrupted
from nlecompanion.isolation import exit_words, frame_of, known_error, read_frame
from nlecompanion.settings import Settings
from nlecompanion.settings_wire import settings_to
from nlecompanion.watch.contract import JobResult, Underway, WorkDied, WorkOrder
from nlecompanion.watch.names import shown

logger = logging.getLogger(__name__)

_CHILD = (sys.executable, "-P", "-m", "nlecompanion.job_child")
#: Work ends at the next block of sound; a service manager gives the daemon 45 s.
STOP_S = 25.0
_IDLE_S = 10.0
#: What libraries lose over the jobs comes back with a new process.
_JOBS_A_CHILD = 50
_GOODBYE_S = 5.0


class WorkFault(Exception):
    """A fault of our own, told by the child: `KeyError: 'x'`."""


class JobProcesses:
    """Starts jobs in children, and ends all of them when the `with` block is left."""

    def __init__(
        self,
        command: Sequence[str] = _CHILD,
        clock_s: Callable[[], float] = time.monotonic,
        stop_s: float = STOP_S,
    ) -> None:
        self._command = command
        self._clock_s = clock_s
        self._stop_s = stop_s
        self._idle: list[_Child] = []
        self._every: list[_Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in self._every:
            child.kill()
        self._every, self._idle = [], []

    def start(self, order: WorkOrder, settings: Settings, stall_s: float) -> Underway:
        """Starts a job; it has died when it has not moved for `stall_s`.

        Raises:
            WorkDied: no process can be started.
        """
        while self._idle:
            child = self._idle.pop()
            if child.is_alive:
                return _JobInChild(self, child, order, settings, stall_s)
            self.drop(child)
        try:
            child = _Child(self._command, order.keep_open)
        except OSError as error:
            raise WorkDied(f"could not be given a process ({error.strerror})") from error
        self._every.append(child)
        return _JobInChild(self, child, order, settings, stall_s)

    def rest(self) -> None:
        """Ends children that have had nothing to do for a while."""
        now_s = self._clock_s()
        for child in [c for c in self._idle if now_s - c.idle_since_s >= _IDLE_S]:
            self.drop(child)

    def now_s(self) -> float:
        """The time, for limits."""
        return self._clock_s()

    @property
    def stop_s(self) -> float:
        """How long a child may take to stop."""
        return self._stop_s

    def keep(self, child: _Child) -> None:
        """A child that has done its job serves the next."""
        child.jobs += 1
        if child.jobs >= _JOBS_A_CHILD:
            self.drop(child)
        else:
            child.idle_since_s = self._clock_s()
            self._idle.append(child)

    def drop(self, child: _Child) -> int:
        """Ends a child; gives its exit code."""
        self._idle = [c for c in self._idle if c is not child]
        self._every = [c for c in self._every if c is not child]
        return child.kill()


class _Child:
    """A process, and the thread that hears what it says."""

    def __init__(self, command: Sequence[str], keep_open: tuple[int, ...]) -> None:
        # One thread for numerical libraries: the work is shared out over processes.
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [*command, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | single,
            pass_fds=keep_open if os.name == "posix" else (),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.wake: Callable[[], None] = lambda: None
        self.idle_since_s = 0.0
        self.jobs = 0
        assert self._process.stdout is not None
        self._listener = threading.Thread(
            target=self._listen, args=(self._process.stdout,), daemon=True
        )
        self._listener.start()

    @property
    def is_alive(self) -> bool:
        """Whether it can still do a job."""
        return self._process.poll() is None

    def send(self, value: dict[str, Any]) -> None:
        """One frame; a child that is gone does not hear it, which `hear` tells."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(frame_of(value))
            self._process.stdin.flush()
        except OSError as error:
            logger.debug("The work's process does not listen: %s", error)

    def hear(self) -> dict[str, Any] | None:
        """The next frame. None: it has said its last.

        Raises:
            queue.Empty: nothing new.
        """
        return self._said.get_nowait()

    def kill(self) -> int:
        """Ends it at once, if it is not over yet; gives the exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # Read before the kill: how it ended by itself.
        code = self._process.poll()
        if code is None:
            self._process.kill()
        ended = self._process.wait()
        self._listener.join(_GOODBYE_S)
        try:
            self._process.stdin.close()
        except OSError as error:
            logger.debug("The pipe was broken already: %s", error)
        self._process.stdout.close()
        return ended

    def wait(self) -> int:
        """The exit code of a child whose pipe is closed; one that hangs then is killed."""
        try:
            self._process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            logger.warning("A process of the work closed its pipe and did not end; it is killed.")
        return self.kill()

    def _listen(self, stream: IO[bytes]) -> None:
        while isinstance(frame := read_frame(stream), dict):
            self._said.put(frame)
            self.wake()
        self._said.put(None)
        self.wake()


class _JobInChild:
    """One job in a child."""

    _numbers = iter(range(1 << 62))

    def __init__(
        self,
        processes: JobProcesses,
        child: _Child,
        order: WorkOrder,
        settings: Settings,
        stall_s: float,
    ) -> None:
        self._processes, self._child, self._order = processes, child, order
        self._stall_s = stall_s
        self._number = next(self._numbers)
        self._moved_s = processes.now_s()
        self._stopped_s: float | None = None
        child.wake = order.wake
        child.send(
            {
                "job": self._number,
                "document": str(order.document),
                "profile": order.profile,
                "out": str(order.out),
                "staging": str(order.staging),
                "is_sparing": order.is_sparing,
                "settings": settings_to(settings),
            }
        )

    def stop(self) -> None:
        """Asks the child to end the job."""
        if self._stopped_s is None:
            self._stopped_s = self._processes.now_s()
            self._child.send({"stop": self._number})

    def poll(self) -> JobResult | None:
        """What the child has said since; limits on time are kept here.

        Raises:
            WorkDied, Interrupted, NleCompanionError, OSError: how the job ended.
        """
        while True:
            try:
                frame = self._child.hear()
            except queue.Empty:
                self._keep_limits()
                return None
            if frame is None:
                raise WorkDied(_how_it_ended(self._end_child(self._child.wait)))
            if (result := self._heard(frame)) is not None:
                return result

    def _heard(self, frame: dict[str, Any]) -> JobResult | None:
        if "progress" in frame:
            self._moved_s = self._processes.now_s()
            done_s, total_s, what = frame["progress"]
            self._order.progress(float(done_s), float(total_s), str(what))
            return None
        if "may_hand_back" in frame:
            self._moved_s = self._processes.now_s()
            self._child.send({"may_hand_back": self._order.may_hand_back()})
            return None
        if self._stopped_s is None:
            self._processes.keep(self._child)
        else:
            self._processes.drop(self._child)
        if "error" in frame:
            _raise(frame["error"])
        told = frame["result"]
        out = self._order.out if told["has_delivery"] else None
        return JobResult(out, int(told["cleaned"]), int(told["failed"]), str(told["message"]))

    def _keep_limits(self) -> None:
        now_s = self._processes.now_s()
        if self._stopped_s is not None and now_s - self._stopped_s > self._processes.stop_s:
            self._end_child(self._child.kill)
            raise Interrupted(
                f"The work on {shown(self._order.document.name)} did not stop within "
                f"{self._processes.stop_s:g} s and was ended"
            )
        if now_s - self._moved_s > self._stall_s:
            self._end_child(self._child.kill)
            raise WorkDied(f"has not moved for {self._stall_s:g} s and was ended")

    def _end_child(self, end: Callable[[], int]) -> int:
        code = end()
        self._processes.drop(self._child)
        return code


def _how_it_ended(code: int) -> str:
    if code == -getattr(signal, "SIGKILL", 0):
        return "was killed by the system (SIGKILL), as happens where memory runs out"
    return f"ended its process with {exit_words(code)}"


def _raise(told: dict[str, Any]) -> None:
    """Raises what the work raised in the child."""
    kind, line = str(told.get("class")), str(told.get("message"))
    if kind == "OSError":
        raise OSError(int(told["errno"]), line, told.get("filename"))
    if (known := known_error(kind, line)) is not None:
        raise known
    if trace := told.get("trace"):
        logger.error("In the process of the work: %s", trace)
    raise WorkFault(f"{kind}: {line}" if line else kind)
