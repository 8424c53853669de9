"""Room tone as sound of its own, for the editor to fill gaps with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import PurePath

from nlecompanion.delivery.names import safe_stem, unique_name
from nlecompanion.media.broadcast_wav import BroadcastWavWriter
from nlecompanion.model import CleanedClip, Span
from nlecompanion.treatment.room_tone import RoomTonePlan
from nlecompanion.treatment.tone_finding import ToneKey
from nlecompanion.work.regions import Place

_ENDING = " room tone"


def write_tone_clips(
    tones: Mapping[ToneKey, tuple[RoomTonePlan, CleanedClip]],
    place: Place,
    names: set[str],
    length_s: float,
    timeline: Span,
    rate: Fraction,
) -> list[CleanedClip]:
    """One file a place that has a tone, and a clip of it where that place is first heard.

    A clip is whole frames of the timeline's `rate` long and ends with the timeline at the latest.

    Raises:
        NoSpace, NotWritable: the disk is full, or the files cannot be written.
    """
    clips = []
    for key, (plan, beside) in sorted(tones.items(), key=lambda item: item[1][1].record.start_s):
        span = _span(beside, length_s, timeline.end_s, rate)
        rate_hz = beside.media.rate_hz
        samples = round(span.duration_s * rate_hz)
        blocks = plan.clip(samples) if samples else None
        if blocks is None:
            continue
        name = unique_name(f"{safe_stem(PurePath(key.media).stem)}{_ENDING}", ".wav", names)
        names.add(name.casefold())
        target = place.target(name)
        with BroadcastWavWriter(
            target.staged,
            rate_hz=rate_hz,
            channels=beside.media.channels,
            layout={1: "mono", 2: "stereo"}.get(
                beside.media.channels, f"{beside.media.channels} channels"
            ),
            time_reference_samples=0,
            description=f"Room tone of {PurePath(key.media).name}",
        ) as writer:
            for block in blocks:
                writer.write(block)
        media = replace(
            beside.media,
            id=f"{beside.media.id}-tone",
            path=target.final,
            length_samples=samples,
            start_s=Fraction(0),
        )
        clips.append(replace(beside, media=media, source_in_s=Fraction(0), record=span, plain=True))
    return clips


def _span(beside: CleanedClip, length_s: float, end_s: Fraction, rate: Fraction) -> Span:
    """From the clip's start, `length_s` long or to the timeline's end."""
    start_s = beside.record.start_s
    longest_s = min(Fraction(length_s).limit_denominator(1000), end_s - start_s)
    return Span(start_s, max(0, int(longest_s * rate)) / rate)
