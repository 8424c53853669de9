"""What was measured on one use, from the region's probabilities and levels."""

from __future__ import annotations

from collections.abc import Iterable
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
#: The detector alone, while the split finds that little, errs for less than this.
FAINT_DB, FLEETING_S = -35.0, Fraction(1)
#: What only the split's voice shows must last this long, or half of a use that is shorter than
#: twice of it: music leaves syllables in a split.
HIDDEN_S = Fraction(1)


@dataclass(frozen=True, slots=True, eq=False)
class RegionMeasures:
    """One region's measurements: speech spans and hop powers, from the region's first sample.

    `voice_speech` and the voice's and background's powers are None before the split; `voice_hints`
    are stretches of the voice estimate in which the detector is not sure of a voice.
    """

    speech: tuple[Span, ...]
    powers: NDArray[np.float64]
    voice_speech: tuple[Span, ...] | None = None
    voice_powers: NDArray[np.float64] | None = None
    background_powers: NDArray[np.float64] | None = None
    voice_hints: tuple[Span, ...] = ()


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


def speech_of(use: Use, region: Region, measures: RegionMeasures) -> tuple[tuple[Span, ...], str]:
    """Where somebody speaks in a use, from its first instant, and the signal that shows it.

    Loud music hides speech from the detector, so the voice estimate is asked as well where the
    mixture shows none; residue far below the mixture does not count in either.
    """
    window = window_of(use, region)
    speech = clip_spans(_believed(measures), window)
    if speech or not measures.voice_speech or measures.voice_powers is None:
        return speech, "mixture"
    hidden = clip_spans(measures.voice_speech, window)
    found = _audible(hidden, window, measures.powers, measures.voice_powers)
    enough = _total_s(found) >= min(HIDDEN_S, window.duration_s / 2)
    return found if enough else (), "voice"


def speech_in(region: Region, measures: RegionMeasures) -> tuple[Span, ...]:
    """Where somebody speaks in a region; in uses without speech in the mixture, as `speech_of`."""
    found = list(_believed(measures))
    for use in region.uses:
        speech, found_in = speech_of(use, region, measures)
        if found_in == "voice":
            start_s = window_of(use, region).start_s
            found += [Span(span.start_s + start_s, span.duration_s) for span in speech]
    merged: list[Span] = []
    for span in sorted(found, key=lambda s: (s.start_s, s.end_s)):
        if merged and span.start_s <= merged[-1].end_s:
            last = merged.pop()
            span = Span(last.start_s, max(last.end_s, span.end_s) - last.start_s)
        merged.append(span)
    return tuple(merged)


def hinted_s(use: Use, region: Region, measures: RegionMeasures) -> Fraction:
    """Seconds of a use in which the voice estimate may be a voice, and may be none."""
    window = window_of(use, region)
    surer = clip_spans(measures.voice_speech or (), window)
    return _total_s((*clip_spans(measures.voice_hints, window), *surer))


def diagnose(use: Use, region: Region, measures: RegionMeasures) -> Diagnosis:
    """Speech, levels and speech-to-background ratio of one use."""
    window = window_of(use, region)
    speech, found_in = speech_of(use, region, measures)
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
        speech_s=_total_s(speech),
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


def _total_s(spans: Iterable[Span]) -> Fraction:
    return sum((span.duration_s for span in spans), Fraction(0))


def _believed(measures: RegionMeasures) -> tuple[Span, ...]:
    """Speech in the mixture without moments that only the detector hears."""
    if measures.voice_powers is None:
        return measures.speech
    return tuple(
        span
        for span in measures.speech
        if span.duration_s >= FLEETING_S
        or _over(span, measures.voice_powers, measures.powers, FAINT_DB)
    )


def _audible(
    speech: tuple[Span, ...],
    window: Span,
    powers: NDArray[np.float64],
    voice_powers: NDArray[np.float64],
) -> tuple[Span, ...]:
    shifted = [(span, Span(span.start_s + window.start_s, span.duration_s)) for span in speech]
    return tuple(span for span, at in shifted if _over(at, voice_powers, powers, RESIDUE_DB))


def _over(
    span: Span, above: NDArray[np.float64], below: NDArray[np.float64], least_db: float
) -> bool:
    start = int(span.start_s / HOP_S)
    end = max(start + 1, int(span.end_s / HOP_S))
    return float(above[start:end].sum()) > 10 ** (least_db / 10) * float(below[start:end].sum())
