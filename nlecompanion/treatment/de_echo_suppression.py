"""Late echo that is left, turned down where it outweighs the voice: spectral suppression.

Lebart, Boucher, Denbigh 2001: late echo decays exponentially, so its power now follows from the
power before. Habets, Gannot, Cohen 2009: by how much, follows from the ratio of early to late
energy. With the early energy D and late energy R of a frequency,

    R(t) = a R(t-1) + (1 - a) rho D(t - n),   a = exp(-6 ln(10) hop / T60),   D = max(|X|^2 - R, 0)

less `_NOISE_SHARE` times the steady noise in it, which has no echo of its own and would come out
grainy; the noise is the minimum of the smoothed power over about 4 s (after Martin 2001), where it
is one: in a room that rings for two seconds the quietest moment is the end of a tail. The next word
follows on a tail's end, and what went before was hardly louder; around the minimum of noise both
sides are alike. Here n is 50 ms and rho = 10^(-C50/10): summed over time, R is rho times D. The
gain is a Wiener gain with the a-priori ratio smoothed "decision-directed" (Ephraim & Malah 1984,
eq. 51), never below a floor, and the same on all channels.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nlecompanion.treatment.de_echo_frames import Framing

Real = NDArray[np.float32]
#: The border between early and late sound in C50 (ISO 3382-1, A.2.2).
EARLY_S = 0.05
#: How much is taken for more than the estimate: a mean hides the peaks of a fluctuating echo, the
#: more so where echo outweighs the voice (C50 of a clear and of a bad room; the factor there).
_OVERSUBTRACTION = (5.0, 8.0)
_CLEAR_C50_DB, _BAD_C50_DB = 2.0, -0.5
#: Short against a syllable: onsets must pass at once.
_SMOOTHING = 0.6
_QUIET_POWER = 1e-13
_FLOOR_FRAMES = 9
#: Mean of white noise over its minimum as tracked here, measured.
_MINIMUM_BIAS = 4.9
#: Times its mean: what noise seldom exceeds.
_NOISE_SHARE = 6.0
#: Noise cut off at this many times its mean keeps its level to 0.2 dB: 1 - exp(-3).
_NOISE_KEPT = 3.0
#: How far the noise may rise from one stretch to the next: a stretch may hold no pause.
_NOISE_RISE = 4.0
#: From the minimum to both its sides: past the frames that it was averaged over, and within a word.
_SIDE_FRAMES = 12
#: Bins that the sides are averaged over, and the rise over the fall that is a tail's: noise alone
#: has 0 +- 0.7 dB, voices in rooms of two seconds 3 to 8 dB.
_SIDE_BINS = 65
_TAIL_RISE_DB = (2.0, 4.5)
_RATIO_LIMIT = 1e4


def badness(c50_db: float) -> float:
    """0 in a room that is clear enough, 1 in one where echo outweighs the voice."""
    return float(np.clip((_CLEAR_C50_DB - c50_db) / (_CLEAR_C50_DB - _BAD_C50_DB), 0, 1))


class Suppression:
    """Gains a stretch of frames after the other."""

    def __init__(self, framing: Framing, c50_db: float, decay_s: float, depth_db: float) -> None:
        late_frames = max(1, round(EARLY_S / framing.hop_s))
        self._decay = np.float32(math.exp(-6 * math.log(10) * framing.hop_s / decay_s))
        self._late_share = np.float32(10 ** (-c50_db / 10)) * (1 - self._decay)
        self._least = np.float32(10 ** (-depth_db / 20))
        clear, bad = _OVERSUBTRACTION
        self._over = np.float32(clear + (bad - clear) * badness(c50_db))
        self._early = np.zeros((late_frames, framing.bins), np.float32)
        self._late, self._held = np.zeros((2, framing.bins), np.float32)
        self._noise: Real | None = None
        self._frame = 0

    def gains(self, power: Real) -> tuple[Real, Real]:
        """The gain of every frame and bin, from the channels' summed power (frames, bins), and the
        power of late echo there.
        """
        gains, late = np.empty_like(power), np.empty_like(power)
        mean_noise = np.float32(_MINIMUM_BIAS) * self._floor(power)
        noise = np.float32(_NOISE_SHARE) * mean_noise
        old, new = np.float32(_SMOOTHING), np.float32(1 - _SMOOTHING)
        for row, now in enumerate(power):
            early = self._early[self._frame % len(self._early)]
            self._late *= self._decay
            self._late += self._late_share * early
            late[row] = self._late
            ratio = now / (self._over * self._late + np.float32(_QUIET_POWER))
            np.minimum(ratio, np.float32(_RATIO_LIMIT), out=ratio)
            xi = old * self._held + new * np.maximum(ratio - 1, 0)
            gain = xi / (1 + xi)
            self._held = gain * gain * ratio
            gains[row] = gain
            early[:] = np.maximum(now - self._late - noise, 0)
            self._frame += 1
        np.maximum(gains, self._least, out=gains)
        # Not below the steady noise: a hole in it after each word would be heard.
        kept = np.float32(_NOISE_KEPT) * mean_noise / np.maximum(power, np.float32(_QUIET_POWER))
        np.sqrt(np.minimum(kept, 1, out=kept), out=kept)
        np.maximum(gains, kept, out=gains)
        return gains, np.minimum(late, power, out=late)

    def _floor(self, power: Real) -> Real:
        """The least smoothed power of each bin in this stretch, or not far above the last one's."""
        from scipy.ndimage import uniform_filter1d

        half = _FLOOR_FRAMES // 2
        if len(power) >= 4 * _FLOOR_FRAMES:
            smooth = uniform_filter1d(power, _FLOOR_FRAMES, axis=0, mode="nearest")
            least = _steady(smooth[2 * half : -2 * half])
            if self._noise is not None:
                np.minimum(least, np.float32(_NOISE_RISE) * self._noise, out=least)
            self._noise = least
        if self._noise is None:
            return np.zeros(power.shape[1], np.float32)
        return self._noise


def _steady(smooth: Real) -> Real:
    """The least power of each bin, less where it looks like the end of a tail.

    `smooth` is averaged over frames; the outermost, which reach over the sound's ends, are left
    out by the caller.
    """
    from scipy.ndimage import uniform_filter1d

    inner = smooth[_SIDE_FRAMES:-_SIDE_FRAMES]
    if len(inner) == 0:
        return np.zeros(smooth.shape[1], np.float32)
    bins = np.arange(smooth.shape[1])
    at = inner.argmin(axis=0) + _SIDE_FRAMES
    least = np.maximum(smooth[at, bins], 0)
    before, after = (smooth[at + side, bins] for side in (-_SIDE_FRAMES, _SIDE_FRAMES))
    quiet = np.float32(_QUIET_POWER)
    rise_db = 10 * np.log10(np.maximum(after, quiet) / np.maximum(before, quiet))
    rise_db = uniform_filter1d(rise_db, _SIDE_BINS, mode="nearest")
    steady, tail = _TAIL_RISE_DB
    share = np.clip((tail - rise_db) / (tail - steady), 0, 1)
    return np.asarray(least * share, np.float32)
