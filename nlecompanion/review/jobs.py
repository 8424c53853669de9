"""Jobs of a watched folder as its journal has them: read, never written."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nlecompanion.errors import WatchError
from nlecompanion.watch.contract import SystemClock
from nlecompanion.watch.journal_file import JournalFile
from nlecompanion.watch.layout import PRIVATE, WatchFolder, existing
from nlecompanion.watch.names import shown
from nlecompanion.watch.options import load_options
from nlecompanion.watch.status import JobStatus, read_status

_log = logging.getLogger(__name__)
_EVERY_S = 0.5


class _ReadOnly(JournalFile):
    """A journal that is only looked at: no lock of ours, no new layout, whatever stands there."""

    def __init__(self, path: Path) -> None:
        self._clock = SystemClock()
        self._path = path
        address = f"file:{quote(str(path))}?mode=ro"
        try:
            self._connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=2)
        except sqlite3.Error as error:
            raise WatchError(f"The journal {path} cannot be read ({error}).") from error


def watched(folder: Path) -> WatchFolder | None:
    """The places of a watched folder; None where it is none."""
    if not (folder / PRIVATE).is_dir():
        return None
    try:
        return existing(folder, load_options(folder).state_dir)
    except WatchError as error:
        _log.warning("%s looks like a watched folder, but: %s", folder, error)
        return None


def read_jobs(places: WatchFolder) -> list[dict[str, Any]]:
    """Every job but the forgotten ones, the latest first.

    Raises:
        WatchError: the journal cannot be read.
    """
    with _ReadOnly(places.journal) as journal:
        status = read_status(places, journal)
    return [_told(job) for job in reversed(status.jobs)]


def _told(job: JobStatus) -> dict[str, Any]:
    far = job.progress
    return {
        "id": str(job.id),
        "name": shown(job.document),
        "state": job.state.value,
        "done_s": 0.0 if far is None else round(far.done_s, 1),
        "total_s": 0.0 if far is None else round(far.total_s, 1),
        "what": job.message if far is None else far.what,
        "since": job.since_s,
        "profile": job.profile,
        "cleaned": job.cleaned,
        "failed": job.failed,
    }


class Lookout:
    """Looks at the journal as long as anybody listens, and tells when something has changed."""

    def __init__(
        self,
        look: Callable[[], list[dict[str, Any]]],
        is_heard: Callable[[], bool],
        told: Callable[[list[dict[str, Any]]], None],
    ) -> None:
        self._look, self._is_heard, self._told = look, is_heard, told
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="review jobs", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        before: list[dict[str, Any]] | None = None
        while not self._ended.wait(_EVERY_S):
            if not self._is_heard():
                before = None
                continue
            try:
                now = self._look()
            except WatchError as error:  # a disk that went away may come back
                _log.info("The journal cannot be read now: %s", error)
                continue
            # The first look may differ from what a window was told when it began to listen.
            if now != before:
                self._told(now)
            before = now
