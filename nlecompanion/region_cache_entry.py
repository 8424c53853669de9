"""One entry of the cache of regions: a folder with `values.json` and maybe `sound`.

What lies there was perhaps damaged or planted since: it is read without following links, and both
files are checked by SHA-256.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import IO, Any

from nlecompanion.media.disk import write_error

VALUES, SOUND = "values.json", "sound"
_BLOCK_BYTES = 1 << 20
_MAX_VALUES_BYTES = 64 << 20
_NO_FILE = {errno.ELOOP, errno.EMLINK, errno.EISDIR, errno.ENXIO}


class DamagedEntry(Exception):
    """An entry that is not what was written; `str()` says how."""


def read_entry(entry: Path, into: Path) -> dict[str, Any]:
    """The entry's values, with its sound written to `into`.

    Raises:
        FileNotFoundError: there is no such entry.
        DamagedEntry: it is not what was written.
        NoSpace, NotWritable: `into` cannot be written.
    """
    for folder in (entry.parent, entry):
        if not is_folder(folder) and os.path.lexists(folder):
            raise DamagedEntry(f"{entry.name[:12]} is no folder of the cache's own")
    try:
        with opened(entry / VALUES) as file:
            content = file.read(_MAX_VALUES_BYTES + 1)
    except FileNotFoundError as error:
        if is_folder(entry):
            raise DamagedEntry(f"the values of {entry.name[:12]} are missing") from error
        raise
    checksum, _, body = content.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != checksum:
        raise DamagedEntry(f"the values of {entry.name[:12]} do not match their SHA-256")
    kept = json.loads(body)
    if kept["sound_sha256"] is not None:
        try:
            source = opened(entry / SOUND)
        except FileNotFoundError as error:
            if not is_folder(entry):  # evicted by another process a moment ago
                raise
            raise DamagedEntry(f"the sound of {entry.name[:12]} is missing") from error
        with source:
            _copy_checked(source, into, kept["sound_sha256"], entry.name[:12])
    values: dict[str, Any] = kept["values"]
    return values


def _copy_checked(source: IO[bytes], into: Path, sha256: str, name: str) -> None:
    digest = hashlib.sha256()
    try:
        into.unlink(missing_ok=True)
        with into.open("xb") as copy:
            while block := _block(source, name):
                digest.update(block)
                copy.write(block)
        if digest.hexdigest() != sha256:
            raise DamagedEntry(f"the sound of {name} does not match its SHA-256")
    except OSError as error:
        into.unlink(missing_ok=True)
        raise write_error(into, error) from error
    except DamagedEntry:
        into.unlink()
        raise


def _block(source: IO[bytes], name: str) -> bytes:
    try:
        return source.read(_BLOCK_BYTES)
    except OSError as error:  # of the cache's disk, not of the one that is written to
        raise DamagedEntry(f"the sound of {name} cannot be read: {error.strerror}") from error


def opened(path: Path) -> IO[bytes]:
    """A regular file for reading; what lies there instead, a planted link above all, is damage."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except OSError as error:
        if error.errno in _NO_FILE:
            raise DamagedEntry(f"{path} is no regular file") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DamagedEntry(f"{path} is no regular file")
    return os.fdopen(descriptor, "rb")


def write_entry(aside: Path, values: dict[str, Any], sound: Path | None) -> Path:
    """A complete entry in a new folder in `aside`."""
    folder = Path(tempfile.mkdtemp(dir=aside))
    try:
        sha256 = None if sound is None else _copied_sha256(sound, folder / SOUND)
        body = json.dumps({"values": values, "sound_sha256": sha256}).encode()
        checksum = hashlib.sha256(body).hexdigest().encode()
        (folder / VALUES).write_bytes(checksum + b"\n" + body)
    except BaseException:
        remove(folder)  # a full disk needs the room at once
        raise
    return folder


def _copied_sha256(sound: Path, to: Path) -> str:
    digest = hashlib.sha256()
    with sound.open("rb") as source, to.open("xb") as copy:
        while block := source.read(_BLOCK_BYTES):
            digest.update(block)
            copy.write(block)
    return digest.hexdigest()


def is_folder(path: Path) -> bool:
    """Whether a folder lies there, not a link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def size_of(entry: Path) -> int:
    """Bytes of the entry's files."""
    try:
        return sum(file.stat(follow_symlinks=False).st_size for file in os.scandir(entry))
    except FileNotFoundError:  # another process has taken it away since
        return 0


def used_ns(entry: Path) -> int:
    """When the entry was last used, in ns since 1970."""
    try:
        return (entry / VALUES).lstat().st_mtime_ns
    except FileNotFoundError:
        return 0


def remove(path: Path) -> None:
    """A file, a link itself, or a folder with what is in it; links inside are not followed."""
    if is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
