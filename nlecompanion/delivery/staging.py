"""A delivery appears whole or not at all: written beside its final place, synced, renamed."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nlecompanion.errors import DeliveryError, NoSpace, NotWritable
from nlecompanion.media.disk import FULL_ERRNOS

if sys.platform != "win32":
    import fcntl

_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
_FORBIDDEN |= {errno.ENOENT, errno.ENAMETOOLONG, errno.EINVAL}
_OWNER = ".owner"
_MAX_NUMBER = 10_000


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turns the system's errors while writing below `folder` into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL_ERRNOS:
            free = _free_mib(folder)
            raise NoSpace(
                f"No space left in {folder} ({free} MiB free). Make room and run again; "
                f"nothing half-written was left."
            ) from error
        if error.errno in _FORBIDDEN:
            raise NotWritable(
                f"{folder} cannot be written to ({error.strerror}). Choose another folder with "
                f"--out, or give yourself the right to write there."
            ) from error
        raise


def _free_mib(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free // 2**20


class Staging:
    """A hidden folder `.NAME.partial` (or `folder`) that becomes `NAME` in one rename.

    Leaving the `with` block without `commit` removes it. A folder that a dead process left is
    taken over; one that a living process is filling makes `reserve` choose the next number.
    """

    def __init__(self, final: Path, folder: Path | None = None) -> None:
        self.final = final
        self.folder = folder or final.with_name(f".{final.name}.partial")
        self._committed = False
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._committed:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._release()

    def claim(self) -> bool:
        """Makes the folder ours; False where a living process has it."""
        if self.folder.exists():
            if _owner_lives(self.folder):
                return False
            shutil.rmtree(self.folder)
        # The owner stands inside before the folder gets its name: no moment without one.
        made = Path(tempfile.mkdtemp(prefix=".nlecompanion-", dir=self.folder.parent))
        try:
            made.chmod(0o755)
            self._lock = (made / _OWNER).open("wb")
            if sys.platform != "win32":
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            made.rename(self.folder)
        except OSError as error:
            self._release()
            shutil.rmtree(made)
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
                return False
            raise
        return True

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def commit(self) -> Path:
        """Syncs every file and folder, then renames into place.

        Raises:
            DeliveryError: something stands under the final name; the staged folder is removed.
        """
        if sys.platform == "win32":
            self._release()  # Windows removes no open file
        (self.folder / _OWNER).unlink()
        with disk_errors(self.final.parent):
            for path in sorted(self.folder.rglob("*"), reverse=True):
                _sync(path)
            _sync(self.folder)
            if self.final.exists():
                raise DeliveryError(
                    f"{self.final} appeared while the delivery was made. Run again."
                )
            self.folder.rename(self.final)
            self._committed = True
            _sync(self.final.parent)
        return self.final


def reserve(parent: Path, base_name: str, first_number: int = 1) -> tuple[Staging, int]:
    """Staging for the first free of `NAME`, `NAME 2`, `NAME 3` …, and that number.

    Raises:
        NotWritable, NoSpace: the parent folder cannot take a delivery.
    """
    with disk_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(first_number, _MAX_NUMBER):
            name = base_name if number == 1 else f"{base_name} {number}"
            staging = Staging(parent / name)
            if not staging.final.exists() and staging.claim():
                return staging, number
    raise DeliveryError(f"{parent} holds {_MAX_NUMBER} deliveries of {base_name}. Empty it first.")


def reserve_exactly(final: Path, folder: Path | None = None) -> Staging:
    """Staging for this very name, for a caller that has made sure that nobody else wants it.

    `folder` is where it is filled, on the same file system, instead of beside it.

    Raises:
        DeliveryError: it is there already, or another process is filling it.
    """
    with disk_errors(final.parent):
        final.parent.mkdir(parents=True, exist_ok=True)
        staging = Staging(final, folder)
        if final.exists() or not staging.claim():
            raise DeliveryError(f"{final} is there already, or is being written by another run.")
    return staging


def _owner_lives(folder: Path) -> bool:
    """Whether somebody holds the lock inside: a process here, in a container or on another host."""
    if sys.platform == "win32":
        # A number more in the name does no harm.
        return True
    try:
        with (folder / _OWNER).open("rb") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _sync(path: Path) -> None:
    """fsync of a file, or of a folder where the system has such a thing."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
