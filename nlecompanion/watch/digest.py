"""Reading a dropped document's content, and the lines that say what is wrong with it."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path, PurePosixPath

from nlecompanion.errors import UnsupportedDocument
from nlecompanion.watch.names import is_media, shown

_BLOCK_BYTES = 1 << 20


def sha256_of(document: Path) -> str:
    """Hashes the document without following a link, or waiting at a pipe, put there since the scan.

    Of a bundle, names and contents of all its files but media, which are known by size and time.

    Raises:
        OSError: it cannot be read.
        UnsupportedDocument: it is, or holds, what is no regular file.
    """
    if not stat.S_ISDIR(document.stat(follow_symlinks=False).st_mode):
        return _sha256_of_file(document)
    digest = hashlib.sha256()
    for part in document_files(document):
        name = os.fsencode(part.relative_to(document).as_posix())
        digest.update(len(name).to_bytes(8, "big") + name)
        digest.update(bytes.fromhex(_sha256_of_file(part)))
    return digest.hexdigest()


def document_files(document: Path) -> list[Path]:
    """The files that say what a document holds: itself, or a bundle's without the media."""
    if not document.is_dir():
        return [document]
    found = []
    for folder, _, names in os.walk(document):  # links to folders are listed, not followed
        found += [Path(folder) / name for name in names if not is_media(name)]
    return sorted(found)


def _sha256_of_file(document: Path) -> str:
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
