"""Hardest moment first: found over all regions before any of them is worked on.

One pass over the mixtures ranks all windows by what can be heard without a split. The hardest of
them, and those in which a loud background may hide the voice altogether, are then split and
ranked anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from nlecompanion.diagnosis.diagnose import window_of
from nlecompanion.diagnosis.levels import HOP_S, LevelMeter
from nlecompanion.diagnosis.moments import ENOUGH_SPEECH_S, Moment, Track, moments, windows_in
from nlecompanion.diagnosis.speech import SpeechMeter, clip_spans, speech_spans
from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.contract import Engine
from nlecompanion.media.extract import read_region
from nlecompanion.model import Region, Samples, Span, Use

#: Windows that are split before one is chosen: a truly worst one is nearly always among the first
#: four by the mixture alone, so this leaves room.
SCOUTED = 12
#: Of those, windows where nobody is heard although it is loud.
HIDDEN = 3
#: Two cores: one decodes while the other listens.
_READERS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """One region as its mixture is heard, and its windows, the hardest first."""

    region: Region
    track: Track
    ranked: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class Hardest:
    """A window of a region, found after a split of it."""

    region: Region
    moment: Moment

    def as_region(self) -> Region:
        """The window as a region of its own, with the uses that play in it."""
        rate_hz, span = self.region.rate_hz, self.moment.span
        first = self.region.start_sample + int(span.start_s * rate_hz)
        end = min(first + int(span.duration_s * rate_hz), self.region.end_sample)
        window = Span(Fraction(first, rate_hz), Fraction(end - first, rate_hz))
        uses = tuple(u for u in (_cut(use, window) for use in self.region.uses) if u is not None)
        return replace(
            self.region,
            id=f"{self.region.id}-window",
            start_sample=first,
            end_sample=end,
            uses=uses,
        )


def _cut(use: Use, window: Span) -> Use | None:
    """The part of a use that plays inside the window of its source."""
    start_s = max(use.source.start_s, window.start_s)
    end_s = min(use.source.end_s, window.end_s)
    if end_s <= start_s:
        return None
    later_s = start_s - use.source.start_s
    return replace(
        use,
        source=Span(start_s, end_s - start_s),
        record=Span(use.record.start_s + later_s, end_s - start_s),
    )


def find_hardest(
    regions: Sequence[Region], engine: Engine, tick: Callable[[str], None]
) -> tuple[Hardest, ...]:
    """The scouted windows of all regions, the hardest first; empty where nobody speaks.

    `tick` is told what is being done, and may raise to stop.

    Raises:
        MediaError, EngineError, ProgramFailed: a region cannot be read or split.
    """
    tick("Listening")
    with ThreadPoolExecutor(max_workers=_READERS) as readers:
        surveys = list(readers.map(survey, regions))
    found = []
    for surveyed, moment in candidates(surveys):
        tick("Looking for the hardest moment")
        found.append(Hardest(surveyed.region, scout(surveyed, moment, engine)))
    # A window's own region and place settle what hardness leaves open.
    found.sort(key=lambda h: (-h.moment.hardness, h.region.id, h.moment.span.start_s))
    return tuple(h for h in found if h.moment.speech_s > 0)


def survey(region: Region) -> Survey:
    """One pass over the region's sound as recorded."""
    speech, levels = SpeechMeter(region.rate_hz), LevelMeter(region.rate_hz)
    for block in read_region(
        region.media, region.channels, region.rate_hz, region.start_sample, region.end_sample
    ):
        speech.push(block)
        levels.push(block)
    length_s = Fraction(region.length_samples, region.rate_hz)
    probabilities = speech.finish()
    track = Track(speech_spans(probabilities, length_s), probabilities, levels.finish())
    windows = windows_in(_inside(window_of(use, region), length_s) for use in region.uses)
    return Survey(region, track, moments(track, windows))


def _inside(window: Span, length_s: Fraction) -> Span:
    start_s = min(max(window.start_s, Fraction(0)), length_s)
    return Span(start_s, min(window.end_s, length_s) - start_s)


def candidates(surveys: Sequence[Survey], count: int = SCOUTED) -> list[tuple[Survey, Moment]]:
    """The windows to split: the hardest with speech in them, and loud ones without."""
    every = [(surveyed, moment) for surveyed in surveys for moment in surveyed.ranked]
    spoken = [pair for pair in every if pair[1].speech_s >= ENOUGH_SPEECH_S]
    spoken.sort(key=lambda p: (-p[1].hardness, p[0].region.id, p[1].span.start_s))
    rest = [pair for pair in every if pair[1].speech_s < ENOUGH_SPEECH_S]
    rest.sort(key=lambda p: (-_power(*p), p[0].region.id, p[1].span.start_s))
    hidden = min(HIDDEN, len(rest))
    chosen = spoken[: count - hidden]
    return chosen + rest[: count - len(chosen)]


def _power(surveyed: Survey, moment: Moment) -> float:
    first, end = int(moment.span.start_s / HOP_S), int(moment.span.end_s / HOP_S)
    powers = surveyed.track.powers[first:end]
    return float(powers.mean()) if powers.size else 0.0


def scout(surveyed: Survey, moment: Moment, engine: Engine) -> Moment:
    """The same window, ranked by its split."""
    region, span = surveyed.region, moment.span
    first = region.start_sample + int(span.start_s * region.rate_hz)
    end = min(first + int(span.duration_s * region.rate_hz), region.end_sample)
    take = np.concatenate(
        list(read_region(region.media, region.channels, region.rate_hz, first, end))
    )
    voice = _voice(take, region.rate_hz, engine)
    speech = clip_spans(surveyed.track.speech, span)
    if moment.speech_s < ENOUGH_SPEECH_S:
        speech = _heard(voice, region.rate_hz)
    whole = Span(Fraction(0), Fraction(len(take), region.rate_hz))
    meter = SpeechMeter(region.rate_hz)
    meter.push(take)
    track = Track(
        speech,
        meter.finish(),
        _powers(take, region.rate_hz),
        _powers(voice, region.rate_hz),
        _powers(take - voice, region.rate_hz),
    )
    return replace(moments(track, [whole])[0], span=span)


def _voice(take: Samples, rate_hz: int, engine: Engine) -> Samples:
    parts = split_blocks(
        engine, lambda start, end: take[start:end], len(take), rate_hz, take.shape[1]
    )
    return np.concatenate([part.voice.samples for part in parts])


def _heard(voice: Samples, rate_hz: int) -> tuple[Span, ...]:
    meter = SpeechMeter(rate_hz)
    meter.push(voice)
    return speech_spans(meter.finish(), Fraction(len(voice), rate_hz))


def _powers(sound: Samples, rate_hz: int) -> np.ndarray:
    meter = LevelMeter(rate_hz)
    meter.push(sound)
    return meter.finish()
