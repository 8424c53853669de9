"""A child that is of no use without its parent ends with it, however the parent ends."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from pathlib import Path

logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1  # prctl(2)
_OOM_SCORE = Path("/proc/self/oom_score_adj")


def die_with(parent: int) -> None:
    """Asks the kernel to kill this process as soon as `parent`, which started it, is gone.

    Linux only; elsewhere the end of standard input has to be the sign.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it was gone before the kernel had been asked
        os._exit(1)


def offer_to_the_kernel(score: int = 500) -> None:
    """Where memory runs out, this process is killed rather than who started it (proc(5))."""
    if sys.platform != "linux":
        return
    try:
        if int(_OOM_SCORE.read_text()) < score:
            _OOM_SCORE.write_text(str(score))
    except OSError as error:
        logger.debug("The kernel's choice stays as it is: %s", error)


def leave_signals_to_parent() -> None:
    """Ctrl-C and a service's end reach every process of a group; the parent alone decides."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
