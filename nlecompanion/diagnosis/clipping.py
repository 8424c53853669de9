"""Clipping: samples piled up at one level, also where the sound was turned down afterwards.

A clipped peak is a run of samples at the same level, so the histogram of sample values ends in (or
holds) a narrow heap of neighbours that hardly differ; an unclipped one thins out towards its top
(histogram method: Aleinik & Matveev 2014, "Detection of clipped fragments in speech signals").
Resampling or lossy coding after the clipping smears the heap; such clipping is not found here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples

#: A float32's top mantissa bits: 256 levels an octave, 0.024 dB apart.
_SHIFT_BITS = 15
_BINS_AN_OCTAVE = 256
_OCTAVES = 18
#: From 2^-16 (about -96 dBFS) to 2^2.
_FIRST_BIN = (127 - 16) * _BINS_AN_OCTAVE
_BINS = _OCTAVES * _BINS_AN_OCTAVE
#: Neighbours that differ by less than this part of their value lie on a flat top: 16-bit steps
#: at -18 dBFS are 2.4e-4.
_FLAT = np.float32(2.5e-4)
#: Heaps are looked for in the top 12 dB.
_SEARCH_BINS = 2 * _BINS_AN_OCTAVE
#: A heap is 3 bins, 0.07 dB; it is compared with the decibel under it.
_HEAP_BINS = 3
_UNDER_BINS = 43
_MIN_FLAT = 5
_MIN_FLAT_SHARE = 0.55
_MIN_RATIO = 2.5
#: Under this, 16-bit steps look like flat tops.
_QUIETEST_DBFS = -40.0


@dataclass(frozen=True, slots=True)
class Clipping:
    """What was found: the level that peaks are cut at, and how many samples lie there.

    `level_dbfs` is that of the channel that is clipped most, None where none is; `clipped_share`
    the part of that channel's samples (0 to 1); `channels` says which are clipped.
    """

    clipped: bool
    level_dbfs: float | None
    clipped_share: float
    channels: tuple[bool, ...]


class ClippingMeter:
    """Wants the mixture as recorded; memory is two histograms a channel and polarity."""

    def __init__(self, channels: int) -> None:
        # Channel, polarity, level.
        self._all = np.zeros((channels, 2, _BINS), np.int64)
        self._flat = np.zeros((channels, 2, _BINS), np.int64)
        self._last = np.zeros(channels, np.float32)
        self._samples = 0

    def push(self, block: Samples) -> None:
        """Takes (samples, channels)."""
        if not len(block):
            return
        self._samples += len(block)
        for channel in range(block.shape[1]):
            own = np.ascontiguousarray(block[:, channel])
            size = np.abs(own)
            level = (size.view(np.int32) >> _SHIFT_BITS) - _FIRST_BIN
            np.clip(level, 0, _BINS - 1, out=level)
            level += np.where(own < 0, np.int32(_BINS), np.int32(0))
            before = np.concatenate([self._last[channel : channel + 1], own[:-1]])
            flat = np.abs(own - before) <= _FLAT * size
            self._all[channel] += np.bincount(level, minlength=2 * _BINS).reshape(2, _BINS)
            counted = np.bincount(level[flat], minlength=2 * _BINS).reshape(2, _BINS)
            self._flat[channel] += counted
            self._last[channel] = own[-1]

    def finish(self) -> Clipping | None:
        """None where there was no sound at all."""
        if not self._samples or not self._all[:, :, 1:].any():
            return None
        found: list[tuple[float, int] | None] = []
        for channel in range(len(self._all)):
            heaps = [_heap(self._all[channel, side], self._flat[channel, side]) for side in (0, 1)]
            there = [heap for heap in heaps if heap is not None]
            level = max((heap[0] for heap in there), default=0.0)
            found.append((level, sum(heap[1] for heap in there)) if there else None)
        worst = max((heap for heap in found if heap), key=lambda heap: heap[1], default=None)
        return Clipping(
            clipped=worst is not None,
            level_dbfs=worst[0] if worst else None,
            clipped_share=worst[1] / self._samples if worst else 0.0,
            channels=tuple(heap is not None for heap in found),
        )


def _heap(levels: NDArray[np.int64], flat: NDArray[np.int64]) -> tuple[float, int] | None:
    """Level in dBFS and number of samples of a heap of flat tops, if there is one."""
    top = int(np.flatnonzero(levels)[-1]) if levels.any() else 0
    low = max(1, top - _SEARCH_BINS)
    if top <= low:
        return None
    run = np.convolve(flat[low : top + 1], np.ones(_HEAP_BINS, np.int64), mode="full")
    end = int(np.argmax(run)) + low  # the heap's last bin
    start = max(1, end - _HEAP_BINS + 1)
    count, flats = int(levels[start : end + 1].sum()), int(flat[start : end + 1].sum())
    level_dbfs = 20 * np.log10(2.0) * ((end + 0.5 + _FIRST_BIN) / _BINS_AN_OCTAVE - 127)
    if flats < _MIN_FLAT or flats < _MIN_FLAT_SHARE * count or level_dbfs < _QUIETEST_DBFS:
        return None
    under = levels[max(1, start - _UNDER_BINS) : start].sum() * _HEAP_BINS / _UNDER_BINS
    over = int(levels[end + 1 :].sum())
    if count < _MIN_RATIO * max(float(under), 1.0) or over > count:
        return None
    return float(level_dbfs), count
