"""Late echo that can be predicted from what was heard before: weighted prediction error.

Nakatani, Yoshioka, Kinoshita, Miyoshi, Juang 2010, "Speech dereverberation based on
variance-normalized delayed linear prediction"; the roles of its parts as in nara_wpe (Drude et al.
2018). Frequency by frequency, each frame is predicted from frames that lie at least `_DELAY_S`
back, and what is predicted is taken away. Echo lasts longest in the low bands, which look back
furthest. The weights are one over the power of the voice without its echo, which is not known: a
first filter, weighted by the power as heard, gives the estimate that weights the second.

Channels are predicted together or alike. Together (Yoshioka & Nakatani 2012): each from the past of
all, which takes away twice as much or more, since two microphones hear the same echo differently;
direct sound and early reflections stay as they are in each. Alike: one filter for all channels, so
that mono in stereo stays mono to the bit.

The statistics of a stretch of about 4 s are added to those before, which fade by `_FADING` a
stretch, and to those of the stretch that follows: a filter follows the place without jumps, and
memory is constant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.treatment.de_echo_frames import Framing, Spectra

#: Up to which frequency, and how far back. Above 8 kHz lies little of speech, and of late echo.
_REACHES = ((1000.0, 0.34), (4000.0, 0.26), (8000.0, 0.17))
#: The direct sound and the first reflections of a frame (43 ms) stay out of the prediction.
_DELAY_S = 0.032
_FADING = 0.75
#: Relative to the loudest: where the voice is silent, noise may not lead the filter.
_POWER_FLOOR = 1e-6
_RIDGE = 2e-3
#: Frames that count like these many of evidence against any prediction.
_DOUBT_FRAMES = 4.0
#: Bins at a time: their delayed frames fit into a processor's cache.
_GROUP_BINS = 32

Complex = NDArray[np.complex64]
Real = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Group:
    """Neighbouring frequencies that look back by `taps` frames."""

    at: slice
    taps: int

    @property
    def bins(self) -> int:
        return int(self.at.stop - self.at.start)


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Weighted correlations of a stretch, by group: (bins, order, order), (bins, order, outputs).

    `order` is taps times the channels that are predicted together, which are the `outputs`.
    """

    past: tuple[Complex, ...]
    present: tuple[Complex, ...]

    def plus(self, other: Statistics, faded: float = 1.0) -> Statistics:
        """Both together, the own ones faded."""
        weight = np.float32(faded)
        return Statistics(
            tuple(weight * a + b for a, b in zip(self.past, other.past, strict=True)),
            tuple(weight * a + b for a, b in zip(self.present, other.present, strict=True)),
        )


