"""One daemon a folder: a lock of the operating system, which dies with its process."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from nlecompanion.errors import WatchError

if sys.platform == "win32":
    import msvcrt

    # Windows locks are mandatory, so the locked byte lies behind what others must be able to read.
    _LOCK_OFFSET = 1 << 30

    def _try_lock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCK_OFFSET, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_HELD_BY_ANOTHER = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}


@contextmanager
def folder_lock(path: Path, since_s: float) -> Iterator[None]:
    """Holds the lock file at `path`, with who holds it written in it; `since_s` counts from 1970.

    Raises:
        WatchError: another daemon holds it, or the file system does not lock.
    """
    descriptor = _open(path)
    try:
        if not _lock(descriptor, path):
            raise WatchError(f"{path.parent.parent} is already watched by {_holder(path)}.")
        _prove(path)
        note = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
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


def _lock(descriptor: int, path: Path) -> bool:
    try:
        _try_lock(descriptor)
    except OSError as error:
        if error.errno in _HELD_BY_ANOTHER:
            return False
        raise _no_locks(path, str(error.strerror)) from error
    return True


def _prove(path: Path) -> None:
    """A second lock must be refused: some network file systems grant every one."""
    second = _open(path)
    try:
        if _lock(second, path):
            raise _no_locks(path, "a second lock was granted")
    finally:
        os.close(second)


def _no_locks(path: Path, why: str) -> WatchError:
    return WatchError(
        f"The file system of {path.parent} has no working locks ({why}). "
        "Watch a folder on a local disk."
    )


def _holder(path: Path) -> str:
    try:
        note = json.loads(path.read_text())
        return f"process {note['pid']} on {note['host']} since {note['since']}; end that one first"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process, which has not yet written its name; end that one first"
