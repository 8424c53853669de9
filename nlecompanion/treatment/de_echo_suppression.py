"""Late echo that is left, turned down where it outweighs the voice: spectral suppression.

Lebart, Boucher, Denbigh 2001: late echo decays exponentially, so its power now follows from the
power before. Habets, Gannot, Cohen 2009: by how much, follows from the ratio of early to late
energy. With the early energy D and late energy R of a frequency,

    R(t) = a R(t-1) + (1 - a) rho D(t - n),   a = exp(-6 ln(10) hop / T60),   D = max(|X|^2 - R, 0)

less `_NOISE_SHARE` times the steady noise in it, which has no echo of its own and would come out
grainy; the noise is the minimum of the smoothed power over about 4 s (after Martin 2001). Here
n is 50 ms and rho = 10^(-C50/10): summed over time, R is rho times D. The gain is a Wiener
gain with the a-priori ratio smoothed "decision-directed" (Ephraim & Malah 1984, eq. 51), never
below a floor, and the same on all channels.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nlecompanion.treatment.de_echo_frames import Framing

Real = NDArray[np.float32]
#: The border between early and late sound in C50 (ISO 3382-1, A.2.2).
EARLY_S = 0.05
#: How much is taken for more than the estimate: a mean hides the peaks of a fluctuating echo.
_OVERSUBTRACTION = 5.0
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
_RATIO_LIMIT = 1e4


class Suppression:
    """Gains a stretch of frames after the other."""

    def __init__(self, framing: Framing, c50_db: float, decay_s: float, depth_db: float) -> None:
        late_frames = max(1, round(EARLY_S / framing.hop_s))
        self._decay = np.float32(math.exp(-6 * math.log(10) * framing.hop_s / decay_s))
        self._late_share = np.float32(10 ** (-c50_db / 10)) * (1 - self._decay)
        self._least = np.float32(10 ** (-depth_db / 20))
        self._early = np.zeros((late_frames, framing.bins), np.float32)
        self._late, self._held = np.zeros((2, framing.bins), np.float32)
        self._noise: Real | None = None
        self._frame = 0

    def gains(self, power: Real) -> Real:
        """The gain of every frame and bin, from the channels' summed power (frames, bins)."""
        gains = np.empty_like(power)
        mean_noise = np.float32(_MINIMUM_BIAS) * self._floor(power)
        noise = np.float32(_NOISE_SHARE) * mean_noise
        old, new = np.float32(_SMOOTHING), np.float32(1 - _SMOOTHING)
        for row, now in enumerate(power):
            early = self._early[self._frame % len(self._early)]
            self._late *= self._decay
            self._late += self._late_share * early
            ratio = now / (np.float32(_OVERSUBTRACTION) * self._late + np.float32(_QUIET_POWER))
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
        return np.maximum(gains, kept, out=gains)

    def _floor(self, power: Real) -> Real:
        """The least smoothed power of each bin in this stretch, or not far above the last one's."""
        from scipy.ndimage import uniform_filter1d

        half = _FLOOR_FRAMES // 2
        if len(power) >= 4 * _FLOOR_FRAMES:
            smooth = uniform_filter1d(power, _FLOOR_FRAMES, axis=0, mode="nearest")
            # The outermost frames reach over the sound's ends, and averages over the stretch's.
            least = np.maximum(smooth[2 * half : -2 * half].min(axis=0), 0)
            if self._noise is not None:
                least = np.minimum(least, np.float32(_NOISE_RISE) * self._noise)
            self._noise = least
        return np.zeros(power.shape[1], np.float32) if self._noise is None else self._noise
