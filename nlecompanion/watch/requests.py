"""What other processes ask of a job, and how far its work is: rows beside the jobs.

A command writes a row and waits for its answer; whoever holds the folder's lock, the daemon or the
command itself, settles it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from nlecompanion.watch.journal import Journal
from nlecompanion.watch.journal_file import JournalFile
from nlecompanion.watch.names import shown
from nlecompanion.watch.states import ENDED, Job, State


class What(StrEnum):
    """What can be asked for."""

    RETRY = "retry"
    CANCEL = "cancel"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class Request:
    """One row: what is asked of which job."""

    id: int
    job: int
    what: What


@dataclass(frozen=True, slots=True)
class JobProgress:
    """Seconds of sound done and to do, the region in work, and when that was so (since 1970)."""

    done_s: float
    total_s: float
    what: str
    at_s: float


def ask(journal: JournalFile, job_id: int, what: What) -> int:
    """Writes a request and gives its number."""
    return journal.change(
        "INSERT INTO requests (job, what, at_s) VALUES (?, ?, ?)", (job_id, what, journal.wall_s())
    )


def waiting(journal: JournalFile) -> list[Request]:
    """Requests without an answer, oldest first."""
    rows = journal.rows("SELECT id, job, what FROM requests WHERE answer IS NULL ORDER BY id")
    return [Request(number, job, What(what)) for number, job, what in rows]


def answer(journal: JournalFile, request_id: int, line: str) -> None:
    """Ends a request with one line for whoever asked."""
    journal.change("UPDATE requests SET answer = ? WHERE id = ?", (line, request_id))


def answer_to(journal: JournalFile, request_id: int) -> str | None:
    """The answer, if there is one yet."""
    rows = journal.rows("SELECT answer FROM requests WHERE id = ?", (request_id,))
    return rows[0][0] if rows else None


def note_progress(
    journal: JournalFile, job_id: int, done_s: float, total_s: float, what: str
) -> None:
    """How far the work on a job is."""
    journal.change(
        "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?)",
        (job_id, done_s, total_s, what, journal.wall_s()),
    )


def progress(journal: JournalFile) -> dict[int, JobProgress]:
    """How far each job in work is."""
    rows = journal.rows("SELECT job, done_s, total_s, what, at_s FROM progress")
    return {job: JobProgress(*others) for job, *others in rows}


def cancels(journal: JournalFile, job_id: int) -> bool:
    """Whether somebody wants the work on this job to end."""
    return any(r.job == job_id and r.what is What.CANCEL for r in waiting(journal))


def is_asked(journal: JournalFile, in_work: Collection[int]) -> bool:
    """Whether `settle` would have something to do."""
    return any(not _has_to_wait(request, in_work) for request in waiting(journal))


def _has_to_wait(request: Request, in_work: Collection[int]) -> bool:
    """Work that is to be cancelled is stopped first, by whoever looks after it."""
    return request.what is What.CANCEL and request.job in in_work


def settle(journal: Journal, in_work: Collection[int] = ()) -> set[int]:
    """Does what is asked for and answers; gives the jobs that are to be tried at once.

    `in_work` are the jobs that are being worked on.
    """
    hurried: set[int] = set()
    for request in waiting(journal):
        if _has_to_wait(request, in_work):
            continue
        job = journal.job(request.job)
        if request.what is What.RETRY:
            line = _retry(journal, job)
            hurried.add(job.id)
        elif request.what is What.CANCEL:
            line = _cancel(journal, job)
        else:
            line = _forget(journal, job)
        answer(journal, request.id, line)
    return hurried


def _named(job: Job) -> str:
    return f"Job {job.id} ({shown(job.path)})"


def _retry(journal: Journal, job: Job) -> str:
    if job.state is State.PARKED:
        return f"{_named(job)} is tried again at once."
    if job.state is State.DUPLICATE:
        return f"{_named(job)} is the same as job {job.duplicate_of}; retry that one."
    if job.state in (State.DONE, State.FAILED, State.CANCELLED):
        here = journal.at(job.path)
        if here is None or here.id != job.id:
            return (
                f"{_named(job)} cannot be tried again: its document lies in the inbox no more. "
                "Drop it again."
            )
        journal.look_again(job, "retried on request")
        return f"{_named(job)} is worked on again."
    if job.state in (State.GONE, State.FORGOTTEN):
        return f"{_named(job)} is {job.state}. Drop its document again."
    return f"{_named(job)} is {job.state} already; nothing to do."


def _cancel(journal: Journal, job: Job) -> str:
    if job.state is State.CANCELLED:
        return f"{_named(job)} is cancelled."
    if job.state in ENDED or job.state is State.FORGOTTEN:
        return f"{_named(job)} is {job.state} already; there is nothing to cancel."
    journal.cancel(job)
    return f"{_named(job)} is cancelled."


def _forget(journal: Journal, job: Job) -> str:
    if job.state is State.FORGOTTEN:
        return f"{_named(job)} is forgotten already."
    if job.state not in ENDED:
        return f"{_named(job)} is {job.state}; cancel it first."
    journal.forget(job)
    return f"{_named(job)} is forgotten. What was delivered stays where it is."
