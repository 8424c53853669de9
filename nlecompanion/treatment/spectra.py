"""A window's voice and background as powers over time and frequency, kept once for every intensity.

`out = voice + g * background` has in each bin the power `|v|² + 2g·Re(v·b*) + g²·|b|²`. With these
three sums (over the channels) every rung of the ladder, and every equaliser laid on the mix, is
arithmetic; nothing is transformed or run again.

One grid serves all measures: a Hann window of about 43 ms (2048 samples at 48 kHz, an effective
duration of 22 ms) every 10 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples, Span
from nlecompanion.units import gain_from_db

Powers = NDArray[np.float32]
Mask = NDArray[np.bool_]

HOP_S = 0.01
WINDOW_S = 2048 / 48_000
#: Above this nothing is measured: the index ends at 8.9 kHz, the consonants at 10 kHz.
HIGHEST_HZ = 12_000.0
#: Speech spans are padded by 30 ms, and rooms ring: only what lies this far off is a gap.
GAP_MARGIN_S = 0.08
#: Presence: nothing below, all of it above, an equal slope over log frequency between (Hz).
PRESENCE_HZ = (2500.0, 4500.0)
_FRAMES_A_CALL = 256


@dataclass(frozen=True, slots=True, eq=False)
class WindowSpectra:
    """Powers of shape (frames, bins), full scale = 1, summed over the channels.

    `cross` is the real part of voice times conjugate background. `speech` and `gap` say of each
    frame whether its centre lies in speech, or well away from it. `bin_hz` is the width of a bin.
    """

    voice: Powers
    background: Powers
    cross: Powers
    speech: Mask
    gap: Mask
    bin_hz: float

    @property
    def frames(self) -> int:
        """Frames of 10 ms."""
        return len(self.voice)

    @property
    def frequencies_hz(self) -> NDArray[np.float64]:
        """The centre of each bin."""
        return np.arange(self.voice.shape[1], dtype=np.float64) * self.bin_hz

    @property
    def take(self) -> Powers:
        """The mixture's powers: nothing turned down."""
        return self.output(0.0)

    def output(self, intensity_db: float, presence_db: float = 0.0) -> Powers:
        """The powers of the mix at an intensity, with a rise of the presence range."""
        gain = np.float32(gain_from_db(-intensity_db))
        powers: Powers = self.voice + (2 * gain) * self.cross + (gain * gain) * self.background
        np.maximum(powers, 0, out=powers)  # rounding, where the two cancel
        if presence_db:
            powers *= presence_gains(self.frequencies_hz, presence_db)
        return powers

    def bins(self, low_hz: float, high_hz: float) -> slice:
        """The bins whose centres lie in a range of frequencies, at least one."""
        first = round(low_hz / self.bin_hz)
        return slice(first, max(first + 1, round(high_hz / self.bin_hz)))


def presence_gains(frequencies_hz: NDArray[np.float64], presence_db: float) -> Powers:
    """Power gains of the presence lift: a shelf from 2.5 to 4.5 kHz."""
    low, high = np.log2(PRESENCE_HZ[0]), np.log2(PRESENCE_HZ[1])
    place = np.clip((np.log2(np.maximum(frequencies_hz, 1.0)) - low) / (high - low), 0, 1)
    gains: Powers = (10 ** (presence_db * place / 10)).astype(np.float32)
    return gains


def analyse(
    voice: Samples, background: Samples, speech: Sequence[Span], rate_hz: int
) -> WindowSpectra:
    """The powers of a window; `voice` and `background` of shape (samples, channels).

    `speech` are spans from the window's first sample. A dead channel adds nothing.

    Raises:
        ValueError: voice and background differ in shape.
    """
    if voice.shape != background.shape:
        raise ValueError(
            f"voice and background differ in shape: {voice.shape} and {background.shape}"
        )
    size, hop = _grid(rate_hz)
    frames = -(-len(voice) // hop)
    bins = _bins(rate_hz)
    sums = np.zeros((3, frames, bins), np.float32)
    for channel in range(voice.shape[1]):
        if not (voice[:, channel].any() or background[:, channel].any()):
            continue
        first, second = (_framed(s[:, channel], size, hop, frames) for s in (voice, background))
        for start in range(0, frames, _FRAMES_A_CALL):
            rows = slice(start, start + _FRAMES_A_CALL)
            v, b = _spectrum(first[rows], bins), _spectrum(second[rows], bins)
            sums[0, rows] += v.real**2 + v.imag**2
            sums[1, rows] += b.real**2 + b.imag**2
            sums[2, rows] += v.real * b.real + v.imag * b.imag
    inside = frames_of(speech, frames)
    margin = round(GAP_MARGIN_S / HOP_S)
    return WindowSpectra(
        sums[0], sums[1], sums[2], inside, ~_widened(inside, margin), rate_hz / size
    )


def analyse_output(out: Samples, rate_hz: int) -> Powers:
    """The powers of finished sound on the same grid, of shape (frames, bins)."""
    silence = np.zeros_like(out)
    return analyse(out, silence, (), rate_hz).voice


def frames_of(spans: Sequence[Span], frames: int) -> Mask:
    """Which frames have their centre inside the spans."""
    inside = np.zeros(frames, dtype=bool)
    for span in spans:
        first = round(float(span.start_s) / HOP_S)
        inside[max(0, first) : max(0, round(float(span.end_s) / HOP_S))] = True
    return inside


def _widened(inside: Mask, frames: int) -> Mask:
    """The mask with as many frames more on either side of each stretch."""
    padded = np.pad(inside.astype(np.int64), (frames + 1, frames))
    sums = np.cumsum(padded)
    near: Mask = sums[2 * frames + 1 :] > sums[: -2 * frames - 1]
    return near


def _grid(rate_hz: int) -> tuple[int, int]:
    """Window (a power of two) and hop in samples."""
    return 1 << max(4, round(float(np.log2(WINDOW_S * rate_hz)))), max(1, round(HOP_S * rate_hz))


def _bins(rate_hz: int) -> int:
    size, _ = _grid(rate_hz)
    return min(size // 2 + 1, round(HIGHEST_HZ / (rate_hz / size)) + 1)


def _framed(signal: NDArray[np.float32], size: int, hop: int, frames: int) -> NDArray[np.float32]:
    """Overlapping frames, the first centred half a hop after the first sample."""
    before = (size - hop) // 2
    after = max(0, (frames - 1) * hop + size - before - len(signal))
    padded = np.pad(signal, (before, after))
    return np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][:frames]


def _spectrum(frames: NDArray[np.float32], bins: int) -> NDArray[np.complex64]:
    from scipy.fft import rfft

    window = _window(frames.shape[1])
    spectrum: NDArray[np.complex64] = rfft(frames * window, axis=1)[:, :bins]
    return spectrum


@lru_cache(maxsize=8)
def _window(size: int) -> NDArray[np.float32]:
    """Hann, scaled so that a bin's power is a mean square (both sides of the spectrum)."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    scaled: NDArray[np.float32] = (window * np.sqrt(2 / size / np.square(window).sum())).astype(
        np.float32
    )
    return scaled
