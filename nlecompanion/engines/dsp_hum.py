"""Mains hum: steady lines at multiples of 50 or 60 Hz, taken out only where they are measured.

The sound is brought down to about 3 kHz and looked at in frames of over a second, in which mains
lines stand within a bin or two and speech, which never holds its pitch, does not. A line is
what stands out through most of 3 s; there is hum if three or more lines are harmonics of one
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
#: Frames before and after in which a line must be: 4 of about 0.34 s each way.
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
_LOBE_BINS = 3
#: How far a line may lie from its harmonic's place.
_TOLERANCE_BINS = 0.6


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
    from scipy.ndimage import median_filter, percentile_filter

    bin_hz = float(low_rate_hz / _STFT.frame_samples)
    top = int(_TOP_HZ / bin_hz) + _NEIGHBOUR_BINS
    share = np.zeros_like(power)
    # A quarter of the frames may lie below: a voice beats with the line, a passing one falls out.
    steady = percentile_filter(power[whole, :top], 25, (2 * _LAST_FRAMES + 1, 1), mode="nearest")
    around = median_filter(steady, (1, 2 * _NEIGHBOUR_BINS + 1), mode="nearest")
    chosen = _harmonic_lines(_lines(steady, around), int(_TOP_HZ / bin_hz), bin_hz)
    if not chosen.any():
        return share
    at = np.clip(np.arange(len(power)) - whole.start, 0, len(steady) - 1)
    own = power[:, :top] + np.float32(1e-20)
    line = np.sqrt(np.maximum(steady - around, 0)[at] / own)
    # Never below the level of the neighbours: a notch would be heard too.
    kept = np.maximum(1 - line, np.sqrt(np.minimum(around[at] / own, 1)))
    share[:, :top] = np.where(chosen[at], 1 - np.minimum(kept, 1), 0)
    return share


def _lines(steady: Real, around: Real) -> Real:
    """Where the bins' lines lie, in bins and fractions; infinity where there is none."""
    level = np.log(steady + np.float32(1e-30))
    left, own, right = level[:, :-2], level[:, 1:-1], level[:, 2:]
    peak = (own >= left) & (own > right) & (steady[:, 1:-1] > _PROMINENCE * around[:, 1:-1])
    # The top of the parabola through a peak and its neighbours.
    bend = np.minimum(left - 2 * own + right, np.float32(-1e-6))
    place = np.arange(1, level.shape[1] - 1, dtype=np.float32) + (left - right) / (2 * bend)
    lines: Real = np.full_like(level, np.inf)
    lines[:, 1:-1] = np.where(peak, place, np.inf)
    return lines


def _harmonic_lines(lines: Real, top_bin: int, bin_hz: float) -> NDArray[np.bool_]:
    """The bins of lines that are harmonics of a fundamental with enough of them."""
    fundamental_bins = _FUNDAMENTALS_HZ / bin_hz
    place = np.outer(fundamental_bins, np.arange(1, int(top_bin / fundamental_bins[0]) + 1))
    nearest = np.minimum(np.rint(place).astype(int), top_bin)
    there = np.zeros((len(lines), *place.shape), bool)
    for step in (-1, 0, 1):
        there |= np.abs(lines[:, nearest + step] - place) < _TOLERANCE_BINS
    found = there[:, :, :_HARMONICS].sum(axis=2)
    best = found.argmax(axis=1)
    chosen = np.zeros(lines.shape, bool)
    for frame in np.flatnonzero(found.max(axis=1) >= _LINES_NEEDED):
        for centre in nearest[best[frame], there[frame, best[frame]]]:
            chosen[frame, max(0, centre - _LOBE_BINS) : centre + _LOBE_BINS + 1] = True
    return chosen
