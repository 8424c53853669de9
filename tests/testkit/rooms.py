"""Voices in measured rooms, with their early and late sound apart: float64, one channel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from testkit.shared import shared
from testkit.sound import read_sound

RATE_HZ = 48_000
#: Before the direct sound, so that its rise is whole.
LEAD_SAMPLES = 24
EARLY_SAMPLES = LEAD_SAMPLES + RATE_HZ // 20
Mono = NDArray[np.float64]


@dataclass(frozen=True)
class InRoom:
    """A voice in a room: `early` (50 ms after the direct sound) and `late`; `dry` lies in time."""

    early: Mono
    late: Mono
    dry: Mono

    @property
    def sound(self) -> NDArray[np.float32]:
        """Both together: (samples, 1)."""
        return (self.early + self.late).astype(np.float32)[:, None]


def resampled(path: str, channel: int = 0) -> Mono:
    """One channel of a file at 48 kHz."""
    from scipy.signal import resample_poly

    samples, rate_hz = read_sound(shared(path))
    divisor = math.gcd(rate_hz, RATE_HZ)
    sound = samples[:, channel].astype(np.float64)
    return np.asarray(resample_poly(sound, RATE_HZ // divisor, rate_hz // divisor))


def room(name: str) -> Mono:
    """A measured impulse response from its direct sound on."""
    response = resampled(f"audio/rir/{name}.flac")
    direct = int(np.argmax(response**2 > 0.01 * np.max(response**2)))
    return response[max(0, direct - LEAD_SAMPLES) :]


def both_microphones(name: str) -> tuple[Mono, Mono]:
    """The same from the first two channels of a file, in time with each other."""
    both = [resampled(f"audio/rir/{name}.flac", channel) for channel in (0, 1)]
    power = both[0] ** 2 + both[1] ** 2
    start = max(0, int(np.argmax(power > 0.01 * power.max())) - LEAD_SAMPLES)
    return both[0][start:], both[1][start:]


def t60_s(response: Mono) -> float:
    """From the fall of the backward-integrated energy, -5 to -25 dB (ISO 3382-2, T20)."""
    energy = np.cumsum(response[::-1] ** 2)[::-1]
    fallen_db = 10 * np.log10(np.maximum(energy / energy[0], 1e-14))
    start, end = (int(np.argmax(fallen_db < level)) for level in (-5, -25))
    return 3 * (end - start) / RATE_HZ


def c50_db(response: Mono) -> float:
    """Early over late energy (ISO 3382-1, A.2.2)."""
    energy = response**2
    return float(10 * np.log10(energy[:EARLY_SAMPLES].sum() / energy[EARLY_SAMPLES:].sum()))


def in_room(dry: Mono, response: Mono) -> InRoom:
    """The voice there, half a second longer for the room to fade."""
    from scipy.signal import fftconvolve

    length = len(dry) + RATE_HZ // 2
    late = np.concatenate([np.zeros(EARLY_SAMPLES), response[EARLY_SAMPLES:]])

    def heard(part: Mono) -> Mono:
        return np.pad(fftconvolve(dry, part), (0, length))[:length]

    early, tail = heard(response[:EARLY_SAMPLES]), heard(late)
    level = 0.1 / np.std(early)
    there = np.zeros(length)
    there[LEAD_SAMPLES : LEAD_SAMPLES + len(dry)] = dry
    return InRoom(early * level, tail * level, there)
