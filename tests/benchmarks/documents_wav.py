"""Broadcast WAV files of any length that cost no more disk than what sounds in them."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import pairwise

import numpy as np
from testkit.standin import StandIn, speech_at

#: The most that the sizes of RIFF can say, with room for the header.
LONGEST_BYTES = 2**32 - 4096
_BLOCK_S = 20


def make_sparse(stand_in: StandIn) -> None:
    """Writes 16 bit PCM with a `bext` chunk (EBU Tech 3285); what is silent is a hole."""
    stand_in.path.parent.mkdir(parents=True, exist_ok=True)
    frame_bytes = 2 * stand_in.channels
    data_bytes = frame_bytes * stand_in.length_samples
    reference = round((stand_in.start_s or 0) * stand_in.rate_hz)
    bext = struct.pack("<256s32s32s10s8sQH254x", b"", b"", b"", b"", b"", reference, 1)
    kind = struct.pack(
        "<HHIIHH",
        1,
        stand_in.channels,
        stand_in.rate_hz,
        frame_bytes * stand_in.rate_hz,
        frame_bytes,
        16,
    )
    chunks = [(b"bext", bext)] if stand_in.start_s is not None else []
    head = b"".join(
        n + struct.pack("<I", len(body)) + body for n, body in (*chunks, (b"fmt ", kind))
    )
    riff_bytes = 4 + len(head) + 8 + data_bytes
    with stand_in.path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", riff_bytes) + b"WAVE" + head)
        file.write(b"data" + struct.pack("<I", data_bytes))
        start_byte = file.tell()
        for start, end in _ranges(stand_in):
            file.seek(start_byte + start * frame_bytes)
            sound = speech_at(stand_in, start, end - start)
            file.write(np.ascontiguousarray(sound, dtype="<i2").tobytes())
        file.truncate(start_byte + data_bytes)


def _ranges(stand_in: StandIn) -> list[tuple[int, int]]:
    """Where it sounds, in samples, in blocks that fit into memory; they may overlap."""
    pieces = []
    for from_s, to_s in stand_in.used_ranges or [(Fraction(0), stand_in.duration_s)]:
        start = max(0, int(from_s * stand_in.rate_hz))
        end = min(stand_in.length_samples, int(to_s * stand_in.rate_hz))
        pieces += list(pairwise([*range(start, end, _BLOCK_S * stand_in.rate_hz), max(start, end)]))
    return [(start, end) for start, end in pieces if end > start]
