"""A worker process with jobs of its own, which misbehave in every way that a test asks for."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np

from nlecompanion.errors import NoSpace
from nlecompanion.work import worker
from nlecompanion.work.worker_jobs import JOBS, Done, Told

#: More than any limit that a test sets.
_LARGE_BYTES = 3 << 30


def _echo(values: dict[str, Any], told: Told) -> Done:
    told.tick(1.0)
    return Done({"echo": values["word"], "smaller": told.smaller, "pid": os.getpid()})


def _die(values: dict[str, Any], told: Told) -> Done:
    """By signal 9, as often as there is no file of that name yet, or every time."""
    mark = Path(values["mark"])
    if values["always"] or not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return _echo(values, told)


def _hang(values: dict[str, Any], told: Told) -> Done:
    threading.Event().wait()
    return _echo(values, told)


def _fill(values: dict[str, Any], told: Told) -> Done:
    """Takes more memory than there is, unless it works in smaller blocks."""
    if values["always"] or not told.smaller:
        np.ones(_LARGE_BYTES, np.uint8)
    return _echo(values, told)


def _full(values: dict[str, Any], told: Told) -> Done:
    raise NoSpace("No space left in the room.")


def _break(values: dict[str, Any], told: Told) -> Done:
    raise RuntimeError("two\nlines")


JOBS |= {
    "echo": _echo, "die": _die, "hang": _hang, "fill": _fill, "full": _full, "break": _break,
}  # fmt: skip

if __name__ == "__main__":
    worker.main()
