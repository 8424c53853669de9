"""The child that prepares stems or delivers again: one task on standard input, JSON lines back."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from typing import IO, Any, NoReturn

from nlecompanion.errors import Interrupted, NleCompanionError

_OUT: IO[str] = sys.stdout
#: A step that does not look up for this long after we were told to stop is not waited for.
_PATIENCE_S = 10.0
#: The page is told this often at most.
_EVERY_S = 0.25


def _say(values: dict[str, Any]) -> None:
    _OUT.write(json.dumps(values, ensure_ascii=True) + "\n")
    _OUT.flush()


class _Progress:
    """Passes progress on, not more often than is of use."""

    def __init__(self) -> None:
        self._last_s = -_EVERY_S

    def __call__(self, done_s: float, total_s: float, what: str) -> None:
        now_s = time.monotonic()
        if now_s - self._last_s >= _EVERY_S:
            self._last_s = now_s
            _say({"done_s": round(done_s, 3), "total_s": round(total_s, 3), "what": what})


def _stop(*_: object) -> NoReturn:
    raise Interrupted("Stopped")


def _leave_with_parent() -> None:
    """Standard input ends when whoever started us is gone: nobody waits for the work any more."""
    while sys.stdin.buffer.read(4096):
        pass
    signal.raise_signal(signal.SIGTERM)
    time.sleep(_PATIENCE_S)
    os._exit(1)


def prepare(task: dict[str, Any]) -> dict[str, Any]:
    """Stems of one use into the review's cache; the name of their folder there."""
    from nlecompanion.review.stems import prepare_stems

    return prepare_stems(task, _Progress())


def deliver(task: dict[str, Any]) -> dict[str, Any]:
    """A new delivery beside the old one, with the editor's decisions."""
    from nlecompanion.review.redelivery import deliver_again

    folder = deliver_again(task, _Progress())
    return {"folder": None if folder is None else str(folder)}


_JOBS = {"prepare": prepare, "deliver": deliver}


def main() -> int:
    """Does the one task."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    task = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        _say({"result": _JOBS[task["do"]](task)})
    except (NleCompanionError, OSError) as error:
        _say({"failed": " ".join(str(error).split())})
    except Exception as error:  # the page tells it; the trace is for the log
        logging.getLogger(__name__).exception("The task failed")
        _say({"failed": f"{type(error).__name__}: {error}. Please report this."})
    return 0


if __name__ == "__main__":
    # Whatever a library prints must not stand between our lines.
    _OUT = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    code = main()
    _OUT.flush()
    sys.stderr.flush()
    # The thread that reads standard input would hold up a usual end.
    os._exit(code)
