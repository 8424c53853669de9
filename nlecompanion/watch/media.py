"""The media of a document as the disk shows them: whether they are still, changed, or away."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class SeenMedia:
    """One media file. Both numbers are None where there is no file.

    What lies inside of a bundle has a `path` relative to the bundle.
    """

    path: str
    size_bytes: int | None = None
    modified_ns: int | None = None

    @property
    def is_there(self) -> bool:
        """Whether there was a file."""
        return self.size_bytes is not None

    def values(self) -> tuple[str, int | None, int | None]:
        """For an identity: the same for the same file, in plain text."""
        path = self.path.encode(errors="surrogateescape").decode(errors="backslashreplace")
        return path, self.size_bytes, self.modified_ns


def look_at(paths: Sequence[Path], document: Path) -> tuple[SeenMedia, ...]:
    """The files as they are now, links followed, each once, in order of path."""
    return tuple(sorted({_look_at_one(path, document) for path in paths}))


def look_again(known: Sequence[SeenMedia], document: Path) -> tuple[SeenMedia, ...]:
    """The same files as they are now."""
    return look_at([document / seen.path for seen in known], document)


def away(known: Sequence[SeenMedia], now: Sequence[SeenMedia]) -> list[str]:
    """The files that were there and are not any more."""
    here = {seen.path for seen in now if seen.is_there}
    return [seen.path for seen in known if seen.is_there and seen.path not in here]


def closed(known: Sequence[SeenMedia], document: Path) -> list[str]:
    """The files that this user may not look at, where that is so of all that is not missing.

    Of media that are there in part, what can be had is worked on and the rest is told.
    """
    shut = []
    for seen in known:
        try:
            (document / seen.path).stat()
        except PermissionError:
            shut.append(seen.path)
        except (OSError, ValueError):
            continue
        else:
            return []
    return shut


def _look_at_one(path: Path, document: Path) -> SeenMedia:
    inside = path.is_relative_to(document)
    name = path.relative_to(document).as_posix() if inside else os.path.abspath(path)  # noqa: PTH100
    try:
        seen = path.stat()
    except (OSError, ValueError):  # a name that is too long, or no name at all, is nowhere
        return SeenMedia(name)
    if not stat.S_ISREG(seen.st_mode):
        return SeenMedia(name)
    return SeenMedia(name, seen.st_size, seen.st_mtime_ns)
