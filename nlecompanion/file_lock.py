"""Locks of the operating system on files: they die with the process that holds them."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    # Windows locks are mandatory, so the locked byte lies behind what others must be able to read.
    _LOCK_OFFSET = 1 << 30

    def _lock(descriptor: int, *, shared: bool) -> None:
        del shared  # Windows has no shared ones here: two that look may each see the other
        os.lseek(descriptor, _LOCK_OFFSET, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool) -> None:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)


_HELD_BY_ANOTHER = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_TRY_AGAIN_S = 0.02


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Locks an open file until it is closed; False where another process holds it.

    Raises:
        OSError: the file system does not lock.
    """
    try:
        _lock(descriptor, shared=shared)
    except OSError as error:
        if error.errno in _HELD_BY_ANOTHER:
            return False
        raise
    return True


def open_lock(path: Path) -> int:
    """A descriptor of the lock file at `path`, made where there is none; never through a link.

    Raises:
        OSError: it cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    return os.open(path, flags, 0o644)


@contextmanager
def waiting_lock(
    path: Path, patience_s: float, pause: Callable[[float], None] = time.sleep
) -> Iterator[bool]:
    """Holds the lock file at `path`; gives False where it was still held after `patience_s`.

    Raises:
        OSError: it cannot be opened, or the file system does not lock.
    """
    descriptor = open_lock(path)
    try:
        waited_s = 0.0
        while not (held := try_lock(descriptor)) and waited_s < patience_s:
            pause(_TRY_AGAIN_S)
            waited_s += _TRY_AGAIN_S
        yield held
    finally:
        os.close(descriptor)
