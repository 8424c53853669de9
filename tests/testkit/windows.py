"""Windows of 8 s made by formula for the measures that decide on an intensity."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples, Span
from nlecompanion.treatment.sii import CENTRES_HZ, NORMAL_SPEECH_DB

RATE_HZ = 48_000
#: Four stretches of speech with gaps of 0.6 s between and around them.
SPEECH = tuple(Span(Fraction(s) / 10, Fraction(13, 10)) for s in (6, 25, 44, 63))


def speech_noise(length_s: float, seed: int, rate_hz: int = RATE_HZ) -> NDArray[np.float64]:
    """Noise with the spectrum of normal speech (ANSI S3.5-1997, Table 3), RMS 1."""
    length = round(length_s * rate_hz)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(length))
    frequencies_hz = np.fft.rfftfreq(length, 1 / rate_hz)
    shape_db = np.interp(
        np.log(np.maximum(frequencies_hz, 20)), np.log(CENTRES_HZ), NORMAL_SPEECH_DB
    )
    inside = (frequencies_hz > 130) & (frequencies_hz < 9500)
    wave = np.fft.irfft(spectrum * 10 ** (shape_db / 20) * inside, length)
    level = float(np.sqrt(np.mean(wave**2)))
    scaled: NDArray[np.float64] = wave / level
    return scaled


def voice_of(level: float = 0.05, rate_hz: int = RATE_HZ, channels: int = 1) -> Samples:
    """Speech-shaped noise during `SPEECH`, silence between: 8 s."""
    wave = speech_noise(8, 1, rate_hz)
    gate = np.zeros(len(wave))
    for span in SPEECH:
        gate[round(span.start_s * rate_hz) : round(span.end_s * rate_hz)] = 1
    return _columns(level * wave * gate, channels)


def background_of(level: float, rate_hz: int = RATE_HZ, channels: int = 1) -> Samples:
    """Steady noise with the spectrum of speech, 8 s."""
    return _columns(level * speech_noise(8, 2, rate_hz), channels)


def _columns(wave: NDArray[np.float64], channels: int) -> Samples:
    columns: Samples = np.repeat(wave[:, None], channels, axis=1).astype(np.float32)
    return columns
