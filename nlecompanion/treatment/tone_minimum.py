"""The floor under speech or music, where there is no gap: minimum statistics.

Martin 2001, "Noise power spectral density estimation based on optimal smoothing and minimum
statistics": every frequency falls to the floor once in a while, so the least smoothed power of a
window of about 1.5 s, corrected for the bias of a minimum, estimates it. What is steady in the
music stays in it: the estimate lies on or above the floor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nlecompanion.treatment.tone_grid import SILENCE_POWER, Real, ToneGrid

WINDOW_S = 1.5
_SMOOTH_FRAMES = 5
#: Mean of white noise over its tracked minimum, measured with the constants here.
_MINIMUM_BIAS = 2.3
_PERCENTILE = 25
_MOST_WINDOWS = 48

Complex = NDArray[np.complex64]


class MinimumStatistics:
    """Tracks windows one after the other; of more than 48 it keeps every second one, and so on."""

    def __init__(self, grid: ToneGrid) -> None:
        frames = round(WINDOW_S * grid.rate_hz / grid.hop_samples)
        self.window_frames = max(_SMOOTH_FRAMES + 1, frames)
        self._least: list[Real] = []
        self._there: list[Complex] = []
        self._step, self._seen = 1, 0

    def push(self, spectra: Complex) -> None:
        """Takes the frames of one window, (frames, bins, channels)."""
        from scipy.ndimage import uniform_filter1d

        wanted = self._seen % self._step == 0
        self._seen += 1
        if not wanted or len(spectra) < self.window_frames:
            return
        power = np.sum(spectra.real**2 + spectra.imag**2, axis=2)
        if float(power.sum(axis=1).min()) < SILENCE_POWER:
            return
        smooth = uniform_filter1d(power, _SMOOTH_FRAMES, axis=0, mode="nearest")
        smooth = uniform_filter1d(smooth, 3, axis=1, mode="nearest")
        # Where the average does not reach over the window's ends.
        half = _SMOOTH_FRAMES // 2
        at = smooth[half:-half].argmin(axis=0) + half
        bins = np.arange(power.shape[1])
        self._least.append(smooth[at, bins])
        self._there.append(spectra[at, bins])
        if len(self._least) > _MOST_WINDOWS:
            self._least, self._there = self._least[::2], self._there[::2]
            self._step *= 2

    def finish(self) -> Complex | None:
        """Spectra as of gaps, (windows, bins, channels), each frequency at its floor's power.

        Their channels relate as they did where the floor was heard. None without a whole window.
        """
        if not self._least:
            return None
        floor = np.percentile(np.stack(self._least), _PERCENTILE, axis=0) * _MINIMUM_BIAS
        there = np.stack(self._there)
        power = np.mean(np.sum(there.real**2 + there.imag**2, axis=2), axis=0)
        scale = np.sqrt(floor / np.maximum(power, 1e-20)).astype(np.float32)
        scaled: Complex = there * scale[None, :, None]
        return scaled
