"""Sounds made by formula, and measures on them: float32 of shape (samples, channels)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples

Wave = NDArray[np.floating]


def as_samples(*channels: Wave) -> Samples:
    """One column a channel."""
    return np.stack(channels, axis=1).astype(np.float32)


def tone(
    frequency_hz: float, length_s: float, rate_hz: int = 48_000, level_db: float = -20
) -> Wave:
    """A sine whose mean square is `level_db` below full scale."""
    amplitude = 2**0.5 * 10 ** (level_db / 20)
    place = np.arange(int(length_s * rate_hz))
    wave: Wave = amplitude * np.sin(2 * np.pi * frequency_hz * place / rate_hz)
    return wave


def noise(length_s: float, rate_hz: int = 48_000, level_db: float = -40, seed: int = 1) -> Wave:
    """White Gaussian noise."""
    drawn = np.random.default_rng(seed).standard_normal(int(length_s * rate_hz))
    return drawn * 10 ** (level_db / 20)


def voice(length_s: float, rate_hz: int = 48_000, level_db: float = -23, seed: int = 1) -> Wave:
    """Something like speech: voiced syllables with gliding pitch and formants, and pauses.

    Ten syllables, then a pause of 0.4 s. The level is that of the whole. Under it lies a faint
    hiss at -80 dB, as no recording is without: dead silence in pauses is a case of its own.
    """
    rng = np.random.default_rng(seed)
    length, step = int(length_s * rate_hz), int(0.2 * rate_hz)
    count = length // step + 2
    knots = np.arange(count) * step
    place = np.arange(length)
    pitch_hz = np.interp(place, knots, rng.uniform(100, 180, count))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
    loud = np.interp(place, knots, rng.uniform(0.5, 1, count))
    spoken = np.clip(5 - np.abs(place / step % 12 - 5), 0, 0.1) * 10
    envelope = spoken * loud * (1 - 0.6 * np.cos(2 * np.pi * place / step))
    formants = [
        (np.interp(place, knots, rng.uniform(low, high, count)), width)
        for low, high, width in ((300, 800, 120), (900, 2200, 200), (2300, 3200, 350))
    ]
    out = np.zeros(length)
    for harmonic in range(1, int(min(4000, 0.45 * rate_hz) / 180) + 1):
        at_hz = harmonic * pitch_hz
        gain = sum(1 / (1 + ((at_hz - centre) / width) ** 2) for centre, width in formants)
        out += gain / harmonic**0.5 * np.sin(harmonic * phase)
    out *= envelope
    out *= 10 ** (level_db / 20) / np.sqrt(np.mean(out**2))
    return out + rng.standard_normal(length) * 1e-4


def read_sound(path: Path) -> tuple[Samples, int]:
    """A file's samples and rate."""
    import soundfile

    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return samples, int(rate_hz)


def level_db(samples: Wave) -> float:
    """Mean square in dB, -200 for silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return 10 * np.log10(power) if power > 1e-20 else -200.0


def level_at_db(samples: Wave, frequency_hz: float, rate_hz: int) -> float:
    """Level of a steady sine at that frequency, in dB, through a Hann window."""
    mono = samples.reshape(len(samples), -1)[:, 0].astype(np.float64)
    window = np.hanning(len(mono))
    turning = np.exp(-2j * np.pi * frequency_hz * np.arange(len(mono)) / rate_hz)
    amplitude = 2 * abs(np.sum(mono * window * turning)) / window.sum()
    return float(20 * np.log10(amplitude / np.sqrt(2) + 1e-10))


def si_sdr_db(estimate: Wave, reference: Wave) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019), means removed."""
    found = estimate.ravel().astype(np.float64)
    wanted = reference.ravel().astype(np.float64)
    found, wanted = found - found.mean(), wanted - wanted.mean()
    target = (found @ wanted) / (wanted @ wanted) * wanted
    return float(10 * np.log10((target @ target) / (np.sum((found - target) ** 2) + 1e-20)))


def delay_samples(late: Wave, early: Wave) -> int:
    """By how many samples the first lags behind the second, by cross-correlation."""
    length = len(early)
    padded = 1 << (2 * length - 1).bit_length()
    spectra = np.fft.rfft(late.ravel(), padded) * np.conj(np.fft.rfft(early.ravel(), padded))
    lag = int(np.argmax(np.fft.irfft(spectra, padded)))
    return lag - padded if lag > padded // 2 else lag
