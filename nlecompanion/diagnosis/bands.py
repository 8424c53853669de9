"""Octave levels over time: the few values a hop from which gaps, decays and floors are read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.spectra import Powers
from nlecompanion.model import Span

#: Octaves around 125 Hz to 16 kHz (IEC 61260-1 centres, edges half an octave away).
EDGES_HZ = (88.0, 177.0, 354.0, 707.0, 1414.0, 2828.0, 5657.0, 11314.0, 22627.0)
OCTAVES = len(EDGES_HZ) - 1
#: What no recording's floor lies under; keeps logarithms finite.
FLOOR_POWER = 1e-13


@dataclass(frozen=True, slots=True, eq=False)
class BandLevels:
    """Mean squares of shape (hops, 8 octaves), averaged over the channels, full scale = 1."""

    hop_s: float
    powers: NDArray[np.float32]

    @property
    def broad(self) -> NDArray[np.float32]:
        """All octaves together: one mean square a hop."""
        total: NDArray[np.float32] = self.powers.sum(axis=1)
        return total


class BandMeter:
    """Octave powers of each frame; takes the shared full-rate power spectra."""

    def __init__(self, rate_hz: int, frame: int, hop_samples: int) -> None:
        self._hop_s = hop_samples / rate_hz
        bins = np.rint(np.array(EDGES_HZ) * frame / rate_hz).astype(int)
        self._bins = np.clip(bins, 0, frame // 2)
        self._powers: list[NDArray[np.float32]] = []

    def push(self, power: Powers) -> None:
        """Takes power of shape (frames, channels, bins)."""
        mean = power.mean(axis=1)
        bands = [
            mean[:, low:high].sum(axis=1) if high > low else np.zeros(len(mean), np.float32)
            for low, high in zip(self._bins[:-1], self._bins[1:], strict=True)
        ]
        self._powers.append(np.stack(bands, axis=1))

    def finish(self) -> BandLevels:
        """All hops so far."""
        none = np.zeros((0, OCTAVES), np.float32)
        return BandLevels(self._hop_s, np.concatenate([none, *self._powers]))


def hops_inside(
    spans: tuple[Span, ...], hops: int, hop_s: float, *, pad_s: float = 0.0
) -> NDArray[np.bool_]:
    """Which hops begin inside the spans, each span made longer by `pad_s` on both sides."""
    inside = np.zeros(hops, dtype=bool)
    for span in spans:
        start = math.ceil((float(span.start_s) - pad_s) / hop_s)
        end = math.ceil((float(span.end_s) + pad_s) / hop_s)
        inside[max(0, start) : max(0, end)] = True
    return inside


def gap_hops(speech: tuple[Span, ...], hops: int, hop_s: float) -> NDArray[np.bool_]:
    """Hops with nobody speaking, nor a voice's tail: 0.1 s before speech to 0.25 s after it."""
    near = np.zeros(hops, dtype=bool)
    for span in speech:
        start = math.floor((float(span.start_s) - 0.1) / hop_s)
        end = math.ceil((float(span.end_s) + 0.25) / hop_s)
        near[max(0, start) : max(0, end)] = True
    return ~near


def as_db(power: NDArray[np.floating]) -> NDArray[np.float64]:
    """10 log10, not under the floor."""
    db: NDArray[np.float64] = 10 * np.log10(np.maximum(power.astype(np.float64), FLOOR_POWER))
    return db
