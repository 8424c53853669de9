"""Settings are read again when one of their files has changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from nlecompanion.errors import NleCompanionError
from nlecompanion.watch.daemon import Means

logger = logging.getLogger(__name__)


class Reloading:
    """Called between jobs: gives new means where a file looks different from the last time.

    Settings that cannot be used are told once, and the old ones stay.
    """

    def __init__(self, make: Callable[[], Means], files: tuple[Path, ...]) -> None:
        self._make = make
        self._files = files
        self._seen = self._look()

    def first(self) -> Means:
        """The means to begin with.

        Raises:
            SettingsError: the settings cannot be used.
        """
        return self._make()

    def __call__(self) -> Means | None:
        """The new means, or None where nothing has changed."""
        now = self._look()
        if now == self._seen:
            return None
        self._seen = now
        try:
            return self._make()
        except NleCompanionError as error:
            logger.error("%s The old settings stay.", error, extra={"event": "trouble"})
            return None

    def _look(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_look_at(file) for file in self._files)


def _look_at(file: Path) -> tuple[int, int] | None:
    try:
        seen = file.stat()
    except OSError:
        return None
    return seen.st_size, seen.st_mtime_ns
