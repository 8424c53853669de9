"""Limiting: how far peaks stand above the loudness, and how often they touch one ceiling.

Peak-to-loudness ratio (AES Streaming Loudness TD1008; EBU Tech 3341 calls its loudness
"programme loudness"): sample peak minus K-weighted loudness of the speech. A voice as recorded
has 14 dB and more, a heavily limited one under 10; crest is the same against plain RMS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.bands import as_db, hops_inside
from nlecompanion.diagnosis.spectra import Powers
from nlecompanion.model import Samples, Span

HOP_S = 0.05
#: Peaks this close to the loudest count as touching the ceiling.
_CEILING_DB = 1.0
#: EBU R 128's absolute gate, for the case that nobody speaks.
_GATE_DB = -70.0


@dataclass(frozen=True, slots=True)
class Limiting:
    """Peak against loudness, over speech where there is any, else over all that sounds.

    `peak_dbfs` is the sample peak; `peak_to_loudness_db` uses ungated K-weighted loudness
    (BS.1770-4 filters and sum over channels); `crest_db` RMS; `ceiling_share` is the part of
    hops of 50 ms whose peak lies within 1 dB of the loudest, 0 to 1.
    """

    peak_dbfs: float
    loudness_lufs: float
    peak_to_loudness_db: float
    crest_db: float
    ceiling_share: float


class LimitingMeter:
    """Wants the mixture: its samples for the peaks, its power spectra for the loudness."""

    def __init__(self, rate_hz: int, frame: int, hop_samples: int) -> None:
        self._hop_samples = max(1, round(rate_hz * HOP_S))
        self._frame_hop_s = hop_samples / rate_hz
        self._gain = _k_weighting(np.linspace(0, rate_hz / 2, frame // 2 + 1)).astype(np.float32)
        self._rest: Samples = np.zeros(0, np.float32)
        self._peaks: list[NDArray[np.float32]] = []
        self._loud: list[NDArray[np.float32]] = []

    def push(self, block: Samples) -> None:
        """Takes (samples, channels)."""
        size = np.abs(block)
        high = size[:, 0].copy()
        for channel in range(1, block.shape[1]):
            np.maximum(high, size[:, channel], out=high)
        high = np.concatenate([self._rest, high])
        whole = len(high) // self._hop_samples * self._hop_samples
        if whole:
            self._peaks.append(high[:whole].reshape(-1, self._hop_samples).max(axis=1))
        self._rest = high[whole:]

    def push_power(self, power: Powers) -> None:
        """Takes the same sound's power spectra, (frames, channels, bins)."""
        plain = power.sum(axis=(1, 2)) / np.float32(power.shape[1])
        weighted = np.einsum("fcb,b->f", power, self._gain)
        self._loud.append(np.stack([plain, weighted], axis=1))

    def finish(self, speech: tuple[Span, ...]) -> Limiting | None:
        """None where all is silence or under 50 ms."""
        if not self._peaks or not self._loud:
            return None
        peaks, loud = np.concatenate(self._peaks), np.concatenate(self._loud)
        if not peaks.any():
            return None
        near = hops_inside(speech, len(peaks), HOP_S, pad_s=HOP_S)
        inside = hops_inside(speech, len(loud), self._frame_hop_s)
        if not near.any() or not inside.any() or not loud[inside].any():
            near = as_db(peaks**2) > _GATE_DB
            inside = as_db(loud[:, 0]) > _GATE_DB
        if not near.any() or not inside.any():
            return None
        peak_db = float(as_db(peaks[near].max(keepdims=True) ** 2)[0])
        plain, weighted = as_db(loud[inside].mean(axis=0, dtype=np.float64))
        loudness_lufs = float(weighted) - 0.691  # BS.1770-4, eq. 2
        return Limiting(
            peak_dbfs=peak_db,
            loudness_lufs=loudness_lufs,
            peak_to_loudness_db=peak_db - loudness_lufs,
            crest_db=peak_db - float(plain),
            ceiling_share=float(np.mean(as_db(peaks[near] ** 2) > peak_db - _CEILING_DB)),
        )


def _k_weighting(at_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """BS.1770's two filters as a power gain: their 48 kHz coefficients (tables 1 and 2)."""
    turn = np.exp(-2j * np.pi * np.minimum(at_hz, 23_999.0) / 48_000)
    gain = np.ones(at_hz.shape, complex)
    for ahead, back in (
        (
            (1.53512485958697, -2.69169618940638, 1.19839281085285),
            (1.0, -1.69065929318241, 0.73248077421585),
        ),
        ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
    ):
        gain *= np.polyval(ahead[::-1], turn) / np.polyval(back[::-1], turn)
    power: NDArray[np.float64] = np.abs(gain) ** 2
    return power
