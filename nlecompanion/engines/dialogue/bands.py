"""How the short-time spectrum is cut into bands.

The network sees powers and gives gains for 285 bands of a 2048-point spectrum at 48 kHz: every bin
by itself below 6 kHz, where voices have harmonics, and 29 bands widening with frequency above.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48_000
WINDOW_SAMPLES = 2048
HOP_SAMPLES = 512
BINS = WINDOW_SAMPLES // 2 + 1
#: Bins 0 … 255 (below 5,989 Hz) are bands of their own.
SINGLE_BINS = 256
WIDE_BANDS = 29
BANDS = SINGLE_BINS + WIDE_BANDS
BIN_HZ = RATE_HZ / WINDOW_SAMPLES


@cache
def wide_edges() -> tuple[int, ...]:
    """First bins of the wide bands, and one past the last bin: 30 numbers, strictly rising."""
    edges = np.geomspace(SINGLE_BINS, BINS, WIDE_BANDS + 1)
    return tuple(int(edge) for edge in np.round(edges))


@cache
def band_of_bin() -> NDArray[np.int64]:
    """Shape (1025,): the band in which each bin lies."""
    singles = np.arange(SINGLE_BINS)
    widths = np.diff(np.array(wide_edges()))
    wides = np.repeat(np.arange(SINGLE_BINS, BANDS), widths)
    return np.concatenate([singles, wides]).astype(np.int64)


@cache
def band_widths() -> NDArray[np.float32]:
    """Shape (285,): bins in each band."""
    return np.bincount(band_of_bin(), minlength=BANDS).astype(np.float32)


@cache
def band_centres_hz() -> NDArray[np.float32]:
    """Shape (285,): middle frequency of each band."""
    sums = np.bincount(band_of_bin(), weights=np.arange(BINS), minlength=BANDS)
    return (sums / band_widths() * BIN_HZ).astype(np.float32)


@cache
def bark_widths() -> NDArray[np.float32]:
    """Shape (285,): width of each band on the Bark scale (Traunmüller 1990), summing to 1."""
    edges_hz = np.concatenate([np.arange(SINGLE_BINS) - 0.5, np.array(wide_edges()) - 0.5]) * BIN_HZ
    edges_hz = np.maximum(edges_hz, 0.0)
    bark = 26.81 * edges_hz / (1960.0 + edges_hz) - 0.53
    widths = np.diff(bark)
    return np.asarray(widths / widths.sum(), dtype=np.float32)
