"""The noise floor: how loud the place is with nobody speaking, and how steadily so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nlecompanion.diagnosis.bands import OCTAVES, BandLevels, as_db, gap_hops, hops_inside
from nlecompanion.model import Span

#: Levels are averaged over this before their spread is taken: noise itself flickers faster.
_SMOOTH_S = 0.1
_MIN_GAPS_S = 0.3
#: Without gaps, speech's quietest hops are the best guess that can be had.
_QUIETEST_PERCENT = 5


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """The floor's level (88 Hz to 22.6 kHz, mean over the channels) and its spread.

    `level_dbfs` is the energy mean of the gaps, `spread_db` the 90th minus the 10th percentile of
    their levels over 0.1 s, `octaves_dbfs` the levels around 125 Hz to 16 kHz, `gaps_s` how much
    was listened to. `under_speech_db` is the mixture's level in speech minus the floor.
    `from_gaps` is False where there were none and the quietest hops stand in.
    """

    level_dbfs: float
    spread_db: float | None
    octaves_dbfs: tuple[float, ...]
    under_speech_db: float | None
    gaps_s: float
    from_gaps: bool


def noise_floor(bands: BandLevels, speech: tuple[Span, ...]) -> NoiseFloor | None:
    """From the mixture as recorded. None where there is no whole hop of sound."""
    hops = len(bands.powers)
    if not hops:
        return None
    gaps = gap_hops(speech, hops, bands.hop_s)
    from_gaps = gaps.sum() * bands.hop_s >= _MIN_GAPS_S
    broad = bands.broad
    if not from_gaps:
        gaps = broad <= np.percentile(broad, _QUIETEST_PERCENT)
    octaves_dbfs = as_db(bands.powers[gaps].mean(axis=0, dtype=np.float64))
    level_dbfs = float(as_db(broad[gaps].mean(dtype=np.float64, keepdims=True))[0])
    speaking = hops_inside(speech, hops, bands.hop_s)
    under_db = None
    if speaking.any():
        speech_dbfs = float(as_db(broad[speaking].mean(dtype=np.float64, keepdims=True))[0])
        under_db = speech_dbfs - level_dbfs
    return NoiseFloor(
        level_dbfs=level_dbfs,
        spread_db=_spread_db(bands, gaps) if from_gaps else None,
        octaves_dbfs=tuple(float(octaves_dbfs[i]) for i in range(OCTAVES)),
        under_speech_db=under_db,
        gaps_s=float(gaps.sum() * bands.hop_s) if from_gaps else 0.0,
        from_gaps=bool(from_gaps),
    )


def _spread_db(bands: BandLevels, gaps: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float | None:
    step = max(1, round(_SMOOTH_S / bands.hop_s))
    quiet = bands.broad[gaps]
    count = len(quiet) // step
    if count < 3:
        return None
    smooth_db = as_db(quiet[: count * step].reshape(count, step).mean(axis=1))
    low, high = np.percentile(smooth_db, (10, 90))
    return float(high - low)
