"""Speech for tests without the shared recordings: the demo scene's own sentences."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files

import numpy as np
import soundfile

from nlecompanion.model import Samples

RATE_HZ = 48_000


@lru_cache(maxsize=1)
def _sentences() -> Samples:
    from scipy.signal import resample_poly

    parts = []
    for entry in sorted(files("nlecompanion.demo").iterdir(), key=lambda found: found.name):
        if entry.name.endswith(".flac"):
            with as_file(entry) as path:
                samples, rate_hz = soundfile.read(path, dtype="float32")
            parts += [resample_poly(samples, 320, rate_hz * 320 // RATE_HZ), np.zeros(RATE_HZ // 4)]
    return np.concatenate(parts).astype(np.float32)


def speech(seconds: float, channels: int = 1, noise: float = 0.02, seed: int = 1) -> Samples:
    """Sentences, looped, at 48 kHz over white noise of the given RMS; shape (samples, channels)."""
    count = round(seconds * RATE_HZ)
    voice = np.resize(_sentences(), count)[:, None]
    background = np.random.default_rng(seed).normal(0, noise, (count, channels))
    return (0.5 * voice + background).astype(np.float32)
