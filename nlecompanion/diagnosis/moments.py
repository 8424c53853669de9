"""The hardest moment: windows of about 8 s, ranked by how hard the voice is to follow in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.levels import HOP_S, hops_of
from nlecompanion.diagnosis.speech import FRAME_S, clip_spans
from nlecompanion.model import Span
from nlecompanion.units import db_from_power

WINDOW_S = Fraction(8)
STEP_S = Fraction(4)
#: A window with less speech says little; it counts where nothing else is there.
ENOUGH_SPEECH_S = Fraction(1)
#: A window in which the detector hears nobody in the mixture must hold speech in the voice estimate
#: for this share of it: what a split makes of music is speech for a moment, too. With this the
#: window was a truly hard one in 12 of 12 made timelines of the calibration part, without in 11.
HEARD_NOBODY, HIDDEN_SHARE = 0.1, 0.5
#: Beyond these a ratio says only "hopeless" or "clean".
_RATIO_DB = (-20.0, 25.0)
#: A mixture does not get quieter by somebody speaking.
_GAPS_DB = (0.0, 25.0)
#: Weights of the place between these limits, of what the detector hears, and offsets.
_BY_SPLIT = (0.613, 0.46)
_BY_MIXTURE = (0.324, 0.341, 0.392)


@dataclass(frozen=True, slots=True)
class Moment:
    """One window, from the region's first sample, and how hard it is.

    `sbr_db`: ratio of speech to background in it, from the split where there is one, else speech
    against gaps of the mixture; None where it cannot be told. `heard`: the speech detector's 90th
    percentile on the mixture, 0 to 1. `hardness`: 0 (clean) to 1 (hopeless).
    """

    span: Span
    speech_s: float
    sbr_db: float | None
    heard: float
    hardness: float

    @property
    def doubtful(self) -> bool:
        """Whether too little speech is sure in it to rank it among the others."""
        hidden = self.heard < HEARD_NOBODY
        return self.speech_s < ENOUGH_SPEECH_S or (
            hidden and self.speech_s < HIDDEN_SHARE * self.span.duration_s
        )


def windows_in(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Windows of 8 s every 4 s over each span; the last one ends with it. Short spans are one."""
    found: list[Span] = []
    for span in spans:
        start_s = span.start_s
        while start_s + WINDOW_S < span.end_s:
            found.append(Span(start_s, WINDOW_S))
            start_s += STEP_S
        last_s = max(span.start_s, span.end_s - WINDOW_S)
        found.append(Span(last_s, span.end_s - last_s))
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """What the ranking looks at, from the region's first sample.

    `speech`: spans; `probabilities`: the detector's on the mixture, one every 32 ms; `powers`: the
    mixture's, `voice` and `background` the split's where there is one, one every 20 ms.
    """

    speech: tuple[Span, ...]
    probabilities: NDArray[np.float32]
    powers: NDArray[np.float64]
    voice: NDArray[np.float64] | None = None
    background: NDArray[np.float64] | None = None


def moments(track: Track, windows: Sequence[Span]) -> tuple[Moment, ...]:
    """The windows, the hardest first; of equals the earlier one. Doubtful ones come last."""
    found = [_moment(track, window) for window in windows]
    return tuple(sorted(found, key=lambda m: (m.doubtful, -m.hardness, m.span.start_s)))


def _moment(track: Track, window: Span) -> Moment:
    speech = clip_spans(track.speech, window)
    first, end = int(window.start_s / HOP_S), int(window.end_s / HOP_S)
    speaking = hops_of(speech, end - first)
    sbr_db = _ratio_db(track, first, speaking)
    chances = track.probabilities[
        int(window.start_s / FRAME_S) : max(1, int(window.end_s / FRAME_S))
    ]
    heard = float(np.percentile(chances, 90)) if chances.size else 0.0
    speech_s = float(sum((span.duration_s for span in speech), Fraction(0)))
    split = track.voice is not None
    hard = hardness(sbr_db) if split else hardness_unsplit(sbr_db, heard)
    return Moment(window, speech_s, sbr_db, heard, hard)


def _ratio_db(track: Track, first: int, speaking: NDArray[np.bool_]) -> float | None:
    rows = slice(first, first + speaking.size)
    if track.voice is not None and track.background is not None:
        voice, under = track.voice[rows], track.background[rows]
        count = min(voice.size, speaking.size)
        return _over_db(voice[:count], under[:count], speaking[:count], speaking[:count])
    powers = track.powers[rows]
    count = min(powers.size, speaking.size)
    return _over_db(powers[:count], powers[:count], speaking[:count], ~speaking[:count])


def _over_db(
    above: NDArray[np.float64],
    below: NDArray[np.float64],
    where_above: NDArray[np.bool_],
    where_below: NDArray[np.bool_],
) -> float | None:
    if not where_above.any() or not where_below.any():
        return None
    return db_from_power(float(above[where_above].mean())) - db_from_power(
        float(below[where_below].mean())
    )


def hardness(sbr_db: float | None) -> float:
    """0 (clean) to 1 (hopeless), from the ratio of a split.

    One minus the STOI (Taal et al. 2011) of the untouched mixture against the clean voice, as
    least squares over the calibration part of `tests/benchmarks/judgement.py` predict it. What the
    detector says adds nothing here: it hears less where somebody speaks little, too.
    """
    clean, offset = _BY_SPLIT
    return float(1 - np.clip(offset + clean * _within(sbr_db, _RATIO_DB), 0, 1))


def hardness_unsplit(gaps_db: float | None, heard: float) -> float:
    """The same before there is a split: from speech against gaps, and what the detector says."""
    clean, by_heard, offset = _BY_MIXTURE
    return float(1 - np.clip(offset + clean * _within(gaps_db, _GAPS_DB) + by_heard * heard, 0, 1))


def _within(ratio_db: float | None, limits_db: tuple[float, float]) -> float:
    """The ratio's place between the limits, 0 to 1; 0 where it is not known."""
    low_db, high_db = limits_db
    held_db = low_db if ratio_db is None else min(max(ratio_db, low_db), high_db)
    return (held_db - low_db) / (high_db - low_db)
