"""A cleaner source first: the same sound elsewhere, for uses that are beyond saving or doubtful.

Looked at are the other channels of a use's own file, the other files of the timeline, and the
media that lie beside them. What matches by sound is measured on the same stretch as the use, and
proposed with numbers where it is clearly better; nothing is ever swapped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from nlecompanion.diagnosis.same_sound import MIN_S, holds
from nlecompanion.engines.contract import Engine
from nlecompanion.errors import Interrupted
from nlecompanion.media.locate import editor_path
from nlecompanion.media.neighbours import Neighbours, neighbours
from nlecompanion.model import (
    Loss,
    MediaFile,
    Proposal,
    Region,
    Ruling,
    SourceQuality,
    UseReport,
)
from nlecompanion.settings import Settings
from nlecompanion.verdict.better import Better, better
from nlecompanion.work.same_place import (
    Channel,
    Place,
    Wanted,
    channels_with,
    find_places,
    read_wanted,
    stretch_of,
)
from nlecompanion.work.source_quality import Heard, hear

_log = logging.getLogger(__name__)

FLAGGED = frozenset({Ruling.UNFIXABLE, Ruling.WARN})
MOST_PROPOSALS = 3
#: Channels that are split and measured for one use at most.
MOST_MEASURED = 12
#: Channels of one file that differ by less than this are one source.
_SAME_DB = 2.0
#: From here on a voice estimate holds hardly any background.
_CLEAR_SBR_DB = 10.0

#: Lists and probes the media that lie beside the known ones, nearest to the second list first.
Beside = Callable[[Sequence[MediaFile], Sequence[MediaFile], Settings], Neighbours]


@dataclass(frozen=True, slots=True)
class Cleaner:
    """Proposals by use id, the best first, for uses that have any; notes on what was not done."""

    proposals: Mapping[str, tuple[Proposal, ...]] = field(default_factory=dict)
    notes: tuple[Loss, ...] = ()

    def told(self, reports: Mapping[str, UseReport]) -> dict[str, UseReport]:
        """The reports with their proposals."""
        return {
            use_id: replace(report, proposals=self.proposals.get(use_id, ()))
            for use_id, report in reports.items()
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """Channels of one file that hold the stretch in a clearly better state."""

    best: Channel
    channels: tuple[int, ...]
    quality: SourceQuality
    better: Better


def find_cleaner(
    reports: Mapping[str, UseReport],
    regions: Sequence[Region],
    files: Iterable[MediaFile],
    settings: Settings,
    engine: Engine,
    tick: Callable[[str], None],
    beside: Beside = neighbours,
) -> Cleaner:
    """Cleaner sources for all uses whose verdict is "unfixable" or "deliver with a warning".

    `reports` are by use id, `files` are all of the timeline's. `tick` is told what is being done
    and may raise to stop. A file that cannot be compared is noted, and the others go on.
    """
    search = _Search(engine, settings, tick)
    wanted = list(search.wanted(reports, regions))
    if not wanted:
        return Cleaner({}, tuple(search.notes))
    tick("Looking for cleaner sources")
    own = _apart(want.region.media for want in wanted)
    known = _apart([*own, *files])
    near = beside(known, own, settings)
    if near.stopped:
        search.note("media folders", "more files lie there than were looked at")
    places, passed_over = find_places(
        [*known, *_apart(near.files)], wanted, tick, lambda file, error: search.fails(file, error)
    )
    if passed_over:
        what = f"{passed_over} files were searched only where timecode or equal starts point"
        search.note("media folders", what)
    proposals = {}
    for want, elsewhere in zip(wanted, places, strict=True):
        offers = search.proposals(want, [Place(want.region.media, Fraction(0)), *elsewhere])
        if offers:
            proposals[want.use.id] = offers
    return Cleaner(proposals, tuple(search.notes))


def _apart(files: Iterable[MediaFile]) -> list[MediaFile]:
    """Every file once, without those that we made."""
    return list({file.path: file for file in files if not file.cleaned_by_us}.values())


class _Search:
    """What one job's search works with, and what it could not do."""

    def __init__(self, engine: Engine, settings: Settings, tick: Callable[[str], None]) -> None:
        self._engine, self._settings, self._tick = engine, settings, tick
        self.notes: list[Loss] = []

    def note(self, where: str, what: str) -> None:
        """Something was not searched."""
        self.notes.append(Loss(f"cleaner sources: {where}", what))

    def fails(self, file: MediaFile, error: Exception) -> None:
        """One bad file does not stop the others; the wish to stop does."""
        if isinstance(error, Interrupted):
            raise error
        _log.warning("%s was not compared", file.path, exc_info=error)
        self.note(file.path.name, f"not compared: {error}")

    def wanted(
        self, reports: Mapping[str, UseReport], regions: Sequence[Region]
    ) -> Iterator[Wanted]:
        """The stretches of all flagged uses that are long enough to be told apart."""
        for region in regions:
            for use in region.uses:
                report = reports.get(use.id)
                if report is None or report.verdict is None or report.diagnosis is None:
                    continue
                if report.left_alone is not None or report.verdict.ruling not in FLAGGED:
                    continue
                stretch = stretch_of(use, report.diagnosis.speech, region.media)
                if stretch.duration_s < MIN_S:
                    continue
                try:
                    yield read_wanted(use, region, stretch)
                except Exception as error:
                    self.fails(region.media, error)

    def proposals(self, want: Wanted, places: Sequence[Place]) -> tuple[Proposal, ...]:
        """What is clearly better than the use's own sound, the best first."""
        self._tick(f"Comparing sources of {want.use.name or want.use.id}")
        try:
            now = hear(want.sound, want.use, want.region, self._engine)
        except Exception as error:
            self.fails(want.region.media, error)
            return ()
        sources: list[_Source] = []
        measured = 0
        for place in places:
            try:
                channels = list(channels_with(place, want))[: MOST_MEASURED - measured]
                measured += len(channels)
                heard = (self._better(channel, want, now) for channel in channels)
                sources += [source for source in heard if source is not None]
            except Exception as error:
                self.fails(place.file, error)
        ranked = sorted(_merged(sources), key=_rank)
        # What the use plays already, channel for channel, is no other source.
        ranked = [source for source in ranked if not _is_own(source, want)][:MOST_PROPOSALS]
        return tuple(self._proposal(source, want, now.quality) for source in ranked)

    def _better(self, channel: Channel, want: Wanted, now: Heard) -> _Source | None:
        there = hear(channel.sound[:, None], want.use, want.region, self._engine)
        gained = better(now.quality, there.quality)
        if gained is None:
            return None
        voice = there.voice[:, 0]
        clear = (there.quality.sbr_db or 0.0) >= _CLEAR_SBR_DB
        if not holds(voice, channel.sound - voice, want.mono, want.region.rate_hz, clear=clear):
            return None
        return _Source(channel, (channel.channel,), there.quality, gained)

    def _proposal(self, source: _Source, want: Wanted, now: SourceQuality) -> Proposal:
        channel = source.best
        offset_s = Fraction(channel.offset, want.region.rate_hz)
        start_s = want.use.source.start_s + offset_s
        return Proposal(
            path=editor_path(channel.file.path, self._settings.path_map),
            channels=source.channels,
            start_s=start_s,
            offset_s=offset_s,
            correlation=channel.correlation,
            now=now,
            there=source.quality,
            reason=_reason(source, want, start_s),
        )


