"""Sound of any length on disk, so that memory does not grow with it."""

from __future__ import annotations

import errno
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from nlecompanion.media.disk import write_error
from nlecompanion.model import Samples

_BYTES_A_SAMPLE = 4


class ScratchAudio:
    """Raw float32 frames in a file of its own: append blocks, read any stretch back.

    Blocks are read into memory of their own, not mapped: pages of a map would count as ours.
    """

    def __init__(self, path: Path, rate_hz: int, channels: int) -> None:
        self.path = path
        self.rate_hz = rate_hz
        self.channels = channels
        self.length_samples = 0
        try:
            self._file = path.open("w+b")
        except OSError as error:
            raise write_error(path, error) from error

    @classmethod
    def create(cls, path: Path, rate_hz: int, channels: int) -> Self:
        """A new, empty file at `path`; leaving the `with` block removes it.

        Raises:
            NoSpace, NotWritable: it cannot be made.
        """
        return cls(path, rate_hz, channels)

    def append(self, samples: Samples) -> None:
        """Adds samples of shape (n, channels) at the end.

        Raises:
            NoSpace, NotWritable: the disk is full, or the file cannot be written.
            ValueError: another number of channels.
        """
        if samples.ndim != 2 or samples.shape[1] != self.channels:
            raise ValueError(f"expected (n, {self.channels}) samples, not {samples.shape}")
        content = np.ascontiguousarray(samples, dtype=np.float32)
        try:
            self._file.seek(self.length_samples * self.channels * _BYTES_A_SAMPLE)
            self._file.write(content.data)
            self._file.flush()
        except OSError as error:
            raise write_error(self.path, error) from error
        self.length_samples += samples.shape[0]

    def read(self, start_sample: int, count: int) -> Samples:
        """`count` samples from `start_sample` on: a copy of shape (count, channels).

        Raises:
            ValueError: the stretch does not lie within what was written.
        """
        if start_sample < 0 or count < 0 or start_sample + count > self.length_samples:
            raise ValueError(
                f"samples {start_sample} to {start_sample + count} do not lie within the "
                f"{self.length_samples} that were written"
            )
        block = np.empty((count, self.channels), dtype=np.float32)
        self._file.seek(start_sample * self.channels * _BYTES_A_SAMPLE)
        got_bytes = self._file.readinto(block.data.cast("B")) if count else 0
        if got_bytes != block.nbytes:
            raise OSError(errno.EIO, f"{self.path.name} was cut short by someone else")
        return block

    def clear(self) -> None:
        """Forgets what was written, so that it can be filled anew."""
        self.length_samples = 0

    def close(self) -> None:
        """Closes and removes the file. Harmless when called twice."""
        if not self._file.closed:
            self._file.close()
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
