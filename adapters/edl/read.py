"""A CMX 3600 list as an OTIO timeline with notes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from nlecompanion.model import Span, TimelineFacts
from nlecompanion.timeline.contract import ItemNote, note_item, note_timeline

from .cut import Cut, Event, open_cut
from .lines import Written

#: The format says nothing of samples; picture editors run at 48 kHz.
SAMPLE_RATE_HZ = 48_000


def read_timeline(path: Path) -> otio.schema.Timeline:
    """One picture track and a sound track for each record channel up to the highest one used.

    Raises:
        DocumentError: with one sentence fit for the editor.
    """
    cut = open_cut(path)
    rate = cut.rate.rate
    timeline = otio.schema.Timeline(
        name=cut.written.title or "", global_start_time=_time(cut.start, rate)
    )
    note_timeline(
        timeline,
        TimelineFacts(
            name=timeline.name,
            format="edl",
            rate=rate,
            start_frame=cut.start,
            drop_frame=cut.drop_frame,
            sample_rate_hz=SAMPLE_RATE_HZ,
        ),
    )
    pictures = [event for event in cut.events if event.written.picture]
    if pictures:
        timeline.tracks.append(_picture_track(cut, pictures))
    uses = _uses(cut)
    highest = max(channel for event in cut.events for channel in event.audio)
    for channel in range(1, highest + 1):
        mine = [event for event in cut.events if event.audio[:1] == (channel,)]
        timeline.tracks.append(_sound_track(cut, channel, mine, uses))
    return timeline


def _time(value: int, rate: Fraction) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(value, float(rate))


def _gap(length: int, rate: Fraction) -> otio.schema.Gap:
    return otio.schema.Gap(
        source_range=otio.opentime.TimeRange(_time(0, rate), _time(length, rate))
    )


def _clip(event: Event, rate: Fraction, length: int) -> otio.schema.Clip:
    reference = (
        otio.schema.ExternalReference(target_url=event.media)
        if event.media
        else otio.schema.MissingReference()
    )
    return otio.schema.Clip(
        name=event.name,
        media_reference=reference,
        source_range=otio.opentime.TimeRange(_time(event.source_in, rate), _time(length, rate)),
    )


def _picture_track(cut: Cut, events: list[Event]) -> otio.schema.Track:
    track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
    rate, position = cut.rate.rate, cut.start
    for event in sorted(events, key=_place):
        if event.record_in > position:
            track.append(_gap(event.record_in - position, rate))
        if event.length:
            filled = _gap(event.length, rate) if event.black else _clip(event, rate, event.length)
            track.append(filled)
        position = max(position, event.record_out)
    return track


def _place(event: Event) -> tuple[int, int]:
    return event.record_in, event.written.ordinal


def _uses(cut: Cut) -> dict[str, str]:
    """For each address the use that it belongs to: the same sound on several channels is one."""
    first: dict[tuple[object, ...], str] = {}
    result = {}
    for event in cut.events:
        key = (_same(event.written), event.media, event.name, event.left_alone)
        result[event.address] = first.setdefault(key, event.address)
    return result


def _same(written: Written) -> tuple[object, ...]:
    return (written.reel, written.kind, written.transition, written.timecodes)


def _sound_track(
    cut: Cut, channel: int, events: list[Event], uses: dict[str, str]
) -> otio.schema.Track:
    track = otio.schema.Track(name=f"A{channel}", kind=otio.schema.TrackKind.Audio)
    rate, position = cut.rate.rate, cut.start
    children: list[otio.core.Composable] = []
    for event in sorted(events, key=_place):
        if event.continued:
            continue
        if event.record_in > position:
            children.append(_gap(event.record_in - position, rate))
        if event.transition:
            # Both sound from the cut on: the outgoing clip runs past its end.
            children.append(
                otio.schema.Transition(
                    transition_type=otio.schema.TransitionTypes.SMPTE_Dissolve,
                    in_offset=_time(0, rate),
                    out_offset=_time(event.transition, rate),
                )
            )
        children.append(_gap(event.length, rate) if event.black else _noted(cut, event, uses))
        position = max(position, event.record_out)
    track.extend(children)
    return track


def _noted(cut: Cut, event: Event, uses: dict[str, str]) -> otio.schema.Clip:
    rate = cut.rate.rate
    clip = _clip(event, rate, max(0, event.source_out - event.source_in))
    note_item(
        clip,
        ItemNote(
            address=event.address,
            use=uses[event.address],
            record=Span((event.record_in - cut.start) / rate, event.length / rate),
            # The format names record channels, not the source's: all of them are kept.
            channels=None,
            frame_rate=rate,
            role=cut.written.title or "",
            left_alone=event.left_alone,
            counts_timecode=True,
            rate_is_guessed=cut.rate.assumed,
        ),
    )
    return clip
