"""Levels of the voice in the bands that finishing looks at, every 10 ms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.spectra import FrameStream, power_of
from nlecompanion.model import Samples, Span
from nlecompanion.treatment.gains import GainCurve

HOP_S = 0.01
#: The voice as loud as it is heard, without what rumbles under it or pops on the microphone.
BROAD_HZ = (150.0, 24_000.0)
#: Where vowels are; where consonants are told apart; where sibilants hiss.
BODY_HZ = (300.0, 4000.0)
CONSONANTS_HZ = (2000.0, 5000.0)
SIBILANCE_HZ = (5000.0, 9000.0)
CHEST_HZ = (300.0, 1300.0)
_BANDS = (BROAD_HZ, BODY_HZ, CONSONANTS_HZ, SIBILANCE_HZ, CHEST_HZ)


@dataclass(frozen=True, slots=True, eq=False)
class VoiceBands:
    """Mean squares of every hop, averaged over the channels, float32 of shape (hops,).

    A hop's value stands for the sound around `(hop + 1/2) * hop_samples`.
    """

    rate_hz: int
    hop_samples: int
    broad: NDArray[np.float32]
    body: NDArray[np.float32]
    consonants: NDArray[np.float32]
    sibilance: NDArray[np.float32]
    chest: NDArray[np.float32]

    def under(self, curve: GainCurve | None) -> VoiceBands:
        """The bands as they are under a gain curve on the same hops."""
        if curve is None:
            return self
        if curve.hop_samples != self.hop_samples or curve.gains_db.shape != self.broad.shape:
            raise ValueError("the gain curve does not lie on the same hops")
        powers = (10 ** (curve.gains_db / 10)).astype(np.float32)
        values = (self.broad, self.body, self.consonants, self.sibilance, self.chest)
        return VoiceBands(self.rate_hz, self.hop_samples, *(value * powers for value in values))

    def speaking(self, spans: Sequence[Span]) -> NDArray[np.bool_]:
        """Which hops lie wholly inside the spans."""
        inside = np.zeros(len(self.broad), bool)
        hop_s = Fraction(self.hop_samples, self.rate_hz)
        for span in spans:
            first = max(0, math.ceil(span.start_s / hop_s))
            inside[first : max(first, math.floor(span.end_s / hop_s))] = True
        return inside


class VoiceBandMeter:
    """Takes the voice in blocks of any length; a few values a hop are kept."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._rate_hz = rate_hz
        self._hop = max(1, round(HOP_S * rate_hz))
        frame = 2 * self._hop
        self._stream = FrameStream(frame, self._hop, channels)
        edges = np.array(_BANDS) * frame / rate_hz
        self._bins = np.clip(np.ceil(edges), 1, frame // 2 + 1).astype(int)
        # Half a frame of silence, so that the first frame stands for the first hop.
        self._late = (frame - self._hop) // 2
        self._stream_padding = np.zeros((self._late, channels), np.float32)
        self._samples = 0
        self._kept: list[NDArray[np.float32]] = []
        self._take(self._stream_padding)

    def push(self, block: Samples) -> None:
        """Takes the next block, float32 of shape (samples, channels)."""
        self._samples += len(block)
        self._take(block)

    def finish(self) -> VoiceBands:
        """One value for every hop, the last one over what there was."""
        self._take(np.zeros((2 * self._hop, self._stream_padding.shape[1]), np.float32))
        hops = -(-self._samples // self._hop)
        kept = np.concatenate([np.zeros((0, len(_BANDS)), np.float32), *self._kept])[:hops]
        return VoiceBands(self._rate_hz, self._hop, *np.ascontiguousarray(kept.T))

    def _take(self, block: Samples) -> None:
        for spectra in self._stream.push(block):
            mean = power_of(spectra).mean(axis=1)
            bands = [mean[:, low:high].sum(axis=1) for low, high in self._bins.tolist()]
            self._kept.append(np.stack(bands, axis=1))
