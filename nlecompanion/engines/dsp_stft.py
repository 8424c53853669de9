"""A short-time Fourier transform that is applied in two passes, in batches.

Sound is float32 of shape (samples, channels). Frame t reaches from `(t + 1) * hop - frame` to
`(t + 1) * hop`, so that every sample lies in the same number of frames, the first and last too.
Square-root Hann windows on both sides and a hop of a quarter frame: unit masks give the sound back
(weighted overlap-add, Crochiere 1980).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nlecompanion.model import Samples

Real = NDArray[np.float32]
#: Frames that are worked on at once; their spectra fit into a processor's cache.
_BATCH_FRAMES = 128
_OVERLAP = 4


@dataclass(frozen=True, slots=True)
class Stft:
    """Frames of `frame_samples` every quarter of it."""

    frame_samples: int

    @property
    def hop_samples(self) -> int:
        """From one frame to the next."""
        return self.frame_samples // _OVERLAP

    @property
    def bins(self) -> int:
        """Frequencies of a frame, from 0 to half the rate."""
        return self.frame_samples // 2 + 1

    def frames(self, length_samples: int) -> int:
        """How many frames touch that many samples."""
        return -(-length_samples // self.hop_samples) + _OVERLAP - 1

    def power(self, samples: Samples) -> Real:
        """Summed over the channels: (frames, bins); white noise's bins average its mean square."""
        total = np.zeros((self.frames(len(samples)), self.bins), np.float32)
        for channel in range(samples.shape[1]):
            for at, spectra in self._spectra(samples[:, channel]):
                total[at] += spectra.real**2 + spectra.imag**2
        # A frame's squared window sums to half its length.
        total *= np.float32(2 / self.frame_samples)
        return total

    def masked(self, samples: Samples, mask: Callable[[slice], Real]) -> Samples:
        """The sound with each frame's spectrum multiplied by `mask(frames)`, the same on all
        channels; same shape, no delay.
        """
        import scipy.fft

        hop = self.hop_samples
        result = np.empty_like(samples)
        for channel in range(samples.shape[1]):
            count = self.frames(len(samples))
            out = np.zeros((count + _OVERLAP - 1, hop), np.float32)
            for at, spectra in self._spectra(samples[:, channel]):
                spectra *= mask(at)
                pieces = scipy.fft.irfft(spectra, self.frame_samples, axis=1, overwrite_x=True)
                pieces *= self._window()
                parts = pieces.reshape(-1, _OVERLAP, hop)
                for j in range(_OVERLAP):
                    out[at.start + j : at.stop + j] += parts[:, j]
            start = self.frame_samples - hop
            result[:, channel] = out.reshape(-1)[start : start + len(samples)]
        # Hann windows at a quarter of their length sum to 2.
        result *= np.float32(2 / _OVERLAP)
        return result

    def _window(self) -> Real:
        phase = np.arange(self.frame_samples) / self.frame_samples
        window: Real = np.sin(np.pi * phase).astype(np.float32)
        return window

    def _spectra(self, channel: Real) -> Iterator[tuple[slice, NDArray[Any]]]:
        import scipy.fft

        hop, count = self.hop_samples, self.frames(len(channel))
        padded = np.zeros((count + _OVERLAP - 1) * hop, np.float32)
        start = self.frame_samples - hop
        padded[start : start + len(channel)] = channel
        every_hop = sliding_window_view(padded, self.frame_samples)[::hop]
        window = self._window()
        for first in range(0, count, _BATCH_FRAMES):
            at = slice(first, min(first + _BATCH_FRAMES, count))
            yield at, scipy.fft.rfft(every_hop[at] * window, axis=1, overwrite_x=True)
