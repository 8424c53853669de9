"""The process that does a daemon's jobs, one after another; see `job_process` for the other side.

Frames of JSON come in (`job`, `stop`, the answer to `may_hand_back`) and go out (`progress`,
`may_hand_back`, `result`, `error`). It ends when its standard input does, and dies with the daemon.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from nlecompanion.errors import NleCompanionError
from nlecompanion.isolated import take_streams
from nlecompanion.isolation import frame_of, read_frame
from nlecompanion.lifeline import die_with, leave_signals_to_parent, offer_to_the_kernel
from nlecompanion.offline import cut_off_network
from nlecompanion.settings import Settings
from nlecompanion.settings_wire import settings_from
from nlecompanion.watch.contract import JobResult, WorkOrder

#: Progress is told no more often than this.
_TELL_S = 0.1
Work = Callable[[WorkOrder, Settings], JobResult]


class Jobs:
    """What comes in and goes out; requests are read in a thread of their own."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes]) -> None:
        self._requests, self._answers = requests, answers
        self._changed = threading.Condition()
        self._job: dict[str, Any] | None = None
        self._stopped = -1
        self._words: list[bool] = []

    def listen(self) -> None:
        """Reads until the other side is gone, and ends this process then."""
        while isinstance(request := read_frame(self._requests), dict):
            with self._changed:
                if "stop" in request:
                    self._stopped = max(self._stopped, int(request["stop"]))
                elif "may_hand_back" in request:
                    self._words.append(bool(request["may_hand_back"]))
                else:
                    self._job = request
                self._changed.notify()
        # Whatever the work is busy with, and be it in native code.
        os._exit(0)

    def next(self) -> dict[str, Any]:
        """The next job; waits for it."""
        with self._changed:
            while self._job is None:
                self._changed.wait()
            job, self._job = self._job, None
            return job

    def is_stopped(self, number: int) -> bool:
        """Whether that job is to end."""
        return self._stopped >= number

    def may_hand_back(self, number: int) -> bool:
        """Asks the daemon, which looks at the media at this moment, and waits for its word."""
        with self._changed:
            self._words.clear()
            self.tell(may_hand_back=number)
            while not self._words and not self.is_stopped(number):
                self._changed.wait()
            return self._words == [True] and not self.is_stopped(number)

    def tell(self, **values: Any) -> None:
        """One frame."""
        self._answers.write(frame_of(values))
        self._answers.flush()


class _Progress:
    """Tells how far a job is, but not more often than anybody wants to know."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._told_s = 0.0

    def __call__(self, done_s: float, total_s: float, what: str) -> None:
        """How far."""
        now_s = time.monotonic()
        if now_s - self._told_s >= _TELL_S:
            self._told_s = now_s
            self._jobs.tell(progress=[float(done_s), float(total_s), str(what)])


def serve(jobs: Jobs, work: Work) -> None:
    """Does one job after another, for ever."""
    while True:
        request = jobs.next()
        number = int(request["job"])

        def is_stopped(number: int = number) -> bool:
            return jobs.is_stopped(number)

        def may_hand_back(number: int = number) -> bool:
            return jobs.may_hand_back(number)

        order = WorkOrder(
            Path(request["document"]),
            request["profile"],
            Path(request["out"]),
            Path(request["staging"]),
            is_stopped,
            _Progress(jobs),
            is_sparing=bool(request["is_sparing"]),
            may_hand_back=may_hand_back,
        )
        _do(order, settings_from(request["settings"]), jobs, work)


def _do(order: WorkOrder, settings: Settings, jobs: Jobs, work: Work) -> None:
    """One job; what goes wrong is an answer too."""
    try:
        result = work(order, settings)
    except NleCompanionError as error:
        _tell_error(jobs, type(error).__name__, str(error))
    except OSError as error:
        name = None if error.filename is None else str(error.filename)
        line = error.strerror or str(error)
        _tell_error(jobs, "OSError", line, errno=error.errno or 0, filename=name)
    except Exception as error:
        _tell_error(jobs, type(error).__name__, str(error), trace=traceback.format_exc())
    else:
        has_delivery = result.delivery is not None
        told = {"cleaned": result.cleaned, "failed": result.failed, "message": result.message}
        jobs.tell(result=told | {"has_delivery": has_delivery})


def _tell_error(jobs: Jobs, kind: str, line: str, **more: Any) -> None:
    jobs.tell(error={"class": kind, "message": " ".join(line.split()), **more})


def main(work: Work | None = None) -> None:
    """Serves the daemon that started this process; its number is the first argument."""
    faulthandler.enable()
    leave_signals_to_parent()
    die_with(int(sys.argv[1]))
    offer_to_the_kernel()
    cut_off_network()  # and with it every reader, worker and program that the work starts
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    jobs = Jobs(*take_streams())
    threading.Thread(target=jobs.listen, daemon=True).start()
    if work is None:
        from nlecompanion.job_work import work_on

        work = work_on
    serve(jobs, work)


if __name__ == "__main__":
    main()
