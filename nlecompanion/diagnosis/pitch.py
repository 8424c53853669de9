"""The voice's pitch: what its lowest tones are, so that rumble can be told from voice.

Autocorrelation of short frames, taken against that of their window (Boersma 1993, "Accurate
short-term analysis of the fundamental frequency"), of the sound brought down to 12 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.bands import hops_inside
from nlecompanion.diagnosis.spectra import Powers
from nlecompanion.model import Span

LOWEST_HZ, HIGHEST_HZ = 60.0, 400.0
#: Voiced where the autocorrelation at the period reaches this (Boersma's default is 0.45).
_VOICED = 0.6
#: The shortest period that comes this close to the best one wins: against octave errors.
_NEAR_BEST = 0.9
_HARMONICS_TO_HZ = 1500.0
_MIN_VOICED_S = 0.3
#: Frames so far under the loudest say nothing.
_HEARD_DB = 30.0


@dataclass(frozen=True, slots=True)
class Pitch:
    """Fundamental frequency over voiced speech: its 5th percentile and its median."""

    lowest_hz: float
    median_hz: float
    voiced_s: float


class PitchMeter:
    """Wants the voice estimate's (or a clean mixture's) low-rate power spectra."""

    def __init__(self, low_rate_hz: float, frame: int) -> None:
        self._rate_hz, self._hop_s, self._frame = low_rate_hz, frame / 4 / low_rate_hz, frame
        self._top = min(frame // 2, round(_HARMONICS_TO_HZ * frame / low_rate_hz))
        self._shortest = int(low_rate_hz / HIGHEST_HZ)
        self._longest = min(frame // 2 - 2, int(low_rate_hz / LOWEST_HZ) + 1)
        window = np.hanning(frame + 1)[:-1]
        own = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * frame)) ** 2)[: self._longest + 2]
        self._window = (own / own[0]).astype(np.float32)
        self._kept: list[NDArray[np.float32]] = []

    def push(self, power: Powers) -> None:
        """Takes power of shape (frames, channels, bins)."""
        import scipy.fft

        mean = power.mean(axis=1)
        mean[:, self._top :] = 0
        mean[:, : max(1, round(50.0 * self._frame / self._rate_hz))] = 0
        raw = scipy.fft.irfft(mean, self._frame, axis=1)[:, : self._longest + 2]
        energy = raw[:, 0].copy()
        shape = raw / (energy[:, None] + np.float32(1e-20)) / self._window
        inner = shape[:, self._shortest : self._longest + 1]
        peak = (inner >= shape[:, self._shortest - 1 : self._longest]) & (
            inner > shape[:, self._shortest + 1 : self._longest + 2]
        )
        at_peaks = np.where(peak, inner, np.float32(-1))
        best = at_peaks.max(axis=1)
        first = np.argmax(at_peaks >= _NEAR_BEST * best[:, None], axis=1) + self._shortest
        rows = np.arange(len(shape))
        left, own, right = (shape[rows, first + step] for step in (-1, 0, 1))
        bend = np.minimum(left - 2 * own + right, np.float32(-1e-9))
        period = first + np.clip((left - right) / (2 * bend), -1, 1)
        pitch = np.where(best >= _VOICED, self._rate_hz / period, 0)
        self._kept.append(np.stack([pitch.astype(np.float32), energy], axis=1))

    def finish(self, speech: tuple[Span, ...]) -> Pitch | None:
        """None where less than 0.3 s of voiced speech was found."""
        kept = np.concatenate([np.zeros((0, 2), np.float32), *self._kept])
        voiced = (kept[:, 0] > 0) & hops_inside(speech, len(kept), self._hop_s)
        if voiced.any():
            loud = kept[voiced, 1].max() * np.float32(10 ** (-_HEARD_DB / 10))
            voiced &= kept[:, 1] > loud
        if voiced.sum() * self._hop_s < _MIN_VOICED_S:
            return None
        lowest, median = np.percentile(kept[voiced, 0], (5, 50))
        return Pitch(float(lowest), float(median), float(voiced.sum() * self._hop_s))
