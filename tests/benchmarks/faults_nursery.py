"""Starts daemons that have loaded everything already, so that a kill falls into their work.

Reads one JSON request a line and answers each by one: `{"start": folder, "log": file, "powers":
bool, "workers": number, "cache": folder}` gives the number of a new process, `{"wait": number}` its
exit code or null while it runs. Without `powers` a root's process obeys permissions like anybody's.
The daemon's processes of work are forked from it instead of started anew; all else is as it is.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_PR_CAPBSET_DROP = 24
_CAP_VERSION_3 = 0x20080522


def drop_powers() -> None:
    """Gives up, for this process and its children, what lets root pass permissions (capset(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    taken = 0
    for power in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        if libc.prctl(_PR_CAPBSET_DROP, power, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "a power cannot be given up")
        taken |= 1 << power
    head = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()
    libc.capget(head, sets)
    for position in range(3):  # effective, permitted, inheritable; the first 32 powers
        sets[position] &= ~taken
    if libc.capset(head, sets) != 0:
        raise OSError(ctypes.get_errno(), "powers cannot be given up")


class Forked:
    """As much of `subprocess.Popen` as a process of work needs, without loading everything anew."""

    def __init__(self, command: Sequence[str], *, pass_fds: Sequence[int] = (), **_: Any) -> None:
        self.returncode: int | None = None
        parent = os.getpid()
        (from_us, to_child), (from_child, to_us) = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(from_us, 0)
            os.dup2(to_us, 1)
            keep = sorted({0, 1, 2, *pass_fds})
            for low, high in zip(keep, [*keep[1:], 4096], strict=True):
                os.closerange(low + 1, high)
            _work(parent)
        os.close(from_us)
        os.close(to_us)
        self.stdin = os.fdopen(to_child, "wb")
        self.stdout = os.fdopen(from_child, "rb")

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self.returncode is None:
            number, status = os.waitpid(self.pid, os.WNOHANG)
            if number:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end."""
        from_s = time.monotonic()
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() - from_s > timeout:
                raise subprocess.TimeoutExpired("the work", timeout)
            time.sleep(0.002)
        return code

    def kill(self) -> None:
        """Ends it at once."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _work(parent: int) -> None:
    from nlecompanion import job_child

    try:
        sys.argv = ["the work", str(parent)]
        job_child.main()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(3)


def _daemon(request: dict[str, Any]) -> None:
    log = os.open(str(request["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(number, target)
    if not request["powers"] and os.geteuid() == 0:
        drop_powers()
    os.environ["NLECOMPANION_CACHE"] = str(request["cache"])
    from nlecompanion import job_process
    from nlecompanion.settings import Settings
    from nlecompanion.watching import watch_folder

    names = SimpleNamespace(Popen=Forked, PIPE=-1, TimeoutExpired=subprocess.TimeoutExpired)
    job_process.subprocess = names  # type: ignore[attr-defined, assignment]
    settings = Settings(engine="dsp", workers=int(request["workers"]))
    watch_folder(Path(str(request["start"])), lambda: settings, polling=True, say=print)


def main() -> None:
    """Answers until standard input ends."""
    import nlecompanion.job_work
    import nlecompanion.watching  # noqa: F401

    print(json.dumps(os.getpid()), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer: int | None
        if "wait" in request:
            number, status = os.waitpid(request["wait"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if number else None
        else:
            answer = os.fork()
            if answer == 0:
                try:
                    _daemon(request)
                except BaseException:
                    sys.excepthook(*sys.exc_info())
                    os._exit(3)
                os._exit(0)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
