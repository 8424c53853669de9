"""Plosives: bursts of breath on the microphone, below the voice's pitch, while somebody speaks."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.bands import as_db, hops_inside
from nlecompanion.diagnosis.spectra import Powers
from nlecompanion.model import Span

#: The bands that bursts are looked for in; those above the voice's lowest pitch are left out.
EDGES_HZ = (20.0, 50.0, 75.0, 100.0, 125.0, 150.0)
DEFAULT_PITCH_HZ = 100.0
#: A burst stands this far above what lies around it in those bands ...
_RISE_DB = 12.0
#: ... and is no further than this under the speech's own level.
_UNDER_SPEECH_DB = -6.0
#: The stretch that a burst is compared with.
_AROUND_S = 1.5
#: Longer is not a plosive: a bump, a bar of music, a car.
_LONGEST_S = 0.3


@dataclass(frozen=True, slots=True)
class Plosive:
    """One burst: where, from the region's first sample, and its low end against the speech level.

    `over_speech_db` is the burst's greatest low-frequency level minus the mixture's mean level in
    speech.
    """

    span: Span
    over_speech_db: float


class PlosiveMeter:
    """Wants the mixture's (or the voice estimate's) low-rate power spectra."""

    def __init__(self, low_rate_hz: float, frame: int) -> None:
        self._hop_s = Fraction(frame, 4) / Fraction(low_rate_hz).limit_denominator(1000)
        self._frame_s = frame / low_rate_hz
        bins = np.rint(np.array(EDGES_HZ) * frame / low_rate_hz).astype(int)
        self._bins = bins
        self._kept: list[NDArray[np.float32]] = []

    def push(self, power: Powers) -> None:
        """Takes power of shape (frames, channels, bins)."""
        mean = power.mean(axis=1)
        bands = [
            mean[:, low : max(low + 1, high)].sum(axis=1)
            for low, high in zip(self._bins[:-1], self._bins[1:], strict=True)
        ]
        self._kept.append(np.stack([*bands, mean.sum(axis=1)], axis=1))

    def finish(
        self, speech: tuple[Span, ...], lowest_pitch_hz: float | None
    ) -> tuple[Plosive, ...]:
        """The bursts in order of time; empty where there are none or nobody speaks."""
        from scipy.ndimage import median_filter

        kept = np.concatenate([np.zeros((0, len(EDGES_HZ)), np.float32), *self._kept])
        hop_s = float(self._hop_s)
        # A frame's middle is what its figures stand for.
        middle_hops = round(self._frame_s / 2 / hop_s)
        speaking = np.roll(hops_inside(speech, len(kept), hop_s, pad_s=0.1), -middle_hops)
        if not speaking.any():
            return ()
        top_hz = max(0.9 * (lowest_pitch_hz or DEFAULT_PITCH_HZ), EDGES_HZ[2])
        bands = max(2, sum(edge <= top_hz for edge in EDGES_HZ[1:]))
        low_db = as_db(kept[:, :bands].sum(axis=1))
        speech_db = float(as_db(kept[speaking, -1].mean(dtype=np.float64, keepdims=True))[0])
        around_db = median_filter(low_db, round(_AROUND_S / hop_s) | 1, mode="nearest")
        burst = (low_db > around_db + _RISE_DB) & (low_db > speech_db + _UNDER_SPEECH_DB)
        found = []
        for start, end in _runs(burst & speaking):
            # The frame's own length is not the burst's.
            if (end - start) * hop_s > _LONGEST_S:
                continue
            at = start + int(np.argmax(low_db[start:end]))
            first_s = max(Fraction(0), (start + middle_hops - 1) * self._hop_s)
            span = Span(first_s, (end - start + 1) * self._hop_s)
            found.append(Plosive(span, float(low_db[at] - speech_db)))
        return tuple(found)


def _runs(there: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and end of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], there.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
