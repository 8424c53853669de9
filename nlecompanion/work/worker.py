"""A worker process: answers requests of `pool` on its standard streams until they end.

It ends with its parent, whatever that one dies of: its standard input ends then, and Linux kills
it.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import traceback
from queue import SimpleQueue
from typing import IO, Any

from nlecompanion.errors import NleCompanionError
from nlecompanion.isolated import lower_limit, take_streams
from nlecompanion.isolation import frame_of, read_frame
from nlecompanion.lifeline import die_with, leave_signals_to_parent, offer_to_the_kernel
from nlecompanion.work.worker_jobs import Shelf, Told, perform

logger = logging.getLogger(__name__)

#: Address space beyond the limit on memory: libraries map files and reserve what they never use.
_RESERVED_BYTES = 16 << 30


def main() -> None:
    """Answers until standard input ends."""
    faulthandler.enable()
    leave_signals_to_parent()
    die_with(int(sys.argv[1]))
    offer_to_the_kernel()
    requests, answers = take_streams()
    say = _Speaker(answers)
    _log_to(say, int(sys.argv[2]))
    _limit_memory(int(sys.argv[3]))
    queue: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_read, args=(requests, queue), daemon=True).start()
    shelf = Shelf()
    while True:
        _answer(queue.get(), shelf, say)


class _Speaker:
    """Frames to the parent, from any thread."""

    def __init__(self, answers: IO[bytes]) -> None:
        self._answers = answers
        self._lock = threading.Lock()

    def __call__(self, value: dict[str, Any]) -> None:
        frame = frame_of(value)
        with self._lock:
            self._answers.write(frame)
            self._answers.flush()


def _read(requests: IO[bytes], queue: SimpleQueue[dict[str, Any]]) -> None:
    """Hands on what is asked; at the end of it the process ends, whatever it is busy with."""
    while isinstance(request := read_frame(requests), dict):
        queue.put(request)
    os._exit(0)


def _answer(request: dict[str, Any], shelf: Shelf, say: _Speaker) -> None:
    def tick(seconds: float) -> None:
        say({"tick": seconds})

    try:
        told = Told(shelf, tick, bool(request["smaller"]))
        done = perform(request["do"], request["with"], told)
        say({"answer": done.values, "lasting": done.lasting})
    except NleCompanionError as error:
        say(_error(type(error).__name__, str(error)))
    except MemoryError as error:
        say(_error("MemoryError", str(error)))
    except Exception as error:
        say(_error(type(error).__name__, str(error), traceback.format_exc()))


def _error(kind: str, line: str, trace: str = "") -> dict[str, Any]:
    return {"error": {"class": kind, "message": " ".join(line.split()), "trace": trace}}


class _Telling(logging.Handler):
    """Log records go to the parent, which knows where they are wanted."""

    def __init__(self, say: _Speaker) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one."""
        try:
            self._say({"log": [record.levelno, record.name, self.format(record)]})
        except OSError:
            self.handleError(record)


def _log_to(say: _Speaker, level: int) -> None:
    root = logging.getLogger()
    root.setLevel(level)
    root.addHandler(_Telling(say))


def _limit_memory(memory_bytes: int) -> None:
    if sys.platform == "win32" or not memory_bytes:
        return
    import resource

    lower_limit(resource.RLIMIT_CORE, 0)
    lower_limit(resource.RLIMIT_DATA, memory_bytes)
    lower_limit(resource.RLIMIT_AS, memory_bytes + _RESERVED_BYTES)


if __name__ == "__main__":
    main()
