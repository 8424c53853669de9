"""A process of work that does what the document says: the first word of its content."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import threading

from nlecompanion.errors import Interrupted, NoSpace, UnsafeDocument
from nlecompanion.job_child import main
from nlecompanion.settings import Settings
from nlecompanion.watch.contract import JobResult, WorkOrder


def work(order: WorkOrder, settings: Settings) -> JobResult:
    what = order.document.read_text().split()[0]
    order.progress(1.0, 4.0, f"process {os.getpid()}")
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "leaves":
        os._exit(7)
    elif what == "hang":
        threading.Event().wait()
    elif what == "wait":
        while not order.should_stop():
            threading.Event().wait(0.001)
        raise Interrupted("stopped")
    elif what == "asks":
        if not order.may_hand_back():
            raise Interrupted("something went away")
    elif what == "full":
        raise NoSpace("the disk is full")
    elif what == "refused":
        raise UnsafeDocument("it nests\ntoo deep")
    elif what == "system":
        raise OSError(errno.EROFS, "Read-only file system", "some name")
    elif what == "fault":
        raise KeyError("a fault of ours")
    elif what == "chatter":
        print("a library says hello" * 10_000)
    elif what == "network":
        try:
            socket.create_connection(("127.0.0.1", 9), 1)
        except OSError as error:
            return JobResult(None, 0, 0, type(error).__name__)
    elif what == "sparing":
        return JobResult(None, 0, 0, f"{order.is_sparing} {settings.engine} {order.profile}")
    (order.staging / "conformed").write_bytes(order.document.read_bytes())
    order.staging.rename(order.out)
    return JobResult(order.out, 2, 0, "2 uses cleaned")


if __name__ == "__main__":
    main(work)
    sys.exit("the work came to an end")
