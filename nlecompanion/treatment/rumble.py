"""Rumble, mains hum and plosives: what lies under the voice and does not belong to it.

A high-pass that follows the voice's lowest pitch, narrow notches where hum was measured, and a
low band that is turned down during plosive bursts only. All of it is linear phase without delay,
and the same for voice and background.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples, Span
from nlecompanion.treatment.rumble_plan import (
    PLOSIVE_BAND_HZ,
    Notch,
    RumbleLimits,
    RumbleMeter,
    RumblePlan,
    RumbleReport,
    plan_rumble,
)
from nlecompanion.treatment.stems import Stems
from nlecompanion.treatment.windows import as_stems, ramp, stem_windows, zero_phase

__all__ = [
    "Notch",
    "RumbleLimits",
    "RumbleMeter",
    "RumblePlan",
    "RumbleReport",
    "apply_rumble",
    "plan_rumble",
]

Real = NDArray[np.floating]

#: |H| of a Butterworth high-pass of this order: 24 dB an octave, as on a mixing desk.
_ORDER = 4
_PLOSIVE_RAMP_S = 0.012


def apply_rumble(
    blocks: Iterable[Stems], plan: RumblePlan, rate_hz: int, meter: RumbleMeter | None = None
) -> Iterator[Stems]:
    """The stems without what the plan takes; an `off` plan passes them bit for bit.

    Costs one transform of about 2.7 s forth and back a window of half that length.
    """
    if plan.off:
        yield from blocks
        return
    low_cut = _LowCut(plan, rate_hz, meter)
    position = 0
    for window in stem_windows(blocks, low_cut.window_samples, low_cut.reach_samples):
        treated = low_cut(window, position)
        position += treated.shape[1]
        yield as_stems(treated)


class _LowCut:
    """The plan's filters on windows of (signals, reach + window + reach)."""

    def __init__(self, plan: RumblePlan, rate_hz: int, meter: RumbleMeter | None) -> None:
        self._plan, self._rate_hz, self._meter = plan, rate_hz, meter
        length = 1 << round(math.log2(2.73 * rate_hz))
        self._length = length
        self._bursts = _Bursts(plan.plosives, rate_hz)
        # The filters' impulse responses: notches reach 1/8, the others 1/16 of the transform.
        self.window_samples, self.reach_samples = length // 2, length // 4
        response = _notched(plan.notches, rate_hz, length)
        if plan.cutoff_hz is not None:
            cutoff_hz = plan.cutoff_hz
            response = response * zero_phase(
                lambda at_hz: _high_pass(at_hz, cutoff_hz), rate_hz, length, length // 16
            )
        self._response = response.astype(np.float32)
        self._low_band = zero_phase(
            lambda at_hz: 1 - ramp(at_hz, 0.6 * PLOSIVE_BAND_HZ[1], PLOSIVE_BAND_HZ[1]),
            rate_hz,
            length,
            length // 16,
        )

    def __call__(self, window: Samples, position: int) -> Samples:
        """The inner part of the window, treated; it begins at sample `position` of the region."""
        import scipy.fft

        count = window.shape[1] - 2 * self.reach_samples
        inner = slice(self.reach_samples, self.reach_samples + count)
        if not window.any():
            return window[:, inner]
        spectra = scipy.fft.rfft(window, self._length, axis=1)
        filtered = spectra * self._response
        self._measure(spectra, filtered)
        treated: Samples = scipy.fft.irfft(filtered, self._length, axis=1)[:, inner]
        share = self._bursts.share(position, count)
        if share is not None:
            low = scipy.fft.irfft(filtered * self._low_band, self._length, axis=1)[:, inner]
            treated = treated - share * low
            if self._meter is not None:
                heard = low[: len(low) // 2] + low[len(low) // 2 :]
                full = share >= self._bursts.full_share
                heard = heard[:, full]
                kept = heard * (1 - share[full])
                self._meter.burst(float(np.sum(heard**2)), float(np.sum(kept**2)))
        return treated

    def _measure(self, spectra: NDArray[np.complex64], filtered: NDArray[np.complex64]) -> None:
        if self._meter is None:
            return
        bins = int(1000 * self._length / self._rate_hz)
        powers = []
        for signals in (spectra, filtered):
            low = signals[:, :bins]
            both = low[: len(low) // 2] + low[len(low) // 2 :]
            powers.append(np.sum(np.abs(both, dtype=np.float64) ** 2, axis=0))
        self._meter.spectrum(np.arange(bins) * (self._rate_hz / self._length), *powers)


def _high_pass(frequency_hz: Real, cutoff_hz: float) -> Real:
    """|H| of a Butterworth high-pass, which the voice keeps its naturalness under."""
    over = np.maximum(frequency_hz, 1e-3) / cutoff_hz
    return np.asarray(1 / np.sqrt(1 + over ** (-2.0 * _ORDER)))


def _notched(notches: Sequence[Notch], rate_hz: int, length: int) -> Real:
    """One minus a Hann window's own spectrum at every line: 1.5 Hz wide, as deep as asked."""
    half = length // 8
    offset = np.minimum(np.arange(length), length - np.arange(length)).astype(np.float64)
    taps = np.zeros(length)
    for notch in notches:
        if notch.frequency_hz >= rate_hz / 2:
            continue
        share = 1 - 10 ** (-notch.depth_db / 20)
        taps += share * np.cos(2 * np.pi * notch.frequency_hz / rate_hz * offset)
    # A Hann window of 2 * half samples sums to half: so normalised, the lobe's top is 1.
    taps *= np.where(offset < half, 0.5 + 0.5 * np.cos(np.pi * offset / half), 0) * (2 / half)
    return np.asarray(1 - np.fft.rfft(taps).real)


class _Bursts:
    """The plan's bursts in samples, in order of time."""

    def __init__(self, bursts: Sequence[tuple[Span, float]], rate_hz: int) -> None:
        self._edge = max(1, round(_PLOSIVE_RAMP_S * rate_hz))
        self._starts = np.array([round(span.start_s * rate_hz) for span, _ in bursts], np.int64)
        self._ends = np.array([round(span.end_s * rate_hz) for span, _ in bursts], np.int64)
        self._shares = [1 - 10 ** (-depth_db / 20) for _, depth_db in bursts]
        #: From here on a burst is turned down in full, not on the way there.
        self.full_share = 0.99 * min(self._shares, default=1.0)
        self._longest = int(np.max(self._ends - self._starts, initial=0)) + 2 * self._edge

    def share(self, position: int, count: int) -> Samples | None:
        """How much of the low band is taken away at each sample; None where nothing is."""
        edge = self._edge
        near = np.searchsorted(
            self._starts, (position - self._longest, position + count + edge)
        ).tolist()
        if near[0] == near[1]:
            return None
        share = np.zeros(count)
        for burst in range(*near):
            start, end = int(self._starts[burst]) - position, int(self._ends[burst]) - position
            first, last = max(0, start - edge), min(count, end + edge)
            if last <= first:
                continue
            place = np.arange(first, last, dtype=np.float64)
            inside = np.minimum((place - start + edge) / edge, (end + edge - place) / edge)
            depth = self._shares[burst] * ramp(inside, 0, 1)
            share[first:last] = np.maximum(share[first:last], depth)
        return share.astype(np.float32) if share.any() else None
