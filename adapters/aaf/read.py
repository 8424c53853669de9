"""The document as OTIO, with the notes that the rest of the package works from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from nlecompanion.model import Elsewhere, LeftAlone, Reason, Span, TimelineFacts
from nlecompanion.timeline.contract import ItemNote, note_item, note_timeline, number_track

from .document import AafDocument, open_aaf
from .sounds import Heard, heard_in, track_is_silent
from .sources import Source, source_of
from .values import AafObject, common_step, length_of, text_of, whole_number
from .walk import Crossing, Placed, placed_on

if TYPE_CHECKING:
    import opentimelineio as otio

_USUAL_RATE_HZ = 48_000
_SAMPLE_RATES_HZ = (8_000, 768_000)


@dataclass(frozen=True, slots=True)
class Reading:
    """One element of a track: what it plays, from where, or why it is left alone."""

    placed: Placed
    name: str
    source: Source | None
    channels: tuple[int, ...] | None
    left_alone: LeftAlone | None


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A sound track with its elements in order."""

    slot: AafObject
    number: int
    readings: tuple[Reading, ...]


def read_timeline(path: Path) -> otio.schema.Timeline:
    """The document's one sequence, with notes.

    Raises:
        DocumentError: with one sentence fit for the editor.
    """
    with open_aaf(path) as document:
        return _timeline(document)


def read_tracks(document: AafDocument) -> list[Track]:
    """All sound tracks of the composition."""
    numbers = [whole_number(slot, "PhysicalTrackNumber") for slot in document.tracks]
    if len(set(numbers)) < len(numbers) or min(numbers, default=1) < 1:
        numbers = list(range(1, len(numbers) + 1))
    return [
        Track(slot, number, tuple(_readings(document, slot)))
        for slot, number in zip(document.tracks, numbers, strict=True)
    ]


def _readings(document: AafDocument, slot: AafObject) -> list[Reading]:
    silent = track_is_silent(slot)
    found = []
    for placed in placed_on(slot):
        heard = heard_in(placed.component)
        if heard is not None:
            found.append(_reading(document, placed, heard, silent))
    return found


def _reading(
    document: AafDocument, placed: Placed, heard: Heard, silent: LeftAlone | None
) -> Reading:
    found = [source_of(document, clip, placed.rate) for clip in heard.clips]
    sources = [source for source in found if isinstance(source, Source)]
    trouble = next((source for source in found if isinstance(source, LeftAlone)), None)
    left_alone = heard.left_alone or silent or trouble
    first = sources[0] if sources else None
    channels = None
    if first is not None and (len(sources) > 1 or first.channel is not None):
        channels = tuple(source.channel or 0 for source in sources)
    if left_alone is None and len(sources) > 1:
        left_alone = _apart(sources)
    if placed.cut_in == placed.cut_out:
        left_alone = left_alone or LeftAlone(Reason.TOO_SHORT, "transitions take all of it")
    name = first.name if first is not None else text_of(placed.component, "Name")
    return Reading(placed, name, first, channels, left_alone)


def _apart(sources: list[Source]) -> LeftAlone | None:
    """Why the channels of one segment are no one stretch of one file."""
    places = {(source.url, source.start_s) for source in sources}
    channels = {source.channel for source in sources}
    if len(places) == 1 and len(channels) == len(sources) and None not in channels:
        return None
    urls = {source.url for source in sources}
    return LeftAlone(
        Reason.UNSUPPORTED,
        f"its {len(sources)} channels come from {len(urls)} files. Export with interleaved media, "
        "or with each channel on a mono track"
        if len(urls) > 1
        else "its channels come from different places of one file",
    )


def _timeline(document: AafDocument) -> otio.schema.Timeline:
    import opentimelineio as otio

    clock = document.clock()
    tracks = read_tracks(document)
    timeline = otio.schema.Timeline(text_of(document.top, "Name"))
    timeline.global_start_time = otio.opentime.RationalTime(clock.start_frame, float(clock.rate))
    note_timeline(
        timeline,
        TimelineFacts(
            name=timeline.name,
            format="aaf",
            rate=clock.rate,
            start_frame=clock.start_frame,
            drop_frame=clock.drop_frame,
            sample_rate_hz=_sample_rate_hz(tracks),
        ),
    )
    for track in tracks:
        timeline.tracks.append(_otio_track(track))
    return timeline


