"""Gentle compression: the voice's loud syllables come down, nothing pumps.

There is time to look ahead, so the gain follows a smoothed level without attack or release of its
own (zero delay), and in pauses it rests at its mean, which leaves the floor where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Span
from nlecompanion.treatment.gains import GainCurve, smoothed
from nlecompanion.treatment.voice_bands import VoiceBands

#: Level and gain are smoothed over about a syllable.
_LEVEL_S = 0.05
_GAIN_S = 0.08
_KNEE_DB = 6.0
#: 95 % of the gain reduction in speech stays under `most_db`, and the rest under this much more.
_SHARE = 0.95
_OVER_DB = 2.0
_MIN_SPEECH_HOPS = 30
_FLOOR_POWER = 1e-12


@dataclass(frozen=True, slots=True)
class CompressionLimits:
    """`ratio` input dB over the threshold give one (1 = off, 2.5 at most)."""

    ratio: float = 2.0
    most_db: float = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class CompressionPlan:
    """The gain over time, or None where nothing is compressed, for the reason."""

    curve: GainCurve | None
    threshold_db: float | None
    ratio: float
    reason: str


def plan_compression(
    bands: VoiceBands, speech: Sequence[Span], limits: CompressionLimits | None = None
) -> CompressionPlan:
    """The threshold at the median of the speech level, or higher where that would take too much."""
    limits = limits or CompressionLimits()
    ratio = min(limits.ratio, 2.5)
    if ratio <= 1 or limits.most_db <= 0:
        return CompressionPlan(None, None, 1.0, "compression switched off")
    speaking = bands.speaking(speech)
    if speaking.sum() < _MIN_SPEECH_HOPS:
        return CompressionPlan(
            None, None, 1.0, f"no compression: {speaking.sum() * 10} ms of speech are too little"
        )
    hops = round(_LEVEL_S * bands.rate_hz / bands.hop_samples)
    power = smoothed(bands.broad.astype(np.float64), hops)
    level_db = 10 * np.log10(np.maximum(power, _FLOOR_POWER))
    threshold_db = float(np.median(level_db[speaking]))
    reduction = _reduction(bands, level_db, speaking, threshold_db, ratio)
    while np.quantile(reduction[speaking], _SHARE) > 0.95 * limits.most_db:
        threshold_db += 0.5
        reduction = _reduction(bands, level_db, speaking, threshold_db, ratio)
    reduction = np.minimum(reduction, limits.most_db + _OVER_DB)
    return CompressionPlan(
        GainCurve(bands.rate_hz, bands.hop_samples, -reduction),
        threshold_db,
        ratio,
        f"compressed {ratio:g} : 1 over {threshold_db:.1f} dBFS, by "
        f"{np.quantile(reduction[speaking], _SHARE):.1f} dB or less in 95 % of the speech",
    )


def _reduction(
    bands: VoiceBands,
    level_db: NDArray[np.float64],
    speaking: NDArray[np.bool_],
    threshold_db: float,
    ratio: float,
) -> NDArray[np.float64]:
    """Gain reduction in dB, positive, at every hop."""
    over = level_db - threshold_db
    # A soft knee: Giannoulis et al. (2012), "Digital dynamic range compressor design", eq. 4.
    bent = np.clip(over + _KNEE_DB / 2, 0, _KNEE_DB) ** 2 / (2 * _KNEE_DB)
    wanted = (1 - 1 / ratio) * np.where(over > _KNEE_DB / 2, over, bent)
    rest = float(wanted[speaking].mean())
    wanted = np.where(speaking, wanted, np.maximum(wanted, rest))
    return smoothed(wanted, round(_GAIN_S * bands.rate_hz / bands.hop_samples))
