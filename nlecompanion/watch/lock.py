"""One daemon a folder: a lock of the operating system, which dies with its process."""

from __future__ import annotations

import errno
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

if TYPE_CHECKING:
    from nlecompanion.watch.contract import Clock
    from nlecompanion.watch.layout import WatchFolder

if sys.platform == "win32":
    import msvcrt

    # Windows locks are mandatory, so the locked byte lies behind what others must be able to read.
    _LOCK_OFFSET = 1 << 30

    def _try_lock(descriptor: int, *, shared: bool = False) -> None:
        del shared  # Windows has no shared ones here: two that look may each see the other
        os.lseek(descriptor, _LOCK_OFFSET, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(descriptor: int, *, shared: bool = False) -> None:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)


logger = logging.getLogger(__name__)

#: A command holds the lock for less than this, and says so; a daemon waits for it.
_BRIEF_S = 5.0
#: And whoever looks whether it is held, holds it for less than this.
_LOOK_S = 0.2
_TRY_AGAIN_S = 0.02

_HELD_BY_ANOTHER = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}


@contextmanager
def hold(places: WatchFolder, clock: Clock) -> Iterator[None]:
    """Holds a watched folder, for this machine and as far as its file system can for others.

    Raises:
        WatchError: another daemon holds it, or the file system does not lock.
    """
    with ExitStack() as stack:
        stack.enter_context(folder_lock(places.lock, clock.wall_s()))
        if places.shared_lock is not None:
            try:
                stack.enter_context(folder_lock(places.shared_lock, clock.wall_s()))
            except NoLocks as error:
                logger.warning("%s Make sure that no other machine watches it.", error)
        yield


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
def folder_lock(path: Path, since_s: float, *, brief: bool = False) -> Iterator[None]:
    """Holds the lock file at `path`, with who holds it written in it; `since_s` counts from 1970.

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
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    except OSError as error:
        raise WatchError(
            f"The lock {path} cannot be opened ({error.strerror}). "
            "Give this user the right to write there, or watch another folder."
        ) from error


def _lock_soon(descriptor: int, path: Path) -> bool:
    from_s = time.monotonic()
    while not _try(descriptor, path):
        patience_s = _BRIEF_S if (_note(path) or {}).get("brief") else _LOOK_S
        if time.monotonic() - from_s > patience_s:
            return False
        time.sleep(_TRY_AGAIN_S)
    return True


def _try(descriptor: int, path: Path, *, shared: bool = False) -> bool:
    try:
        _try_lock(descriptor, shared=shared)
    except OSError as error:
        if error.errno in _HELD_BY_ANOTHER:
            return False
        raise _no_locks(path, str(error.strerror)) from error
    return True


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
