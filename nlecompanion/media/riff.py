"""The chunks of RIFF/WAVE and RF64/BW64 files (EBU Tech 3306) and of CAF."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

#: A 32-bit size that means "see the ds64 chunk" (EBU Tech 3306, 3.1).
SIZE_IN_DS64 = 0xFFFFFFFF
#: More chunks than any recorder writes; above it the file is damaged or hostile.
_MAX_CHUNKS = 10_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk; `start` is the file position of its content, `size_bytes` as stated."""

    name: bytes
    start: int
    size_bytes: int


def chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of a WAVE file in order; nothing where it is not one. Moves the file position."""
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
        return
    long_sizes: dict[bytes, int] = {}
    end, position = file.seek(0, 2), 12
    for _ in range(_MAX_CHUNKS):
        if position > end:  # by a size of up to 2^64, which no seek takes
            return
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return
        name, size_bytes = struct.unpack("<4sI", head)
        if name == b"ds64":
            long_sizes = _long_sizes(file.read(min(size_bytes, 4096)))
        if size_bytes == SIZE_IN_DS64:
            size_bytes = long_sizes.get(name, size_bytes)
        yield Chunk(name, position + 8, size_bytes)
        position += 8 + size_bytes + size_bytes % 2


def _long_sizes(content: bytes) -> dict[bytes, int]:
    """The 64-bit sizes of a ds64 chunk: data first, then a table of others."""
    if len(content) < 28:
        return {}
    _, data_bytes, _, entries = struct.unpack_from("<QQQI", content)
    sizes = {b"data": data_bytes}
    for index in range(min(entries, (len(content) - 28) // 12)):
        name, size_bytes = struct.unpack_from("<4sQ", content, 28 + 12 * index)
        sizes[name] = size_bytes
    return sizes


def missing_sound_bytes(path: Path) -> int:
    """How many bytes of its stated sound a WAVE or CAF file lacks; 0 where it is whole or neither.

    A data size of 0 or all ones without a ds64 chunk states nothing: recorders that were
    switched off leave it, and the sound up to the file's end is good.
    """
    with path.open("rb") as file:
        size_bytes = file.seek(0, 2)
        for chunk in (*chunks(file), *_caf_chunks(file)):
            if chunk.name == b"data":
                if chunk.size_bytes in (0, -1, SIZE_IN_DS64):
                    return 0
                return max(0, chunk.start + chunk.size_bytes - size_bytes)
    return 0


def _caf_chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of a Core Audio Format file: an 8-byte header, then 64-bit sizes, big-endian."""
    file.seek(0)
    if file.read(8)[:4] != b"caff":
        return
    end, position = file.seek(0, 2), 8
    for _ in range(_MAX_CHUNKS):
        if position > end:
            return
        file.seek(position)
        head = file.read(12)
        if len(head) < 12:
            return
        name, size_bytes = struct.unpack(">4sq", head)
        yield Chunk(name, position + 12, size_bytes)
        if size_bytes < 0:
            return
        position += 12 + size_bytes
