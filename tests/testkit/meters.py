"""Runs the diagnosis over a sound, and the real recordings that it is judged by."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
from testkit.shared import shared
from testkit.sound import read_sound
from testkit.speech import speech as sentences

from nlecompanion.diagnosis.findings import Findings, MixtureMeters, SplitMeters, gather
from nlecompanion.diagnosis.speech import SpeechMeter, speech_spans
from nlecompanion.model import Samples, Span

RATE_HZ = 48_000


def blocks(sound: Samples, count: int = 96_000) -> Iterator[Samples]:
    """The sound in blocks, as the extraction gives it."""
    for start in range(0, len(sound), count):
        yield sound[start : start + count]


def spoken(sound: Samples, rate_hz: int = RATE_HZ) -> tuple[Span, ...]:
    """Where the detector hears speech."""
    meter = SpeechMeter(rate_hz)
    for block in blocks(sound):
        meter.push(block)
    return speech_spans(meter.finish(), Fraction(len(sound), rate_hz))


def spaced(pieces: int = 4) -> tuple[Samples, tuple[Span, ...]]:
    """Sentences of 3 s, each followed by 2 s of digital silence, at about -23 dBFS in speech."""
    length, pause = 3 * RATE_HZ, 2 * RATE_HZ
    voice = sentences(3.0 * pieces, noise=0.0)
    voice *= np.float32(10 ** (-23 / 20) / np.sqrt(np.mean(voice**2)))
    parts = []
    for piece in range(pieces):
        parts += [voice[piece * length : (piece + 1) * length], np.zeros((pause, 1), np.float32)]
    spans = tuple(Span(Fraction(5 * piece), Fraction(3)) for piece in range(pieces))
    return np.concatenate(parts), spans


def whole(sound: Samples, rate_hz: int = RATE_HZ) -> tuple[Span, ...]:
    """All of it as one stretch of speech."""
    return (Span(Fraction(0), Fraction(len(sound), rate_hz)),)


def found(
    sound: Samples,
    rate_hz: int = RATE_HZ,
    speech: tuple[Span, ...] | None = None,
    background: Samples | None = None,
) -> Findings:
    """All measurements; with a background, as if a split had given it and the rest as voice."""
    mixture = MixtureMeters(rate_hz, sound.shape[1])
    for block in blocks(sound):
        mixture.push(block)
    split = None
    if background is not None:
        split = SplitMeters(rate_hz, sound.shape[1])
        for voice, rest in zip(blocks(sound - background), blocks(background), strict=True):
            split.push(voice, rest)
    return gather(mixture, split, spoken(sound, rate_hz) if speech is None else speech)


@lru_cache(maxsize=64)
def sound_of(path: Path, most_s: float = 20.0) -> Samples:
    """A recording at 48 kHz."""
    from scipy.signal import resample_poly

    samples, rate_hz = read_sound(path)
    if rate_hz != RATE_HZ:
        divisor = math.gcd(rate_hz, RATE_HZ)
        samples = resample_poly(samples, RATE_HZ // divisor, rate_hz // divisor, axis=0)
    return samples[: int(most_s * RATE_HZ)].astype(np.float32)


def recordings(folder: str, pattern: str = "*") -> list[Path]:
    """Files of the shared audio, sorted; skips where they are missing."""
    return sorted(shared(f"audio/{folder}").glob(pattern))


def voice_of(prefix: str, length_s: float = 12.0) -> Samples:
    """One speaker's recordings set one after another, mono at 48 kHz."""
    parts = [sound_of(path)[:, :1] for path in recordings("speech", f"{prefix}*")]
    return np.concatenate(parts)[: int(length_s * RATE_HZ)]


#: One prefix a speaker of the shared recordings that were made close to the microphone.
VOICES = (
    "kerstin", "ravdess_M01", "ravdess_F02", "ravdess_M05", "ravdess_F08", "ravdess_M11",
    "ravdess_F14", "ravdess_F20", "ravdess_M23", "richard", "vctk_p234", "vctk_p286", "dfn_free",
    "mmi_FemalePart", "uh_de", "uh_en", "uh_fr",
)  # fmt: skip
