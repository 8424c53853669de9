"""The mask that turns stationary noise down, and gaps a little further.

Spectra are power of shape (frames, bins), a frame every 8 to 12 ms. Everything looks as far forward
as back and forgets within `REACH_FRAMES`, so that a mask does not depend on where a block begins.

1. Noise floor: bin by bin the least smoothed power within 1.3 s either way (minimum statistics,
   Martin 2001), corrected for the bias of a minimum, then averaged. Speech does not raise it: a
   voice leaves every bin once in a while.
2. Gain: a Wiener gain xi / (1 + xi) with the a-priori ratio xi smoothed "decision-directed"
   (Ephraim & Malah 1984, eq. 51), which is what keeps musical noise away. It is run forward and
   backward in time and averaged: alone, the forward run dulls onsets (Cohen 2005).
3. Gentle expansion: where the voice band lies far below the loudest around it, a few dB less.
"""

from __future__ import annotations

import numpy as np

from nlecompanion.engines.dsp_stft import Real

#: Frames that are averaged into one step of the noise tracker.
GROUP_FRAMES = 4
_MINIMUM_GROUPS = 30
_AVERAGE_GROUPS = 15
#: Mean of white noise over its tracked minimum, measured with the constants above.
_MINIMUM_BIAS = 2.1
#: -120 dBFS: below lie digital silence and 24-bit dither, which say nothing about the noise.
_SILENCE_POWER = 1e-12
_SMOOTHING = 0.96
#: -14 dB: deep enough to matter, shallow enough that what remains sounds like the place.
_FLOOR_GAIN = 0.2
#: Frames for `_SMOOTHING` to fall below -60 dB.
_FORGET_FRAMES = 170

_KNEE_DB = 32.0
_SLOPE = 0.5
_DEPTH_DB = 6.0
_LEVEL_FRAMES = 3
_PEAK_FRAMES = 160
_EASE_FRAMES = 30

#: How far, in frames, a change in the power can change the mask.
REACH_FRAMES = (
    GROUP_FRAMES * (_MINIMUM_GROUPS + _AVERAGE_GROUPS + 4)
    + _FORGET_FRAMES
    + _PEAK_FRAMES
    + _EASE_FRAMES
    + 2 * _LEVEL_FRAMES
)


def noise_mask(power: Real, voice_bins: slice) -> Real:
    """The gain of every frame and bin, 0..1; `voice_bins` is where the gaps are measured."""
    gain = _noise_gain(power, noise_floor(power))
    gain *= _expansion(power[:, voice_bins], gain[:, voice_bins])[:, None]
    return gain


def noise_floor(power: Real) -> Real:
    """The stationary part of the power, a row every `GROUP_FRAMES` frames."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    groups = _grouped(power)
    smooth = uniform_filter1d(groups, 3, axis=0, mode="nearest")
    smooth = uniform_filter1d(smooth, 3, axis=1, mode="nearest")
    window_groups = 2 * _MINIMUM_GROUPS + 1
    silent = (groups.mean(axis=1) < _SILENCE_POWER).astype(np.float32)
    # A group beside silence is half silent, and its smoothed power too low.
    heard = uniform_filter1d(silent, 5, mode="nearest") < 0.1
    smooth[~heard] = np.inf
    # The outermost frames reach over the edges and hold a part of the power.
    smooth[[0, -1]] = np.inf
    least = minimum_filter1d(smooth, window_groups, axis=0, mode="nearest")
    least[~np.isfinite(least)] = 0
    # Near an edge the nearest whole window speaks: half of one may be all voice.
    first = min(_MINIMUM_GROUPS, (len(least) - 1) // 2)
    last = max(first, len(least) - 1 - _MINIMUM_GROUPS)
    least = least[np.clip(np.arange(len(least)), first, last)]
    floor = uniform_filter1d(least, 2 * _AVERAGE_GROUPS + 1, axis=0, mode="nearest")
    # A sound shorter than the window may be all voice: the shorter, the less is its minimum noise.
    share = uniform_filter1d(heard.astype(np.float32), window_groups, mode="nearest")
    share *= np.float32(min(1.0, len(groups) / window_groups))
    # The filters' running sums may end a hair below zero.
    floored: Real = np.maximum(floor, 0) * (np.float32(_MINIMUM_BIAS) * share**2)[:, None]
    return floored


def _grouped(power: Real) -> Real:
    """Means over `GROUP_FRAMES` frames; the last may be of fewer."""
    whole = len(power) // GROUP_FRAMES * GROUP_FRAMES
    means: Real = power[:whole].reshape(-1, GROUP_FRAMES, power.shape[1]).mean(axis=1)
    if whole < len(power):
        means = np.concatenate([means, power[whole:].mean(axis=0, keepdims=True)])
    return means


def _noise_gain(power: Real, floor: Real) -> Real:
    gain = np.zeros_like(power)
    inverse = np.float32(1) / (floor + np.float32(1e-18))
    _add_wiener_gain(gain, power, inverse, range(len(power)))
    _add_wiener_gain(gain, power, inverse, range(len(power) - 1, -1, -1))
    gain *= np.float32(0.5)
    return np.maximum(gain, np.float32(_FLOOR_GAIN), out=gain)


def _add_wiener_gain(gain: Real, power: Real, inverse_floor: Real, order: range) -> None:
    """Adds the decision-directed gain to `gain`, frame by frame in this order."""
    ratio, xi, held = np.zeros((3, power.shape[1]), np.float32)
    one, old, new = np.float32(1), np.float32(_SMOOTHING), np.float32(1 - _SMOOTHING)
    limit = np.float32(1e8)
    for frame in order:
        np.multiply(power[frame], inverse_floor[frame // GROUP_FRAMES], out=ratio)
        np.minimum(ratio, limit, out=ratio)
        # xi = old * G(t-1)^2 * ratio(t-1) + new * max(ratio(t) - 1, 0)
        np.subtract(ratio, one, out=xi)
        np.maximum(xi, 0, out=xi)
        xi *= new
        held *= old
        xi += held
        np.add(xi, one, out=held)
        np.divide(xi, held, out=xi)
        gain[frame] += xi
        np.multiply(xi, xi, out=held)
        held *= ratio


def _expansion(power: Real, gain: Real) -> Real:
    """A gain a frame, 1 down to -`_DEPTH_DB`."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    level = np.einsum("fb,fb,fb->f", power, gain, gain)
    level = uniform_filter1d(level, 2 * _LEVEL_FRAMES + 1, mode="nearest")
    peak = maximum_filter1d(level, 2 * _PEAK_FRAMES + 1, mode="nearest")
    peak = uniform_filter1d(peak, 2 * _EASE_FRAMES + 1, mode="nearest")
    tiny = np.float32(1e-20)
    below_db = 10 * np.log10((np.maximum(level, 0) + tiny) / (np.maximum(peak, 0) + tiny))
    gain_db = np.clip(_SLOPE * (below_db + _KNEE_DB), -_DEPTH_DB, 0)
    eased: Real = uniform_filter1d(gain_db, 2 * _LEVEL_FRAMES + 1, mode="nearest")
    gains: Real = np.power(np.float32(10), eased / np.float32(20))
    return gains
