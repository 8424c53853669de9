"""One daemon a folder: a lock of the operating system, which dies with its process."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlecompanion.errors import WatchError
from nlecompanion.file_lock import open_lock, try_lock

if TYPE_CHECKING:
    from nlecompanion.watch.contract import Clock
    from nlecompanion.watch.layout import WatchFolder

logger = logging.getLogger(__name__)

#: A command holds the lock for less than this, and says so; a daemon waits for it.
_BRIEF_S = 5.0
#: A killed daemon's last child still holds it for a moment.
_ORPHAN_S = 10.0
#: And whoever looks whether it is held, holds it for less than this.
_LOOK_S = 0.2
_TRY_AGAIN_S = 0.02


@contextmanager
def hold(places: WatchFolder, clock: Clock) -> Iterator[tuple[int, ...]]:
    """Holds a watched folder, for this machine and as far as its file system can for others.

    Gives the descriptors of the locks: a child that keeps them holds the folder until it ends too.

    Raises:
        WatchError: another daemon holds it, or the file system does not lock.
    """
    with ExitStack() as stack:
        held = [stack.enter_context(folder_lock(places.lock, clock.wall_s()))]
        if places.shared_lock is not None:
            try:
                held.append(stack.enter_context(folder_lock(places.shared_lock, clock.wall_s())))
            except NoLocks as error:
                logger.warning("%s Make sure that no other machine watches it.", error)
        yield tuple(held)


class NoLocks(WatchError):
    """The file system has no working locks."""


def holder(path: Path) -> dict[str, Any] | None:
    """Who holds the lock at `path` (`pid`, `host`, `since`); None where nobody does.

    Raises:
        WatchError: the lock file cannot be opened.
    """
    if not path.exists():
        return None
    descriptor = _open(path)
    try:
        # Shared: two that only look do not take each other for a daemon.
        if _try(descriptor, path, shared=True):
            return None
    finally:
        os.close(descriptor)
    return _note(path) or {}


@contextmanager
def folder_lock(path: Path, since_s: float, *, brief: bool = False) -> Iterator[int]:
    """Holds the lock file at `path`, with who holds it written in it; `since_s` counts from 1970.

    Gives its descriptor.

    Who holds it for moments only says so by `brief`, and is waited for.

    Raises:
        WatchError: another daemon holds it, or the file system does not lock (`NoLocks`).
    """
    descriptor = _open(path)
    try:
        if not _lock_soon(descriptor, path):
            raise WatchError(f"{path.parent.parent} is already watched by {_holder(path)}.")
        _prove(path)
        note = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "brief": brief,
            "since": datetime.fromtimestamp(since_s, UTC).isoformat(timespec="seconds"),
        }
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, json.dumps(note).encode())
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return open_lock(path)
    except OSError as error:
        raise WatchError(
            f"The lock {path} cannot be opened ({error.strerror}). "
            "Give this user the right to write there, or watch another folder."
        ) from error


def _lock_soon(descriptor: int, path: Path) -> bool:
    from_s = time.monotonic()
    while not _try(descriptor, path):
        if time.monotonic() - from_s > _patience_s(_note(path) or {}):
            return False
        time.sleep(_TRY_AGAIN_S)
    return True


def _patience_s(note: dict[str, Any]) -> float:
    """How long the lock of whoever wrote this is waited for."""
    if note.get("brief"):
        return _BRIEF_S
    if note.get("host") == socket.gethostname() and not _lives(note.get("pid")):
        return _ORPHAN_S
    return _LOOK_S


def _lives(pid: object) -> bool:
    """Whether a process of this machine has that number; yes where it cannot be told."""
    if sys.platform == "win32" or not isinstance(pid, int) or pid <= 0:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError as error:
        logger.debug("Process %d cannot be asked: %s", pid, error)
    return True


def _try(descriptor: int, path: Path, *, shared: bool = False) -> bool:
    try:
        return try_lock(descriptor, shared=shared)
    except OSError as error:
        raise _no_locks(path, str(error.strerror)) from error


def _prove(path: Path) -> None:
    """A second lock must be refused: some network file systems grant every one."""
    second = _open(path)
    try:
        if _try(second, path):
            raise _no_locks(path, "a second lock was granted")
    finally:
        os.close(second)


def _no_locks(path: Path, why: str) -> WatchError:
    return NoLocks(
        f"The file system of {path.parent} has no working locks ({why}). "
        "Watch a folder on a local disk."
    )


def _note(path: Path) -> dict[str, Any] | None:
    """What the holder wrote; None where it has not yet, or is gone."""
    try:
        note = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) else None


def _holder(path: Path) -> str:
    note = _note(path) or {}
    if not {"pid", "host", "since"} <= note.keys():
        return "another process, which has not yet written its name; end that one first"
    return f"process {note['pid']} on {note['host']} since {note['since']}; end that one first"
