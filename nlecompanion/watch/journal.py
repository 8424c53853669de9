"""The daemon's memory: every drop and its state, in SQLite; a state change is a transaction."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from nlecompanion.errors import WatchError
from nlecompanion.watch.journal_file import JournalFile, stored
from nlecompanion.watch.media import SeenMedia
from nlecompanion.watch.names import shown
from nlecompanion.watch.stability import Sighting
from nlecompanion.watch.states import LIVE, NEXT, Job, State, tell

_COLUMNS = ", ".join(Job.__dataclass_fields__)


def identity_of(
    document_sha256: str, profile: str, fingerprint: str, media: Sequence[SeenMedia] = ()
) -> str:
    """What makes two drops one job: the document's content, its media, the profile's settings."""
    parts = "\n".join((document_sha256, profile, fingerprint))
    if media:
        parts += "\n" + json.dumps([seen.values() for seen in sorted(media)])
    return hashlib.sha256(parts.encode()).hexdigest()


class Journal(JournalFile):
    """The open journal, as the daemon writes it; errors as those of `JournalFile`."""

    # Reading

    def current(self) -> dict[str, Job]:
        """The row of everything that lay in the inbox at the last scan, by path."""
        return {job.path: job for job in self._select("current")}

    def at(self, path: str) -> Job | None:
        """The row for what lies at `path` now."""
        return next(iter(self._select("current AND path = ?", stored(path))), None)

    def job(self, job_id: int) -> Job:
        """The row of that number, which must exist."""
        (job,) = self._select("id = ?", job_id)
        return job

    def in_state(self, *states: State) -> list[Job]:
        """Rows in any of the states. What was started least often comes first.

        A document that takes the process down with it so does not block the others.
        """
        marks = ", ".join("?" * len(states))
        return self._select(f"state IN ({marks}) ORDER BY attempts, id", *states)

    def live(self, identity: str) -> Job | None:
        """The one job of that identity that is to be, or has been, worked on."""
        marks = ", ".join("?" * len(LIVE))
        where = f"identity = ? AND state IN ({marks})"
        return next(iter(self._select(where, identity, *LIVE)), None)

    def filed_under(self, identity: str) -> list[str]:
        """Names of copies in `failed/` from earlier attempts at the same job."""
        found = self._select("identity = ? AND filed IS NOT NULL", identity)
        return sorted({job.filed for job in found if job.filed is not None})

    def slots(self) -> set[str]:
        """Delivery names in use, case-folded."""
        rows = self._select("slot IS NOT NULL AND state NOT IN ('failed', 'gone', 'cancelled')")
        return {job.slot.casefold() for job in rows if job.slot is not None}

    def changes(self, job_id: int) -> list[tuple[State, str]]:
        """The states a row has gone through, oldest first, each with its note."""
        rows = self.rows("SELECT state, note FROM changes WHERE job = ? ORDER BY id", (job_id,))
        return [(State(state), note) for state, note in rows]

    def media(self, job_id: int) -> list[SeenMedia]:
        """The media of a job as they were when it was taken."""
        rows = self.rows(
            "SELECT path, size_bytes, modified_ns FROM media WHERE job = ? ORDER BY path", (job_id,)
        )
        return [SeenMedia(os.fsdecode(path), *others) for path, *others in rows]

    # Changing

    def sight(self, new: Sequence[Sighting], vanished: Collection[str]) -> None:
        """Notes new files (or new content under an old name), and files that are gone, at once."""
        told: list[tuple[Job, State | None, str]] = []
        with self.transaction():
            for path in sorted(vanished):
                told += self._leave(path)
            for sighting in new:
                told += self._leave(sighting.path)
                row = self._connection.execute(
                    "INSERT INTO jobs (path, size_bytes, modified_ns, state) VALUES (?, ?, ?, ?)",
                    (
                        stored(sighting.path),
                        sighting.size_bytes,
                        sighting.modified_ns,
                        State.SEEN,
                    ),
                )
                assert row.lastrowid is not None
                told.append((self._note(row.lastrowid, State.SEEN, ""), None, ""))
        for job, before, note in told:
            tell(job, before, note)

    def take(
        self,
        job: Job,
        sighting: Sighting,
        profile: str,
        sha256: str,
        identity: str,
        media: Sequence[SeenMedia] = (),
        sound_s: float | None = None,
    ) -> Job:
        """A still, complete document: `stable`, or `duplicate` where its job is known already."""
        values: dict[str, object] = {
            "size_bytes": sighting.size_bytes,
            "modified_ns": sighting.modified_ns,
            "profile": profile,
            "document_sha256": sha256,
            "identity": identity,
            "sound_s": sound_s,
        }
        with self.transaction():
            first = self.live(identity)
            if first is None:
                state, note = State.STABLE, f"profile {profile}"
            else:
                state = State.DUPLICATE
                note = f"the same as {shown(first.path)} ({first.state}): not worked on twice"
                values |= {"duplicate_of": first.id, "message": note}
            after = self._move(job, state, note, values)
            self._connection.execute("DELETE FROM media WHERE job = ?", (job.id,))
            self._connection.executemany(
                "INSERT OR IGNORE INTO media VALUES (?, ?, ?, ?)",
                [(job.id, stored(m.path), m.size_bytes, m.modified_ns) for m in media],
            )
        tell(after, job.state, note)
        return after

    def start(self, job: Job, slot: str) -> Job:
        """The work begins; its delivery will be called `slot`."""
        values = {"slot": slot, "attempts": job.attempts + 1}
        return self._change(job, State.WORKING, f"attempt {job.attempts + 1}", values)

    def put_back(self, job: Job, why: str) -> Job:
        """The work was interrupted and is to be done again."""
        return self._change(job, State.STABLE, why)

    def note_crash(self, job: Job, why: str) -> Job:
        """The process that worked on it died; it is to be done again."""
        return self._change(job, State.STABLE, why, {"crashes": job.crashes + 1})

    def finish(self, job: Job, message: str, cleaned: int | None, failed: int | None) -> Job:
        """The work is done; the counts are None where a crash has swallowed them."""
        values: dict[str, object] = {"message": message, "cleaned": cleaned, "failed": failed}
        if failed:
            # Dropped again, with its media back, this content is worked on again.
            values["identity"] = None
        return self._change(job, State.DONE, message, values)

    def park(self, job: Job, why: str) -> Job:
        """The work could not be done now; it is tried again."""
        return self._change(job, State.PARKED, why, {"message": why})

    def fail(self, job: Job, why: str, filed: str | None, sighting: Sighting | None = None) -> Job:
        """The document cannot be worked on. `sighting`: as it was when that was found out."""
        values: dict[str, object] = {"message": why, "filed": filed}
        if sighting is not None:
            values |= {"size_bytes": sighting.size_bytes, "modified_ns": sighting.modified_ns}
        return self._change(job, State.FAILED, why, values)

    def cancel(self, job: Job) -> Job:
        """Somebody does not want it any more."""
        note = "cancelled on request"
        return self._change(job, State.CANCELLED, note, {"message": note})

    def look_again(self, job: Job, why: str) -> Job:
        """The document is to be looked into again, as if it had just been dropped."""
        values: dict[str, object] = dict.fromkeys(("identity", "slot", "cleaned", "failed"))
        return self._change(job, State.SEEN, why, {**values, "message": "", "crashes": 0})

    def forget(self, job: Job) -> Job:
        """Out of all lists; dropped again, its content is worked on again."""
        values = {"identity": None, "filed": None}
        return self._change(job, State.FORGOTTEN, "forgotten on request", values)

    def gone(self, job: Job, why: str) -> Job:
        """The document is there no more. Drops of the same content elsewhere step in for it."""
        with self.transaction():
            after = self._move(job, State.GONE, why, {"message": why})
            heirs = self._select("current AND state = 'duplicate' AND duplicate_of = ?", job.id)
            note = f"steps in for {shown(job.path)}"
            told = [self._move(heir, State.SEEN, note, {"duplicate_of": None}) for heir in heirs]
        tell(after, job.state, why)
        for heir in told:
            tell(heir, State.DUPLICATE, note)
        return after

    # Inside

    def _leave(self, path: str) -> list[tuple[Job, State | None, str]]:
        """What was known at `path` is not what lies there now; jobs under way go on by content."""
        job = self.at(path)
        if job is None:
            return []
        self._connection.execute("UPDATE jobs SET current = 0 WHERE id = ?", (job.id,))
        if job.state is not State.SEEN:
            return []
        note = "went away before it was still"
        return [(self._move(job, State.GONE, note, {"message": note}), State.SEEN, note)]

    def _change(
        self, job: Job, state: State, note: str, values: Mapping[str, object] | None = None
    ) -> Job:
        with self.transaction():
            after = self._move(job, state, note, values or {})
        tell(after, job.state, note)
        return after

    def _move(self, job: Job, state: State, note: str, values: Mapping[str, object]) -> Job:
        if state not in NEXT[job.state]:
            raise WatchError(
                f"{shown(job.path)} cannot go from {job.state} to {state}. "
                "This is a fault in nlecompanion; please report it with this line."
            )
        sets = ", ".join(f"{name} = ?" for name in ("state", *values))
        done = self._connection.execute(
            f"UPDATE jobs SET {sets} WHERE id = ? AND state = ?",
            (state, *values.values(), job.id, job.state),
        )
        if done.rowcount != 1:
            raise WatchError(
                f"The journal was changed by somebody else: {shown(job.path)} is no longer "
                f"{job.state}. Let one daemon watch {self._path.parent.parent}."
            )
        if job.state is State.WORKING:
            self._connection.execute("DELETE FROM progress WHERE job = ?", (job.id,))
        return self._note(job.id, state, note)

    def _note(self, job_id: int, state: State, note: str) -> Job:
        self._connection.execute(
            "INSERT INTO changes (job, at_s, state, note) VALUES (?, ?, ?, ?)",
            (job_id, self._clock.wall_s(), state, note),
        )
        return self.job(job_id)

    def _select(self, where: str, *values: object) -> list[Job]:
        rows = self.rows(f"SELECT {_COLUMNS} FROM jobs WHERE {where}", values)
        try:
            return [_job(row) for row in rows]
        except (ValueError, TypeError) as error:  # a damaged file that SQLite finds well
            raise self._unusable(error) from error


def _job(row: tuple[Any, ...]) -> Job:
    number, path, size_bytes, modified_ns, state, *others = row
    return Job(number, os.fsdecode(path), size_bytes, modified_ns, State(state), *others)