def _reason(source: _Source, want: Wanted, start_s: Fraction) -> str:
    numbers = " and ".join(str(channel + 1) for channel in source.channels)
    which = f"channels {numbers}" if len(source.channels) > 1 else f"channel {numbers}"
    own = source.best.file.path == want.region.media.path
    where = "the same file" if own else source.best.file.path.name
    turned = ", polarity turned over" if source.best.correlation < 0 else ""
    words = ", ".join(source.better.words)
    return f"{which} of {where} from {float(start_s):.3f} s{turned}: {words}"


def _is_own(source: _Source, want: Wanted) -> bool:
    own = source.best.file.path == want.region.media.path
    return own and set(source.channels) == set(want.use.channels or want.region.channels)


def _rank(source: _Source) -> tuple[float, str, tuple[int, ...]]:
    return -source.better.gain_db, str(source.best.file.path), source.channels


def _merged(sources: Sequence[_Source]) -> list[_Source]:
    """Channels of one file that carry the same thing at the same place are one source."""
    kept: list[_Source] = []
    for source in sources:
        for number, other in enumerate(kept):
            if _alike(source, other):
                both = tuple(sorted({*other.channels, *source.channels}))
                kept[number] = replace(min(source, other, key=_rank), channels=both)
                break
        else:
            kept.append(source)
    return kept


def _alike(one: _Source, other: _Source) -> bool:
    if one.best.file.path != other.best.file.path or abs(one.best.offset - other.best.offset) > 1:
        return False
    if one.quality.sbr_db is None or other.quality.sbr_db is None:
        return False
    return abs(one.quality.sbr_db - other.quality.sbr_db) <= _SAME_DB
