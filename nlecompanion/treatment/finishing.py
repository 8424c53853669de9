"""Finishing: gentle compression, a light de-esser, and presence where consonants were lost.

Everything is found from the voice and laid on voice and background alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples, Span
from nlecompanion.treatment.compression import (
    CompressionLimits,
    CompressionPlan,
    plan_compression,
)
from nlecompanion.treatment.gains import GainCurve, apply_gains
from nlecompanion.treatment.sibilance import SibilanceLimits, SibilancePlan, plan_sibilance
from nlecompanion.treatment.stems import Stems
from nlecompanion.treatment.voice_bands import SIBILANCE_HZ, VoiceBandMeter, VoiceBands
from nlecompanion.treatment.windows import as_stems, ramp, stem_windows, zero_phase

__all__ = [
    "CompressionLimits",
    "FinishingLimits",
    "FinishingPlan",
    "FinishingReport",
    "SibilanceLimits",
    "VoiceBandMeter",
    "apply_finishing",
    "finishing_report",
    "plan_finishing",
]

#: 2 to 5 kHz against 300 Hz to 1.3 kHz in the long-term average speech spectrum (Byrne et al.
#: 1994, Table II, both sexes), and how far a voice may fall short of it before it is dull.
_USUAL_CONSONANTS_DB = -14.0
_DULL_DB = 4.0
_MIN_SPEECH_HOPS = 30
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class FinishingLimits:
    """How far finishing may go; `presence_db` is the most that 2 to 8 kHz come up by (0 = off)."""

    compression: CompressionLimits = field(default_factory=CompressionLimits)
    sibilance: SibilanceLimits = field(default_factory=SibilanceLimits)
    presence_db: float = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class FinishingPlan:
    """What is done to the voice's dynamics and colour."""

    compression: CompressionPlan
    sibilance: SibilancePlan
    presence_db: float
    presence_reason: str

    @property
    def off(self) -> bool:
        """Whether the sound passes bit for bit."""
        return (
            self.compression.curve is None and self.sibilance.curve is None and not self.presence_db
        )


def plan_finishing(
    bands: VoiceBands, speech: Sequence[Span], limits: FinishingLimits | None = None
) -> FinishingPlan:
    """From the voice's band levels (`VoiceBandMeter`) and where somebody speaks."""
    limits = limits or FinishingLimits()
    compression = plan_compression(bands, speech, limits.compression)
    compressed = bands.under(compression.curve)
    presence_db, reason = _presence(compressed, speech, min(limits.presence_db, 3.0))
    return FinishingPlan(
        compression,
        plan_sibilance(compressed, speech, limits.sibilance),
        presence_db,
        reason,
    )


def _presence(bands: VoiceBands, speech: Sequence[Span], most_db: float) -> tuple[float, str]:
    if most_db <= 0:
        return 0.0, "presence switched off"
    consonants_db = _consonants_db(bands, bands.speaking(speech))
    if consonants_db is None:
        return 0.0, "no presence: too little speech to know the voice"
    missing_db = _USUAL_CONSONANTS_DB - _DULL_DB - consonants_db
    if missing_db <= 0.1:
        return 0.0, f"no presence: consonants at {consonants_db:.1f} dB are not dull"
    given_db = min(missing_db, most_db)
    return given_db, f"presence {given_db:+.1f} dB: consonants at {consonants_db:.1f} dB are dull"


def _consonants_db(bands: VoiceBands, speaking: NDArray[np.bool_]) -> float | None:
    """Level of 2 to 5 kHz over that of 300 Hz to 1.3 kHz, in speech."""
    if speaking.sum() < _MIN_SPEECH_HOPS:
        return None
    chest = float(bands.chest[speaking].mean(dtype=np.float64))
    consonants = float(bands.consonants[speaking].mean(dtype=np.float64))
    if chest < _TINY or consonants < _TINY:
        return None
    return 10 * math.log10(consonants / chest)


def apply_finishing(blocks: Iterable[Stems], plan: FinishingPlan, rate_hz: int) -> Iterator[Stems]:
    """The stems compressed, de-essed and with presence; an `off` plan passes them bit for bit."""
    compressed = apply_gains(blocks, plan.compression.curve)
    if plan.sibilance.curve is None and not plan.presence_db:
        yield from compressed
        return
    colour = _Colour(plan.sibilance.curve, plan.presence_db, rate_hz)
    position = 0
    for window in stem_windows(compressed, colour.window_samples, colour.reach_samples):
        treated = colour(window, position)
        position += treated.shape[1]
        yield as_stems(treated)


