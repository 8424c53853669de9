"""A PNG writer for pictures with a palette (ISO/IEC 15948), so that none is a dependency."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Eight bits an index, colours from a palette (ISO/IEC 15948, 11.2.2, table 11.1).
_INDEXED = struct.pack(">BBBBB", 8, 3, 0, 0, 0)
_MAX_COLORS = 256


def png(indices: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """A picture of shape (rows, columns) of indices into a palette of shape (colours, 3), RGB.

    Raises:
        ValueError: an empty picture, or an index without a colour.
    """
    if indices.ndim != 2 or not indices.size or len(palette) > _MAX_COLORS:
        raise ValueError(f"no picture: {indices.shape} with {len(palette)} colours")
    if int(indices.max()) >= len(palette):
        raise ValueError(f"colour {int(indices.max())} of {len(palette)}")
    rows, columns = indices.shape
    # Each row begins with its filter: 0, none, which suits few colours best (12.8).
    lines = np.zeros((rows, columns + 1), np.uint8)
    lines[:, 1:] = indices
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">II", columns, rows) + _INDEXED),
            _chunk(b"PLTE", palette.astype(np.uint8).tobytes()),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I4s", len(content), name) + content + struct.pack(">I", check)
