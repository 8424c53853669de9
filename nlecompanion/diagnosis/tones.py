"""How tonal a sound is, frame by frame: what sets music apart from noise and from talk.

A partial of a held note stays at its frequency for a quarter of a second and more; a voice's
partials glide, a noise's peaks come and go from frame to frame (compare the "minimum peak track"
features of Seyerlehner et al. 2007, "Automatic Music Detection in Television Productions").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.bands import FLOOR_POWER
from nlecompanion.diagnosis.spectra import Powers

LOWEST_HZ, HIGHEST_HZ = 100.0, 4000.0
#: A voice's fundamental, for the autocorrelation.
_VOICE_HZ = (80.0, 350.0)
#: A peak stands 8 dB above the mean level (in dB) of about 250 Hz around it.
_PROMINENCE = 6.3
_AROUND_HZ = 250.0
#: Frames between looks at the same partial: without overlap, in quarter-frame hops.
_STEP_FRAMES = 4
_LONG_STEPS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Tones:
    """Per hop: shares of energy in partials held for one and three frames, flatness, level.

    All float32 of shape (hops,): shares 0 to 1; `partials` counts those held for three frames,
    however faint; flatness = geometric over arithmetic mean, 0 to 1; voicing is the greatest
    autocorrelation (0 to 1) at a voice's periods; power is the mean square between 100 and 4000 Hz.
    """

    hop_s: float
    held: NDArray[np.float32]
    long_held: NDArray[np.float32]
    partials: NDArray[np.float32]
    flatness: NDArray[np.float32]
    voicing: NDArray[np.float32]
    power: NDArray[np.float32]

    def at(self, hops: slice | NDArray[np.bool_]) -> Tones:
        """Those hops alone."""
        return Tones(
            self.hop_s,
            self.held[hops],
            self.long_held[hops],
            self.partials[hops],
            self.flatness[hops],
            self.voicing[hops],
            self.power[hops],
        )


class ToneMeter:
    """Takes power spectra of the decimated signal, hops of a quarter frame."""

    def __init__(self, low_rate_hz: float, frame: int) -> None:
        bin_hz = low_rate_hz / frame
        self._hop_s = frame / 4 / low_rate_hz
        self._low = max(2, round(LOWEST_HZ / bin_hz))
        self._high = min(frame // 2 - 1, round(HIGHEST_HZ / bin_hz))
        self._around = max(3, round(_AROUND_HZ / bin_hz)) | 1
        self._frame = frame
        self._periods = slice(int(low_rate_hz / _VOICE_HZ[1]), int(low_rate_hz / _VOICE_HZ[0]))
        window = np.hanning(frame + 1)[:-1]
        own = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * frame)) ** 2)
        self._window = (own / own[0])[self._periods].astype(np.float32)
        self._past: NDArray[np.bool_] | None = None
        self._kept: list[NDArray[np.float32]] = []

    def push(self, power: Powers) -> None:
        """Takes power of shape (frames, channels, bins)."""
        from scipy.ndimage import uniform_filter1d

        mean = power.mean(axis=1)[:, self._low - 1 : self._high + 1] + np.float32(FLOOR_POWER)
        logs = np.log(mean)
        around = uniform_filter1d(logs, self._around, axis=1, mode="nearest")[:, 1:-1]
        own = mean[:, 1:-1]
        peak = (own >= mean[:, :-2]) & (own > mean[:, 2:])
        peak &= logs[:, 1:-1] - around > np.float32(np.log(_PROMINENCE))
        total = own.sum(axis=1)
        flatness = np.exp(logs[:, 1:-1].mean(axis=1)) / (total / own.shape[1])
        short, long = self._held(peak)
        lobes = own.copy()
        lobes[:, 1:] += own[:, :-1]
        lobes[:, :-1] += own[:, 1:]
        held = np.einsum("ij,ij->i", short, lobes) / total
        long_held = np.einsum("ij,ij->i", long, lobes) / total
        partials = long.sum(axis=1, dtype=np.float32)
        voicing = self._voicing(own)
        self._kept.append(np.stack([held, long_held, partials, flatness, voicing, total], axis=1))

    def _voicing(self, own: Powers) -> Powers:
        """The greatest autocorrelation of each frame at periods of 80 to 350 Hz."""
        import scipy.fft

        spectrum = np.zeros((len(own), self._frame // 2 + 1), np.float32)
        spectrum[:, self._low : self._high] = own
        raw = scipy.fft.irfft(spectrum, self._frame, axis=1)
        periodic = raw[:, self._periods] / (raw[:, :1] * self._window)
        best: Powers = periodic.max(axis=1)
        return best

    def _held(self, peak: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """The peaks that stood there one frame ago, and in all of three frames."""
        reach = _STEP_FRAMES * _LONG_STEPS
        if self._past is None:
            self._past = np.zeros((reach, peak.shape[1]), bool)
        wide = np.concatenate([self._past, peak])
        self._past = wide[-reach:]
        near = wide.copy()
        near[:, 1:] |= wide[:, :-1]
        near[:, :-1] |= wide[:, 1:]
        count = len(peak)
        short = peak & near[reach - _STEP_FRAMES : reach - _STEP_FRAMES + count]
        long = short.copy()
        for step in range(2, _LONG_STEPS + 1):
            first = reach - step * _STEP_FRAMES
            long &= near[first : first + count]
        return short, long

    def finish(self) -> Tones:
        """All hops so far."""
        kept = np.concatenate([np.zeros((0, 6), np.float32), *self._kept])
        held, long_held, partials, flatness, voicing, power = kept.T
        return Tones(self._hop_s, held, long_held, partials, flatness, voicing, power)
