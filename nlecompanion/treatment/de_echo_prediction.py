"""Late echo that can be predicted from what was heard before: weighted prediction error.

Nakatani, Yoshioka, Kinoshita, Miyoshi, Juang 2010, "Speech dereverberation based on
variance-normalized delayed linear prediction"; the roles of its parts as in nara_wpe (Drude et al.
2018). Frequency by frequency, each frame is predicted from `TAPS` frames that lie at least
`delay_frames` back, and what is predicted is taken away. One filter for all channels: they are all
changed by the same linear operation, so that the image does not move and mono stays mono.

The statistics of a stretch of about 4 s are added to those before, which fade by `_FADING` a
stretch, and to those of the stretch that follows: a filter follows the place without jumps, and
memory is constant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.treatment.de_echo_frames import Framing, Spectra

TAPS = 12
#: Speech above it holds little energy, and late echo as well.
_HIGHEST_HZ = 8000.0
#: The direct sound and early reflections of a frame (43 ms) stay out of the prediction.
_DELAY_S = 0.043
_FADING = 0.75
#: Relative to the loudest: where the voice is silent, noise may not lead the filter.
_POWER_FLOOR = 1e-6
_RIDGE = 2e-3
#: Frames that count like these many of evidence against any prediction.
_DOUBT_FRAMES = 4.0
#: Bins at a time: their delayed frames fit into a processor's cache.
_GROUP_BINS = 32

Complex = NDArray[np.complex64]


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Weighted correlations of a stretch: (bins, taps, taps) and (bins, taps)."""

    past: Complex
    present: Complex

    def plus(self, other: Statistics, faded: float = 1.0) -> Statistics:
        """Both together, the own ones faded."""
        weight = np.float32(faded)
        return Statistics(weight * self.past + other.past, weight * self.present + other.present)


class Prediction:
    """Filters a stretch as soon as the next one is known."""

    def __init__(self, framing: Framing) -> None:
        self._bins = min(framing.bins, int(_HIGHEST_HZ / framing.bin_hz))
        self._delay_frames = max(1, round(_DELAY_S / framing.hop_s))
        self._before: Spectra | None = None
        self._peak = np.zeros(self._bins, np.float32)
        self._heard: Statistics | None = None

    @property
    def at_start(self) -> bool:
        """Whether no stretch has been filtered yet."""
        return self._before is None

    def statistics(self, spectra: Spectra, before: Spectra | None) -> Statistics:
        """Of a stretch, (channels, frames, bins), which follows on `before`."""
        channels, frames = spectra.shape[:2]
        past = np.zeros((self._bins, TAPS, TAPS), np.complex64)
        present = np.zeros((self._bins, TAPS), np.complex64)
        weights = self._weights(spectra)
        for channel in range(channels):
            rows = self._rows(spectra, before, channel)
            for at in self._groups():
                delayed = _delayed(rows[at], frames)
                weighted = delayed * weights[at, None]
                past[at] += weighted @ delayed.conj().transpose(0, 2, 1)
                now = rows[at, -frames:, None].conj()
                present[at] += (weighted @ now)[:, :, 0]
        return Statistics(past, present)

    def filtered(
        self, spectra: Spectra, own: Statistics, following: Statistics | None, strength: float
    ) -> Spectra:
        """The stretch less `strength` times what its past predicts; stretches come in order."""
        heard = own if self._heard is None else self._heard.plus(own, _FADING)
        self._heard = heard
        taps = _solved(heard if following is None else heard.plus(following))
        result = spectra.copy()
        frames = spectra.shape[1]
        for channel in range(spectra.shape[0]):
            rows = self._rows(spectra, self._before, channel)
            for at in self._groups():
                echo = taps[at, None].conj() @ _delayed(rows[at], frames)
                result[channel, :, at] -= np.float32(strength) * echo[:, 0].T
        self._before = spectra
        return result

    def _weights(self, spectra: Spectra) -> NDArray[np.float32]:
        """One over the power around each frame and bin, (bins, frames): eq. 13 of the paper."""
        from scipy.ndimage import uniform_filter1d

        part = spectra[:, :, : self._bins]
        power = np.einsum("cfb,cfb->bf", part.real, part.real)
        power += np.einsum("cfb,cfb->bf", part.imag, part.imag)
        power = uniform_filter1d(power, 3, axis=1, mode="nearest")
        self._peak = np.maximum(self._peak * np.float32(_FADING), power.max(axis=1))
        floor = self._peak * np.float32(_POWER_FLOOR) + np.float32(1e-12)
        weights: NDArray[np.float32] = 1 / np.maximum(power, floor[:, None])
        return weights

    def _rows(self, spectra: Spectra, before: Spectra | None, channel: int) -> Complex:
        """(bins, reach + frames): the channel's frames after the last ones before."""
        reach = self._delay_frames + TAPS - 1
        frames = spectra.shape[1]
        rows = np.zeros((self._bins, reach + frames), np.complex64)
        rows[:, reach:] = spectra[channel, :, : self._bins].T
        if before is not None:
            known = min(reach, before.shape[1])
            rows[:, reach - known : reach] = before[channel, -known:, : self._bins].T
        return rows

    def _groups(self) -> list[slice]:
        return [
            slice(i, min(i + _GROUP_BINS, self._bins)) for i in range(0, self._bins, _GROUP_BINS)
        ]


def _delayed(rows: Complex, frames: int) -> Complex:
    """(bins, taps, frames): tap k holds the frames k further back than the delay."""
    delayed = np.empty((len(rows), TAPS, frames), np.complex64)
    for tap in range(TAPS):
        start = TAPS - 1 - tap
        delayed[:, tap] = rows[:, start : start + frames]
    return delayed


def _solved(statistics: Statistics) -> Complex:
    """The filters, (bins, taps), in double precision; a bin that was silent gets none."""
    past = statistics.past.astype(np.complex128)
    mean = np.einsum("bkk->b", past).real / TAPS
    # A diagonal of doubt: few frames predict little, many are believed.
    ridge = _RIDGE * mean + _DOUBT_FRAMES + 1e-9
    past += ridge[:, None, None] * np.eye(TAPS)
    taps = np.linalg.solve(past, statistics.present.astype(np.complex128)[:, :, None])
    return np.asarray(taps[:, :, 0], np.complex64)
