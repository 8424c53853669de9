"""A look at the compound file before pyaaf2 opens it: loops, shared sectors, absurd counts.

pyaaf2 trusts what it reads: a count of four thousand million in an index becomes a format string
of as many letters. Source: [MS-CFB] sections 2.2 (header), 2.3 (FAT), 2.5 (DIFAT), 2.6 (directory).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nlecompanion.errors import NotATimeline, UnsafeDocument

_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
_END, _FREE = 0xFFFFFFFE, 0xFFFFFFFF
_NO_ENTRY = 0xFFFFFFFF
_LAST_SECTOR = 0xFFFFFFFA
_ENTRY_BYTES = 128
_MINI_BYTES = 64
_STORAGE, _STREAM, _ROOT = 1, 2, 5
#: A real ten-thousand-clip timeline has about two million entries.
_MAX_ENTRIES = 8_000_000
_MAX_DEPTH = 256


def check_compound(path: Path) -> None:
    """Refuses what is no sound compound file.

    Raises:
        NotATimeline: no compound file, or one that is cut off.
        UnsafeDocument: its tables contradict each other.
    """
    with path.open("rb") as file:
        try:
            _Compound(file, path.name).check()
        except (struct.error, IndexError, OverflowError, ValueError) as error:
            raise _damaged(path.name, str(error)) from error


def _damaged(name: str, what: str) -> UnsafeDocument:
    return UnsafeDocument(f"{name} is a damaged AAF ({what}). Export it again.")


class _Compound:
    """The tables of one file."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        header = file.read(512)
        self._size = file.seek(0, 2)
        if not header.startswith(_MAGIC):
            raise NotATimeline(
                f"{name} is not an AAF file. Export the sequence as AAF and let it finish."
            )
        if len(header) < 512:
            raise self._cut_off()
        shift, mini_shift = struct.unpack_from("<HH", header, 30)
        if shift not in (9, 12) or mini_shift != 6:
            raise _damaged(name, f"sectors of 2^{shift} and 2^{mini_shift} bytes")
        self._sector_bytes = 1 << shift
        fields = struct.unpack_from("<8I", header, 44)
        self._fat_count, self._directory_start, _, self._mini_cutoff = fields[:4]
        self._mini_start, self._mini_count, difat_start, difat_count = fields[4:]
        self._sectors = max(0, -(-self._size // self._sector_bytes) - 1)
        self._fat = self._read_fat(header, difat_start, difat_count)
        self._used = bytearray(len(self._fat))

    def _cut_off(self) -> NotATimeline:
        return NotATimeline(
            f"{self._name} ends too early: {self._size} bytes. Wait until it is copied whole, or "
            "export it again."
        )

    def _sector(self, number: int) -> bytes:
        if number >= self._sectors:
            raise self._cut_off()
        self._file.seek((number + 1) * self._sector_bytes)
        data = self._file.read(self._sector_bytes)
        return data.ljust(self._sector_bytes, b"\0")

    def _read_fat(self, header: bytes, next_difat: int, difat_count: int) -> array[int]:
        if self._fat_count > self._sectors or difat_count > self._sectors:
            raise self._cut_off()
        places = list(struct.unpack_from("<109I", header, 76))
        for _ in range(difat_count):
            numbers = struct.unpack(f"<{self._sector_bytes // 4}I", self._sector(next_difat))
            places += numbers[:-1]
            next_difat = numbers[-1]
        fat = array("I")
        for place in places[: self._fat_count]:
            fat.frombytes(self._sector(place))
        return fat

    def _chain(self, start: int) -> Iterator[int]:
        """A chain's sectors; each sector may belong to one chain only."""
        sector = start
        while sector < _LAST_SECTOR:
            if sector >= len(self._fat) or sector >= self._sectors:
                raise self._cut_off()
            if self._used[sector]:
                raise _damaged(self._name, f"sector {sector} is used twice")
            self._used[sector] = 1
            yield sector
            sector = self._fat[sector]
        if sector not in (_END, _FREE):
            raise _damaged(self._name, f"a chain ends in {sector:#x}")

    def check(self) -> None:
        """Follows every table, chain and directory entry once."""
        directory = [*self._chain(self._directory_start)]
        self._mini_fat = array("I")
        for sector in self._chain(self._mini_start) if self._mini_count else ():
            self._mini_fat.frombytes(self._sector(sector))
        entries = _Directory(b"".join(self._sector(s) for s in directory), self._name)
        kind, start, _ = entries.stream(0)
        if kind != _ROOT:
            raise _damaged(self._name, "it has no root")
        self._mini_sectors = [*self._chain(start)] if self._mini_fat else []
        self._mini_used = bytearray(len(self._mini_fat))
        for number in entries.walk():
            kind, start, size = entries.stream(number)
            if kind == _STREAM and size:
                self._check_stream(start, size, entries.name(number))

    def _check_stream(self, start: int, size: int, name: str) -> None:
        if size > self._size:
            raise self._cut_off()
        if size < self._mini_cutoff:
            sectors, unit = self._mini_chain(start), _MINI_BYTES
        else:
            sectors, unit = [*self._chain(start)], self._sector_bytes
        if len(sectors) * unit < size:
            raise _damaged(self._name, f"{name[:40]!r} has {len(sectors) * unit} of {size} bytes")
        if name.endswith(" index"):
            head = self._mini_bytes(sectors[0]) if unit == _MINI_BYTES else self._sector(sectors[0])
            (count,) = struct.unpack_from("<I", head)
            if count * 4 > size:
                raise _damaged(self._name, f"{name[:40]!r} counts {count} in {size} bytes")

    def _mini_chain(self, start: int) -> list[int]:
        sectors, sector = [], start
        while sector < _LAST_SECTOR:
            if self._mini_used[sector]:
                raise _damaged(self._name, f"small sector {sector} is used twice")
            self._mini_used[sector] = 1
            sectors.append(sector)
            sector = self._mini_fat[sector]
        return sectors

    def _mini_bytes(self, number: int) -> bytes:
        place, offset = divmod(number * _MINI_BYTES, self._sector_bytes)
        return self._sector(self._mini_sectors[place])[offset : offset + _MINI_BYTES]


class _Directory:
    """The directory's entries: names, and the tree of which each is a part once."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        self._count = len(data) // _ENTRY_BYTES
        if self._count > _MAX_ENTRIES:
            raise UnsafeDocument(
                f"{name} has {self._count} parts; at most {_MAX_ENTRIES} are read. "
                "Export a shorter timeline."
            )

    def stream(self, number: int) -> tuple[int, int, int]:
        """Kind, first sector and size."""
        base = number * _ENTRY_BYTES
        start, size = struct.unpack_from("<IQ", self._data, base + 116)
        return self._data[base + 66], start, size & 0xFFFFFFFF if size >> 63 else size

    def name(self, number: int) -> str:
        """The entry's name."""
        base = number * _ENTRY_BYTES
        (length,) = struct.unpack_from("<H", self._data, base + 64)
        return self._data[base : base + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")

    def walk(self) -> Iterator[int]:
        """Every entry below the root, each once."""
        seen = bytearray(self._count)
        waiting = [(0, 0)]
        while waiting:
            number, depth = waiting.pop()
            if number >= self._count or depth > _MAX_DEPTH:
                raise _damaged(self._name, f"entry {number} of {self._count}, {depth} deep")
            if seen[number]:
                raise _damaged(self._name, f"entry {number} stands in two places")
            seen[number] = 1
            left, right, child = struct.unpack_from("<3I", self._data, number * _ENTRY_BYTES + 68)
            siblings = (left, right) if number else ()
            waiting += [(n, depth) for n in siblings if n != _NO_ENTRY]
            if child != _NO_ENTRY and self._data[number * _ENTRY_BYTES + 66] != _STREAM:
                waiting.append((child, depth + 1))
            if number:
                yield number
