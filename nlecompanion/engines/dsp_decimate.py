"""Brings sound down to an integer fraction of its rate and back, without delay.

One Kaiser-windowed sinc serves both ways (Oppenheim & Schafer 2010, 7.6 and 4.6): at a decimation
by D it passes up to a third of the low rate and stops from two thirds on, so the lowest third of
the low band (where hum is looked for) stays free of aliases by 60 dB. Sums run in a fixed order.
"""

from __future__ import annotations

import numpy as np

from nlecompanion.engines.dsp_stft import Real
from nlecompanion.model import Samples

#: Reach of the filter on either side, in samples at the low rate.
HALF_LENGTH = 6
_KAISER_BETA = 6.8


def decimated(samples: Samples, factor: int) -> Samples:
    """Every `factor`-th sample of the low-passed sound, the first at the first."""
    if factor == 1:
        return samples
    count = -(-len(samples) // factor)
    taps = _taps(factor)
    rows = count + len(taps) - 1
    result = np.zeros((count, samples.shape[1]), np.float32)
    for channel in range(samples.shape[1]):
        padded = np.zeros(rows * factor, np.float32)
        start = HALF_LENGTH * factor
        padded[start : start + len(samples)] = samples[:, channel]
        pieces = padded.reshape(rows, factor)
        for row, part in enumerate(taps):
            result[:, channel] += np.einsum("md,d->m", pieces[row : row + count], part)
    return result


def interpolated(low: Samples, factor: int, length_samples: int) -> Samples:
    """The sound behind `decimated`, `length_samples` long."""
    if factor == 1:
        return low
    taps = _taps(factor) * np.float32(factor)
    result = np.empty((length_samples, low.shape[1]), np.float32)
    for channel in range(low.shape[1]):
        padded = np.pad(low[:, channel], (HALF_LENGTH, HALF_LENGTH))
        out = np.zeros((len(low), factor), np.float32)
        for row, part in enumerate(taps):
            first = 2 * HALF_LENGTH - row
            out += padded[first : first + len(low), None] * part
        result[:, channel] = out.reshape(-1)[:length_samples]
    return result


def _taps(factor: int) -> Real:
    """The low-pass, cut at half the low rate, in rows of `factor`; its middle begins a row."""
    length = 2 * HALF_LENGTH * factor
    place = np.arange(length) - HALF_LENGTH * factor
    taps = np.sinc(place / factor) * np.kaiser(length + 1, _KAISER_BETA)[:-1] / factor
    return taps.astype(np.float32).reshape(2 * HALF_LENGTH, factor)
