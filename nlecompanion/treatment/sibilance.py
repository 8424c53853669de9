"""A light de-esser: where the speaker's own sibilants hiss, 5 to 9 kHz come down a little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Span
from nlecompanion.treatment.gains import GainCurve
from nlecompanion.treatment.voice_bands import VoiceBands

#: Sibilants of 74 real voices lie 18 dB under to 4 dB over the speaker's vowels; the sharp ones
#: stand from here on.
_HARSH_DB = -6.0
#: Over it, this part of every dB is taken.
_SLOPE = 0.6
_MIN_SPEECH_HOPS = 30
_FLOOR_POWER = 1e-12


@dataclass(frozen=True, slots=True)
class SibilanceLimits:
    """`deess_db` is the most that the band is turned down by (0 = off, 6 at most)."""

    deess_db: float = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class SibilancePlan:
    """The band's gain over time, or None where no sibilant is too sharp, for the reason."""

    curve: GainCurve | None
    sibilants_s: float
    reason: str


def plan_sibilance(
    bands: VoiceBands, speech: Sequence[Span], limits: SibilanceLimits | None = None
) -> SibilancePlan:
    """How far each sibilant is over what the speaker's own vowels allow.

    `bands` as compression leaves them (`VoiceBands.under`).
    """
    limits = limits or SibilanceLimits()
    most_db = min(limits.deess_db, 6.0)
    if most_db <= 0:
        return SibilancePlan(None, 0.0, "de-esser switched off")
    speaking = bands.speaking(speech)
    if speaking.sum() < _MIN_SPEECH_HOPS:
        return SibilancePlan(None, 0.0, "no de-essing: too little speech to know the speaker")
    vowels_db = _db(bands.body[speaking].mean(keepdims=True))[0]
    sibilance_db = _db(bands.sibilance)
    # A sibilant hisses more than it sounds; a bright vowel does not.
    sibilant = speaking & (bands.sibilance > bands.body)
    over_db = np.where(sibilant, sibilance_db - vowels_db - _HARSH_DB, 0)
    wanted = np.minimum(_SLOPE * np.maximum(over_db, 0), most_db)
    # The loudest of three neighbours, so that a short sharp sibilant is met in full.
    padded = np.pad(wanted, 1)
    reduction = sibilant * np.maximum(np.maximum(padded[:-2], padded[2:]), wanted)
    hop_s = bands.hop_samples / bands.rate_hz
    if not reduction.any():
        return SibilancePlan(None, 0.0, "no de-essing: no sibilant is too sharp")
    return SibilancePlan(
        GainCurve(bands.rate_hz, bands.hop_samples, -reduction),
        float((reduction > 0).sum() * hop_s),
        f"sibilants down by {reduction.max():.1f} dB at most, in "
        f"{(reduction > 0).sum() * hop_s:.1f} s",
    )


def _db(power: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(10 * np.log10(np.maximum(power.astype(np.float64), _FLOOR_POWER)))
