"""Where the sound of a flagged use lies in other files: timecode helps to look, sound decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from nlecompanion.diagnosis.same_sound import (
    SEARCH_RATE_HZ,
    Match,
    SoundFinder,
    align,
    is_confirmed,
    is_found,
)
from nlecompanion.media.extract import length_samples, read_region, whole_channels
from nlecompanion.model import MediaFile, Region, Samples, Span, Use

#: Of a use, this much is compared.
STRETCH_S = Fraction(8)
#: Timecode and equal starts say where to look first, and within how much.
_NEAR_S = 2
#: Microphones of one take are apart by this at most; a place found before is finer than that.
_MARGIN_S = Fraction(1, 20)
#: A source may end this much before the use does: containers round.
_SLACK_S = Fraction(1, 10)
#: Whole files are searched for about this many seconds a flagged use, by these speeds (measured
#: on one core at 48 kHz; reading a file with pictures costs its bytes).
_SEARCH_S = 3.0
_CHANNEL_SECONDS_A_S = 1_000.0
_BYTES_A_S = 400e6
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """The stretch of a flagged use that is looked for.

    `first` is its first sample in the use's own file, at the region's rate; `sound` has all
    channels of the use. `low` is the stretch in mono at the search rate, from `low_first` on.
    """

    region: Region
    use: Use
    first: int
    sound: Samples
    low_first: int
    low: Samples

    @property
    def mono(self) -> Samples:
        """The stretch as one channel, shape (samples,)."""
        return mono(self.sound)

    @property
    def length_s(self) -> float:
        """Length of the stretch."""
        return len(self.sound) / self.region.rate_hz


@dataclass(frozen=True, slots=True)
class Place:
    """A file that holds the stretch, `offset_s` later than the use's own file, within 1 ms."""

    file: MediaFile
    offset_s: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """One channel of a file with the stretch in it, `offset` samples later than in the use's file.

    `sound` is the stretch there, shape (samples,).
    """

    file: MediaFile
    channel: int
    offset: int
    correlation: float
    sound: Samples


#: Told which file could not be compared, and why; raises where the work has to stop.
Fails = Callable[[MediaFile, Exception], None]


def stretch_of(use: Use, speech: Sequence[Span], media: MediaFile) -> Span:
    """The part of the use's source with the most speech, 8 s of it at most.

    `speech` counts from the use's first instant.
    """
    length_s = min(STRETCH_S, use.source.duration_s, media.duration_s - use.source.start_s)
    latest_s = max(use.source.duration_s - length_s, Fraction(0))
    starts_s = [Fraction(0), *(min(span.start_s, latest_s) for span in speech)]

    def spoken_s(start_s: Fraction) -> Fraction:
        overlaps_s = (min(s.end_s, start_s + length_s) - max(s.start_s, start_s) for s in speech)
        return sum((overlap_s for overlap_s in overlaps_s if overlap_s > 0), Fraction(0))

    best_s = max(starts_s, key=lambda start_s: (spoken_s(start_s), -start_s))
    return Span(max(use.source.start_s + best_s, Fraction(0)), max(length_s, Fraction(0)))


def read_wanted(use: Use, region: Region, stretch: Span) -> Wanted:
    """Reads the stretch.

    Raises:
        MediaError, ProgramFailed: its sound cannot be read.
    """
    rate_hz, channels = region.rate_hz, use.channels or region.channels
    first, count = int(stretch.start_s * rate_hz), int(stretch.duration_s * rate_hz)
    low_first = int(stretch.start_s * SEARCH_RATE_HZ)
    low_count = int(stretch.duration_s * SEARCH_RATE_HZ)
    low = _read(region.media, SEARCH_RATE_HZ, low_first, low_count, channels)
    sound = _read(region.media, rate_hz, first, count, channels)
    return Wanted(region, use, first, sound, low_first, mono(low))


def find_places(
    files: Sequence[MediaFile],
    wanted: Sequence[Wanted],
    tick: Callable[[str], None],
    fails: Fails,
) -> tuple[list[list[Place]], int]:
    """For each stretch the other files that hold it; and how many files were not searched whole.

    All files are searched around the places that timecode and equal starts point to, then, the
    cheapest first, from end to end as long as the time for that lasts.
    """
    found: list[list[Place]] = [[] for _ in wanted]
    rest: list[tuple[MediaFile, list[int]]] = []
    for file in files:
        tick(f"Comparing {file.path.name}")
        missing = []
        try:
            for number, want in enumerate(wanted):
                if want.region.media.path == file.path or _too_short(file, want):
                    continue
                offset_s = _guessed(file, want)
                if offset_s is None:
                    missing.append(number)
                else:
                    found[number].append(Place(file, offset_s))
        except Exception as error:  # one bad file does not stop the others
            fails(file, error)
            continue
        if missing:
            rest.append((file, missing))
    return found, _search_whole(rest, wanted, found, tick, fails)


def _guessed(file: MediaFile, want: Wanted) -> Fraction | None:
    """Looks where timecode says that the stretch lies, and at its place in its own file."""
    for offset_s in _guesses(file, want):
        first = want.low_first + round((offset_s - _NEAR_S) * SEARCH_RATE_HZ)
        finder = SoundFinder([want.low])
        count = len(want.low) + 2 * _NEAR_S * SEARCH_RATE_HZ
        finder.push(mono(_read(file, SEARCH_RATE_HZ, first, count)))
        (match,) = finder.finish()
        if match is not None and is_found(match, want.length_s):
            return _offset_s(match, want, first)
    return None


