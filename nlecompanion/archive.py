"""Zip files from outside: what is in them is looked at before anything is taken out.

No member may lie outside the folder that it is unpacked into, be a link, be there twice, or be
encrypted; together they may not be many times the file's size (D. Fifield, A better zip bomb,
2019: members that overlap unpack to millions of times their file).
"""

from __future__ import annotations

import calendar
import os
import shutil
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from nlecompanion.errors import DocumentError, NotATimeline, UnsafeDocument, UnsupportedDocument

MAGIC = b"PK\x03\x04"
MAX_MEMBERS = 20_000
#: Sound and picture hardly shrink; a document's text does, to a thirtieth.
MAX_RATIO = 10
_RATIO_ALLOWANCE_BYTES = 1 << 30
_BLOCK_BYTES = 1 << 20
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ZIP64_EXTRA = 1


def is_archive(path: Path) -> bool:
    """Whether the file begins as a zip file does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, found safe to unpack.

    Raises:
        NotATimeline: cut off or damaged.
        UnsafeDocument: too many members, too large for its size, or names that lead elsewhere.
        UnsupportedDocument: encrypted, or packed by a method other than deflate.
        DocumentError: it cannot be read.
    """
    try:
        with _opened(path) as archive:
            _check(archive, path)
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise NotATimeline(
            f"{path.name} is no whole zip file ({error}). Wait until it is copied whole, or export "
            "it again."
        ) from error
    except PermissionError as error:
        raise DocumentError(
            f"{path.name} cannot be read: {error.strerror}. Give read permission and try again."
        ) from error


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (UnicodeDecodeError, ValueError) as error:  # names that are not what they say they are
        raise zipfile.BadZipFile(str(error)) from error


def _check(archive: zipfile.ZipFile, path: Path) -> None:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise UnsafeDocument(
            f"{path.name} holds {len(members)} files; at most {MAX_MEMBERS} are read. "
            "Export fewer clips at a time."
        )
    size_bytes, whole_bytes = path.stat().st_size, sum(member.file_size for member in members)
    if whole_bytes > MAX_RATIO * size_bytes + _RATIO_ALLOWANCE_BYTES:
        raise UnsafeDocument(
            f"{path.name} has {size_bytes >> 20} MiB and would unpack to {whole_bytes >> 20} MiB; "
            f"at most {MAX_RATIO} times its size and 1 GiB are unpacked. Export it again."
        )
    seen: set[str] = set()
    for member in members:
        if not 0 <= member.header_offset < size_bytes:
            raise zipfile.BadZipFile("a member lies outside of the file")
        fault = _fault(member, seen)
        if fault is not None:
            name = ascii(member.filename)[:80]
            raise UnsafeDocument(f"{path.name} holds {name}, {fault}. Export it again.")
        if member.flag_bits & 1 or member.compress_type not in _METHODS:
            raise UnsupportedDocument(
                f"{path.name} is encrypted or packed by a method that is not read. "
                "Pack it again with plain zip."
            )


def _fault(member: zipfile.ZipInfo, seen: set[str]) -> str | None:
    """What is wrong with a member's name or kind."""
    # The name as it was written: `zipfile` has cut `filename` at a NUL and turned backslashes.
    name = member.orig_filename
    pure = PurePosixPath(name)
    if "\0" in name or "\\" in name or pure.is_absolute() or ".." in pure.parts or not pure.parts:
        return "a name that leads out of the folder it is unpacked into"
    if os.name == "nt" and ":" in name:
        return "a name that Windows does not take"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "which is a link"
    key = unicodedata.normalize("NFC", str(pure)).casefold()
    if key in seen:
        return "a name that is there twice"
    seen.add(key)
    return None


def read_member(archive: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    """A member's bytes.

    Raises:
        KeyError: there is no such member.
        UnsafeDocument: it is larger than `max_bytes`.
    """
    member = archive.getinfo(name)
    if member.file_size > max_bytes:
        raise UnsafeDocument(
            f"{name} has {member.file_size >> 20} MiB; the limit is {max_bytes >> 20} MiB. "
            "Export a shorter timeline."
        )
    with _opened_member(archive, member) as source:
        return source.read()


def _opened_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    try:
        return archive.open(member)
    except UnicodeDecodeError as error:  # the name that stands before its content
        raise zipfile.BadZipFile(str(error)) from error


def unpack(archive: zipfile.ZipFile, names: Sequence[str], folder: Path) -> None:
    """Writes these members below `folder`, each with the time that the archive states."""
    for name in names:
        member = archive.getinfo(name)
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with _opened_member(archive, member) as source, target.open("xb") as file:
            shutil.copyfileobj(source, file, _BLOCK_BYTES)
        modified_s = _modified_s(member)
        os.utime(target, (modified_s, modified_s))


def _modified_s(member: zipfile.ZipInfo) -> int:
    """The time that the archive states; the first that it could state where that is none."""
    try:
        return calendar.timegm((*member.date_time, 0, 0, 0))
    except ValueError:
        return calendar.timegm((1980, 1, 1, 0, 0, 0, 0, 0, 0))


def copy_with(source: zipfile.ZipFile, name: str, content: bytes, target: Path) -> None:
    """Writes a copy of the archive in which the member `name` holds `content`; the rest is equal.

    Members keep their order, names, times, rights and method.
    """
    with zipfile.ZipFile(target, "w") as copy:
        copy.comment = source.comment
        for member in source.infolist():
            twin = zipfile.ZipInfo(member.filename, member.date_time)
            twin.compress_type = member.compress_type
            twin.external_attr = member.external_attr
            twin.create_system = member.create_system
            twin.comment = member.comment
            twin.extra = _without_zip64(member.extra)
            if member.filename == name:
                copy.writestr(twin, content)
                continue
            twin.file_size = member.file_size
            with _opened_member(source, member) as old, copy.open(twin, "w") as new:
                shutil.copyfileobj(old, new, _BLOCK_BYTES)


def _without_zip64(extra: bytes) -> bytes:
    """The extra fields but the sizes, which `zipfile` writes itself (APPNOTE 4.5)."""
    kept = b""
    while len(extra) >= 4:
        kind, length = int.from_bytes(extra[:2], "little"), int.from_bytes(extra[2:4], "little")
        if kind != _ZIP64_EXTRA:
            kept += extra[: 4 + length]
        extra = extra[4 + length :]
    return kept
