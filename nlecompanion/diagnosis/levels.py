"""Levels over time: mean squares of short hops, kept instead of the sound itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples, Span
from nlecompanion.units import db_from_power

#: 20 ms: shorter than a syllable, longer than a pitch period.
HOP_S = Fraction(1, 50)


class LevelMeter:
    """Mean square a hop of 20 ms, over all channels, of a signal given in blocks."""

    def __init__(self, rate_hz: int) -> None:
        self._hop_samples = max(1, int(rate_hz * HOP_S))
        self._rest: NDArray[np.float64] = np.zeros(0)
        self._powers: list[NDArray[np.float64]] = []

    def push(self, block: Samples) -> None:
        """Takes the next block, float32 of shape (samples, channels)."""
        squares = np.einsum("ij,ij->i", block, block, dtype=np.float64) / block.shape[1]
        squares = np.concatenate([self._rest, squares])
        whole = squares.size // self._hop_samples * self._hop_samples
        self._powers.append(squares[:whole].reshape(-1, self._hop_samples).mean(axis=1))
        self._rest = squares[whole:]

    def finish(self) -> NDArray[np.float64]:
        """One mean square (full scale = 1) for every hop, the last one over what there was."""
        if self._rest.size:
            self._powers.append(self._rest.mean(keepdims=True))
            self._rest = self._rest[:0]
        return np.concatenate(self._powers) if self._powers else np.zeros(0)


def hops_of(spans: Sequence[Span], hops: int) -> NDArray[np.bool_]:
    """Which hops lie wholly inside the spans."""
    inside = np.zeros(hops, dtype=bool)
    for span in spans:
        inside[math.ceil(span.start_s / HOP_S) : math.floor(span.end_s / HOP_S)] = True
    return inside


def level_db(powers: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float | None:
    """RMS level in dBFS over the chosen hops, None where there are none."""
    if not chosen.any():
        return None
    return db_from_power(float(powers[chosen].mean()))
