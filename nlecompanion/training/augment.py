"""Changes made to recordings in the time domain before their spectra go into a pool."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nlecompanion.engines.dialogue.bands import RATE_HZ
from nlecompanion.training.sources import Collection

Sound = NDArray[np.float32]

#: Speed and pitch together, as a tape would: (up, down) of the resampler. Most are slower and
#: lower: low voices are rare among the free ones.
VOICE_SPEEDS = (
    *((2, 3), (3, 4), (4, 5), (5, 6), (7, 8), (10, 11), (15, 16)),
    *((16, 15), (11, 10), (8, 7), (6, 5), (6, 5), (5, 4), (5, 4)),
    *((4, 3), (4, 3), (7, 5), (7, 5), (3, 2)),
)
BACKGROUND_SPEEDS = ((10, 9), (9, 10), (8, 7), (7, 8), (6, 5), (5, 6), (4, 3), (3, 4))


def at_other_speed(
    collection: Collection,
    length_samples: int,
    speeds: tuple[tuple[int, int], ...],
    chance: float,
    rng: np.random.Generator,
) -> tuple[Sound, float]:
    """An excerpt, with the given chance faster or slower, and its bandwidth in Hz."""
    from scipy.signal import resample_poly

    if rng.random() >= chance:
        sound, recording = collection.excerpt(length_samples, rng)
        return sound, recording.bandwidth_hz
    up, down = speeds[int(rng.integers(len(speeds)))]
    needed = length_samples * down // up + 1
    sound, recording = collection.excerpt(needed, rng)
    changed = resample_poly(sound, up, down)[:length_samples]
    padded = np.pad(changed, (0, length_samples - len(changed)))
    return padded.astype(np.float32), min(recording.bandwidth_hz * down / up, RATE_HZ / 2)


def synthetic_room(rng: np.random.Generator) -> Sound:
    """An impulse response: direct sound, sparse early reflections, a diffuse decaying tail.

    Reverberation times of 0.12 to 0.9 s, shorter at high frequencies, direct-to-reverberant ratios
    of -3 to 15 dB: from a furnished office to a hall, a statistical model rather than a geometry.
    """
    reverb_s = float(np.exp(rng.uniform(np.log(0.12), np.log(0.9))))
    length = int(reverb_s * RATE_HZ)
    seconds = np.arange(length) / RATE_HZ
    noise = rng.standard_normal(length)
    dull = np.convolve(noise, np.ones(6) / 6**0.5, mode="same")
    bright_decay = np.exp(-6.9 * seconds / (reverb_s * rng.uniform(0.4, 0.8)))
    tail = dull * np.exp(-6.9 * seconds / reverb_s) + 0.4 * noise * bright_decay
    onset = int(rng.uniform(0.002, 0.012) * RATE_HZ)
    tail[:onset] = 0.0
    count = int(rng.integers(4, 12))
    places = rng.integers(onset // 3 + 1, max(onset * 5, onset // 3 + 2), count) % length
    tail[places] += rng.standard_normal(count) * 3.0
    ratio = 10 ** (-rng.uniform(-3.0, 15.0) / 20)
    tail *= ratio / (np.sqrt(np.square(tail).sum()) + 1e-9)
    tail[0] = 1.0
    return tail.astype(np.float32)


def in_room(sound: Sound, room: Sound) -> Sound:
    """The sound in a room, same length and without delay (the room's peak is its time zero)."""
    from scipy.signal import oaconvolve

    start = int(np.argmax(np.abs(room)))
    wet = oaconvolve(sound, room[start:])[: len(sound)]
    return np.asarray(wet, dtype=np.float32)


def distorted(sound: Sound, rng: np.random.Generator) -> Sound:
    """Clipped or driven into a soft limiter, as in finished mixes and bad recordings."""
    peak = float(np.abs(sound).max()) + 1e-9
    drive = 10 ** (rng.uniform(1.0, 10.0) / 20)
    driven = sound / peak * drive
    if rng.random() < 0.5:
        return np.asarray(np.clip(driven, -1.0, 1.0), dtype=np.float32)
    return np.asarray(np.tanh(driven), dtype=np.float32)


def coloured_noise(length_samples: int, rng: np.random.Generator) -> Sound:
    """Stationary noise of a random slope and band, sometimes with mains hum."""
    from scipy.fft import irfft

    bins = length_samples // 2 + 1
    frequencies_hz = np.linspace(1.0, RATE_HZ / 2, bins, dtype=np.float32)
    slope = rng.uniform(-1.2, 0.3)
    shape = np.maximum(frequencies_hz / 1000.0, 0.03) ** np.float32(slope)
    centre_hz = float(np.exp(rng.uniform(np.log(80.0), np.log(9000.0))))
    octaves = np.log2(frequencies_hz / centre_hz) / rng.uniform(0.3, 2.0)
    shape = shape * (1.0 + rng.uniform(0.0, 6.0) * np.exp(-(octaves**2))).astype(np.float32)
    phase = rng.standard_normal((2, bins)).astype(np.float32)
    noise = irfft(shape * (phase[0] + 1j * phase[1]), n=length_samples)
    noise /= np.sqrt(np.mean(np.square(noise))) + 1e-9
    if rng.random() < 0.4:
        seconds = np.arange(length_samples) / RATE_HZ
        mains_hz = float(rng.choice([50.0, 60.0]))
        for harmonic in range(1, 12):
            level = rng.exponential(0.6) / harmonic
            noise += level * np.sin(2 * np.pi * mains_hz * harmonic * seconds + rng.uniform(0, 6))
    return np.asarray(noise * 0.1, dtype=np.float32)
