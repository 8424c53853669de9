"""Frames and third-octave bands that the floor of a recording is measured in.

Frames of about 85 ms (a power of two) every half of it, square-root Hann windows: short enough for
the gaps between words, long enough to part the third octaves from 100 Hz on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nlecompanion.model import Samples, Span

Real = NDArray[np.float32]
Mask = NDArray[np.bool_]
_FRAME_S = 0.085
#: IEC 61260-1 band numbers -10 to 12 on base ten: nominal centres 100 Hz to 16 kHz.
_BAND_NUMBERS = range(-10, 13)
#: A voice begins before its detector says so, and rooms ring on after it.
_BEFORE_SPEECH_S, _AFTER_SPEECH_S = 0.1, 0.25
#: What counts as no sound at all: dither of 24 bits lies above.
SILENCE_POWER = 1e-14
#: Gap frames that lie further from most others hold a breath, a click, a missed word, a dropout.
_AROUND_QUIET_DB = 4.0
_QUIET_PERCENTILE = 30


@dataclass(frozen=True, slots=True)
class ToneGrid:
    """Frame t reaches from `t * hop_samples` to `t * hop_samples + frame_samples`."""

    frame_samples: int
    rate_hz: int

    @classmethod
    def at(cls, rate_hz: int) -> ToneGrid:
        """The power of two nearest to 85 ms."""
        return cls(1 << max(6, round(math.log2(rate_hz * _FRAME_S))), rate_hz)

    @property
    def hop_samples(self) -> int:
        """Half a frame."""
        return self.frame_samples // 2

    @property
    def bins(self) -> int:
        """Frequencies of a frame."""
        return self.frame_samples // 2 + 1

    @property
    def window(self) -> Real:
        """The square root of a periodic Hann window."""
        place = np.arange(self.frame_samples) / self.frame_samples
        return np.sin(np.pi * place).astype(np.float32)

    def frames(self, length_samples: int) -> int:
        """Whole frames in that many samples."""
        return max(0, (length_samples - self.frame_samples) // self.hop_samples + 1)

    def spectra(self, samples: Samples) -> NDArray[np.complex64]:
        """Of all whole frames, (frames, bins, channels), scaled so that the squared magnitudes of
        a frame sum to the mean square of the sound under the window.
        """
        import scipy.fft

        count = self.frames(len(samples))
        if not count:
            return np.zeros((0, self.bins, samples.shape[1]), np.complex64)
        columns = np.ascontiguousarray(samples.T)
        views = sliding_window_view(columns, self.frame_samples, axis=1)
        framed = views[:, :: self.hop_samples][:, :count] * self.window
        spectra = scipy.fft.rfft(framed, axis=2, overwrite_x=True)
        # One side of the spectrum, under a window whose square sums to half the frame.
        spectra *= np.float32(2 / self.frame_samples)
        # A view: what is summed over the channels is several times faster so than on a copy.
        scaled: NDArray[np.complex64] = spectra.transpose(1, 2, 0)
        return scaled

    def band_edges(self) -> list[tuple[int, int]]:
        """First bin and the bin after the last of each band below 0.45 of the rate."""
        per_bin = self.frame_samples / self.rate_hz
        edges = []
        for number in _BAND_NUMBERS:
            low_hz, high_hz = (1000 * 10 ** ((number + side) / 10) for side in (-0.5, 0.5))
            if high_hz <= 0.45 * self.rate_hz:
                low, high = round(low_hz * per_bin), round(high_hz * per_bin)
                edges.append((low, max(low + 1, high)))
        return edges

    def band_centres_hz(self) -> Real:
        """Of the same bands."""
        centres = [1000 * 10 ** (number / 10) for number in _BAND_NUMBERS]
        return np.asarray(centres[: len(self.band_edges())], np.float32)

    def band_powers(self, spectra: NDArray[np.complex64]) -> Real:
        """Mean squares averaged over the channels, (frames, bands)."""
        return self.band_products(spectra, spectra)

    def band_products(self, one: NDArray[np.complex64], other: NDArray[np.complex64]) -> Real:
        """Means of one sound times the other, averaged over the channels, (frames, bands)."""
        product = np.mean(one.real * other.real + one.imag * other.imag, axis=2)
        bands = [product[:, low:high].sum(axis=1) for low, high in self.band_edges()]
        return np.stack(bands, axis=1).astype(np.float32)

    def gap_frames(self, speech: Sequence[Span], length_samples: int) -> Mask:
        """Which frames lie wholly in gaps, away from voices and their echo."""
        free = np.ones(self.frames(length_samples), dtype=bool)
        for span in speech:
            start = (float(span.start_s) - _BEFORE_SPEECH_S) * self.rate_hz
            end = (float(span.end_s) + _AFTER_SPEECH_S) * self.rate_hz
            first = math.floor((start - self.frame_samples) / self.hop_samples) + 1
            free[max(0, first) : max(0, math.ceil(end / self.hop_samples))] = False
        return free


def quiet_db(power: NDArray[np.floating]) -> float | None:
    """The level that most of the gap frames have; None where all are digital silence."""
    heard = power[power > SILENCE_POWER]
    return float(np.percentile(as_db(heard), _QUIET_PERCENTILE)) if len(heard) else None


def floor_frames(power: NDArray[np.floating]) -> Mask:
    """Which gap frames, given their powers, are the place and nothing else."""
    level_db = quiet_db(power)
    if level_db is None:
        return np.zeros(len(power), dtype=bool)
    near: Mask = np.abs(as_db(power) - level_db) <= _AROUND_QUIET_DB
    return near


def as_db(power: NDArray[np.floating]) -> NDArray[np.float64]:
    """10 log10, not below -140."""
    db: NDArray[np.float64] = 10 * np.log10(np.maximum(power.astype(np.float64), 1e-14))
    return db