class Prediction:
    """Filters a stretch as soon as the next one is known."""

    def __init__(self, framing: Framing, channels: int, *, together: bool) -> None:
        self._groups = _groups(framing)
        self._sets = (
            [slice(0, channels)] if together else [slice(i, i + 1) for i in range(channels)]
        )
        self._delay_frames = max(1, round(_DELAY_S / framing.hop_s))
        self._before: Spectra | None = None
        self._heard: Statistics | None = None
        self._first_heard: Statistics | None = None
        self._weights = _Weights(), _Weights()

    @property
    def at_start(self) -> bool:
        """Whether no stretch has been filtered yet."""
        return self._before is None

    @property
    def most_taps(self) -> int:
        """Of any frequency."""
        return max(group.taps for group in self._groups)

    def statistics(self, spectra: Spectra, before: Spectra | None) -> Statistics:
        """Of a stretch, (channels, frames, bins), which follows on `before`; in their order."""
        as_heard, as_cleaned = self._weights
        first = self._learnt(spectra, before, as_heard.of(spectra, self._bins))
        if self._first_heard is not None:
            first = self._first_heard.plus(first, _FADING)
        self._first_heard = first
        cleaned = self._cleaned(spectra, before, first, 1.0)
        return self._learnt(spectra, before, as_cleaned.of(cleaned, self._bins))

    def filtered(
        self, spectra: Spectra, own: Statistics, following: Statistics | None, strength: float
    ) -> Spectra:
        """The stretch less `strength` times what its past predicts; stretches come in order."""
        heard = own if self._heard is None else self._heard.plus(own, _FADING)
        self._heard = heard
        known = heard if following is None else heard.plus(following)
        result = self._cleaned(spectra, self._before, known, strength)
        self._before = spectra
        return result

    @property
    def _bins(self) -> int:
        return int(self._groups[-1].at.stop)

    def _learnt(self, spectra: Spectra, before: Spectra | None, weights: Real) -> Statistics:
        outputs = self._sets[0].stop
        pasts, presents = [], []
        for group in self._groups:
            order = group.taps * outputs
            past = np.zeros((group.bins, order, order), np.complex64)
            present = np.zeros((group.bins, order, outputs), np.complex64)
            for channels in self._sets:
                delayed, now = self._rows(spectra, before, group, channels)
                weighted = delayed * weights[group.at, None]
                past += weighted @ delayed.conj().transpose(0, 2, 1)
                present += weighted @ now.conj().transpose(0, 2, 1)
            pasts.append(past)
            presents.append(present)
        return Statistics(tuple(pasts), tuple(presents))

    def _cleaned(
        self, spectra: Spectra, before: Spectra | None, known: Statistics, strength: float
    ) -> Spectra:
        result = spectra.copy()
        if strength <= 0:
            return result
        for group, past, present in zip(self._groups, known.past, known.present, strict=True):
            taps = _solved(past, present).conj().transpose(0, 2, 1) * np.float32(strength)
            for channels in self._sets:
                delayed, _ = self._rows(spectra, before, group, channels)
                result[channels, :, group.at] -= (taps @ delayed).transpose(1, 2, 0)
        return result

    def _rows(
        self, spectra: Spectra, before: Spectra | None, group: _Group, channels: slice
    ) -> tuple[Complex, Complex]:
        """The delayed frames (bins, taps of every channel, frames) and those of now."""
        frames = spectra.shape[1]
        reach = self._delay_frames + group.taps - 1
        part = spectra[channels, :, group.at].transpose(2, 0, 1)
        rows = np.zeros((group.bins, part.shape[1], reach + frames), np.complex64)
        rows[:, :, reach:] = part
        if before is not None:
            known = min(reach, before.shape[1])
            rows[:, :, reach - known : reach] = before[channels, -known:, group.at].transpose(
                2, 0, 1
            )
        delayed = np.empty((group.bins, part.shape[1], group.taps, frames), np.complex64)
        for tap in range(group.taps):
            start = group.taps - 1 - tap
            delayed[:, :, tap] = rows[:, :, start : start + frames]
        return delayed.reshape(group.bins, -1, frames), rows[:, :, reach:]


class _Weights:
    """One over the power around each frame and bin, (bins, frames): eq. 13 of the paper."""

    def __init__(self) -> None:
        self._peak: Real | None = None

    def of(self, spectra: Spectra, bins: int) -> Real:
        from scipy.ndimage import uniform_filter1d

        part = spectra[:, :, :bins]
        power = np.einsum("cfb,cfb->bf", part.real, part.real)
        power += np.einsum("cfb,cfb->bf", part.imag, part.imag)
        power = uniform_filter1d(power, 3, axis=1, mode="nearest")
        peak = power.max(axis=1)
        if self._peak is not None:
            peak = np.maximum(self._peak * np.float32(_FADING), peak)
        self._peak = peak
        floor = peak * np.float32(_POWER_FLOOR) + np.float32(1e-12)
        weights: Real = 1 / np.maximum(power, floor[:, None])
        return weights


def _groups(framing: Framing) -> tuple[_Group, ...]:
    groups: list[_Group] = []
    start = 0
    for highest_hz, reach_s in _REACHES:
        end = min(framing.bins, round(highest_hz / framing.bin_hz))
        for at in range(start, end, _GROUP_BINS):
            taps = max(1, round(reach_s / framing.hop_s))
            groups.append(_Group(slice(at, min(at + _GROUP_BINS, end)), taps))
        start = max(start, end)
    return tuple(groups)


def _solved(past: Complex, present: Complex) -> Complex:
    """The filters, (bins, order, outputs), in double precision; a silent bin gets none."""
    order = past.shape[1]
    every = past.astype(np.complex128)
    mean = np.einsum("bkk->b", every).real / order
    # A diagonal of doubt: few frames predict little, many are believed.
    ridge = _RIDGE * mean + _DOUBT_FRAMES + 1e-9
    every += ridge[:, None, None] * np.eye(order)
    return np.asarray(np.linalg.solve(every, present.astype(np.complex128)), np.complex64)
