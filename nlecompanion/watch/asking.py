"""Asks something of a job, whether or not a daemon watches its folder."""

from __future__ import annotations

import time
from collections.abc import Callable

from nlecompanion.errors import WatchError
from nlecompanion.watch import requests
from nlecompanion.watch.contract import Clock, Underway, WatchSettings, WorkOrder
from nlecompanion.watch.journal import Journal
from nlecompanion.watch.layout import WatchFolder
from nlecompanion.watch.lock import folder_lock, holder
from nlecompanion.watch.requests import What
from nlecompanion.watch.running import Runner

#: A job in work hears of a request at the next block of sound, which a slow engine takes this long
#: for.
PATIENCE_S = 30.0
_LOOK_S = 0.2


def ask(
    places: WatchFolder,
    journal: Journal,
    clock: Clock,
    job_id: int,
    what: What,
    pause: Callable[[float], None] = time.sleep,
) -> str:
    """The answer, as one line. Where no daemon runs, it is done here.

    Raises:
        WatchError: the journal cannot be written.
    """
    number = requests.ask(journal, job_id, what)
    until_s = clock.monotonic_s() + PATIENCE_S
    while (line := requests.answer_to(journal, number)) is None:
        if holder(places.lock) is None:
            _settle_here(places, journal, clock)
        elif clock.monotonic_s() > until_s:
            return "The daemon has not answered yet; it will do it after its present step."
        else:
            pause(_LOOK_S)
    return line


def _settle_here(places: WatchFolder, journal: Journal, clock: Clock) -> None:
    """What the daemon would do, while it cannot start."""
    try:
        with folder_lock(places.lock, clock.wall_s(), brief=True):
            Runner(places, journal, _no_work, WatchSettings({"exposed": ""}), clock).recover()
            requests.settle(journal)
    except WatchError:
        if holder(places.lock) is None:
            raise
        # A daemon has just started: it will answer.


def _no_work(order: WorkOrder) -> Underway:
    raise AssertionError(f"{order.document} is not worked on here")
