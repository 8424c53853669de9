"""Looks after one job while it is worked on: who wants it to end, and how far it is."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from nlecompanion.errors import NleCompanionError
from nlecompanion.watch import requests
from nlecompanion.watch.contract import Clock
from nlecompanion.watch.journal import Journal
from nlecompanion.watch.media import SeenMedia, away, look_again
from nlecompanion.watch.names import shown
from nlecompanion.watch.states import Job

logger = logging.getLogger(__name__)

#: The journal is looked at, and progress is written, no more often than this.
_EVERY_S = 1.0
#: And the media: hundreds of them on a network drive take a while.
_MEDIA_EVERY_S = 5.0


class Guard:
    """Asked by the work at every block of sound; called from one thread at a time."""

    def __init__(
        self,
        journal: Journal,
        job: Job,
        document: Path,
        media: Sequence[SeenMedia],
        clock: Clock,
        stop: Callable[[], bool],
    ) -> None:
        self._journal = journal
        self._job = job
        self._document = document
        self._media = media
        self._clock = clock
        self._stop = stop
        self._looked_s = self._wrote_s = self._media_s = -math.inf
        self.is_cancelled = False
        self._is_lost = False

    @property
    def is_stopped(self) -> bool:
        """Whether the daemon is to end."""
        return self._stop()

    def should_stop(self) -> bool:
        """Whether the work is to end early, for whatever reason."""
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s >= _EVERY_S:
            self._looked_s = now_s
            self._look()
        if now_s - self._media_s >= _MEDIA_EVERY_S:
            self._media_s = now_s
            self._is_lost = bool(self.lost_media())
        return self.is_cancelled or self._is_lost or self._stop()

    def may_hand_back(self) -> bool:
        """Looks at everything now: what went away since the last look has spoilt the work."""
        self._look()
        self._is_lost = bool(self.lost_media())
        return not (self.is_cancelled or self._is_lost or self._stop())

    def lost_media(self) -> list[str]:
        """Media that were there when the document was taken, and are not now."""
        return away(self._media, look_again(self._media, self._document))

    def note_progress(self, done_s: float, total_s: float, what: str) -> None:
        """Writes into the journal how far the work is, now and then."""
        now_s = self._clock.monotonic_s()
        if now_s - self._wrote_s < _EVERY_S:
            return
        self._wrote_s = now_s
        try:
            requests.note_progress(self._journal, self._job.id, done_s, total_s, what)
        except NleCompanionError as error:  # work goes on without; what it needs it will ask for
            logger.warning("Progress of %s is not noted: %s", shown(self._job.path), error)

    def _look(self) -> None:
        try:
            self.is_cancelled = requests.cancels(self._journal, self._job.id)
        except NleCompanionError as error:
            logger.warning("Requests cannot be read: %s", error)
