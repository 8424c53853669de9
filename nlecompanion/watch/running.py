"""Starts jobs, sees them to their end, and settles what a killed daemon had left half-done.

One job is worked on at a time. Beside a long one a second may run if it is short, so that a
timeline of 20 s does not wait for one of three hours.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlecompanion.errors import (
    DeliveryError,
    Interrupted,
    NleCompanionError,
    NoSpace,
    NotWritable,
)
from nlecompanion.media.disk import FULL_ERRNOS
from nlecompanion.watch.contract import (
    Clock,
    JobResult,
    Start,
    Underway,
    WatchSettings,
    WorkDied,
    WorkOrder,
)
from nlecompanion.watch.digest import one_line, sha256_of, unexpected
from nlecompanion.watch.filing import file_failure, file_note, withdraw_failure
from nlecompanion.watch.guard import Guard
from nlecompanion.watch.journal import Journal
from nlecompanion.watch.layout import WatchFolder
from nlecompanion.watch.media import away, closed, look_again
from nlecompanion.watch.names import shown
from nlecompanion.watch.slots import Slots
from nlecompanion.watch.states import Job, State

logger = logging.getLogger(__name__)

#: A job of at most so much dialogue may run beside a longer one.
SHORT_S = 300.0
#: Once more after its process has died; a second death is the job's own.
_MAX_CRASHES = 1


@dataclass(frozen=True, slots=True)
class _Running:
    """A job that is worked on now. `work` is None where it could not even be started."""

    job: Job
    guard: Guard
    work: Underway | None
    error: Exception | None = None


class Runner:
    """Moves jobs from `stable` or `parked` through `working` to their end."""

    def __init__(
        self,
        places: WatchFolder,
        journal: Journal,
        start: Start,
        settings: WatchSettings,
        clock: Clock,
        keep_open: tuple[int, ...] = (),
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._places = places
        self._journal = journal
        self._slots = Slots(places, journal)
        self._start = start
        self._settings = settings
        self._clock = clock
        self._keep_open = keep_open
        self._wake = wake
        self._running: dict[int, _Running] = {}
        # Monotonic, so not in the journal: after a restart parked jobs are tried at once.
        self._parked_until_s: dict[int, float] = {}

    @property
    def is_busy(self) -> bool:
        """Whether a job is worked on now."""
        return bool(self._running)

    @property
    def in_work(self) -> frozenset[int]:
        """The numbers of the jobs that are worked on now."""
        return frozenset(self._running)

    def adopt(self, start: Start, settings: WatchSettings) -> None:
        """The next jobs with these; what runs goes on as it was started."""
        self._start, self._settings = start, settings

    def hurry(self, job_ids: Collection[int]) -> None:
        """Parked jobs of these numbers are due now."""
        for job_id in job_ids:
            self._parked_until_s.pop(job_id, None)

    def recover(self) -> None:
        """Settles jobs that stand as `working` although nobody works: the process was killed."""
        for job in self._journal.in_state(State.WORKING, State.DELIVERING):
            if job.id in self._running:
                continue
            self._slots.clear_staging(job)  # before the journal forgets that there may be one
            if self._slots.is_handed_back(job):
                self._finish(job, "delivered before the daemon ended", None, None)
            else:
                self._journal.put_back(job, "the daemon ended during the work")

    def next_job(self) -> Job | None:
        """The job to start now, if any; parked ones only when their time has come."""
        if len(self._running) > 1 or any(_is_short(r.job) for r in self._running.values()):
            return None
        now_s = self._clock.monotonic_s()
        waiting = self._journal.in_state(State.STABLE, State.PARKED)
        due = (job for job in waiting if self._due_s(job, now_s) <= now_s)
        return next((job for job in due if not self._running or _is_short(job)), None)

    def next_due_s(self) -> float | None:
        """The moment at which a parked job is tried again."""
        parked = self._journal.in_state(State.PARKED)
        now_s = self._clock.monotonic_s()
        return min((self._due_s(job, now_s) for job in parked), default=None)

    def begin(self, job: Job, should_stop: Callable[[], bool]) -> None:
        """Starts one job, or settles why it cannot be; whatever goes wrong is in the journal."""
        if why := self._why_gone(job):
            self._journal.gone(job, why)
            return
        if why := self._why_closed(job):
            self._park(job, why)
            return
        media = self._journal.media(job.id)
        now = look_again(media, self._slots.document(job))
        if lost := away(media, now):
            self._park(job, _away_line(lost))
            return
        if shut := closed(media, self._slots.document(job)):
            self._park(job, _closed_line(shut[0]))
            return
        if now != tuple(media):
            self._journal.look_again(job, "its media have changed since it was looked into")
            return
        slot = self._slots.slot_for(job)
        is_beside = self.is_busy
        job = self._journal.start(job, slot)
        guard = Guard(
            self._journal, job, self._slots.document(job), media, self._clock, should_stop
        )
        try:
            work = self._start(self._order(job, guard, is_sparing=is_beside or job.crashes > 0))
        except Exception as error:
            self._running[job.id] = _Running(job, guard, None, error)
        else:
            self._running[job.id] = _Running(job, guard, work)

    def tend(self) -> bool:
        """Settles the jobs that have ended and asks those to stop that should; whether any ended.

        Raises:
            WatchError, DeliveryError: the journal cannot be written; `recover` settles it later.
        """
        ended = False
        for number, running in list(self._running.items()):
            outcome = _polled(running)
            if outcome is not None:
                del self._running[number]
                ended = True
                self._slots.clear_staging(running.job)
                if isinstance(outcome, JobResult):
                    self._after_work(running.job, outcome)
                else:
                    self._after_error(running.job, outcome, running.guard)
            elif running.work is not None and running.guard.should_stop():
                running.work.stop()
        return ended

    def _order(self, job: Job, guard: Guard, *, is_sparing: bool) -> WorkOrder:
        staging = self._slots.empty_staging(job)
        return WorkOrder(
            self._slots.document(job),
            job.profile,
            self._slots.out(job),
            staging,
            guard.should_stop,
            guard.note_progress,
            is_sparing,
            self._keep_open,
            self._wake,
            guard.may_hand_back,
        )

    def _after_work(self, job: Job, result: JobResult) -> None:
        message = one_line(result.message)
        if result.delivery is None:
            # Where there is no delivery the editor still finds out why.
            try:
                file_note(self._slots.note(job), message)
            except DeliveryError as error:
                self._park(job, str(error))
                return
        elif not self._slots.out(job).is_dir():
            line = f"the work tells of a delivery in {self._slots.out(job)}, but there is none"
            self._fail(job, unexpected(job.path, RuntimeError(line)))
            return
        self._finish(job, message, result.cleaned, result.failed)

    def _after_error(self, job: Job, error: Exception, guard: Guard) -> None:
        if self._slots.is_handed_back(job):
            logger.warning("%s: after the delivery: %s", shown(job.path), one_line(error))
            self._finish(job, "delivered", None, None)
        elif isinstance(error, Interrupted | WorkDied) and guard.is_cancelled:
            self._journal.cancel(job)
        elif isinstance(error, Interrupted | WorkDied) and guard.is_stopped:
            self._journal.put_back(job, "stopped on request")
        elif why := self._why_closed(job):
            self._park(job, why)
        elif lost := guard.lost_media():
            self._park(job, _away_line(lost))
        elif _may_pass(error):
            self._park(job, one_line(error))
        elif why := self._why_gone(job):
            self._journal.gone(job, why)
        elif isinstance(error, WorkDied):
            self._after_death(job, error)
        elif isinstance(error, NleCompanionError):
            self._fail(job, one_line(error))
        else:
            logger.error("%s met an unexpected error", shown(job.path), exc_info=error)
            self._fail(job, unexpected(job.path, error))

    def _after_death(self, job: Job, error: WorkDied) -> None:
        told = f"The work on {shown(Path(job.path).name)} {one_line(error)}"
        if job.crashes < _MAX_CRASHES:
            self._journal.note_crash(job, f"{told}; it is tried once more, with less at a time")
        else:
            self._fail(
                job,
                f"{told}, twice. The log says more. Please report it, unless it is this machine.",
            )

    def _finish(self, job: Job, message: str, cleaned: int | None, failed: int | None) -> None:
        if job.identity is not None:
            for name in self._journal.filed_under(job.identity):
                withdraw_failure(self._places.failed, name, self._slots.document(job))
        self._journal.finish(job, message, cleaned, failed)

    def _fail(self, job: Job, line: str) -> None:
        try:
            filed = file_failure(self._places.failed, self._slots.document(job), line)
        except DeliveryError as error:
            self._park(job, f"{line} And that could not be filed: {error}")
        else:
            self._journal.fail(job, line, filed)

    def _park(self, job: Job, why: str) -> None:
        self._parked_until_s[job.id] = self._clock.monotonic_s() + self._settings.retry_parked_s
        if job.state is not State.PARKED:  # tried again in vain is no change
            self._journal.park(job, why)

    def _due_s(self, job: Job, now_s: float) -> float:
        return self._parked_until_s.get(job.id, now_s) if job.state is State.PARKED else now_s

    def _why_gone(self, job: Job) -> str:
        """Empty while the document is what it was: by content, for a touch changes nothing."""
        try:
            same = sha256_of(self._slots.document(job)) == job.document_sha256
        except FileNotFoundError:
            return "was taken away before it was worked on"
        except (OSError, NleCompanionError):
            return ""  # it is there; what is wrong with it is for the work to say
        return "" if same else "was changed before it was worked on"

    def _why_closed(self, job: Job) -> str:
        """Empty while the document can be read."""
        try:
            sha256_of(self._slots.document(job))
        except FileNotFoundError:
            return ""
        except OSError as error:
            return (
                f"{shown(job.path)} cannot be read now ({error.strerror}). Give this user the "
                "right to read it, or mount its disk; the work goes on by itself."
            )
        except NleCompanionError:
            return ""  # what is wrong with it is for the work to say
        return ""


def _polled(running: _Running) -> JobResult | Exception | None:
    """How a job has ended; None while it goes on."""
    if running.work is None:
        return running.error
    try:
        return running.work.poll()
    except Exception as error:
        return error


def _is_short(job: Job) -> bool:
    return job.sound_s is not None and job.sound_s <= SHORT_S


def _away_line(lost: Sequence[str]) -> str:
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return (
        f"{shown(lost[0])}{more} went away. Mount its disk or put it back; "
        "the work goes on by itself."
    )


def _closed_line(path: str) -> str:
    return (
        f"{shown(path)} may not be read. Give this user the right to read it, or mount its disk; "
        "the work goes on by itself."
    )


def _may_pass(error: Exception) -> bool:
    """Whether the same work may succeed later, with nothing changed in the document."""
    if isinstance(error, OSError):
        return error.errno in FULL_ERRNOS | {errno.EACCES, errno.EPERM, errno.EROFS}
    return isinstance(error, NoSpace | NotWritable | Interrupted)
