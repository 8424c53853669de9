"""A daemon with slow work in a process of its own, for tests that kill it.

Prints a line at every change of state and every piece of work, so that the killer can choose its
moment; ends by itself when everything is done.
"""

import logging
import sys
import threading
from pathlib import Path

from nlecompanion.watch.contract import JobResult, Needs, WatchSettings, WorkOrder, inline
from nlecompanion.watch.daemon import open_daemon

PIECES = 4
PIECE_S = 0.005


def work(order: WorkOrder) -> JobResult:
    delivery = order.staging / "delivery"
    delivery.mkdir()
    for number in range(PIECES):
        threading.Event().wait(PIECE_S)
        (delivery / f"piece {number}").write_bytes(order.document.read_bytes())
        logging.getLogger("work").info("%s: piece %d", order.document.name, number)
    delivery.rename(order.out)
    logging.getLogger("work").info("%s: renamed", order.document.name)
    return JobResult(order.out, 1, 0, "1 use cleaned")


def check(document: Path) -> Needs:
    document.stat()
    return Needs(())


def main() -> None:
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    settings = WatchSettings({"exposed": ""}, still_s=0)
    with open_daemon(Path(sys.argv[1]), inline(work), check, settings) as daemon:
        daemon.step()
        while not daemon.is_idle:
            daemon.step()


if __name__ == "__main__":
    main()