def _guesses(file: MediaFile, want: Wanted) -> Iterator[Fraction]:
    """Offsets at which timecode puts the same instant inside of the file, then none at all."""
    start_s = Fraction(want.low_first, SEARCH_RATE_HZ)
    guesses_s = [Fraction(0)]
    own_s, its_s = want.region.media.start_timecode_s, file.start_timecode_s
    if own_s is not None and its_s is not None:
        # Midnight may lie between the two starts.
        guesses_s[:0] = [own_s - its_s + day * _DAY_S for day in (0, 1, -1)]
    for offset_s in dict.fromkeys(guesses_s):
        if -_NEAR_S <= start_s + offset_s < file.duration_s + _NEAR_S:
            yield offset_s


def _search_whole(
    rest: Sequence[tuple[MediaFile, Sequence[int]]],
    wanted: Sequence[Wanted],
    found: Sequence[list[Place]],
    tick: Callable[[str], None],
    fails: Fails,
) -> int:
    """One pass over each file for all stretches that it may hold."""
    left_s = _SEARCH_S * len(wanted)
    passed_over = 0
    for file, numbers in sorted(rest, key=lambda pair: (_cost_s(pair[0]), pair[0].path)):
        left_s -= _cost_s(file)
        if left_s < 0:
            passed_over += 1
            continue
        tick(f"Searching {file.path.name}")
        try:
            matches = _matches(file, [wanted[number] for number in numbers])
        except Exception as error:  # one bad file does not stop the others
            fails(file, error)
            continue
        for number, match in zip(numbers, matches, strict=True):
            if match is not None and is_found(match, wanted[number].length_s):
                found[number].append(Place(file, _offset_s(match, wanted[number], 0)))
    return passed_over


def _cost_s(file: MediaFile) -> float:
    """About how long a search of the whole file takes; the same on every machine."""
    sound_s = whole_channels(file) * float(file.duration_s) / _CHANNEL_SECONDS_A_S
    return sound_s + file.size_bytes / _BYTES_A_S


def _matches(file: MediaFile, wanted: Sequence[Wanted]) -> tuple[Match | None, ...]:
    finder = SoundFinder([want.low for want in wanted])
    channels = tuple(range(whole_channels(file)))
    end = length_samples(file, SEARCH_RATE_HZ)
    for block in read_region(file, channels, SEARCH_RATE_HZ, 0, end):
        finder.push(mono(block))
    return finder.finish()


def _offset_s(match: Match, want: Wanted, first: int) -> Fraction:
    return Fraction(first + match.position_samples - want.low_first, SEARCH_RATE_HZ)


def channels_with(place: Place, want: Wanted) -> Iterator[Channel]:
    """The channels that hold the stretch, each to the sample; the use's own alone is left out.

    Raises:
        MediaError, ProgramFailed: the file cannot be read.
    """
    file, rate_hz, count = place.file, want.region.rate_hz, len(want.sound)
    margin = int(_MARGIN_S * rate_hz)
    start = want.first + round(place.offset_s * rate_hz) - margin
    there = _read(file, rate_hz, start, count + 2 * margin)
    own = file.path == want.region.media.path
    for channel in range(there.shape[1]):
        if own and want.use.channels == (channel,):
            continue
        match = align(want.mono, there[:, channel], rate_hz)
        if match is None or not is_confirmed(match, want.length_s):
            continue
        at, offset = match.position_samples, start + match.position_samples - want.first
        if 0 <= at <= 2 * margin and _serves(file, want.use, Fraction(offset, rate_hz)):
            sound = np.ascontiguousarray(there[at : at + count, channel])
            yield Channel(file, channel, offset, match.correlation, sound)


def _serves(file: MediaFile, use: Use, offset_s: Fraction) -> bool:
    """Whether the file has all of the use's range."""
    first_s, end_s = use.source.start_s + offset_s, use.source.end_s + offset_s
    return first_s >= -_SLACK_S and end_s <= file.duration_s + _SLACK_S


def _too_short(file: MediaFile, want: Wanted) -> bool:
    return file.duration_s + _SLACK_S < want.use.source.duration_s


def mono(sound: Samples) -> Samples:
    """All channels in one; weights differ, so that channels of opposite polarity do not cancel."""
    weights = 0.8 ** np.arange(sound.shape[1])
    mixed: Samples = sound @ (weights / weights.sum()).astype(np.float32)
    return mixed


def _read(
    file: MediaFile,
    rate_hz: int,
    first: int,
    count: int,
    channels: tuple[int, ...] | None = None,
) -> Samples:
    """A stretch of all channels (or those named); silence where the file has no sound."""
    if channels is None:
        channels = tuple(range(whole_channels(file)))
    sound = np.zeros((count, len(channels)), np.float32)
    start, end = max(first, 0), min(first + count, length_samples(file, rate_hz))
    if end <= start:
        return sound
    at = start - first
    for block in read_region(file, channels, rate_hz, start, end):
        sound[at : at + len(block)] = block
        at += len(block)
    return sound
