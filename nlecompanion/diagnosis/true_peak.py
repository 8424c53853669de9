"""True peak after ITU-R BS.1770-5, Annex 2: the peak of the wave, not of its samples."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.chunks import Chunks
from nlecompanion.model import Samples

#: Samples on either side that the interpolation between two samples looks at.
REACH_SAMPLES = 16
#: No peak: what silence measures.
SILENCE_DBTP = -120.0
_FRAME_SAMPLES = 480
#: Samples whose interpolation is one row of a matrix product, which is faster than a filter.
_ROW_SAMPLES = 32


def oversampling(rate_hz: int) -> int:
    """How many points a sample are looked at: 192 kHz or more in all from 48 kHz on (Annex 2)."""
    return 4 if rate_hz < 96_000 else 2 if rate_hz < 192_000 else 1


@lru_cache(maxsize=4)
def _interpolator(points: int) -> NDArray[np.float32]:
    """The samples of a row with their neighbours, to the points between them.

    Shape (row + 2 * reach, row * (points - 1)): a windowed sinc at the old Nyquist frequency.
    """
    from scipy.signal import firwin

    taps = points * firwin(2 * REACH_SAMPLES * points + 1, 1 / points, window=("kaiser", 7.0))
    rows = np.arange(_ROW_SAMPLES + 2 * REACH_SAMPLES)[:, None, None]
    after = np.arange(_ROW_SAMPLES)[None, :, None] + REACH_SAMPLES - rows
    place = after * points + np.arange(1, points)[None, None, :] + REACH_SAMPLES * points
    inside = (place >= 0) & (place < taps.size)
    matrix = np.where(inside, taps[np.where(inside, place, 0)], 0)
    return matrix.reshape(len(matrix), -1).astype(np.float32)


def peaks_between(sound: Samples, points: int) -> Samples:
    """The largest magnitude on [n, n + 1) for every sample n that has its neighbours.

    `sound` is float32 (channels, samples); what comes back is shorter by `REACH_SAMPLES` at
    either end.
    """
    count = sound.shape[1] - 2 * REACH_SAMPLES
    peaks: Samples = np.abs(sound[:, REACH_SAMPLES : REACH_SAMPLES + count])
    if points == 1:
        return peaks
    padded = np.pad(sound, ((0, 0), (0, -count % _ROW_SAMPLES)))
    rows = np.lib.stride_tricks.sliding_window_view(padded, _ROW_SAMPLES + 2 * REACH_SAMPLES, 1)
    rows = np.ascontiguousarray(rows[:, ::_ROW_SAMPLES])
    between = rows.reshape(-1, rows.shape[2]) @ _interpolator(points)
    # Pairs of columns, because a maximum over so short an axis is many times slower.
    between = np.abs(between).reshape(-1, points - 1)
    highest = between[:, 0]
    for point in range(1, points - 1):
        highest = np.maximum(highest, between[:, point])
    np.maximum(peaks, highest.reshape(len(sound), -1)[:, :count], out=peaks)
    return peaks


@lru_cache(maxsize=4)
def overshoot(points: int) -> float:
    """No wave is higher between samples than this times the highest sample around it."""
    if points == 1:
        return 1.0
    between = np.abs(_interpolator(points)).sum(axis=0)
    # A hair more, for rounding.
    return max(1.0, float(between.max()) * 1.0001)


class TruePeakMeter:
    """The highest true peak over all channels of a signal given in blocks of any length."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._points = oversampling(rate_hz)
        self._chunks = Chunks(_FRAME_SAMPLES * 100, channels)
        self._before: Samples = np.zeros((channels, 2 * REACH_SAMPLES), np.float32)
        self._peak = 0.0

    def push(self, block: Samples) -> None:
        """Takes the next block, float32 of shape (samples, channels)."""
        for chunk in self._chunks.push(block):
            self._measure(chunk)

    def finish(self) -> float:
        """The peak in dBTP, -120 for silence."""
        rest = self._chunks.rest()
        if rest is not None:
            self._measure(rest)
        self._measure(np.zeros((len(self._before), 2 * REACH_SAMPLES), np.float32))
        return max(SILENCE_DBTP, 20 * math.log10(self._peak)) if self._peak else SILENCE_DBTP

    def _measure(self, chunk: Samples) -> None:
        sound = np.concatenate([self._before, chunk], axis=1)
        self._before = sound[:, -2 * REACH_SAMPLES :]
        self._peak = max(self._peak, float(np.abs(chunk).max()))
        padded = np.pad(
            sound, ((0, 0), (0, -(sound.shape[1] - 2 * REACH_SAMPLES) % _FRAME_SAMPLES))
        )
        frames = np.lib.stride_tricks.sliding_window_view(
            padded, _FRAME_SAMPLES + 2 * REACH_SAMPLES, axis=1
        )[:, ::_FRAME_SAMPLES]
        highest = np.maximum(frames.max(axis=2), -frames.min(axis=2))
        # Most frames of speech cannot hold the highest peak and need no interpolation.
        chosen = frames[highest * overshoot(self._points) > self._peak]
        if len(chosen):
            self._peak = max(self._peak, float(peaks_between(chosen, self._points).max()))
