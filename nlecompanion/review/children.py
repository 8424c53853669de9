"""Heavy work in a process of its own: what crashes or hangs there leaves the page alone.

The child gets one JSON object on its standard input, which stays open as long as we live, and tells
its progress and its end in JSON lines.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

_log = logging.getLogger(__name__)
_CHILD = "nlecompanion.review.child"
_TAIL_BYTES = 8192
_MAX_LINE_BYTES = 1 << 20
_GOODBYE_S = 15.0

Told = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: with a `result`, or `why` not, in one line."""

    result: dict[str, Any] | None
    why: str = ""


class Child:
    """One task in one process. `run` is for one thread; `stop` may be called by any."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self, told: Told) -> Ended:
        """Works until the child has ended; `told` hears of its progress."""
        with self._lock:
            if self._stopped:
                return Ended(None, "Stopped")
            process = self._process = self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        tail = bytearray()
        listener = threading.Thread(target=_keep_tail, args=(process.stderr, tail), daemon=True)
        listener.start()
        ended = self._listen(process.stdin, process.stdout, told)
        _close(process.stdin)
        try:
            process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listener.join()
        process.stdout.close()
        process.stderr.close()
        if ended is None:
            _log.warning("The child ended by itself: %s", tail.decode("utf-8", "replace"))
            ended = Ended(None, _how(process.returncode))
        return Ended(None, "Stopped") if self._told_to_stop() and ended.result is None else ended

    def _told_to_stop(self) -> bool:
        with self._lock:
            return self._stopped

    def stop(self) -> None:
        """Ends it; what it has staged is taken away by itself."""
        with self._lock:
            self._stopped = True
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: a module in the folder that we were started in must not shadow one of ours.
        return subprocess.Popen(
            [sys.executable, "-P", "-m", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C in the terminal is for us: we end the child.
            start_new_session=os.name != "nt",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    def _listen(self, to: IO[bytes], stream: IO[bytes], told: Told) -> Ended | None:
        try:
            to.write(json.dumps(self._task).encode("ascii") + b"\n")
            to.flush()
        except OSError:  # it died at once: its end says how
            return None
        while line := stream.readline(_MAX_LINE_BYTES):
            values = _values(line)
            if "result" in values:
                return Ended(values["result"])
            if "failed" in values:
                return Ended(None, str(values["failed"]))
            told(values)
        return None


def _values(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError:  # a library has printed something
        return {}
    return values if isinstance(values, dict) else {}


def _keep_tail(stream: IO[bytes], tail: bytearray) -> None:
    while block := stream.read1(4096):  # type: ignore[attr-defined]
        tail += block
        del tail[:-_TAIL_BYTES]


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except OSError as error:
        _log.debug("The child had closed its side already: %s", error)


def _how(code: int) -> str:
    if code >= 0:
        return f"The work ended by itself (exit code {code}). The log tells more."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"The work was ended by {name}: perhaps there was no memory left. Try again."
