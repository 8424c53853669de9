"""Reading a dropped document's content, and the lines that say what is wrong with it."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path, PurePosixPath

from nlecompanion.errors import UnsupportedDocument
from nlecompanion.watch.names import shown

_BLOCK_BYTES = 1 << 20


def sha256_of(document: Path) -> str:
    """Hashes the file without following a link, or waiting at a pipe, put there since the scan.

    Raises:
        OSError: it cannot be read.
        UnsupportedDocument: it is no regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    digest = hashlib.sha256()
    with os.fdopen(os.open(document, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnsupportedDocument(f"{shown(document.name)} is no regular file. Drop a copy.")
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def one_line(message: object) -> str:
    """A message without line breaks and hidden characters."""
    return shown(" ".join(str(message).split()))


def unexpected(path: str, error: Exception) -> str:
    """The line for a fault of our own, met while handling the document at `path`."""
    told = one_line(error) or "no message"
    return (
        f"{shown(PurePosixPath(path).name)} met a fault in nlecompanion "
        f"({type(error).__name__}: {told}). Please report it with the log."
    )
