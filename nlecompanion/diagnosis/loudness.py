"""Loudness after ITU-R BS.1770-5 and EBU R 128, and true peak, from sound given in blocks.

What is kept is one K-weighted power a hop of 100 ms; every loudness (gated, short-term, over
speech only, after a gain) is worked out from those. Sound is taken in chunks that lie at fixed
places, so blocks of any length give the same figures, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.chunks import Chunks
from nlecompanion.diagnosis.true_peak import TruePeakMeter
from nlecompanion.model import Samples, Span

__all__ = [
    "LOUDNESS_HOP_S",
    "HopPowers",
    "KWeighting",
    "LoudnessMeter",
    "Powers",
    "TruePeakMeter",
    "channel_weights",
    "k_weighting",
    "loudness_hops",
    "loudness_lufs",
    "lufs",
    "short_term_lufs",
]

Powers = NDArray[np.float64]

#: Hops of 100 ms: BS.1770-5 gates blocks of 400 ms that overlap by 75 %.
LOUDNESS_HOP_S = Fraction(1, 10)
_HOPS_A_SECOND = 10
_BLOCK_HOPS = 4
#: EBU Tech 3341: short-term loudness is measured over 3 s.
_SHORT_TERM_HOPS = 30
#: BS.1770-5, Annex 1, eq. 2: loudness of a power of 1.
OFFSET_LU = -0.691
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
#: BS.1770-5, Annex 1, Tables 3 and 4: surrounds count 1.5 dB more, low-frequency effects not.
_SURROUND = 1.41
_WEIGHTS = {
    "5.0": (1.0, 1.0, 1.0, _SURROUND, _SURROUND),
    "5.1": (1.0, 1.0, 1.0, 0.0, _SURROUND, _SURROUND),
    # WAVE order: the back pair stands before the side pair, of which only the sides count more.
    "7.1": (1.0, 1.0, 1.0, 0.0, 1.0, 1.0, _SURROUND, _SURROUND),
}
#: Below this a filter's memory is silence; denormal numbers would slow it down a hundredfold.
_NOTHING = 1e-30


def channel_weights(channels: int, layout: str = "") -> tuple[float, ...]:
    """BS.1770's weights of channels in WAVE order; `layout` as ffmpeg names it ("5.1(side)").

    Six channels of a field recorder are six microphones: without a layout that says otherwise,
    every channel counts the same.
    """
    weights = _WEIGHTS.get(layout.partition("(")[0], ())
    return weights if len(weights) == channels else (1.0,) * channels


def k_weighting(rate_hz: int) -> NDArray[np.float64]:
    """The K-weighting filter as second-order sections (2, 6) at any sampling rate.

    BS.1770-5 prints coefficients for 48 kHz only. Their analogue prototypes, after De Man (2014),
    "Evaluation of implementations of the EBU R128 loudness measurement", give the same filter at
    other rates by the bilinear transform.
    """
    # The head: a shelf of +4 dB.
    warped = math.tan(math.pi * 1681.974450955533 / rate_hz)
    high_gain = 10 ** (3.999843853973347 / 20)
    band_gain = high_gain**0.4996667741545416
    quality = 0.7071752369554196
    below = 1 + warped / quality + warped**2
    shelf = [
        (high_gain + band_gain * warped / quality + warped**2) / below,
        2 * (warped**2 - high_gain) / below,
        (high_gain - band_gain * warped / quality + warped**2) / below,
        1.0,
        2 * (warped**2 - 1) / below,
        (1 - warped / quality + warped**2) / below,
    ]
    # The ear's weakness for bass: a high-pass. BS.1770 leaves its gain at 1, -2, 1.
    warped = math.tan(math.pi * 38.13547087602444 / rate_hz)
    quality = 0.5003270373238773
    below = 1 + warped / quality + warped**2
    high_pass = [
        1.0,
        -2.0,
        1.0,
        1.0,
        2 * (warped**2 - 1) / below,
        (1 - warped / quality + warped**2) / below,
    ]
    return np.array([shelf, high_pass])


class KWeighting:
    """The K-weighting filter with its memory, over chunks of (channels, samples)."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._sections = k_weighting(rate_hz)
        self._state = np.zeros((len(self._sections), channels, 2))

    def __call__(self, chunk: Samples) -> NDArray[np.float64]:
        """The chunk weighted, in float64; the next chunk follows on from it."""
        from scipy.signal import sosfilt

        self._state[np.abs(self._state) < _NOTHING] = 0
        weighted, self._state = sosfilt(
            self._sections, chunk.astype(np.float64), axis=-1, zi=self._state
        )
        return np.asarray(weighted)


