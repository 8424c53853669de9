"""The same cut as `.otio`: the neutral model with the plan carried out on it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlecompanion.model import CleanedClip, CleanTrack, ConformPlan, TimelineFacts, TimelineMarker
from nlecompanion.timeline.contract import NAMESPACE, item_note

if TYPE_CHECKING:
    import opentimelineio as otio

_MARKER_COLORS = {"RED", "PINK", "ORANGE", "YELLOW", "GREEN", "CYAN", "BLUE", "PURPLE", "MAGENTA"}


def conformed_timeline(
    timeline: otio.schema.Timeline, plan: ConformPlan, facts: TimelineFacts, urls: dict[Path, str]
) -> otio.schema.Timeline:
    """A copy of the neutral timeline with the plan's tracks, disabled clips and markers.

    `urls` gives the media URL of each cleaned file. Our notes are taken out of the copy.
    """
    copy: Any = timeline.deepcopy()
    copy.name = plan.timeline_name
    disabled = set(plan.disable)
    for track in copy.audio_tracks():
        for item in track:
            note = item_note(item)
            if note is not None and note.address in disabled:
                item.enabled = False
    for clean_track in plan.tracks:
        copy.tracks.append(_track(clean_track, facts.rate, urls))
    for marker in plan.markers:
        copy.tracks.markers.append(_marker(marker, facts.rate))
    _strip_notes(copy)
    return copy


def _track(track: CleanTrack, rate: Fraction, urls: dict[Path, str]) -> otio.schema.Track:
    import opentimelineio as otio

    made = otio.schema.Track(name=track.name, kind=otio.schema.TrackKind.Audio)
    position_s = Fraction(0)
    for clip in track.clips:
        gap_s = clip.record.start_s - position_s
        if gap_s > 0:
            made.append(otio.schema.Gap(source_range=_range(Fraction(0), gap_s, rate)))
        made.append(_clip(clip, rate, urls))
        position_s = clip.record.end_s
    return made


def _clip(clip: CleanedClip, rate: Fraction, urls: dict[Path, str]) -> otio.schema.Clip:
    import opentimelineio as otio

    media = clip.media
    grid = media.frame_rate or Fraction(media.rate_hz)
    reference = otio.schema.ExternalReference(
        target_url=urls[media.path],
        available_range=_range(media.start_s, media.duration_s, grid),
    )
    # The record range rules the length; the source starts on the media's own grid.
    duration_s = clip.record.duration_s
    length_grid = grid if (duration_s * grid).denominator == 1 else rate
    start = _time(media.start_s + clip.source_in_s, grid)
    return otio.schema.Clip(
        name=media.path.stem,
        media_reference=reference,
        source_range=otio.opentime.TimeRange(start, _time(duration_s, length_grid)),
    )


def _marker(marker: TimelineMarker, rate: Fraction) -> otio.schema.Marker:
    import opentimelineio as otio

    return otio.schema.Marker(
        name=marker.name,
        marked_range=_range(marker.record.start_s, marker.record.duration_s, rate),
        color=marker.color if marker.color in _MARKER_COLORS else "RED",
        metadata={"comment": marker.comment},
    )


def _time(seconds: Fraction, rate: Fraction) -> otio.opentime.RationalTime:
    import opentimelineio as otio

    return otio.opentime.RationalTime(float(seconds * rate), float(rate))


def _range(start_s: Fraction, duration_s: Fraction, rate: Fraction) -> otio.opentime.TimeRange:
    import opentimelineio as otio

    return otio.opentime.TimeRange(_time(start_s, rate), _time(duration_s, rate))


def _strip_notes(timeline: otio.schema.Timeline) -> None:
    timeline.metadata.pop(NAMESPACE, None)
    for track in timeline.tracks:
        for item in track:
            item.metadata.pop(NAMESPACE, None)
