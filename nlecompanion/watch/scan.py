"""One look at the inbox: which documents lie there, and what lies there and is none."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nlecompanion.errors import WatchError
from nlecompanion.watch.names import is_bundle, is_companion, is_media, is_temporary
from nlecompanion.watch.stability import Sighting

#: As much as an integer of SQLite holds.
_STAMP_BYTES = 7
#: Folders in folders beyond this are not looked into: each costs a level of the stack.
_MAX_DEPTH = 100


@dataclass(slots=True)
class Scan:
    """What one look found; paths are relative to the inbox, with `/`.

    `left_out` says why something is no job. `unreadable` are files and folders that could not be
    looked at: what was known below them is not to be taken for gone.
    """

    found: list[Sighting] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def may_hold(self, path: str) -> bool:
        """Whether `path` may still be there, in a place that could not be looked at."""
        return any(path == place or path.startswith(f"{place}/") for place in self.unreadable)


def scan_inbox(inbox: Path) -> Scan:
    """Looks at every entry below the inbox without following links or opening files.

    Raises:
        WatchError: the inbox itself cannot be read (unmounted, moved, no permission).
    """
    scan = Scan()
    try:
        entries = _entries(inbox)
    except OSError as error:
        raise WatchError(
            f"The inbox {inbox} cannot be read ({error.strerror}). "
            "Mount it or put it back; watching goes on by itself."
        ) from error
    _look_at(entries, "", scan)
    return scan


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _look_at(entries: list[os.DirEntry[str]], below: str, scan: Scan) -> None:
    for entry in entries:
        if is_temporary(entry.name):
            continue
        path = f"{below}{entry.name}"
        if path.count("/") >= _MAX_DEPTH:
            scan.unreadable[path] = f"lies more than {_MAX_DEPTH} folders deep"
            continue
        try:
            inside = _look_at_one(entry, path, scan)
        except FileNotFoundError:
            continue  # it went away between the listing and the look: the next scan knows
        except OSError as error:
            scan.unreadable[path] = f"cannot be looked at ({error.strerror})"
            continue
        _look_at(inside, f"{path}/", scan)


def _look_at_one(entry: os.DirEntry[str], path: str, scan: Scan) -> list[os.DirEntry[str]]:
    """Notes the entry; returns what lies inside it."""
    if entry.is_symlink():
        scan.left_out[path] = "is a link; drop the document itself"
    elif entry.is_dir(follow_symlinks=False):
        if is_bundle(entry.name):
            scan.found.append(_bundle(Path(entry.path), path))
        else:
            return _entries(Path(entry.path))
    else:
        seen = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(seen.st_mode):
            scan.left_out[path] = "is not a regular file"
        elif is_media(entry.name):
            scan.left_out[path] = "is media, not a timeline; drop the timeline that uses it"
        elif is_companion(entry.name):
            scan.left_out[path] = "is read together with the timeline of the same name"
        else:
            scan.found.append(Sighting(path, seen.st_size, seen.st_mtime_ns))
    return []


def _bundle(folder: Path, path: str) -> Sighting:
    """A folder that is one document: the size of all its files, and a number for their times.

    The latest time would not do: a file may be replaced by an older one.
    """
    size_bytes, digest = 0, hashlib.sha256()
    for name, seen in _inside(folder):
        size_bytes += 0 if stat.S_ISDIR(seen.st_mode) else seen.st_size
        digest.update(os.fsencode(name) + b"\0%d %d " % (seen.st_size, seen.st_mtime_ns))
    return Sighting(path, size_bytes, int.from_bytes(digest.digest()[:_STAMP_BYTES], "big"))


def _inside(folder: Path, depth: int = 0) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below a folder, in order of name, without following links."""
    if depth >= _MAX_DEPTH:
        raise OSError(errno.ENAMETOOLONG, f"more than {_MAX_DEPTH} folders deep")
    for entry in _entries(folder):
        seen = entry.stat(follow_symlinks=False)
        yield entry.name, seen
        if stat.S_ISDIR(seen.st_mode):
            yield from _inside(Path(entry.path), depth + 1)


def sighting_of(inbox: Path, path: str) -> Sighting | None:
    """The document as it is now; None where it has gone or cannot be looked at."""
    try:
        seen = (inbox / path).stat(follow_symlinks=False)
        if stat.S_ISDIR(seen.st_mode):
            return _bundle(inbox / path, path)
    except OSError:
        return None
    return Sighting(path, seen.st_size, seen.st_mtime_ns)
