"""Broadcast WAV (EBU Tech 3285 v1), 24 bit, and RF64 past 4 GiB (EBU Tech 3306)."""

from __future__ import annotations

import math
import os
import struct
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from nlecompanion.media.disk import write_error
from nlecompanion.media.riff import SIZE_IN_DS64, chunks
from nlecompanion.model import Samples

#: What stands in the Originator field of every file that this package writes.
ORIGINATOR = "nlecompanion"
BYTES_A_SAMPLE = 3
FULL_SCALE = 1 << 23
_BEXT_BYTES = 602
_DS64_BYTES = 28
_MAX_BEXT_BYTES = 1 << 20
_PCM, _EXTENSIBLE = 1, 0xFFFE
#: KSDATAFORMAT_SUBTYPE_PCM, as it lies in the file.
_PCM_GUID = struct.pack("<IHH", 1, 0, 0x10) + bytes.fromhex("800000aa00389b71")
#: WAVEFORMATEXTENSIBLE channel masks (Microsoft, ksmedia.h) of the layouts that editors use.
_MASKS = {
    "mono": 0x4,
    "stereo": 0x3,
    "2.1": 0xB,
    "3.0": 0x7,
    "3.0(back)": 0x103,
    "3.1": 0xF,
    "4.0": 0x107,
    "quad": 0x33,
    "quad(side)": 0x603,
    "4.1": 0x10F,
    "5.0": 0x37,
    "5.0(side)": 0x607,
    "5.1": 0x3F,
    "5.1(side)": 0x60F,
    "6.1": 0x70F,
    "7.0": 0x637,
    "7.1": 0x63F,
    "7.1(wide)": 0xFF,
}


@dataclass(frozen=True, slots=True)
class Bext:
    """The fields of a bext chunk that say what a file is and where it belongs."""

    description: str
    originator: str
    time_reference_samples: int
    origination: str
    coding_history: str


def read_bext(path: Path) -> Bext | None:
    """The bext chunk of a WAVE or RF64 file, None where there is none."""
    with path.open("rb") as file:
        for chunk in chunks(file):
            if chunk.name == b"bext" and chunk.size_bytes >= _BEXT_BYTES:
                file.seek(chunk.start)
                return _parse_bext(file.read(min(chunk.size_bytes, _MAX_BEXT_BYTES)))
    return None


def _parse_bext(content: bytes) -> Bext | None:
    if len(content) < _BEXT_BYTES:
        return None
    day, clock = _text(content[320:330]), _text(content[330:338])
    low, high = struct.unpack_from("<II", content, 338)
    return Bext(
        description=_text(content[:256]),
        originator=_text(content[256:288]),
        time_reference_samples=(high << 32) | low,
        origination=f"{day} {clock}".strip(),
        coding_history=_text(content[_BEXT_BYTES:]),
    )


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("latin-1").strip()


