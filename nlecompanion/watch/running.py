"""Does one job after another, and settles what a killed daemon had left half-done."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from nlecompanion.errors import DeliveryError, Interrupted, NleCompanionError, NoSpace, NotWritable
from nlecompanion.media.disk import FULL_ERRNOS
from nlecompanion.watch.contract import (
    Clock,
    JobResult,
    WatchSettings,
    Work,
    WorkOrder,
)
from nlecompanion.watch.digest import one_line, sha256_of, unexpected
from nlecompanion.watch.filing import delivery_error, file_failure, file_note, withdraw_failure
from nlecompanion.watch.guard import Guard
from nlecompanion.watch.journal import Journal
from nlecompanion.watch.layout import WatchFolder
from nlecompanion.watch.media import away, look_again
from nlecompanion.watch.names import delivery_name, shown
from nlecompanion.watch.states import Job, State

logger = logging.getLogger(__name__)


class Runner:
    """Moves jobs from `stable` or `parked` through `working` to their end."""

    def __init__(
        self,
        places: WatchFolder,
        journal: Journal,
        work: Work,
        settings: WatchSettings,
        clock: Clock,
    ) -> None:
        self._places = places
        self._journal = journal
        self._work = work
        self._settings = settings
        self._clock = clock
        # Monotonic, so not in the journal: after a restart parked jobs are tried at once.
        self._parked_until_s: dict[int, float] = {}

    def adopt(self, work: Work, settings: WatchSettings) -> None:
        """From now on with these."""
        self._work, self._settings = work, settings

    def hurry(self, job_ids: Collection[int]) -> None:
        """Parked jobs of these numbers are due now."""
        for job_id in job_ids:
            self._parked_until_s.pop(job_id, None)

    def recover(self) -> None:
        """Settles jobs that stand as `working` although nobody works: the process was killed."""
        for job in self._journal.in_state(State.WORKING, State.DELIVERING):
            self._clear_staging(job)  # before the journal forgets that there may be one
            if self._is_handed_back(job):
                self._finish(job, "delivered before the daemon ended", None, None)
            else:
                self._journal.put_back(job, "the daemon ended during the work")

    def next_job(self) -> Job | None:
        """The job to do now, if any; parked ones only when their time has come."""
        now_s = self._clock.monotonic_s()
        waiting = self._journal.in_state(State.STABLE, State.PARKED)
        due = (job for job in waiting if self._due_s(job, now_s) <= now_s)
        return next(due, None)

    def next_due_s(self) -> float | None:
        """The moment at which a parked job is tried again."""
        parked = self._journal.in_state(State.PARKED)
        now_s = self._clock.monotonic_s()
        return min((self._due_s(job, now_s) for job in parked), default=None)

    def do(self, job: Job, should_stop: Callable[[], bool]) -> None:
        """Works on one job; whatever goes wrong with it ends up in the journal."""
        if why := self._why_gone(job):
            self._journal.gone(job, why)
            return
        if why := self._why_closed(job):
            self._park(job, why)
            return
        media = self._journal.media(job.id)
        now = look_again(media, self._document(job))
        if lost := away(media, now):
            self._park(job, _away_line(lost))
            return
        if now != tuple(media):
            self._journal.look_again(job, "its media have changed since it was looked into")
            return
        keeps_slot = job.slot is not None and not self._is_handed_back(job)
        slot = job.slot if keeps_slot and job.slot is not None else self._free_slot(job)
        job = self._journal.start(job, slot)
        guard = Guard(self._journal, job, self._document(job), media, self._clock, should_stop)
        try:
            result = self._work(self._order(job, guard))
        except Exception as error:
            self._clear_staging(job)
            self._after_error(job, error, guard)
        else:
            self._clear_staging(job)
            self._after_work(job, result)

    def _order(self, job: Job, guard: Guard) -> WorkOrder:
        staging = self._staging(job)
        self._clear_staging(job)
        try:
            staging.mkdir()
        except OSError as error:
            raise delivery_error(error, self._places.working) from error
        return WorkOrder(
            self._document(job),
            job.profile,
            self._out(job),
            staging,
            guard.should_stop,
            guard.note_progress,
        )

    def _after_work(self, job: Job, result: JobResult) -> None:
        message = one_line(result.message)
        if result.delivery is None:
            # Where there is no delivery the editor still finds out why.
            try:
                file_note(self._note(job), message)
            except DeliveryError as error:
                self._park(job, str(error))
                return
        elif not self._out(job).is_dir():
            line = f"the work tells of a delivery in {self._out(job)}, but there is none"
            self._fail(job, unexpected(job.path, RuntimeError(line)))
            return
        self._finish(job, message, result.cleaned, result.failed)

    def _after_error(self, job: Job, error: Exception, guard: Guard) -> None:
        if self._is_handed_back(job):
            logger.warning("%s: after the delivery: %s", shown(job.path), one_line(error))
            self._finish(job, "delivered", None, None)
        elif isinstance(error, Interrupted) and guard.is_cancelled:
            self._journal.cancel(job)
        elif isinstance(error, Interrupted) and guard.is_stopped:
            self._journal.put_back(job, "stopped on request")
        elif why := self._why_closed(job):
            self._park(job, why)
        elif lost := guard.lost_media():
            self._park(job, _away_line(lost))
        elif _may_pass(error):
            self._park(job, one_line(error))
        elif why := self._why_gone(job):
            self._journal.gone(job, why)
        elif isinstance(error, NleCompanionError):
            self._fail(job, one_line(error))
        else:
            logger.error("%s met an unexpected error", shown(job.path), exc_info=error)
            self._fail(job, unexpected(job.path, error))

    def _finish(self, job: Job, message: str, cleaned: int | None, failed: int | None) -> None:
        if job.identity is not None:
            for name in self._journal.filed_under(job.identity):
                withdraw_failure(self._places.failed, name, self._document(job))
        self._journal.finish(job, message, cleaned, failed)

    def _fail(self, job: Job, line: str) -> None:
        try:
            filed = file_failure(self._places.failed, self._document(job), line)
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
            same = sha256_of(self._document(job)) == job.document_sha256
        except FileNotFoundError:
            return "was taken away before it was worked on"
        except (OSError, NleCompanionError):
            return ""  # it is there; what is wrong with it is for the work to say
        return "" if same else "was changed before it was worked on"

    def _why_closed(self, job: Job) -> str:
        """Empty while the document can be read."""
        try:
            sha256_of(self._document(job))
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

    def _free_slot(self, job: Job) -> str:
        """A name that no delivery has or had."""
        try:
            lying = {entry.name.casefold() for entry in self._places.done.iterdir()}
        except OSError as error:
            raise delivery_error(error, self._places.done) from error
        taken = self._journal.slots() | lying
        base = delivery_name(Path(job.path).name)
        slot, number = base, 1
        while {slot.casefold(), f"{slot}.txt".casefold()} & taken:
            number += 1
            slot = f"{base} {number}"
        return slot

    def _document(self, job: Job) -> Path:
        return self._places.inbox / job.path

    def _out(self, job: Job) -> Path:
        return self._places.done / (job.slot or "")

    def _note(self, job: Job) -> Path:
        return self._places.done / f"{job.slot}.txt"

    def _staging(self, job: Job) -> Path:
        return self._places.working / (job.slot or "")

    def _is_handed_back(self, job: Job) -> bool:
        """A delivery is renamed into place whole, so that its name stands for all of it."""
        return job.slot is not None and (self._out(job).is_dir() or self._note(job).is_file())

    def _clear_staging(self, job: Job) -> None:
        if job.slot is None or not os.path.lexists(staging := self._staging(job)):
            return
        try:
            shutil.rmtree(staging)
        except OSError as error:
            logger.warning("%s could not be removed: %s", staging, error)


def _away_line(lost: Sequence[str]) -> str:
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return (
        f"{shown(lost[0])}{more} went away. Mount its disk or put it back; "
        "the work goes on by itself."
    )


def _may_pass(error: Exception) -> bool:
    """Whether the same work may succeed later, with nothing changed in the document."""
    if isinstance(error, OSError):
        return error.errno in FULL_ERRNOS | {errno.EACCES, errno.EPERM, errno.EROFS}
    return isinstance(error, NoSpace | NotWritable | Interrupted)
