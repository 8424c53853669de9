"""Where a job's files lie: its document, its staging folder, what it hands back."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from nlecompanion.errors import NotWritable, WatchError
from nlecompanion.watch.filing import delivery_error
from nlecompanion.watch.journal import Journal
from nlecompanion.watch.layout import WatchFolder, refuse_links
from nlecompanion.watch.names import delivery_name
from nlecompanion.watch.states import Job

logger = logging.getLogger(__name__)


class Slots:
    """Names and places of jobs. Links that were planted are neither followed nor taken for ours."""

    def __init__(self, places: WatchFolder, journal: Journal) -> None:
        self._places = places
        self._journal = journal

    def slot_for(self, job: Job) -> str:
        """The name of its delivery: the one that it has, or else one that is free.

        Raises:
            NoSpace, NotWritable: `done` cannot be looked into.
        """
        is_taken = self.is_handed_back(job) or os.path.lexists(self.out(job))
        return self._free_slot(job) if job.slot is None or is_taken else job.slot

    def empty_staging(self, job: Job) -> Path:
        """The job's staging folder, newly made.

        Raises:
            NoSpace, NotWritable: it cannot be made, or a folder of ours has become a link.
        """
        try:
            refuse_links(self._places)
        except WatchError as error:
            raise NotWritable(f"{error} The work goes on by itself then.") from error
        staging = self._staging(job)
        self.clear_staging(job)
        try:
            staging.mkdir()
        except OSError as error:
            raise delivery_error(error, self._places.working) from error
        return staging

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

    def document(self, job: Job) -> Path:
        """The dropped document."""
        return self._places.inbox / job.path

    def out(self, job: Job) -> Path:
        """The delivery."""
        return self._places.done / (job.slot or "")

    def note(self, job: Job) -> Path:
        """The line that stands in for a delivery where there is nothing to deliver."""
        return self._places.done / f"{job.slot}.txt"

    def _staging(self, job: Job) -> Path:
        return self._places.working / (job.slot or "")

    def is_handed_back(self, job: Job) -> bool:
        """A delivery is renamed into place whole, so that its name stands for all of it."""
        if job.slot is None:
            return False
        out, note = self.out(job), self.note(job)
        # A link under that name was planted: it is no delivery of ours.
        return (out.is_dir() and not out.is_symlink()) or (note.is_file() and not note.is_symlink())

    def clear_staging(self, job: Job) -> None:
        """Takes away what an earlier attempt has left."""
        if job.slot is None or not os.path.lexists(staging := self._staging(job)):
            return
        try:
            if staging.is_dir() and not staging.is_symlink():
                shutil.rmtree(staging)
            else:  # planted: the link goes, not what it leads to
                staging.unlink()
        except OSError as error:
            logger.warning("%s could not be removed: %s", staging, error)
