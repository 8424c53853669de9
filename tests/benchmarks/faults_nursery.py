"""Starts daemons that have loaded everything already, so that a kill falls into their work.

Reads one JSON request a line and answers each by one: `{"start": folder, "log": file, "powers":
bool}` gives the number of a new process, `{"wait": number}` its exit code or null while it runs.
Without `powers` a root's process obeys permissions like anybody's.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

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


def _daemon(request: dict[str, str | bool]) -> None:
    log = os.open(str(request["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(number, target)
    if not request["powers"] and os.geteuid() == 0:
        drop_powers()
    from nlecompanion.settings import Settings
    from nlecompanion.watching import watch_folder

    watch_folder(
        Path(str(request["start"])), lambda: Settings(engine="dsp"), polling=True, say=print
    )


def main() -> None:
    """Answers until standard input ends."""
    import nlecompanion.watching  # noqa: F401
    from nlecompanion.work import work_region  # noqa: F401

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
