"""What was measured on one use, from the region's probabilities and levels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.levels import HOP_S, hops_of, level_db
from nlecompanion.diagnosis.ratio import steadied_sbr_db
from nlecompanion.diagnosis.speech import clip_spans
from nlecompanion.model import Diagnosis, Region, Span, Use

#: A voice estimate this far below the mixture is residue of the split, not somebody speaking.
RESIDUE_DB = -30.0


@dataclass(frozen=True, slots=True, eq=False)
class RegionMeasures:
    """One region's measurements: speech spans and hop powers, from the region's first sample.

    `voice_speech` and the voice's and background's powers are None before the split.
    """

    speech: tuple[Span, ...]
    powers: NDArray[np.float64]
    voice_speech: tuple[Span, ...] | None = None
    voice_powers: NDArray[np.float64] | None = None
    background_powers: NDArray[np.float64] | None = None


def window_of(use: Use, region: Region) -> Span:
    """The use's range, counted from the region's first sample."""
    region_start_s = Fraction(region.start_sample, region.rate_hz)
    return Span(use.source.start_s - region_start_s, use.source.duration_s)


def window_within(use: Use, region: Region) -> Span:
    """The part of that range that lies in the region: containers round their durations."""
    window = window_of(use, region)
    length_s = Fraction(region.length_samples, region.rate_hz)
    start_s = min(max(window.start_s, Fraction(0)), length_s)
    return Span(start_s, min(window.end_s, length_s) - start_s)


def diagnose(use: Use, region: Region, measures: RegionMeasures) -> Diagnosis:
    """Speech, levels and speech-to-background ratio of one use.

    Loud music hides speech from the detector, so the voice estimate is asked as well where the
    mixture shows none; residue far below the mixture does not count.
    """
    window = window_of(use, region)
    speech, found_in = clip_spans(measures.speech, window), "mixture"
    if not speech and measures.voice_speech and measures.voice_powers is not None:
        speech, found_in = clip_spans(measures.voice_speech, window), "voice"
        speech = _audible(speech, window, measures.powers, measures.voice_powers)
    speaking = hops_of(
        [Span(s.start_s + window.start_s, s.duration_s) for s in speech], measures.powers.size
    )
    voice_db = background_db = None
    if measures.voice_powers is not None and measures.background_powers is not None:
        voice_db = level_db(measures.voice_powers, speaking)
        background_db = level_db(measures.background_powers, speaking)
    if not speech:
        # Nobody is heard: then all of it is background.
        background_db = level_db(measures.powers, hops_of([window], measures.powers.size))
    split_db = None if voice_db is None or background_db is None else voice_db - background_db
    gaps_db = _over_gaps_db(measures.powers, speaking, window)
    return Diagnosis(
        speech=speech,
        speech_s=sum((span.duration_s for span in speech), Fraction(0)),
        found_in=found_in,
        speech_level_db=voice_db if voice_db is not None else level_db(measures.powers, speaking),
        background_level_db=background_db,
        sbr_db=steadied_sbr_db(split_db, gaps_db),
        sbr_split_db=split_db,
        sbr_gaps_db=gaps_db,
    )


def _over_gaps_db(
    powers: NDArray[np.float64], speaking: NDArray[np.bool_], window: Span
) -> float | None:
    """The mixture while somebody speaks, over the rest of the window."""
    silent = hops_of([window], powers.size) & ~speaking
    speech_db, gap_db = level_db(powers, speaking), level_db(powers, silent)
    return None if speech_db is None or gap_db is None else speech_db - gap_db


def _audible(
    speech: tuple[Span, ...],
    window: Span,
    powers: NDArray[np.float64],
    voice_powers: NDArray[np.float64],
) -> tuple[Span, ...]:
    kept = []
    for span in speech:
        start = int((span.start_s + window.start_s) / HOP_S)
        end = max(start + 1, int((span.end_s + window.start_s) / HOP_S))
        voice = float(voice_powers[start:end].sum())
        if voice > 10 ** (RESIDUE_DB / 10) * float(powers[start:end].sum()):
            kept.append(span)
    return tuple(kept)
