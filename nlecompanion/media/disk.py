"""What the system says when a disk is full or closed to us, as our own errors."""

from __future__ import annotations

import errno
from pathlib import Path

from nlecompanion.errors import NoSpace, NotWritable

#: No space, a quota used up, or a file larger than this file system or account may hold.
FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def write_error(path: Path, error: OSError) -> NoSpace | NotWritable:
    """The error that says why `path` could not be written, and the next move."""
    if error.errno in FULL_ERRNOS:
        return NoSpace(
            f"No space left for {path.name} in {path.parent}: {error.strerror}. "
            "Make room and run again."
        )
    return NotWritable(
        f"{path.name} cannot be written in {path.parent}: {error.strerror}. "
        "Choose another folder, or give this user the right to write there."
    )
