"""What stands in a watched folder's journal, for people and for scripts."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from nlecompanion.errors import WatchError
from nlecompanion.watch import requests
from nlecompanion.watch.journal_file import JournalFile
from nlecompanion.watch.layout import WatchFolder
from nlecompanion.watch.lock import holder
from nlecompanion.watch.names import shown
from nlecompanion.watch.requests import JobProgress
from nlecompanion.watch.states import State


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One job: where it stands since when (seconds since 1970), and how far its work is."""

    id: int
    document: str
    state: State
    since_s: float
    profile: str
    attempts: int
    message: str
    cleaned: int | None
    failed: int | None
    delivery: str | None
    progress: JobProgress | None


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """A watched folder. `daemon` is who watches it (`pid`, `host`, `since`); None where nobody."""

    folder: str
    daemon: dict[str, Any] | None
    jobs: tuple[JobStatus, ...]


_QUERY = """
    SELECT jobs.id, path, jobs.state, MAX(changes.at_s), profile, attempts, message,
        cleaned, failed, slot
    FROM jobs JOIN changes ON changes.job = jobs.id
    WHERE jobs.state NOT IN ('forgotten') AND (current OR jobs.state NOT IN ('gone', 'duplicate'))
    GROUP BY jobs.id ORDER BY jobs.id
"""


def read_status(places: WatchFolder, journal: JournalFile) -> FolderStatus:
    """All jobs but the forgotten ones, oldest first.

    Raises:
        WatchError: the journal cannot be read.
    """
    far = requests.progress(journal)
    jobs = []
    for number, path, state, since_s, profile, attempts, message, *rest in journal.rows(_QUERY):
        cleaned, failed, slot = rest
        delivery = str(places.done / slot) if state == State.DONE and slot is not None else None
        jobs.append(
            JobStatus(
                id=number,
                document=os.fsdecode(path),
                state=State(state),
                since_s=since_s,
                profile=profile,
                attempts=attempts,
                message=message,
                cleaned=cleaned,
                failed=failed,
                delivery=delivery,
                progress=far.get(number) if state == State.WORKING else None,
            )
        )
    return FolderStatus(str(places.root), holder(places.lock), tuple(jobs))


def find_job(status: FolderStatus, wanted: str) -> JobStatus:
    """The job of that number, or the latest of a document of that name.

    Raises:
        WatchError: there is none.
    """
    if wanted.isdecimal():
        found = [job for job in status.jobs if job.id == int(wanted)]
    else:
        found = [job for job in status.jobs if job.document == wanted]
    if not found:
        raise WatchError(
            f"There is no job {shown(wanted)!r} in {status.folder}. "
            "`nlecompanion status` lists the jobs with their numbers."
        )
    return found[-1]


def as_json(status: FolderStatus) -> str:
    """One JSON object."""
    return json.dumps(asdict(status), ensure_ascii=True)


def as_text(status: FolderStatus, now_s: float) -> str:
    """A line a job, and who watches."""
    daemon = status.daemon
    if daemon is None:
        who = "nobody watches it now"
    else:
        who = f"watched by process {daemon.get('pid', '?')} since {daemon.get('since', '?')}"
    lines = [f"{status.folder}: {who}; {_counts(status.jobs)}"]
    lines += [_line(job, now_s) for job in status.jobs]
    return "\n".join(lines)


def _counts(jobs: Sequence[JobStatus]) -> str:
    states = [job.state for job in jobs]
    told = [f"{states.count(state)} {state}" for state in State if state in states]
    return ", ".join(told) or "no jobs"


def _line(job: JobStatus, now_s: float) -> str:
    when = datetime.fromtimestamp(job.since_s, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    line = f"{job.id:5}  {job.state:<9}  {when}  {shown(job.document)}"
    if job.progress is not None:
        far = job.progress
        percent = 100 * far.done_s / far.total_s if far.total_s else 0
        line += (
            f": {far.done_s:.0f} of {far.total_s:.0f} s ({percent:.0f} %), {shown(far.what)}, "
            f"{max(0.0, now_s - far.at_s):.0f} s ago"
        )
    elif job.message:
        line += f": {shown(job.message)}"
    return line
