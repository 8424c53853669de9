"""Stems cut into blocks and put together again, and levels of bands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np

from nlecompanion.diagnosis.speech import SpeechMeter, speech_spans
from nlecompanion.model import Samples, Span
from nlecompanion.treatment.stems import Stems


def blocks(
    voice: Samples, background: Samples | None = None, block_samples: int = 48_000
) -> Iterator[Stems]:
    """The two in blocks; no background is silence."""
    other = np.zeros_like(voice) if background is None else background
    for start in range(0, len(voice), block_samples):
        cut = slice(start, start + block_samples)
        yield Stems(voice[cut], other[cut])


def together(stems: Iterable[Stems]) -> Stems:
    """One block."""
    every = list(stems)
    return Stems(
        np.concatenate([block.voice for block in every]),
        np.concatenate([block.background for block in every]),
    )


def band_db(samples: Samples, low_hz: float, high_hz: float, rate_hz: int = 48_000) -> float:
    """Mean square between two frequencies in dB, over all channels, by Welch's method."""
    from scipy.signal import welch

    length = min(len(samples), rate_hz)
    frequency_hz, power = welch(samples.astype(np.float64), rate_hz, nperseg=length, axis=0)
    inside = (frequency_hz >= low_hz) & (frequency_hz < high_hz)
    return float(10 * np.log10(power[inside].sum() * rate_hz / length + 1e-20))


def spoken(samples: Samples, rate_hz: int = 48_000) -> tuple[Span, ...]:
    """Where somebody speaks."""
    meter = SpeechMeter(rate_hz)
    meter.push(samples)
    return speech_spans(meter.finish(), Fraction(len(samples), rate_hz))
