"""Spectra of a signal given in blocks: the one transform that the meters share.

Two looks at the same sound: short frames at the full rate, in which syllables and codec bands
show, and frames of the sound brought down to about 12 kHz, in which pitch, tones and rumble show.
Blocks of any length give the same frames, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nlecompanion.model import Samples

Spectra = NDArray[np.complex64]
Powers = NDArray[np.float32]
#: Frames that are transformed at once: they fit into a processor's cache.
_BATCH_FRAMES = 64
#: And outputs of the decimator.
_BATCH_SAMPLES = 12_000
#: The rate that `Decimator` aims at.
_LOW_RATE_HZ = 12_000
#: Reach of the decimator's filter on either side, in samples at the low rate.
_HALF_LENGTH = 6
_KAISER_BETA = 6.8


def frame_samples(rate_hz: float, length_s: float) -> int:
    """The power of two nearest to that many seconds, at least 32."""
    return max(32, 1 << round(math.log2(rate_hz * length_s)))


class FrameStream:
    """Hann-windowed spectra of all channels, every `hop_samples`, the first frame from sample 0.

    What does not fill a last frame is left out. `np.abs(spectra) ** 2`, summed over the bins, is
    the mean square of the frame under its window (full scale = 1).
    """

    def __init__(self, frame: int, hop_samples: int, channels: int) -> None:
        self.frame_samples, self.hop_samples = frame, hop_samples
        self._rest: Samples = np.zeros((channels, 0), np.float32)
        phase = 2 * np.pi * np.arange(frame) / frame
        window = 0.5 - 0.5 * np.cos(phase)
        # A one-sided spectrum holds half the energy; Parseval with the window's own energy.
        window *= math.sqrt(2 / (frame * float(np.sum(window**2))))
        self._window = window.astype(np.float32)

    def push(self, block: Samples) -> Iterator[Spectra]:
        """Takes (samples, channels); yields complex64 of shape (frames, channels, bins)."""
        import scipy.fft

        sound = np.concatenate([self._rest, block.T], axis=1)
        frame, hop = self.frame_samples, self.hop_samples
        count = max(0, (sound.shape[1] - frame) // hop + 1)
        if count:
            every = sliding_window_view(sound, frame, axis=1)[:, ::hop]
            for first in range(0, count, _BATCH_FRAMES):
                framed = every[:, first : min(first + _BATCH_FRAMES, count)] * self._window
                yield scipy.fft.rfft(framed.transpose(1, 0, 2), axis=2, overwrite_x=True)
        self._rest = sound[:, count * hop :].copy()


class Decimator:
    """Brings blocks down to every `factor`-th sample, low-passed by a Kaiser-windowed sinc.

    It passes a third of the low rate and stops from two thirds on (Oppenheim & Schafer 2010, 7.6
    and 4.6): what lies under a third of the low rate is free of aliases by 60 dB.
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        self.factor = max(1, rate_hz // _LOW_RATE_HZ)
        self.rate_hz = rate_hz / self.factor
        length = 2 * _HALF_LENGTH * self.factor
        place = np.arange(length) - _HALF_LENGTH * self.factor
        taps = np.sinc(place / self.factor) * np.kaiser(length + 1, _KAISER_BETA)[:-1] / self.factor
        self._taps = taps.astype(np.float32)
        # Silence before the first sample, so that the first output stands for it.
        self._rest: Samples = np.zeros((_HALF_LENGTH * self.factor, channels), np.float32)

    def push(self, block: Samples) -> Samples:
        """Takes (samples, channels); gives what is ready, (fewer samples, channels)."""
        if self.factor == 1:
            return block
        sound = np.concatenate([self._rest, block])
        count = max(0, (len(sound) - len(self._taps)) // self.factor + 1)
        low = np.empty((count, block.shape[1]), np.float32)
        for first in range(0, count, _BATCH_SAMPLES):
            end = min(first + _BATCH_SAMPLES, count)
            part = sound[first * self.factor : (end - 1) * self.factor + len(self._taps)]
            low[first:end] = self._filtered(part, end - first).T
        self._rest = sound[count * self.factor :].copy()
        return low

    def _filtered(self, sound: Samples, count: int) -> Samples:
        """The first `count` outputs, (channels, count)."""
        # Each of the `factor` places in a row of samples becomes a line of its own.
        lines = np.ascontiguousarray(sound.T).reshape(sound.shape[1], -1, self.factor)
        lines = np.ascontiguousarray(lines.transpose(2, 0, 1))
        low = np.zeros((sound.shape[1], count), np.float32)
        product = np.empty_like(low)
        for place, tap in enumerate(self._taps):
            # Products are summed in one order, whatever the block's length.
            row, line = divmod(place, self.factor)
            np.multiply(lines[line, :, row : row + count], tap, out=product)
            low += product
        return low


def power_of(spectra: Spectra) -> Powers:
    """|spectra|², float32."""
    squares: Powers = np.square(spectra.real) + np.square(spectra.imag)
    return squares