class HopPowers:
    """Means over hops of 100 ms of values that come sample by sample, in arrays of any length."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._hop = 0
        self._at = 0
        self._open = 0.0
        self._powers: list[Powers] = []

    def push(self, values: NDArray[np.float64]) -> None:
        """One value a sample."""
        if not values.size:
            return
        end = self._at + values.size
        last = end * _HOPS_A_SECOND // self._rate_hz
        bounds = np.array([self._start_of(n) for n in range(self._hop, last + 1)])
        inner = bounds[1:][bounds[1:] < end] - self._at
        sums = np.add.reduceat(values, np.concatenate([[0], inner]).astype(np.int64))
        sums[0] += self._open
        self._powers.append(sums[: len(bounds) - 1] / np.diff(bounds))
        self._open = float(sums[-1]) if len(sums) >= len(bounds) else 0.0
        self._hop, self._at = last, end

    def finish(self) -> Powers:
        """One mean for every hop, the last one over what there was."""
        begun = self._at - self._start_of(self._hop)
        if begun > 0:
            self._powers.append(np.array([self._open / begun]))
            self._hop, self._open = self._hop + 1, 0.0
        return np.concatenate(self._powers) if self._powers else np.zeros(0)

    def _start_of(self, hop: int) -> int:
        """Hop n begins at sample ceil(n * rate / 10), so that no rate lets the hops drift."""
        return -(-hop * self._rate_hz // _HOPS_A_SECOND)


class LoudnessMeter:
    """K-weighted power a hop of 100 ms, summed over the channels with BS.1770's weights.

    A mono channel counts once, as BS.1770 has it; for `layout` see `channel_weights`.
    """

    def __init__(self, rate_hz: int, channels: int, layout: str = "") -> None:
        self._weighting = KWeighting(rate_hz, channels)
        self._gains = np.array(channel_weights(channels, layout))
        self._chunks = Chunks(rate_hz, channels)
        self._hops = HopPowers(rate_hz)

    def push(self, block: Samples) -> None:
        """Takes the next block, float32 of shape (samples, channels)."""
        for chunk in self._chunks.push(block):
            self._measure(chunk)

    def finish(self) -> Powers:
        """One power for every hop, the last one over what there was of it."""
        rest = self._chunks.rest()
        if rest is not None:
            self._measure(rest)
        return self._hops.finish()

    def _measure(self, chunk: Samples) -> None:
        weighted = self._weighting(chunk)
        self._hops.push(self._gains @ np.square(weighted, out=weighted))


def lufs(power: float) -> float:
    """Loudness of a K-weighted power (BS.1770-5, Annex 1, eq. 2); minus infinity for none."""
    return OFFSET_LU + 10 * math.log10(power) if power > 0 else -math.inf


def loudness_hops(spans: Sequence[Span], hops: int) -> NDArray[np.bool_]:
    """Which hops of 100 ms lie wholly inside the spans."""
    inside = np.zeros(hops, dtype=bool)
    for span in spans:
        first = max(0, math.ceil(span.start_s / LOUDNESS_HOP_S))
        inside[first : max(first, math.floor(span.end_s / LOUDNESS_HOP_S))] = True
    return inside


def loudness_lufs(hop_powers: Powers, keep: NDArray[np.bool_] | None = None) -> float | None:
    """Integrated loudness in LUFS over the kept hops; None where there is nothing to measure.

    Gated as BS.1770-5 (Annex 1, eq. 3 to 7) has it: blocks of 400 ms, of which those under -70 LUFS
    and those 10 LU under the mean of the rest do not count. A block counts where all of its hops
    are kept. Where no block fits, as in sound shorter than 0.4 s, the plain mean of what is kept.
    """
    kept = np.ones(hop_powers.size, bool) if keep is None else keep
    if not kept.any():
        return None
    blocks = _sliding_means(hop_powers, _BLOCK_HOPS)
    whole = _sliding_means(kept.astype(np.float64), _BLOCK_HOPS) > 1 - 0.5 / _BLOCK_HOPS
    chosen = blocks[whole]
    if not chosen.size:
        return _or_none(lufs(float(hop_powers[kept].mean())))
    chosen = chosen[chosen > _power_of(_ABSOLUTE_GATE_LUFS)]
    if not chosen.size:
        return None
    gate = 10 ** (_RELATIVE_GATE_LU / 10) * float(chosen.mean())
    return lufs(float(chosen[chosen > gate].mean()))


def short_term_lufs(hop_powers: Powers) -> NDArray[np.float64]:
    """Loudness in LUFS of the 3 s around each hop (EBU Tech 3341, ungated), minus infinity allowed.

    As many values as hops; windows at the ends hold what there is.
    """
    if not hop_powers.size:
        return np.zeros(0)
    sums = np.concatenate([[0.0], np.cumsum(hop_powers)])
    centre = np.arange(hop_powers.size)
    first = np.maximum(centre - _SHORT_TERM_HOPS // 2, 0)
    end = np.minimum(centre + _SHORT_TERM_HOPS // 2, hop_powers.size)
    means = np.maximum(sums[end] - sums[first], 0) / (end - first)
    with np.errstate(divide="ignore"):
        return np.asarray(OFFSET_LU + 10 * np.log10(means))


def _power_of(loudness_lufs: float) -> float:
    return float(10 ** ((loudness_lufs - OFFSET_LU) / 10))


def _or_none(loudness: float) -> float | None:
    return loudness if loudness > _ABSOLUTE_GATE_LUFS else None


def _sliding_means(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    if values.size < length:
        return np.zeros(0)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(values, length).mean(axis=1))