class _Colour:
    """Presence and de-esser on windows of (signals, reach + window + reach)."""

    def __init__(self, deess: GainCurve | None, presence_db: float, rate_hz: int) -> None:
        self._deess, self._presence_db = deess, presence_db
        length = 1 << round(math.log2(0.68 * rate_hz))
        self._length = length
        self.window_samples, self.reach_samples = length * 7 // 8, length // 16
        low_hz, high_hz = SIBILANCE_HZ
        self._band = zero_phase(
            lambda at: ramp(at, low_hz - 500, low_hz + 300) * (1 - ramp(at, high_hz - 300, 10_000)),
            rate_hz,
            length,
            length // 64,
        )
        self._presence = zero_phase(
            lambda at: 10 ** (presence_db / 20 * ramp(at, 1200, 2400) * (1 - ramp(at, 8e3, 14e3))),
            rate_hz,
            length,
            length // 32,
        )

    def __call__(self, window: Samples, position: int) -> Samples:
        """The inner part of the window, treated; it begins at sample `position` of the region."""
        import scipy.fft

        count = window.shape[1] - 2 * self.reach_samples
        inner = slice(self.reach_samples, self.reach_samples + count)
        share: Samples = np.zeros(count, np.float32)
        if self._deess is not None:
            share = np.float32(1) - self._deess.amplitudes(position, count)
        hissing = bool(share.any())
        if not window.any() or not (hissing or self._presence_db):
            return window[:, inner]
        spectra = scipy.fft.rfft(window, self._length, axis=1)
        treated = window[:, inner]
        if self._presence_db:
            spectra = spectra * self._presence
            treated = scipy.fft.irfft(spectra, self._length, axis=1)[:, inner]
        if hissing:
            band: Samples = scipy.fft.irfft(spectra * self._band, self._length, axis=1)[:, inner]
            treated = treated - np.multiply(share, band, dtype=np.float32)
        return treated


@dataclass(frozen=True, slots=True)
class FinishingReport:
    """The voice before and after, in dB; None where there was too little speech.

    `swing_db`: from the median to the 95th percentile of the speech level. `hiss_db`: the loudest
    2 % of sibilants over the vowels. `consonants_db`: 2 to 5 kHz over 300 Hz to 1.3 kHz.
    """

    ratio: float
    threshold_db: float | None
    reduction_95_db: float
    reduction_most_db: float
    swing_db: tuple[float, float] | None
    sibilants_s: float
    hiss_db: tuple[float, float] | None
    presence_db: float
    consonants_db: tuple[float, float] | None
    reasons: tuple[str, ...]

    def receipt_values(self) -> dict[str, object]:
        """The receipt's entry; pairs are before and after."""
        return {
            "compression_ratio": self.ratio,
            "threshold_dbfs": _rounded(self.threshold_db),
            "gain_reduction_95_db": round(self.reduction_95_db, 2),
            "gain_reduction_most_db": round(self.reduction_most_db, 2),
            "speech_level_swing_db": _pair(self.swing_db),
            "deessed_s": round(self.sibilants_s, 2),
            "sibilants_over_vowels_db": _pair(self.hiss_db),
            "presence_db": round(self.presence_db, 2),
            "consonants_db": _pair(self.consonants_db),
            "reasons": list(self.reasons),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _pair(values: tuple[float, float] | None) -> list[float] | None:
    return None if values is None else [round(value, 2) for value in values]


def finishing_report(
    plan: FinishingPlan, before: VoiceBands, after: VoiceBands, speech: Sequence[Span]
) -> FinishingReport:
    """What finishing changed, from the voice's band levels before and after it."""
    speaking = before.speaking(speech)
    reduction = np.zeros(1)
    if plan.compression.curve is not None and speaking.any():
        reduction = -plan.compression.curve.gains_db[speaking]
    consonants = [_consonants_db(bands, speaking) for bands in (before, after)]
    return FinishingReport(
        ratio=plan.compression.ratio,
        threshold_db=plan.compression.threshold_db,
        reduction_95_db=float(np.quantile(reduction, 0.95)),
        reduction_most_db=float(reduction.max()),
        swing_db=_both(_swing_db(before, speaking), _swing_db(after, speaking)),
        sibilants_s=plan.sibilance.sibilants_s,
        hiss_db=_both(_hiss_db(before, before, speaking), _hiss_db(after, before, speaking)),
        presence_db=plan.presence_db,
        consonants_db=_both(*consonants),
        reasons=(plan.compression.reason, plan.sibilance.reason, plan.presence_reason),
    )


def _both(before: float | None, after: float | None) -> tuple[float, float] | None:
    return None if before is None or after is None else (before, after)


def _swing_db(bands: VoiceBands, speaking: NDArray[np.bool_]) -> float | None:
    if speaking.sum() < _MIN_SPEECH_HOPS:
        return None
    median, high = np.quantile(bands.broad[speaking].astype(np.float64), (0.5, 0.95))
    return 10 * math.log10(high / median) if median > _TINY else None


def _hiss_db(bands: VoiceBands, found: VoiceBands, speaking: NDArray[np.bool_]) -> float | None:
    """Over the hops that hiss in `found`, so that both sides look at the same sounds."""
    sibilant = speaking & (found.sibilance > found.body)
    vowels = float(bands.body[speaking].mean(dtype=np.float64)) if speaking.any() else 0.0
    if not sibilant.any() or vowels < _TINY:
        return None
    return 10 * math.log10(max(float(np.quantile(bands.sibilance[sibilant], 0.98)), _TINY) / vowels)
