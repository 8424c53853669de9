"""The room tone of every place of a job, from the surveys of its regions.

A place is a stretch of channels of one file: what was recorded there shares one tone, whichever
region it was found in. Which stretch of which region is read is told from the surveys alone, so
that the result does not depend on the order of the regions, nor on what is done to them later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.background_kind import Kind, background_kind, in_gaps
from nlecompanion.diagnosis.bands import BandMeter, gap_hops
from nlecompanion.diagnosis.findings import LOW_S, SHORT_S
from nlecompanion.diagnosis.levels import HOP_S
from nlecompanion.diagnosis.spectra import Decimator, FrameStream, frame_samples, power_of
from nlecompanion.diagnosis.speech import clip_spans
from nlecompanion.diagnosis.tones import ToneMeter
from nlecompanion.errors import MediaError
from nlecompanion.media.extract import read_region
from nlecompanion.model import Region, Samples, Span
from nlecompanion.treatment.tone_finding import (
    FindingLimits,
    NoRoomTone,
    RoomTone,
    ToneKey,
    find_room_tone,
)
from nlecompanion.work.survey import Survey

#: So much sound is read at once to look for a tone in, every so often.
_STRETCH_S = Fraction(60)
_STEP_S = Fraction(20)
#: Stretches of a place that are listened to before the floor is estimated instead.
_TRIES = 3
#: Of gaps, more than this makes a tone no better.
_ENOUGH_S = 4.0
#: Hops of the gaps within this of their quiet level are the place: a breath or a click is not.
_AROUND_QUIET_DB = 4.0
_QUIET_PERCENTILE = 30
_SILENCE_POWER = 1e-14


def place_of(region: Region) -> ToneKey:
    """The place that a region was recorded in."""
    return ToneKey(str(region.media.path), region.channels)


def place_tones(
    surveys: Iterable[Survey], tick: Callable[[str], None]
) -> dict[ToneKey, RoomTone | NoRoomTone]:
    """One tone a place, whatever the order of the surveys.

    From the gaps of the stretch in which most of them are quiet and steady; where no stretch of the
    place has such gaps, or there is music in them, estimated by minimum statistics. `tick` is told
    what is being done, and may raise to stop. A place that cannot be read has none.
    """
    places: dict[ToneKey, list[Survey]] = {}
    for one in surveys:
        places.setdefault(place_of(one.region), []).append(one)
    found: dict[ToneKey, RoomTone | NoRoomTone] = {}
    for key, several in places.items():
        tick("Looking for room tone")
        try:
            found[key] = _place_tone(several)
        except MediaError as error:
            found[key] = NoRoomTone(f"its sound cannot be read: {error}")
    return found


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of a region, from `first` to `end` of its media, and what its survey says of it.

    `gaps_s`: quiet gaps, at most as much as is of use; `spread_db`: how much they vary; `level_db`:
    its quietest tenth, minus infinity for silence.
    """

    survey: Survey
    span: Span
    first: int
    end: int
    gaps_s: float
    spread_db: float
    level_db: float

    @property
    def length(self) -> int:
        """Samples."""
        return self.end - self.first


def _place_tone(surveys: Sequence[Survey]) -> RoomTone | NoRoomTone:
    stretches = [stretch for one in surveys for stretch in _stretches(one)]
    best = sorted(stretches, key=lambda s: (-s.gaps_s, s.spread_db, s.first, s.end))[:_TRIES]
    why: NoRoomTone | None = None
    for stretch in best:
        found = _listen(stretch, FindingLimits(may_estimate=False))
        if isinstance(found, RoomTone):
            return found
        why = why or found
    # Silence says nothing about a floor; of equally long stretches the quieter lies nearer to it.
    heard = [s for s in stretches if s.level_db > -np.inf] or stretches
    longest = min(heard, key=lambda s: (-s.length, s.level_db, s.first, s.end))
    estimated = _listen(longest, FindingLimits())
    return estimated if isinstance(estimated, RoomTone) or why is None else why


def _stretches(surveyed: Survey) -> list[_Stretch]:
    """Of 60 s every 20 s; a shorter region is one."""
    region = surveyed.region
    length_s = Fraction(region.length_samples, region.rate_hz)
    last_s = max(Fraction(0), length_s - _STRETCH_S)
    starts = [step * _STEP_S for step in range(int(last_s / _STEP_S) + 1)]
    if starts[-1] < last_s:
        starts.append(last_s)
    return [_stretch(surveyed, Span(s, min(_STRETCH_S, length_s - s))) for s in starts]


def _stretch(surveyed: Survey, span: Span) -> _Stretch:
    region, track = surveyed.region, surveyed.track
    powers = track.powers[int(span.start_s / HOP_S) : int(span.end_s / HOP_S)]
    free = gap_hops(clip_spans(track.speech, span), powers.size, float(HOP_S))
    quiet_db = _heard_db(powers[free])
    gaps_s = spread_db = 0.0
    if quiet_db.size:
        level_db = np.percentile(quiet_db, _QUIET_PERCENTILE)
        near = quiet_db[np.abs(quiet_db - level_db) <= _AROUND_QUIET_DB]
        gaps_s, spread_db = min(near.size * float(HOP_S), _ENOUGH_S), float(near.std())
    every_db = _heard_db(powers)
    return _Stretch(
        surveyed,
        span,
        first=region.start_sample + int(span.start_s * region.rate_hz),
        end=min(region.start_sample + int(span.end_s * region.rate_hz), region.end_sample),
        gaps_s=gaps_s,
        spread_db=spread_db,
        level_db=float(np.percentile(every_db, 10)) if every_db.size else -np.inf,
    )


def _heard_db(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    heard = powers[powers > _SILENCE_POWER]
    return np.asarray(10 * np.log10(heard))


def _listen(stretch: _Stretch, limits: FindingLimits) -> RoomTone | NoRoomTone:
    """Reads the stretch and looks for the tone in it."""
    region = stretch.survey.region
    speech = clip_spans(stretch.survey.track.speech, stretch.span)
    blocks = read_region(region.media, region.channels, region.rate_hz, stretch.first, stretch.end)
    none = np.zeros((0, len(region.channels)), np.float32)
    sound = np.concatenate([none, *blocks])
    return find_room_tone(
        lambda start, count: sound[start : start + count],
        len(sound),
        region.rate_hz,
        speech,
        limits,
        music=music_in_gaps(sound, region.rate_hz, speech),
    )


def music_in_gaps(sound: Samples, rate_hz: int, speech: tuple[Span, ...]) -> bool:
    """Whether there is music where nobody speaks, as recorded; False where that cannot be told."""
    channels = sound.shape[1]
    decimator = Decimator(rate_hz, channels)
    frame, low_frame = frame_samples(rate_hz, SHORT_S), frame_samples(decimator.rate_hz, LOW_S)
    short = FrameStream(frame, frame // 2, channels)
    low = FrameStream(low_frame, low_frame // 4, channels)
    bands, tones = BandMeter(rate_hz, frame, frame // 2), ToneMeter(decimator.rate_hz, low_frame)
    for first in range(0, len(sound), rate_hz):
        block = sound[first : first + rate_hz]
        for spectra in short.push(block):
            bands.push(power_of(spectra))
        for spectra in low.push(decimator.push(block)):
            tones.push(power_of(spectra))
    kind = background_kind(*in_gaps(bands.finish(), tones.finish(), speech))
    return kind is not None and kind.kind is Kind.MUSIC
