"""Real takes for tests of cleaner sources: sentences of one speaker, and noise to lay over them."""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from testkit.shared import shared

from nlecompanion.model import Samples

RATE_HZ = 48_000
SPEAKER = "kerstin_de_rhasspy"


@lru_cache(maxsize=16)
def _read(path: Path) -> Samples:
    from scipy.signal import resample_poly

    sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    one = sound.mean(axis=1)
    if rate_hz != RATE_HZ:
        common = gcd(rate_hz, RATE_HZ)
        one = resample_poly(one, RATE_HZ // common, rate_hz // common)
    return np.asarray(one, np.float32)


def take(first: int, seconds: float) -> Samples:
    """Sentences of one speaker from number `first` on, with pauses; shape (samples,), 48 kHz."""
    pause = np.zeros(RATE_HZ * 2 // 5, np.float32)
    parts: list[Samples] = []
    paths = sorted(shared("audio/speech").glob(f"{SPEAKER}-*.flac"))[first:]
    for path in paths:
        parts += [_read(path), pause]
        if sum(map(len, parts)) >= seconds * RATE_HZ:
            break
    voice: Samples = np.concatenate(parts)[: round(seconds * RATE_HZ)]
    return voice * np.float32(0.25 / np.abs(voice).max())


def noise(seconds: float, number: int = 0) -> Samples:
    """A real background, looped; shape (samples,), 48 kHz."""
    path = sorted(shared("audio/noise").glob("*.flac"))[number]
    return np.resize(_read(path), round(seconds * RATE_HZ))


def noisy(voice: Samples, sbr_db: float, number: int = 0) -> Samples:
    """The voice with a background, at the ratio of their powers over the whole."""
    over = noise(len(voice) / RATE_HZ, number)
    gain = np.sqrt(np.square(voice).mean() / np.square(over).mean()) * 10 ** (-sbr_db / 20)
    mixed: Samples = (voice + np.float32(gain) * over).astype(np.float32)
    loudest = float(np.abs(mixed).max())
    return mixed if loudest < 0.95 else mixed * np.float32(0.95 / loudest)
