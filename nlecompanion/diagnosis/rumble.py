"""Rumble: steady energy below the voice's lowest pitch, which carries nothing that is said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.bands import FLOOR_POWER, as_db
from nlecompanion.diagnosis.spectra import Powers

LOWEST_HZ = 15.0
_HIGHEST_HZ = 200.0
#: Lowest pitch that is taken for granted where none could be measured: a deep man's voice.
DEFAULT_PITCH_HZ = 80.0
#: Voices reach a little under their 5th percentile.
_BELOW_PITCH = 0.8
#: The mean of the logarithm of noise's power lies this far under the logarithm of its mean
#: (Euler's constant times 10 / ln 10, for exponentially distributed power).
_LOG_MEAN_BIAS_DB = 2.507


@dataclass(frozen=True, slots=True)
class Rumble:
    """Level between 15 Hz and `below_hz`, in dBFS (mean square, averaged over the channels)."""

    level_dbfs: float
    below_hz: float


class RumbleMeter:
    """Wants the mixture's long spectra of the decimated signal; memory does not grow.

    Geometric means over time: a single bump, a plosive or a passing car does not count.
    """

    def __init__(self, low_rate_hz: float, frame: int) -> None:
        self._bin_hz = low_rate_hz / frame
        self._bins = min(frame // 2, int(_HIGHEST_HZ / self._bin_hz) + 1)
        self._sum: NDArray[np.float64] = np.zeros(self._bins)
        self._frames = 0

    def push(self, power: Powers) -> None:
        """Takes power of shape (frames, channels, bins)."""
        mean = power[:, :, : self._bins].mean(axis=1, dtype=np.float64)
        for frame in mean:
            self._sum += np.log10(frame + FLOOR_POWER)
        self._frames += len(mean)

    def finish(self, lowest_pitch_hz: float | None) -> Rumble | None:
        """None where the sound is shorter than a frame (about 1.4 s)."""
        if not self._frames:
            return None
        below_hz = _BELOW_PITCH * (lowest_pitch_hz or DEFAULT_PITCH_HZ)
        below_hz = min(below_hz, _HIGHEST_HZ)
        low, high = round(LOWEST_HZ / self._bin_hz), round(below_hz / self._bin_hz)
        mean_db = 10 * self._sum[low:high] / self._frames + _LOG_MEAN_BIAS_DB
        level_dbfs = float(as_db(np.array([np.sum(10 ** (mean_db / 10))]))[0])
        return Rumble(level_dbfs, below_hz)
