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
        self._rest: Samples | None = None
        self._powers: list[NDArray[np.float64]] = []

    def push(self, block: Samples) -> None:
        """Takes the next block, float32 of shape (samples, channels)."""
        hop = self._hop_samples
        if self._rest is not None and len(self._rest):
            # Fill the hop that is begun, so that the rest needs no copy.
            missing = hop - len(self._rest)
            self._rest = np.concatenate([self._rest, block[:missing]])
            block = block[missing:]
            if len(self._rest) < hop:
                return
            self._measure(self._rest)
        whole = len(block) // hop * hop
        self._measure(block[:whole])
        self._rest = block[whole:].copy()

    def finish(self) -> NDArray[np.float64]:
        """One mean square (full scale = 1) for every hop, the last one over what there was."""
        if self._rest is not None and len(self._rest):
            self._powers.append(np.array([np.square(self._rest, dtype=np.float64).mean()]))
            self._rest = None
        return np.concatenate(self._powers) if self._powers else np.zeros(0)

    def _measure(self, block: Samples) -> None:
        """Whole hops; 960 squares add up in float32 to 1e-6, their mean is kept in float64."""
        flat = block.reshape(-1, self._hop_samples * block.shape[1])
        sums = np.einsum("ij,ij->i", flat, flat)
        self._powers.append(sums.astype(np.float64) / flat.shape[1])


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
