"""File events as hints. They only wake the daemon, which then looks for itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from watchdog.events import (
    EVENT_TYPE_CREATED,
    EVENT_TYPE_DELETED,
    EVENT_TYPE_MODIFIED,
    EVENT_TYPE_MOVED,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

logger = logging.getLogger(__name__)

# Not "opened" and "closed_no_write": the daemon's own reading would wake it for ever.
_WAKING = frozenset({EVENT_TYPE_CREATED, EVENT_TYPE_DELETED, EVENT_TYPE_MODIFIED, EVENT_TYPE_MOVED})


class _Waker(FileSystemEventHandler):
    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called in the observer's thread."""
        if event.event_type in _WAKING:
            self._wake()


@contextmanager
def waking(inbox: Path, wake: Callable[[], None]) -> Iterator[bool]:
    """Calls `wake`, in another thread, whenever something happens below `inbox`.

    Gives false where the system has no events to give (a limit on watches, say): look often then.
    """
    observer = Observer()
    observer.schedule(_Waker(wake), str(inbox), recursive=True)
    try:
        observer.start()
    except OSError as error:
        logger.warning("No file events (%s): the inbox is looked at more often instead.", error)
        yield False
        return
    try:
        yield True
    finally:
        observer.stop()
        observer.join()
