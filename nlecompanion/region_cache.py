"""Finished regions, kept by content: a region that was worked on once is copied instead.

Below the folder each entry is a folder of its own, `ab/<digest>/`, with `values.json` and maybe
`sound`. Both are checked by SHA-256 on the way out, so a cache that was damaged costs work, never a
wrong delivery. Entries are written aside and renamed; who writes, evicts or empties holds a lock,
so whatever lies aside while one holds it was left by somebody who died.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlecompanion.file_lock import waiting_lock
from nlecompanion.region_cache_entry import (
    VALUES,
    DamagedEntry,
    is_folder,
    opened,
    read_entry,
    remove,
    size_of,
    used_ns,
    write_entry,
)

logger = logging.getLogger(__name__)

#: Of the layout on disk. An older one is emptied, a newer one is left alone.
VERSION = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHARD = re.compile(r"[0-9a-f]{2}")
_ASIDE, _LOCK, _VERSION_FILE = "aside", "lock", "version"
#: Evicting goes down to this share, so that a full cache does not evict at every entry.
_EVICT_TO = 0.9
#: Other processes write too: after this many of our own entries the folder is measured again.
_MEASURE_AFTER = 64
_LOCK_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class CacheState:
    """What a cache holds. `trouble` says why it is not used; None where it is."""

    folder: Path
    entries: int
    size_bytes: int
    max_bytes: int
    trouble: str | None


class _Unusable(Exception):
    """The folder cannot serve as a cache; `str()` says why."""


def cache_folder() -> Path:
    """Where this user's cache lies: `regions` below `NLECOMPANION_CACHE` or the system's place."""
    if named := os.environ.get("NLECOMPANION_CACHE"):
        return Path(named) / "regions"
    from platformdirs import user_cache_path

    return user_cache_path("nlecompanion", appauthor=False) / "regions"


class RegionCache:
    """Entries below `folder`, together at most `max_bytes` (0: nothing is kept or looked up).

    Never the reason that a job fails: what goes wrong inside of it is a line in the log. Several
    processes may use one folder at once.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._size_bytes: int | None = None
        self._puts_since = 0
        self._is_told = False

    def get(self, digest: str, into: Path) -> dict[str, Any] | None:
        """The values kept under `digest`, their sound copied to `into`; None where there are none.

        A damaged entry is taken away and counts as missing.

        Raises:
            NoSpace, NotWritable: `into` cannot be written.
        """
        entry = self._entry(digest)
        if self._max_bytes <= 0 or not self._is_usable():
            return None
        try:
            values = read_entry(entry, into)
        except FileNotFoundError:
            return None
        except DamagedEntry as damage:
            logger.warning("A cached region is damaged (%s) and is worked on again.", damage)
            self._take_away(entry)
            return None
        except OSError as error:
            self._tell(f"{self._folder} cannot be read ({error.strerror})")
            return None
        self._note_use(entry)
        return values

    def put(self, digest: str, values: dict[str, Any], sound: Path | None) -> None:
        """Keeps `values` and a copy of the file `sound`; the least recently used may have to go."""
        entry = self._entry(digest)
        if self._max_bytes <= 0:
            return
        try:
            with self._writing():
                if is_folder(entry):
                    return
                written = write_entry(self._folder / _ASIDE, values, sound)
                size_bytes = size_of(written)
                if size_bytes > self._max_bytes:
                    remove(written)
                    return
                entry.parent.mkdir(mode=0o700, exist_ok=True)
                _require_folder(entry.parent)
                written.rename(entry)
                self._evict(entry, size_bytes)
        except _Unusable as why:
            self._tell(str(why))
        except OSError as error:
            self._size_bytes = None
            self._tell(f"{self._folder} cannot be written ({error.strerror or error})")

    def describe(self) -> CacheState:
        """How much there is."""
        try:
            _check_version(self._folder)
            known = [size_of(entry) for entry in _entries(self._folder)]
        except FileNotFoundError:
            return CacheState(self._folder, 0, 0, self._max_bytes, None)
        except _Unusable as why:
            return CacheState(self._folder, 0, 0, self._max_bytes, str(why))
        return CacheState(self._folder, len(known), sum(known), self._max_bytes, None)

    def clear(self) -> CacheState:
        """Empties the cache; what there was.

        Raises:
            OSError: it cannot be emptied.
        """
        before = self.describe()
        if before.trouble is not None:
            raise OSError(errno.EPERM, before.trouble)
        if self._folder.is_dir():
            try:
                with self._writing():
                    _empty(self._folder)
            except _Unusable as why:
                raise OSError(errno.EPERM, str(why)) from why
            self._size_bytes = None
        return before

    def _entry(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is no SHA-256 in hexadecimal digits")
        return self._folder / digest[:2] / digest

    def _is_usable(self) -> bool:
        try:
            _check_version(self._folder)
        except FileNotFoundError:
            return False
        except _Unusable as why:
            self._tell(str(why))
            return False
        return True

    def _note_use(self, entry: Path) -> None:
        """From now on the most recently used."""
        try:
            os.utime(entry / VALUES)
        except OSError as error:  # evicted since, or on a disk that is only read
            logger.debug("%s could not be marked as used: %s", entry, error)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The lock, with the layout in order and nothing left aside by the dead."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_strangers(self._folder)
        with waiting_lock(self._folder / _LOCK, _LOCK_PATIENCE_S) as held:
            if not held:
                raise _Unusable(f"{self._folder} has been locked for {_LOCK_PATIENCE_S:.0f} s")
            _settle_version(self._folder)
            aside = self._folder / _ASIDE
            aside.mkdir(mode=0o700, exist_ok=True)
            _require_folder(aside)
            for left in os.scandir(aside):
                remove(Path(left.path))
            yield

    def _evict(self, added: Path, added_bytes: int) -> None:
        """The least recently used go, until the rest is well below the limit. Holds the lock."""
        self._puts_since += 1
        if self._size_bytes is None or self._puts_since >= _MEASURE_AFTER:
            self._size_bytes = sum(size_of(entry) for entry in _entries(self._folder))
            self._puts_since = 0
        else:
            self._size_bytes += added_bytes
        if self._size_bytes <= self._max_bytes:
            return
        by_use = sorted((used_ns(entry), size_of(entry), entry) for entry in _entries(self._folder))
        left_bytes = sum(size_bytes for _, size_bytes, _ in by_use)
        for _, size_bytes, entry in by_use:
            if left_bytes <= self._max_bytes * _EVICT_TO:
                break
            if entry != added:
                self._discard(entry)
                left_bytes -= size_bytes
        self._size_bytes = left_bytes

    def _take_away(self, entry: Path) -> None:
        """A damaged entry, so that a good one can take its place."""
        try:
            with self._writing():
                self._discard(entry)
        except (_Unusable, OSError) as error:
            self._tell(f"{entry} cannot be taken away ({error})")
        self._size_bytes = None

    def _discard(self, entry: Path) -> None:
        """Aside first: nobody ever sees half an entry. Holds the lock."""
        if not is_folder(entry.parent):  # a planted link: what it leads to is not ours
            remove(entry.parent)
            return
        aside = Path(tempfile.mkdtemp(dir=self._folder / _ASIDE))
        try:
            entry.rename(aside / "entry")
        except FileNotFoundError:
            logger.debug("%s was gone already", entry)
        remove(aside)

    def _tell(self, why: str) -> None:
        """Once: a cache that cannot be used would say so at every region."""
        level = logging.DEBUG if self._is_told else logging.WARNING
        self._is_told = True
        logger.log(level, "The cache of regions is not used: %s. The work goes on without.", why)


def _check_version(folder: Path) -> None:
    """Raises `_Unusable` for a folder that is not ours or newer, FileNotFoundError for none."""
    _refuse_strangers(folder)
    if (found := _version(folder)) is not None and found > VERSION:
        raise _Unusable(
            f"{folder} was written by a newer nlecompanion (layout {found}, known is {VERSION})"
        )
    if found is not None and found < VERSION:
        raise FileNotFoundError(errno.ENOENT, "an older layout holds nothing of use", str(folder))


def _settle_version(folder: Path) -> None:
    """A new folder gets the version, an older one is emptied first. Holds the lock."""
    found = _version(folder)
    if found is not None and found > VERSION:
        _check_version(folder)
    if found != VERSION:
        if found is not None:
            _empty(folder)
        (folder / _VERSION_FILE).unlink(missing_ok=True)
        (folder / _VERSION_FILE).write_text(f"{VERSION}\n")


def _version(folder: Path) -> int | None:
    """None where there is no such file yet; 0 where it says nothing of use."""
    try:
        with opened(folder / _VERSION_FILE) as file:
            written = file.read(32).strip()
    except FileNotFoundError:
        return None
    except (DamagedEntry, OSError):
        return 0
    return int(written) if written.isdigit() else 0


def _refuse_strangers(folder: Path) -> None:
    """Whoever else may write here could plant sound into deliveries.

    Raises:
        FileNotFoundError: there is no such folder.
        _Unusable: it belongs to another user, or others may write to it.
    """
    try:
        seen = folder.stat()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _Unusable(f"{folder} cannot be looked at ({error.strerror})") from error
    if sys.platform == "win32":
        return
    if seen.st_uid != os.geteuid():
        raise _Unusable(f"{folder} belongs to another user")
    if seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _Unusable(f"{folder} may be written to by others; run chmod go-w on it")


def _require_folder(path: Path) -> None:
    if not is_folder(path):
        raise _Unusable(f"{path} is no folder of the cache's own")


def _entries(folder: Path) -> Iterator[Path]:
    """Every entry; nothing that is reached through a link."""
    for shard in sorted(folder.iterdir()):
        if _SHARD.fullmatch(shard.name) and is_folder(shard):
            for entry in sorted(shard.iterdir()):
                if _DIGEST.fullmatch(entry.name) and is_folder(entry):
                    yield entry


def _empty(folder: Path) -> None:
    """All that the cache itself has made; a user's own files in its folder stay."""
    for path in folder.iterdir():
        if _SHARD.fullmatch(path.name) or path.name == _ASIDE:
            remove(path)
    (folder / _ASIDE).mkdir(mode=0o700)
