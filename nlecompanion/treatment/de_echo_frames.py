"""A short-time Fourier transform of sound that arrives in blocks of any length.

Frames of a power of two (30 to 64 ms) every quarter of it, square-root Hann windows on both sides:
unchanged spectra give the sound back (weighted overlap-add, Crochiere 1980). Frame t reaches from
`(t + 1) * hop - frame` to `(t + 1) * hop`. Spectra come in stretches of `STRETCH_FRAMES` counted
from the first sample, whatever blocks the sound arrives in, so that results do not depend on them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nlecompanion.model import Samples

#: Spectra of shape (channels, frames, bins).
Spectra = NDArray[np.complex64]
#: About 4 s: long enough to learn a room from two of them, short against memory.
STRETCH_FRAMES = 384
_OVERLAP = 4
_FRAME_S = 0.043


@dataclass(frozen=True, slots=True)
class Framing:
    """Frames of `frame_samples` every quarter of it."""

    frame_samples: int
    rate_hz: int

    @classmethod
    def at(cls, rate_hz: int) -> Framing:
        """The power of two nearest to 43 ms."""
        return cls(1 << max(5, round(math.log2(rate_hz * _FRAME_S))), rate_hz)

    @property
    def hop_samples(self) -> int:
        """From one frame to the next."""
        return self.frame_samples // _OVERLAP

    @property
    def hop_s(self) -> float:
        """From one frame to the next, in seconds."""
        return self.hop_samples / self.rate_hz

    @property
    def bins(self) -> int:
        """Frequencies of a frame, from 0 to half the rate."""
        return self.frame_samples // 2 + 1

    @property
    def bin_hz(self) -> float:
        """From one frequency to the next."""
        return self.rate_hz / self.frame_samples

    @property
    def window(self) -> NDArray[np.float32]:
        """The square root of a periodic Hann window."""
        phase = np.arange(self.frame_samples) / self.frame_samples
        return np.sin(np.pi * phase).astype(np.float32)


class Analysis:
    """Sound in, stretches of spectra out."""

    def __init__(self, framing: Framing, channels: int) -> None:
        self._framing = framing
        self._kept = np.zeros((framing.frame_samples - framing.hop_samples, channels), np.float32)

    def push(self, block: Samples) -> Iterator[Spectra]:
        """Takes the next block; yields the stretches that are whole."""
        need = self._need_samples(STRETCH_FRAMES)
        parts = [self._kept]
        have, taken = len(self._kept), 0
        while have + len(block) - taken >= need:
            missing = need - have
            parts.append(block[taken : taken + missing])
            taken += missing
            stretch = np.concatenate(parts)
            yield self._spectra(stretch)
            kept = stretch[STRETCH_FRAMES * self._framing.hop_samples :]
            parts, have = [kept], len(kept)
        parts.append(block[taken:])
        self._kept = np.concatenate(parts)

    def finish(self) -> Iterator[Spectra]:
        """Yields what is left, the sound followed by silence until every sample has its frames."""
        framing = self._framing
        fresh = len(self._kept) - (framing.frame_samples - framing.hop_samples)
        frames = -(-fresh // framing.hop_samples) + _OVERLAP - 1
        missing = self._need_samples(frames) - len(self._kept)
        ending = np.pad(self._kept, ((0, missing), (0, 0)))
        for first in range(0, frames, STRETCH_FRAMES):
            count = min(STRETCH_FRAMES, frames - first)
            start = first * framing.hop_samples
            yield self._spectra(ending[start : start + self._need_samples(count)])

    def _need_samples(self, frames: int) -> int:
        return (frames - 1) * self._framing.hop_samples + self._framing.frame_samples

    def _spectra(self, stretch: Samples) -> Spectra:
        import scipy.fft

        framing = self._framing
        columns = np.ascontiguousarray(stretch.T)
        views = sliding_window_view(columns, framing.frame_samples, axis=1)
        frames = views[:, :: framing.hop_samples] * framing.window
        spectra: Spectra = scipy.fft.rfft(frames, axis=2, overwrite_x=True)
        return spectra


class Synthesis:
    """Spectra in, the samples that are complete out; the first one is the sound's first."""

    def __init__(self, framing: Framing, channels: int) -> None:
        self._framing = framing
        self._open = np.zeros((channels, _OVERLAP - 1, framing.hop_samples), np.float32)
        # The first frames begin before the sound does.
        self._lead_samples = framing.frame_samples - framing.hop_samples

    def push(self, spectra: Spectra) -> Samples:
        """The next samples, as many as there are hops (fewer at the start)."""
        import scipy.fft

        framing = self._framing
        pieces = scipy.fft.irfft(spectra, framing.frame_samples, axis=2)
        # Hann windows at a quarter of their length sum to 2.
        pieces *= framing.window * np.float32(2 / _OVERLAP)
        channels, frames = pieces.shape[:2]
        out = np.zeros((channels, frames + _OVERLAP - 1, framing.hop_samples), np.float32)
        out[:, : _OVERLAP - 1] = self._open
        parts = pieces.reshape(channels, frames, _OVERLAP, framing.hop_samples)
        for j in range(_OVERLAP):
            out[:, j : j + frames] += parts[:, :, j]
        self._open = out[:, frames:]
        done: Samples = out[:, :frames].reshape(channels, -1).T
        skipped = min(self._lead_samples, len(done))
        self._lead_samples -= skipped
        return done[skipped:]