class BroadcastWavWriter:
    """Writes one Broadcast WAV, block by block; `close` makes it whole and syncs it.

    The same samples and fields give the same bytes. Left unclosed (or left by an exception) the
    file states a length of 0. Samples beyond full scale are clipped and counted.
    """

    def __init__(
        self,
        path: Path,
        rate_hz: int,
        channels: int,
        layout: str,
        time_reference_samples: int,
        description: str,
        *,
        originator: str = ORIGINATOR,
        origination: datetime | None = None,
        coding_history: str = "",
        riff_limit_bytes: int = SIZE_IN_DS64,
    ) -> None:
        self.path = path
        self.rate_hz = rate_hz
        self.channels = channels
        self.clipped_samples = 0
        self.length_samples = 0
        self._riff_limit_bytes = riff_limit_bytes
        bext = _bext_chunk(
            time_reference_samples, description, originator, origination, coding_history
        )
        # Reserved for ds64: whether it is needed shows only when the last sample is written.
        header = _chunk(b"JUNK", bytes(_DS64_BYTES)) + bext
        header += _chunk(b"fmt ", _format_chunk(rate_hz, channels, layout))
        self._data_start = 12 + len(header) + 8
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise write_error(path, error) from error
        self._put(
            struct.pack("<4sI4s", b"RIFF", 0, b"WAVE") + header + struct.pack("<4sI", b"data", 0)
        )

    def write(self, samples: Samples) -> None:
        """Appends float samples of shape (n, channels).

        Raises:
            NoSpace, NotWritable: the disk is full, or the file cannot be written.
            ValueError: another number of channels, or samples that are not finite.
        """
        if samples.ndim != 2 or samples.shape[1] != self.channels:
            raise ValueError(f"expected (n, {self.channels}) samples, not {samples.shape}")
        # A power of two: exact in float32, whose 24 bits hold every 24-bit value.
        scaled = samples * np.float32(FULL_SCALE)
        np.rint(scaled, out=scaled)
        peak = float(max(scaled.max(), -scaled.min())) if scaled.size else 0.0
        if not math.isfinite(peak):
            raise ValueError("samples must be finite")
        if peak > FULL_SCALE - 1:
            # Exactly +1.0 has no 24-bit value; it is a rounding away, not a fault of the treatment.
            outside = (scaled > FULL_SCALE - 1) | (scaled < -FULL_SCALE)
            self.clipped_samples += int(np.count_nonzero(outside & (np.abs(samples) > 1.0)))
            np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1, out=scaled)
        whole = scaled.astype("<i4")
        self._put(whole.view(np.uint8).reshape(-1, 4)[:, :BYTES_A_SAMPLE].tobytes())
        self.length_samples += samples.shape[0]

    def close(self) -> None:
        """Patches the sizes, syncs the file to disk and closes it. Harmless when called twice.

        Raises:
            NoSpace, NotWritable: the disk is full, or the file cannot be written.
        """
        if self._file.closed:
            return
        try:
            data_bytes = self.length_samples * self.channels * BYTES_A_SAMPLE
            if data_bytes % 2:
                self._put(b"\0")
            self._patch_sizes(data_bytes)
            try:
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                raise write_error(self.path, error) from error
        finally:
            self._file.close()

    def _patch_sizes(self, data_bytes: int) -> None:
        riff_bytes = self._data_start - 8 + data_bytes + data_bytes % 2
        if riff_bytes < self._riff_limit_bytes:
            self._put_at(4, struct.pack("<I", riff_bytes))
            self._put_at(self._data_start - 4, struct.pack("<I", data_bytes))
            return
        # EBU Tech 3306, 3: RIFF becomes RF64, the reserved JUNK becomes ds64.
        self._put_at(0, struct.pack("<4sI", b"RF64", SIZE_IN_DS64))
        sizes = struct.pack("<QQQI", riff_bytes, data_bytes, self.length_samples, 0)
        self._put_at(12, _chunk(b"ds64", sizes))
        self._put_at(self._data_start - 4, struct.pack("<I", SIZE_IN_DS64))

    def _put(self, content: bytes) -> None:
        try:
            self._file.write(content)
        except OSError as error:
            raise write_error(self.path, error) from error

    def _put_at(self, position: int, content: bytes) -> None:
        self._file.seek(position)
        self._put(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)


def _format_chunk(rate_hz: int, channels: int, layout: str) -> bytes:
    """WAVEFORMATEX for mono and stereo, which every editor reads, else WAVEFORMATEXTENSIBLE."""
    frame_bytes = channels * BYTES_A_SAMPLE
    extensible = channels > 2
    basic = struct.pack(
        "<HHIIHH",
        _EXTENSIBLE if extensible else _PCM,
        channels,
        rate_hz,
        rate_hz * frame_bytes,
        frame_bytes,
        8 * BYTES_A_SAMPLE,
    )
    if not extensible:
        return basic
    return (
        basic
        + struct.pack("<HHI", 22, 8 * BYTES_A_SAMPLE, channel_mask(layout, channels))
        + _PCM_GUID
    )


def channel_mask(layout: str, channels: int) -> int:
    """The speaker mask of a layout; 0 ("no speakers meant") where it does not fit the channels."""
    mask = _MASKS.get(layout, 0)
    return mask if mask.bit_count() == channels else 0


def _bext_chunk(
    time_reference_samples: int,
    description: str,
    originator: str,
    origination: datetime | None,
    coding_history: str,
) -> bytes:
    """EBU Tech 3285 v1, 2.3: fixed fields of 602 bytes, then the coding history."""
    if not 0 <= time_reference_samples < 1 << 64:
        raise ValueError(f"a time reference cannot be {time_reference_samples} samples")
    day = origination.strftime("%Y-%m-%d") if origination else ""
    clock = origination.strftime("%H:%M:%S") if origination else ""
    history = ascii_text(coding_history.replace("\r\n", "\n").replace("\n", "\r\n"))
    if history and not history.endswith(b"\r\n"):
        history += b"\r\n"
    fixed = struct.pack(
        "<256s32s32s10s8sIIH64s190s",
        ascii_text(description)[:256],
        ascii_text(originator)[:32],
        b"",
        day.encode(),
        clock.encode(),
        time_reference_samples & 0xFFFFFFFF,
        time_reference_samples >> 32,
        1,
        b"",
        b"",
    )
    return _chunk(b"bext", fixed + history)


_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L",
     "đ": "d", "Đ": "D", "–": "-", "—": "-", "−": "-", "…": "...", "’": "'", "‘": "'", "“": '"',
     "”": '"', "„": '"', "«": '"', "»": '"', "€": "EUR", "×": "x", "·": "-", "→": "->"}
)  # fmt: skip


def ascii_text(text: str) -> bytes:
    """Text as EBU Tech 3285 wants it: ASCII, accents taken off, what is left as `?`, no NUL."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return plain.replace("\0", " ").encode("ascii", "replace")
