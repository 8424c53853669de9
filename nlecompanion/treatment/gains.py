"""Gains that change over time, the same for voice and background."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples
from nlecompanion.treatment.stems import Stems


@dataclass(frozen=True, slots=True, eq=False)
class GainCurve:
    """One gain in dB a hop, float64 of shape (hops,); a value stands for the hop's middle.

    Between the middles the amplitude goes along straight lines; before the first and after the
    last it stays.
    """

    rate_hz: int
    hop_samples: int
    gains_db: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.gains_db.ndim != 1 or not self.gains_db.size:
            raise ValueError("a gain curve needs at least one gain")

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Where the gains stand, in seconds from the region's first sample."""
        place = np.arange(self.gains_db.size) + 0.5
        return np.asarray(place * self.hop_samples / self.rate_hz)

    def amplitudes(self, position: int, count: int) -> Samples:
        """The factor at each of `count` samples from `position` on: float32 of shape (count,)."""
        hop = self.hop_samples
        # Only the hops around, so that the search for a sample's hop stays short.
        first = min(max(0, position // hop - 2), self.gains_db.size - 1)
        last = min((position + count) // hop + 3, self.gains_db.size)
        gains = 10 ** (self.gains_db[first : max(last, first + 1)] / 20)
        middles = (np.arange(first, first + len(gains)) + 0.5) * hop
        places = np.arange(position, position + count)
        return np.interp(places, middles, gains).astype(np.float32)


def apply_gains(blocks: Iterable[Stems], curve: GainCurve | None) -> Iterator[Stems]:
    """The stems under the curve; None passes them bit for bit."""
    if curve is None:
        yield from blocks
        return
    position = 0
    for block in blocks:
        gains = curve.amplitudes(position, len(block))[:, None]
        position += len(block)
        yield Stems(block.voice * gains, block.background * gains)


def smoothed(values: NDArray[np.float64], hops: int) -> NDArray[np.float64]:
    """The values under a Hann window of `hops` to either side, the ends continued."""
    if hops < 1 or not values.size:
        return values
    window = np.hanning(2 * hops + 3)[1:-1]
    padded = np.pad(values, hops, mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid")
