"""Hardest moment first: found over all regions before any of them is worked on.

One pass over the mixtures ranks all windows by what can be heard without a split. Up to five
minutes of them, the hardest and those in which a loud background may hide the voice altogether, are
then split, as one channel, and ranked anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.levels import HOP_S, LevelMeter
from nlecompanion.diagnosis.moments import ENOUGH_SPEECH_S, Moment, moments
from nlecompanion.diagnosis.speech import FRAME_S, SpeechMeter, clip_spans, speech_spans
from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.contract import Engine
from nlecompanion.media.extract import read_region
from nlecompanion.model import Region, Samples, Span, Split, Use
from nlecompanion.work.survey import Survey, survey

#: Sound that is split before a window is chosen. A loud background hides the hardest moments from
#: the detector: with a dozen windows the worst tenth was found in three of eight made timelines of
#: ten minutes; five minutes find it as often as all ten do, for half the time.
SCOUT_S = Fraction(300)
#: Of the windows that are split, one in so many is a loud one where nobody is heard.
HIDDEN_EVERY = 3
#: Speech in the voice estimate this far under the mixture is residue of the split.
_RESIDUE_DB = -25.0
#: The detector's mean probability over speech in the voice estimate; music's residue gets less.
_SURE = 0.7
#: Two cores: one decodes while the other listens.
_READERS = 2


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
    for surveyed, windows in candidates(surveys):
        tick("Looking for the hardest moment")
        found += [Hardest(surveyed.region, m) for m in scout(surveyed, windows, engine)]
    return hardest_first(found)


def hardest_first(found: Sequence[Hardest]) -> tuple[Hardest, ...]:
    """Scouted windows in order; without those in which nobody speaks."""
    # A window's own region and place settle what hardness leaves open.
    ranked = sorted(
        found,
        key=lambda h: (
            h.moment.doubtful,
            -h.moment.hardness,
            h.region.id,
            h.moment.span.start_s,
        ),
    )
    return tuple(h for h in ranked if h.moment.speech_s > 0)


#: As they travel between processes.
Moments = tuple[Moment, ...]
_Entry = tuple[int, Survey, Moment]


def candidates(
    surveys: Sequence[Survey], budget_s: Fraction = SCOUT_S
) -> list[tuple[Survey, tuple[Span, ...]]]:
    """The windows to split, by region: the hardest with speech in them, and loud ones without.

    All of them where they last no longer than the budget together.
    """
    every = [(number, s, m) for number, s in enumerate(surveys) for m in s.ranked]
    spoken = [entry for entry in every if entry[2].speech_s >= ENOUGH_SPEECH_S]
    spoken.sort(key=lambda e: (-e[2].hardness, e[0], e[2].span.start_s))
    hidden = [entry for entry in every if entry[2].speech_s < ENOUGH_SPEECH_S]
    hidden.sort(key=lambda e: (-_power(e[1], e[2]), e[0], e[2].span.start_s))
    chosen: dict[int, list[Span]] = {}
    left_s = budget_s
    for number, _, moment in _in_turn(spoken, hidden, HIDDEN_EVERY):
        kept = chosen.setdefault(number, [])
        left_s -= moment.span.duration_s - _shared_s(moment.span, kept)
        if left_s < 0:
            break
        kept.append(moment.span)
    return [
        (surveys[number], tuple(sorted(windows, key=lambda w: w.start_s)))
        for number, windows in sorted(chosen.items())
        if windows
    ]


def _in_turn(most: Sequence[_Entry], some: Sequence[_Entry], every: int) -> Iterator[_Entry]:
    """Every `every`th is one of `some`, while there are both."""
    first, second = iter(most), iter(some)
    for place in count(1):
        turn = (second, first) if place % every == 0 else (first, second)
        entry = next(turn[0], None)
        if entry is None:
            entry = next(turn[1], None)
        if entry is None:
            return
        yield entry


def _shared_s(window: Span, kept: Sequence[Span]) -> Fraction:
    """How much of a window lies in kept ones; neighbours overlap by half."""
    return sum((part.duration_s for part in clip_spans(joined(kept), window)), Fraction(0))


def _power(surveyed: Survey, moment: Moment) -> float:
    first, end = int(moment.span.start_s / HOP_S), int(moment.span.end_s / HOP_S)
    powers = surveyed.track.powers[first:end]
    return float(powers.mean()) if powers.size else 0.0


def scout(surveyed: Survey, windows: Sequence[Span], engine: Engine) -> tuple[Moment, ...]:
    """The same windows, ranked by their split: all channels as one, as the detector hears them."""
    track = surveyed.track
    voice, background = np.zeros_like(track.powers), np.zeros_like(track.powers)
    speech = list(track.speech)
    for stretch in joined(windows):
        first, end = int(stretch.start_s / HOP_S), int(stretch.end_s / HOP_S)
        heard = _split(surveyed.region, stretch, engine)
        hops = min(end - first, heard.voice.size, voice.size - first)
        voice[first : first + hops] = heard.voice[:hops]
        background[first : first + hops] = heard.background[:hops]
        speech += [Span(span.start_s + stretch.start_s, span.duration_s) for span in heard.speech]
    return moments(replace(track, speech=joined(speech), voice=voice, background=background),
                   windows)  # fmt: skip


def joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The stretches that the spans cover together, in order."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start_s, s.end_s)):
        if found and span.start_s <= found[-1].end_s:
            last = found.pop()
            span = Span(last.start_s, max(last.end_s, span.end_s) - last.start_s)
        found.append(span)
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """Powers of both estimates of a stretch a hop, and the detector's opinion of the voice."""

    voice: NDArray[np.float64]
    background: NDArray[np.float64]
    probabilities: NDArray[np.float32]
    length_s: Fraction

    @property
    def speech(self) -> tuple[Span, ...]:
        """Speech in the voice, from the stretch's start, that is not residue of the split."""
        spans = speech_spans(self.probabilities, self.length_s)
        return tuple(span for span in spans if self._is_speech(span))

    def _is_speech(self, span: Span) -> bool:
        first, end = _rows(span, FRAME_S)
        if float(self.probabilities[first:end].mean()) < _SURE:
            return False
        first, end = _rows(span, HOP_S)
        voice = float(self.voice[first:end].sum())
        both = voice + float(self.background[first:end].sum())
        return voice > 10 ** (_RESIDUE_DB / 10) * both


