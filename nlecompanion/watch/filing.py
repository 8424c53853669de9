"""What stands in `done/` and `failed/` besides deliveries: lines, and copies of failed documents.

Everything here may be done twice with the same outcome, since the daemon may be killed between
the writing and its entry in the journal.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nlecompanion.errors import DeliveryError, NoSpace, NotWritable
from nlecompanion.media.disk import FULL_ERRNOS
from nlecompanion.watch.names import delivery_name

#: Documents above this are not copied beside their line.
MAX_COPY_BYTES = 64 << 20
_MAX_SUFFIX = 20


def file_failure(failed: Path, document: Path, line: str) -> str:
    """Puts a copy of the document into `failed` and the line beside it; returns the copy's name.

    The line's file is called like the copy with `.txt` added. A document that cannot be read or
    is above 64 MiB gets the line alone.

    Raises:
        NoSpace, NotWritable: the folder cannot take it; nothing half-written is left.
    """
    name = _free_name(failed, document)
    with _as_delivery_error(failed):
        if _is_copyable(document):
            _write_whole(failed / name, document)
        _write_whole(failed / f"{name}.txt", f"{line}\n")
    return name


def withdraw_failure(failed: Path, name: str, document: Path) -> None:
    """Takes back what `file_failure` wrote, where it still is what it wrote of this document."""
    copy = failed / name
    with suppress(OSError):  # a stale line in failed/ is no reason to fail a job that went well
        if filecmp.cmp(copy, document, shallow=False):
            copy.unlink()
            (failed / f"{name}.txt").unlink()


def file_note(path: Path, line: str) -> None:
    """Writes one line to `path`, whole or not at all.

    Raises:
        NoSpace, NotWritable: the folder cannot take it.
    """
    with _as_delivery_error(path.parent):
        _write_whole(path, f"{line}\n")


def delivery_error(error: OSError, folder: Path) -> DeliveryError:
    """What a failed write means for the editor."""
    if error.errno in FULL_ERRNOS:
        return NoSpace(f"No space in {folder}. Free some; the work goes on by itself.")
    return NotWritable(
        f"{folder} cannot be written to ({error.strerror}). "
        "Give this user the right to; the work goes on by itself."
    )


@contextmanager
def _as_delivery_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise delivery_error(error, folder) from error


def _free_name(failed: Path, document: Path) -> str:
    """The document's name as any disk takes it, with a number where it is taken."""
    stem, ending = delivery_name(document.name), document.suffix[1:_MAX_SUFFIX]
    suffix = f".{delivery_name(ending)}" if ending else ""
    candidate, number = f"{stem}{suffix}", 1
    while not _is_ours(failed / candidate, document):
        number += 1
        candidate = f"{stem} {number}{suffix}"
    return candidate


def _is_ours(copy: Path, document: Path) -> bool:
    if not copy.exists():
        return True
    try:
        return filecmp.cmp(copy, document, shallow=False)
    except OSError:
        return False


def _is_copyable(document: Path) -> bool:
    try:
        seen = document.stat(follow_symlinks=False)
    except OSError:
        return False
    regular = stat.S_ISREG(seen.st_mode)
    return regular and seen.st_size <= MAX_COPY_BYTES and os.access(document, os.R_OK)


def _write_whole(target: Path, content: Path | str) -> None:
    """Writes beside the target, syncs and renames, so that the name never holds half a file."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)  # a planted link must not be written through
        with partial.open("xb") as file:
            if isinstance(content, str):
                file.write(content.encode(errors="backslashreplace"))
            else:
                with content.open("rb") as source:
                    shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
