"""The loop: look at the inbox, take what is still, tend the jobs, wait for a reason to turn again.

Events are hints that end a wait early; the scan is the truth. Watchers miss events under load, on
network folders, and for whatever lay there before they began.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from nlecompanion.errors import DeliveryError, WatchError
from nlecompanion.watch import requests
from nlecompanion.watch.contract import Check, Clock, Start, SystemClock, WatchSettings
from nlecompanion.watch.events import waking
from nlecompanion.watch.filesystems import network_kind
from nlecompanion.watch.journal import Journal
from nlecompanion.watch.layout import WatchFolder, prepare
from nlecompanion.watch.lock import hold
from nlecompanion.watch.names import shown
from nlecompanion.watch.running import Runner
from nlecompanion.watch.scan import Scan, scan_inbox
from nlecompanion.watch.stability import StabilityTracker
from nlecompanion.watch.states import OPEN, State
from nlecompanion.watch.taking import Taker

logger = logging.getLogger(__name__)

#: Events within this time are one reason to look.
_BURST_S = 0.5
#: How soon a stop is noticed while waiting.
_STOP_S = 0.5
#: While jobs run, they are looked after at least so often, and at most at this rate.
_TEND_S, _BUSY_BURST_S = 0.5, 0.02
#: Between two looks at jobs that are asked to end.
_END_S = 0.05
#: Between the jobs of a long queue the inbox is not looked at more often than this.
_LOOK_S = 1.0


def _nothing() -> None:
    """Where nothing is to be put away."""


def _same() -> Means | None:
    """The means stay as they are."""
    return None


@contextmanager
def open_daemon(
    folder: Path,
    start: Start,
    check: Check,
    settings: WatchSettings,
    clock: Clock | None = None,
    state_dir: Path | None = None,
    rest: Callable[[], None] = _nothing,
    idle: Callable[[], None] = _nothing,
) -> Iterator[Daemon]:
    """A daemon that holds the folder for as long as the context lasts.

    Journal and lock lie below `state_dir`, where one is given, instead of inside the folder.

    Raises:
        WatchError: the folder cannot be watched, or somebody else watches it.
    """
    clock = clock or SystemClock()
    places = prepare(folder, state_dir)
    with hold(places, clock) as held, Journal(places.journal, clock) as journal:
        yield Daemon(places, journal, Means(start, check, settings, rest, idle), clock, held)


@dataclass(frozen=True, slots=True)
class Means:
    """What the daemon works with; may be exchanged between two turns.

    `rest` is called when there is nothing more to check for now, `idle` at every turn in which
    there is nothing to do at all.
    """

    start: Start
    check: Check
    settings: WatchSettings
    rest: Callable[[], None] = _nothing
    idle: Callable[[], None] = _nothing


class Daemon:
    """Watches one folder; made by `open_daemon`."""

    def __init__(
        self,
        places: WatchFolder,
        journal: Journal,
        means: Means,
        clock: Clock,
        keep_open: tuple[int, ...] = (),
    ) -> None:
        self.places = places
        self._journal = journal
        self._means = means
        self._settings = settings = means.settings
        self._clock = clock
        self._tracker = StabilityTracker(settings.still_s)
        self._taker = Taker(places, journal, self._tracker, means.check, settings)
        self._wake = threading.Event()
        self._runner = Runner(
            places, journal, means.start, settings, clock, keep_open, self._wake.set
        )
        self._stop = threading.Event()
        self._is_hinted = threading.Event()
        self._has_events = False
        self._looked_s = -math.inf
        self._look_due_s = -math.inf
        self._left_out: set[str] = set()
        self._told = ""
        self._trouble_until_s = -math.inf

    def adopt(self, means: Means) -> None:
        """From the next job on with these."""
        self._means, self._settings = means, means.settings
        self._tracker = StabilityTracker(means.settings.still_s)
        self._taker = Taker(self.places, self._journal, self._tracker, means.check, means.settings)
        self._runner.adopt(means.start, means.settings)
        self._look_soon()
        logger.info("Settings were read again", extra={"event": "settings"})

    @property
    def is_idle(self) -> bool:
        """Whether everything that was seen has come to its end."""
        return not self._journal.in_state(*OPEN)

    def run(self, stop: threading.Event, fresh: Callable[[], Means | None] = _same) -> None:
        """Watches until `stop` is set. A full disk or a lost folder is waited out.

        `fresh` is asked before each turn for other means to go on with.
        """
        self._stop = stop
        inbox = self.places.inbox
        polling = self._settings.polling
        if not polling and (kind := network_kind(inbox)):
            logger.info(
                "%s lies on a network drive (%s), which gives no events: it is looked at every "
                "%g s instead.",
                inbox,
                kind,
                self._settings.poll_s,
                extra={"event": "polling"},
            )
            polling = True
        events = nullcontext(False) if polling else waking(inbox, self._hint)
        with events as self._has_events:
            logger.info("Watching %s", inbox, extra={"event": "watching"})
            while not stop.is_set():
                if (means := fresh()) is not None:
                    self.adopt(means)
                self._turn()
        self._put_back()

    def step(self) -> float:
        """One turn without waiting: look, take, start what is due, settle what has ended.

        Returns the seconds after which the next turn is due, should nothing wake the daemon.

        Raises:
            WatchError: inbox or journal cannot be used now.
            NoSpace, NotWritable: the disk is full, or a folder is not writable any more.
        """
        self._runner.recover()
        self._settle()
        ended = self._runner.tend()
        job = self._runner.next_job()
        if self._is_time_to_look(has_job=job is not None):
            self._look()
            self._take()
            job = self._runner.next_job()
        if job is None or self._stop.is_set():
            if not self._runner.is_busy:
                self._means.idle()
            return 0.0 if ended else self._pause_s()
        self._runner.begin(job, self._stop.is_set)
        self._runner.tend()
        return 0.0

    def _is_time_to_look(self, *, has_job: bool) -> bool:
        """With nothing to do it always is: an event may have asked for it."""
        now_s = self._clock.monotonic_s()
        if self._runner.is_busy and now_s < self._trouble_until_s:
            return False
        if now_s - self._looked_s >= _LOOK_S and (has_job or self._is_hinted.is_set()):
            return True
        return not (self._runner.is_busy or has_job) or now_s >= self._look_due()

    def _hint(self) -> None:
        """An event: something has happened in the inbox. Called from another thread."""
        self._is_hinted.set()
        self._wake.set()

    def _put_back(self) -> None:
        """What is in work ends, and is done or put back."""
        while self._runner.is_busy:
            try:
                self._runner.tend()
            except (WatchError, DeliveryError, OSError) as error:  # settled at the next start
                logger.error("%s", error, extra={"event": "trouble"})
            time.sleep(_END_S)

    def _settle(self) -> None:
        """What was asked for; the inbox is looked at right after it."""
        if hurried := requests.settle(self._journal, self._runner.in_work):
            self._runner.hurry(hurried)
            self._look_soon()

    def _look_soon(self) -> None:
        self._looked_s = self._look_due_s = -math.inf

    def _take(self) -> None:
        ready = self._tracker.still(self._clock.monotonic_s())
        for still in ready:
            if self._stop.is_set() or self._is_asked():
                return
            self._taker.take(still, self._clock.monotonic_s(), self._stop.is_set)
        if ready:
            self._means.rest()

    def _turn(self) -> None:
        self._wake.clear()
        try:
            pause_s = self.step()
        except (WatchError, DeliveryError, OSError) as error:
            # An OSError: a folder went away or was closed to us between two looks. What was in work
            # is settled by the next turn that can.
            self._tell_trouble(error)
            retry_s = self._settings.retry_parked_s
            self._trouble_until_s = self._clock.monotonic_s() + retry_s
            # Not cut short by events: where the disk is full they may come in floods.
            self._wait(min(retry_s, _TEND_S) if self._runner.is_busy else retry_s, hints=False)
        else:
            self._wait(pause_s)

    def _tell_trouble(self, error: Exception) -> None:
        """Once, as long as it is the same: jobs in work are tended all the while."""
        now_s = self._clock.monotonic_s()
        if str(error) != self._told or now_s >= self._trouble_until_s:
            logger.error("%s", error, extra={"event": "trouble"})
        self._told = str(error)

    def _wait(self, pause_s: float, *, hints: bool = True) -> None:
        """Until the time is over, the daemon is to end, somebody asks, or an event gives a hint."""
        until_s = time.monotonic() + pause_s
        self._stop.wait(min(pause_s, _BUSY_BURST_S if self._runner.is_busy else _BURST_S))
        while not self._stop.is_set() and (left_s := until_s - time.monotonic()) > 0:
            waiter = self._wake if hints else self._stop
            if waiter.wait(min(left_s, _STOP_S)) or self._is_asked():
                return

    def _is_asked(self) -> bool:
        """Whether somebody asks for what can be done now: a cancelled job has to end first."""
        try:
            return requests.is_asked(self._journal, self._runner.in_work)
        except (WatchError, DeliveryError) as error:
            logger.debug("Requests cannot be read: %s", error)
            return False

    def _look(self) -> None:
        """Tells journal and tracker what lies in the inbox now."""
        self._is_hinted.clear()
        now_s = self._looked_s = self._clock.monotonic_s()
        self._look_due_s = now_s + self._between_looks_s()
        scan = scan_inbox(self.places.inbox)
        self._tell_left_out(scan)
        known = self._journal.current()
        present = {sighting.path for sighting in scan.found}
        vanished = [path for path in known if path not in present and not scan.may_hold(path)]
        new = [
            sighting
            for sighting in scan.found
            if (job := known.get(sighting.path)) is None
            # What was taken for gone while its disk was away is there again.
            or job.state is State.GONE
            or (job.state is not State.SEEN and job.sighting != sighting)
        ]
        if new or vanished:
            self._journal.sight(new, vanished)
        unsettled = {sighting.path for sighting in new}
        unsettled |= {path for path, job in known.items() if job.state is State.SEEN} & present
        self._tracker.keep_only(unsettled)
        self._taker.keep_only(unsettled)
        for sighting in scan.found:
            if sighting.path in unsettled:
                self._tracker.observe(sighting, now_s)

    def _tell_left_out(self, scan: Scan) -> None:
        """Says once why something in the inbox is no job."""
        for path in scan.left_out.keys() - self._left_out:
            logger.info("%s %s.", shown(path), scan.left_out[path], extra={"event": "left out"})
        for path in scan.unreadable.keys() - self._left_out:
            logger.warning("%s %s.", shown(path), scan.unreadable[path], extra={"event": "trouble"})
        self._left_out = scan.left_out.keys() | scan.unreadable.keys()

    def _between_looks_s(self) -> float:
        spread = 1 + self._settings.jitter * random.uniform(-1, 1)
        return spread * self._settings.rescan_s if self._has_events else self._settings.poll_s

    def _pause_s(self) -> float:
        now_s = self._clock.monotonic_s()
        busy_s = now_s + _TEND_S if self._runner.is_busy else None
        due_s = (self._look_due(), self._runner.next_due_s(), busy_s)
        return max(0.0, min(moment_s for moment_s in due_s if moment_s is not None) - now_s)

    def _look_due(self) -> float:
        """When the inbox is looked at again, hints aside."""
        file_s = self._tracker.next_due_s()
        return self._look_due_s if file_s is None else min(self._look_due_s, file_s)
