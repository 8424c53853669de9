"""True-peak limit on the final mix: what is under the ceiling passes bit for bit.

The gain is worked out ahead and laid around each peak like a short dip drawn by hand: no delay,
no release that hangs on, the same on all channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.true_peak import (
    REACH_SAMPLES,
    oversampling,
    overshoot,
    peaks_between,
)
from nlecompanion.model import Samples
from nlecompanion.treatment.windows import windows

#: Gains are worked out for cells of about 1/3 ms.
_CELLS_HZ = 3000
#: Half a dip's length, held and then faded: 20 ms before the peak and after it.
_HALF_DIP_S = 0.01
_WINDOW_CELLS = 3000
#: A gain that moves lifts the wave between samples by less than this.
_MARGIN_DB = 0.02


@dataclass(frozen=True, slots=True)
class LimitReport:
    """How much of the sound the limit touched, and the most that it took."""

    ceiling_dbtp: float
    limited_s: float
    most_db: float

    def receipt_values(self) -> dict[str, object]:
        """The receipt's entry."""
        return {
            "ceiling_dbtp": self.ceiling_dbtp,
            "limited_s": round(self.limited_s, 3),
            "most_db": round(self.most_db, 2),
        }


class LimitMeter:
    """Takes the gains that were laid; constant memory."""

    def __init__(self, ceiling_dbtp: float, rate_hz: int) -> None:
        self._ceiling_dbtp, self._rate_hz = ceiling_dbtp, rate_hz
        self._limited_samples = 0
        self._lowest = 1.0

    def push(self, gains: Samples) -> None:
        """One factor a sample."""
        self._limited_samples += int((gains < 1).sum())
        self._lowest = min(self._lowest, float(gains.min(initial=1.0)))

    def finish(self) -> LimitReport:
        """Over all that was taken."""
        most_db = max(0.0, -20 * math.log10(self._lowest))
        return LimitReport(self._ceiling_dbtp, self._limited_samples / self._rate_hz, most_db)


def limit_peaks(
    blocks: Iterable[Samples], ceiling_dbtp: float, rate_hz: int, meter: LimitMeter | None = None
) -> Iterator[Samples]:
    """Blocks of (samples, channels) whose true peak (BS.1770-5, Annex 2) is under the ceiling.

    Where no peak is over it, every sample comes back bit for bit. Blocks of any lengths go in and
    come out, the same number of samples in all.
    """
    limiter = _Limiter(ceiling_dbtp, rate_hz)
    for window in windows(blocks, limiter.window_samples, limiter.reach_samples):
        inner = window[:, limiter.reach_samples : window.shape[1] - limiter.reach_samples]
        gains = limiter.gains(window)
        if gains is not None:
            inner = inner * gains
            if meter is not None:
                meter.push(gains)
        yield np.ascontiguousarray(inner.T)


class _Limiter:
    """Gains for windows of (channels, reach + window + reach) that begin on a cell."""

    def __init__(self, ceiling_dbtp: float, rate_hz: int) -> None:
        self._ceiling = 10 ** ((ceiling_dbtp - _MARGIN_DB) / 20)
        self._allowed = 10 ** (ceiling_dbtp / 20)
        self._points = oversampling(rate_hz)
        self._cell = max(1, round(rate_hz / _CELLS_HZ))
        self._half = max(1, round(_HALF_DIP_S * rate_hz / self._cell))
        margin_cells = -(-REACH_SAMPLES // self._cell)
        # Peaks as far away as a dip is wide, and what their interpolation looks at.
        self._dip_cells = 2 * self._half + 2
        self.reach_samples = (self._dip_cells + margin_cells) * self._cell
        self.window_samples = _WINDOW_CELLS * self._cell
        self._skip = margin_cells * self._cell - REACH_SAMPLES

    def gains(self, window: Samples) -> Samples | None:
        """One factor for each inner sample; None where all are 1."""
        if float(np.abs(window).max()) * overshoot(self._points) <= self._allowed:
            return None
        count = window.shape[1] - 2 * self.reach_samples
        needed = self._needed(window)
        if (needed >= 1).all():
            return None
        from scipy.ndimage import minimum_filter1d

        # A cell's gain holds for the straight lines to both neighbours as well.
        lowest = minimum_filter1d(needed, 2 * (self._half + 1) + 1, mode="constant", cval=1.0)
        dip = np.hanning(2 * self._half + 3)[1:-1]
        smooth = np.convolve(lowest - 1, dip / dip.sum(), mode="same") + 1
        middles = (np.arange(smooth.size) - self._dip_cells + 0.5) * self._cell
        gains = np.interp(np.arange(count), middles, smooth)
        # Rounding leaves a hair under 1 beside the dips.
        return np.where(gains > 1 - 1e-7, 1.0, gains).astype(np.float32)

    def _needed(self, window: Samples) -> NDArray[np.float64]:
        """The gain that each cell of the window and its reach of dips needs, 1 where none."""
        inner = window[:, self._skip : window.shape[1] - self._skip]
        frames = self._cell * 30
        peaks = np.zeros(inner.shape[1] - 2 * REACH_SAMPLES, np.float32)
        for start in range(0, peaks.size, frames):
            piece = inner[:, start : start + frames + 2 * REACH_SAMPLES]
            if float(np.abs(piece).max()) * overshoot(self._points) > self._allowed:
                found = peaks_between(piece, self._points).max(axis=0)
                peaks[start : start + found.size] = found
        cells = -(-peaks.size // self._cell)
        padded = np.pad(peaks, (0, cells * self._cell - peaks.size)).reshape(cells, self._cell)
        highest = padded.max(axis=1).astype(np.float64)
        over = highest > self._allowed
        return np.where(over, self._ceiling / np.maximum(highest, self._ceiling), 1.0)
