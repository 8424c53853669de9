"""Mains hum: steady lines at multiples of 50 or 60 Hz, taken out only where they are measured.

The sound is brought down to about 3 kHz and looked at in frames of over a second, in which mains
lines stand within a bin or two and speech, which never holds its pitch, does not. A bin is a line
if it stands out for 3 s on end; there is hum if three or more of the lines are harmonics of one
fundamental near 50 or 60 Hz. Their steady level is then subtracted; what a voice adds on top stays.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.engines.dsp_decimate import decimated, interpolated
from nlecompanion.engines.dsp_stft import Real, Stft
from nlecompanion.model import Samples

_LOW_RATE_HZ = 3000
_STFT = Stft(4096)
#: Frames before and after that a line must last: 4 of about 0.34 s each way.
_LAST_FRAMES = 4
_TOP_HZ = 1000.0
#: Grids are held to 0.2 Hz normally, 0.5 Hz at worst (EN 50160, 4.2.1).
_FUNDAMENTALS_HZ = np.concatenate(
    [mains_hz + np.arange(-0.5, 0.501, 0.05) for mains_hz in (50.0, 60.0)]
)
_HARMONICS = 12
_LINES_NEEDED = 3
_PROMINENCE = 10.0
#: Bins on either side that a line is compared with, beyond its main lobe.
_NEIGHBOUR_BINS = 12
_LOBE_BINS = 2


def decimation(rate_hz: int) -> int:
    """Every how manyth sample is looked at."""
    return max(1, rate_hz // _LOW_RATE_HZ)


def hop_samples(rate_hz: int) -> int:
    """The grid, at the take's rate, on which blocks must begin to see the same frames."""
    return _STFT.hop_samples * decimation(rate_hz)


def reach_samples(rate_hz: int) -> int:
    """How far, at the take's rate, a sample can change what is taken out."""
    # A frame's length, the time a line must last, and the decimator's filter.
    return hop_samples(rate_hz) * (4 + _LAST_FRAMES + 1)


def hum(samples: Samples, rate_hz: int) -> Samples | None:
    """The hum in the sound, to be subtracted: same shape; None where there is none.

    Takes shorter than two frames (about 2 to 3 s) are left alone.
    """
    factor = decimation(rate_hz)
    if len(samples) < 2 * _STFT.frame_samples * factor:
        return None
    low = decimated(samples, factor)
    power = _STFT.power(low)
    # Frames that reach over an edge see a part of the line only.
    whole = slice(3, len(low) // _STFT.hop_samples)
    share = _hum_share(power, whole, Fraction(rate_hz, factor))
    if not share.any():
        return None
    lines = _STFT.masked(low, lambda at: share[at])
    return interpolated(lines, factor, len(samples))


def _hum_share(power: Real, whole: slice, low_rate_hz: Fraction) -> Real:
    """How much of each frame's bins is hum: (frames, bins), 0 nearly everywhere."""
    from scipy.ndimage import median_filter, minimum_filter1d

    bin_hz = float(low_rate_hz / _STFT.frame_samples)
    top = int(_TOP_HZ / bin_hz) + _NEIGHBOUR_BINS
    share = np.zeros_like(power)
    span = 2 * _LAST_FRAMES + 1
    steady = median_filter(power[whole, :top], (span, 1), mode="nearest")
    around = median_filter(steady, (1, 2 * _NEIGHBOUR_BINS + 1), mode="nearest")
    stands_out = power[whole, :top] > _PROMINENCE * around
    lasts = minimum_filter1d(stands_out.astype(np.uint8), span, axis=0, mode="nearest") > 0
    chosen = _harmonic_lines(lasts, bin_hz)
    if not chosen.any():
        return share
    at = np.clip(np.arange(len(power)) - whole.start, 0, len(steady) - 1)
    own = power[:, :top] + np.float32(1e-20)
    line = np.sqrt(np.maximum(steady - around, 0)[at] / own)
    # Never below the level of the neighbours: a notch would be heard too.
    kept = np.maximum(1 - line, np.sqrt(np.minimum(around[at] / own, 1)))
    share[:, :top] = np.where(chosen[at], 1 - np.minimum(kept, 1), 0)
    return share


def _harmonic_lines(lasts: NDArray[np.bool_], bin_hz: float) -> NDArray[np.bool_]:
    """The bins of lines that are harmonics of a fundamental with enough of them."""
    from scipy.ndimage import maximum_filter1d

    near = maximum_filter1d(lasts.astype(np.uint8), 3, axis=1, mode="nearest")
    harmonics = np.arange(1, int(_TOP_HZ / _FUNDAMENTALS_HZ[0]) + 1)
    bins = np.rint(np.outer(_FUNDAMENTALS_HZ, harmonics) / bin_hz).astype(int)
    bins = np.minimum(bins, lasts.shape[1] - 1)
    found = near[:, bins[:, :_HARMONICS]].sum(axis=2)
    best = found.argmax(axis=1)
    chosen = np.zeros(lasts.shape, bool)
    for frame in np.flatnonzero(found.max(axis=1) >= _LINES_NEEDED):
        wanted = np.zeros(lasts.shape[1], bool)
        wanted[bins[best[frame]]] = True
        lines = lasts[frame] & maximum_filter1d(wanted, 5)
        chosen[frame] = maximum_filter1d(lines, 2 * _LOBE_BINS + 1)
    return chosen
