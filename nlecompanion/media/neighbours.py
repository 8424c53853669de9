"""Media files that lie where a job's media lie: candidates for a better recording of a moment.

The folders of the job's own media are looked into, and what lies below the allowed and the search
roots. Links are not followed, so that nothing outside is read; names say only what is media at all.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from nlecompanion.errors import MediaError
from nlecompanion.isolation import Isolation, Limits
from nlecompanion.media.probing import probe_apart
from nlecompanion.media.search import allowed
from nlecompanion.model import MediaFile
from nlecompanion.settings import Settings

_log = logging.getLogger(__name__)

#: What recorders, cameras and exports write sound into.
SUFFIXES = frozenset(
    {
        *(".aac", ".ac3", ".aif", ".aiff", ".caf", ".flac", ".m4a", ".mka", ".mp3", ".ogg"),
        *(".opus", ".rf64", ".w64", ".wav", ".wma"),
        *(".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mts", ".mxf", ".webm", ".wmv"),
    }
)
#: A file that takes longer to look at than this is no help to anybody who waits.
_PROBE_LIMITS = Limits(memory_bytes=1 << 30, cpu_s=5.0, wall_s=20.0)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is looked at: folder entries listed, files probed, seconds spent on probing."""

    entries: int = 20_000
    files: int = 64
    probe_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The files that hold sound, nearest first, and whether more were there than looked at."""

    files: tuple[MediaFile, ...]
    stopped: bool


def neighbours(
    known: Sequence[MediaFile],
    near: Sequence[MediaFile],
    settings: Settings,
    bounds: Bounds = Bounds(),
    clock: Callable[[], float] = time.monotonic,
) -> Neighbours:
    """Probed media files beside the `known` ones and below the roots, these not among them.

    Those come first that lie nearest to one of `near` in the tree of folders, then those changed
    at about the same time. A file that cannot be probed is passed over.
    """
    paths, stopped = _listed(known, settings, bounds)
    paths.sort(key=lambda path: _distance(path, near))
    stopped = stopped or len(paths) > bounds.files
    if not paths:
        return Neighbours((), stopped)
    found: list[MediaFile] = []
    begun_s = clock()
    with Isolation() as isolation:
        for path in paths[: bounds.files]:
            if clock() - begun_s > bounds.probe_s:
                stopped = True
                break
            try:
                found.append(probe_apart(path, isolation, _PROBE_LIMITS))
            except MediaError as error:
                _log.info("not looked at for a cleaner source: %s", error)
    return Neighbours(tuple(found), stopped)


def _listed(
    known: Sequence[MediaFile], settings: Settings, bounds: Bounds
) -> tuple[list[Path], bool]:
    """Paths of what may be media, and whether there were more entries than may be listed."""
    taken = {os.path.realpath(file.path) for file in known}
    paths: dict[str, Path] = {}
    for count, entry in enumerate(_entries(known, settings), start=1):
        if count > bounds.entries:
            return list(paths.values()), True
        name = entry.name
        if name.startswith(".") or PurePath(name).suffix.casefold() not in SUFFIXES:
            continue
        real = os.path.realpath(entry.path)
        if entry.is_file(follow_symlinks=False) and real not in taken:
            paths.setdefault(real, Path(entry.path))
    return list(paths.values()), False


def _entries(known: Sequence[MediaFile], settings: Settings) -> Iterator[os.DirEntry[str]]:
    """What lies in the folders of the known files, then everything below the roots."""
    roots = settings.media_roots
    limits = [root.resolve() for root in roots]
    folders = dict.fromkeys(file.path.parent.resolve() for file in known)
    for folder in folders:
        if not limits or any(folder.is_relative_to(limit) for limit in limits):
            yield from _scanned(folder)
    pending = list(reversed(allowed((*roots, *settings.search_roots), roots)))
    while pending:
        inside = _scanned(pending.pop())
        yield from inside
        pending += [Path(e.path) for e in reversed(inside) if e.is_dir(follow_symlinks=False)]


def _scanned(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as opened:
            return sorted(opened, key=lambda entry: entry.name)
    except OSError as error:
        # Not ours to read, or gone: nothing in it can be proposed.
        _log.info("%s is not looked into: %s", folder, error.strerror)
        return []


def _distance(path: Path, near: Sequence[MediaFile]) -> tuple[int, int, str]:
    """Folders between the file and the nearest, time between their last changes, its path."""
    try:
        changed_ns = path.lstat().st_mtime_ns
    except OSError:  # it went away since it was listed; probing says so
        changed_ns = 0
    steps = min((_steps(path.parent, file.path.parent) for file in near), default=0)
    apart_ns = min((abs(changed_ns - file.modified_ns) for file in near), default=0)
    return steps, apart_ns, str(path)


def _steps(here: Path, there: Path) -> int:
    """Folders up and down from one to the other."""
    one, other = here.absolute().parts, there.absolute().parts
    shared = 0
    for first, second in zip(one, other, strict=False):
        if first != second:
            break
        shared += 1
    return len(one) + len(other) - 2 * shared
