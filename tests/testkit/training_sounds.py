"""Small synthetic recordings to train on: buzzing "voices" with pauses, chords, hiss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 48_000


def voice(seconds: float, pitch_hz: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Harmonics of a wavering pitch, syllables four a second, a pause every second."""
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + 0.1 * np.sin(5 * times))) / RATE_HZ
    buzz = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, 25))
    syllables = np.clip(np.sin(2 * np.pi * 4 * times), 0, None) * ((times % 1.5) < 1.1)
    return np.asarray(0.2 * buzz * syllables, dtype=np.float32)


def folders(root: Path, rng: np.random.Generator) -> tuple[Path, Path, Path]:
    """Speech, music and effects, seven groups each, of 4 s."""
    made = (root / "speech", root / "music", root / "effects")
    for folder in made:
        folder.mkdir(parents=True)
    times = np.arange(4 * RATE_HZ) / RATE_HZ
    for number in range(7):
        chord = sum(np.sin(2 * np.pi * f * times) for f in rng.uniform(100, 2000, 4))
        hiss = rng.standard_normal(4 * RATE_HZ) * 0.1
        sounds = (voice(4.0, 90.0 + 25 * number, rng), 0.1 * chord, hiss)
        for folder, sound in zip(made, sounds, strict=True):
            soundfile.write(folder / f"group{number}_00.flac", sound, RATE_HZ)
    return made