def _sample_rate_hz(tracks: list[Track]) -> int:
    """What most of the sources run at; a track that counts samples counts as one source."""
    low, high = _SAMPLE_RATES_HZ
    votes: Counter[int] = Counter()
    for track in tracks:
        for reading in track.readings:
            rate = reading.placed.rate
            source = reading.source
            if rate.denominator == 1 and rate >= low:
                votes[int(rate)] += 1
            elif source is not None and source.sound.rate_hz is not None:
                votes[source.sound.rate_hz] += 1
    usual = [rate_hz for rate_hz, _ in votes.most_common() if low <= rate_hz <= high]
    return usual[0] if usual else _USUAL_RATE_HZ


def _otio_track(track: Track) -> otio.schema.Track:
    import opentimelineio as otio

    made = otio.schema.Track(text_of(track.slot, "SlotName"), kind=otio.schema.TrackKind.Audio)
    number_track(made, track.number)
    position = 0
    last: Crossing | None = None
    for reading in track.readings:
        placed = reading.placed
        rate = float(placed.rate)
        if placed.cut_in > position:
            made.append(_gap(placed.cut_in - position, rate))
        if placed.before is not None and placed.before is not last:
            made.append(_transition(placed.before, rate))
        made.append(_clip(reading))
        if placed.after is not None:
            made.append(_transition(placed.after, rate))
        last = placed.after
        position = placed.cut_out
    end = length_of(track.slot.segment) if track.slot.segment is not None else 0
    if track.readings and end > position:
        made.append(_gap(end - position, float(track.readings[-1].placed.rate)))
    return made


def _gap(length: int, rate: float) -> otio.schema.Gap:
    import opentimelineio as otio

    return otio.schema.Gap(duration=otio.opentime.RationalTime(length, rate))


def _transition(crossing: Crossing, rate: float) -> otio.schema.Transition:
    import opentimelineio as otio

    return otio.schema.Transition(
        transition_type=otio.schema.TransitionTypes.SMPTE_Dissolve,
        in_offset=otio.opentime.RationalTime(crossing.cut, rate),
        out_offset=otio.opentime.RationalTime(crossing.rest, rate),
    )


def _clip(reading: Reading) -> otio.schema.Clip:
    import opentimelineio as otio

    placed, source = reading.placed, reading.source
    record = Span(placed.cut_in / placed.rate, (placed.cut_out - placed.cut_in) / placed.rate)
    lead_s = (placed.cut_in - placed.start) / placed.rate
    reference: otio.core.MediaReference = otio.schema.MissingReference()
    start_s = Fraction(0)
    if source is not None:
        media_start_s = source.media_start_s or Fraction(0)
        start_s = media_start_s + source.start_s + lead_s
        step = common_step((start_s, media_start_s, record.duration_s), placed.rate)
        if step is None:
            # No clock of any maker is that fine: its start counts from zero.
            start_s, media_start_s = start_s - media_start_s, Fraction(0)
        reference = otio.schema.ExternalReference(
            source.url, _range(media_start_s, _media_length_s(source, start_s, record), placed.rate)
        )
    clip = otio.schema.Clip(
        reading.name, reference, _range(start_s, record.duration_s, placed.rate)
    )
    note_item(
        clip,
        ItemNote(
            address=placed.address,
            use=placed.address,
            record=record,
            channels=reading.channels,
            frame_rate=placed.rate,
            left_alone=reading.left_alone,
            elsewhere=_elsewhere(reading, lead_s),
        ),
    )
    return clip


def _elsewhere(reading: Reading, lead_s: Fraction) -> tuple[Elsewhere, ...]:
    """The imported file behind the editor's own; for sound of one file's one channel only."""
    source = reading.source
    if source is None or len(reading.channels or (0,)) > 1 or source.start_s < 0:
        return ()
    return tuple(
        Elsewhere(
            origin.url,
            None if origin.channel is None else (origin.channel,),
            origin.start_s + lead_s,
        )
        for origin in source.origins
    )


def _media_length_s(source: Source, start_s: Fraction, record: Span) -> Fraction:
    if source.sound.length_samples and source.sound.rate_hz:
        return Fraction(source.sound.length_samples, source.sound.rate_hz)
    return start_s - (source.media_start_s or 0) + record.duration_s


def _range(start_s: Fraction, duration_s: Fraction, rate: Fraction) -> otio.opentime.TimeRange:
    """Whole numbers at a rate at which the start is one; the duration may round to it."""
    import opentimelineio as otio

    step = common_step((start_s, duration_s), rate) or common_step((start_s,), rate) or rate
    time = otio.opentime.RationalTime
    return otio.opentime.TimeRange(
        time(round(start_s * step), float(step)), time(round(duration_s * step), float(step))
    )