def _rows(span: Span, step_s: Fraction) -> tuple[int, int]:
    first = int(span.start_s / step_s)
    return first, max(first + 1, int(span.end_s / step_s))


def _split(region: Region, stretch: Span, engine: Engine) -> _Heard:
    rate_hz = region.rate_hz
    first = region.start_sample + int(stretch.start_s * rate_hz)
    end = min(first + int(stretch.duration_s * rate_hz), region.end_sample)
    voice, background, speech = LevelMeter(rate_hz), LevelMeter(rate_hz), SpeechMeter(rate_hz)

    def hear(split: Split) -> None:
        voice.push(split.voice.samples)
        background.push(split.background.samples)
        speech.push(split.voice.samples)

    blocks = read_region(region.media, region.channels, rate_hz, first, end)
    with ThreadPoolExecutor(max_workers=1) as beside:
        done: Future[None] | None = None
        for split in split_blocks(engine, _Mono(blocks).read, end - first, rate_hz, 1):
            if done is not None:
                done.result()  # one block at a time: memory stays flat
            done = beside.submit(hear, split)
        if done is not None:
            done.result()
    length_s = Fraction(end - first, rate_hz)
    return _Heard(voice.finish(), background.finish(), speech.finish(), length_s)


class _Mono:
    """A stream of blocks as one channel, in pieces of the lengths that the splitter asks for."""

    def __init__(self, blocks: Iterator[Samples]) -> None:
        self._blocks = blocks
        self._held: Samples = np.zeros((0, 1), np.float32)

    def read(self, start: int, end: int) -> Samples:
        """The next samples; the splitter asks for each once, in order."""
        parts, missing = [self._held], end - start - len(self._held)
        while missing > 0:
            block = next(self._blocks)
            # A product is many times faster than a mean over so short an axis.
            block = block @ np.full((block.shape[1], 1), 1 / block.shape[1], np.float32)
            parts.append(block)
            missing -= len(block)
        whole = np.concatenate(parts)
        self._held = whole[end - start :]
        return whole[: end - start]
