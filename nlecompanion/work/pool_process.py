"""One worker process as its parent sees it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO, Any

from nlecompanion.isolation import exit_words, frame_of, keep_tail, read_frame

logger = logging.getLogger(__name__)

#: -P: a module in the folder that we were started in must not shadow one of ours.
COMMAND = (sys.executable, "-P", "-m", "nlecompanion.work.worker")
#: Numerical libraries get one thread a worker: the workers share the cores.
_SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_GOODBYE_S = 5.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What came from a worker: a frame's value, or None when there will be no more."""

    worker: WorkerProcess
    frame: dict[str, Any] | None


class WorkerProcess:
    """A child that takes one request at a time; what it says goes to a queue.

    Started from the thread that lives as long as it shall: Linux kills it when that one ends.
    """

    def __init__(
        self, heard: SimpleQueue[Heard], memory_bytes: int, command: Sequence[str] = COMMAND
    ) -> None:
        level = logging.getLogger("nlecompanion").getEffectiveLevel()
        self._process = subprocess.Popen(
            [*command, str(os.getpid()), str(level), str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | _SINGLE,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._tail = bytearray()
        self._threads = [
            threading.Thread(target=keep_tail, args=(self._pipe(2), self._tail), daemon=True),
            threading.Thread(target=self._listen, args=(heard,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def ask(self, request: dict[str, Any]) -> None:
        """Sends a request; a worker that has died says so by the end of what it tells."""
        stdin = self._pipe(0)
        try:
            stdin.write(frame_of(request))
            stdin.flush()
        except OSError as error:
            logger.debug("Worker %d takes no request: %s", self.pid, error)

    def end(self) -> int:
        """Kills it, if it still lives, and gives its exit code: it holds nothing worth keeping."""
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        try:
            self._pipe(0).close()
        except OSError as error:
            logger.debug("Worker %d had closed its side already: %s", self.pid, error)
        self._pipe(1).close()
        self._pipe(2).close()
        return self._process.returncode

    def bury(self) -> str:
        """After it has ended by itself: how, in words."""
        try:
            self._process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            logger.debug("Worker %d closed its side and stayed.", self.pid)
        code = self.end()
        if self._tail:
            logger.info(
                "Last words of worker %d: %s", self.pid, self._tail.decode("utf-8", "replace")
            )
        return exit_words(code)

    def _listen(self, heard: SimpleQueue[Heard]) -> None:
        stream = self._pipe(1)
        while isinstance(frame := read_frame(stream), dict):
            heard.put(Heard(self, frame))
        heard.put(Heard(self, None))

    def _pipe(self, number: int) -> IO[bytes]:
        pipe = (self._process.stdin, self._process.stdout, self._process.stderr)[number]
        assert pipe is not None
        return pipe
