"""The conform plan: what is added to the document, disabled and marked, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from nlecompanion.model import (
    CleanedClip,
    CleanedMedia,
    CleanTrack,
    ConformPlan,
    Region,
    TimelineMarker,
    Use,
    UseReport,
)
from nlecompanion.timeline.choice import CLEAN_TRACK_NAME

_CLEAN_TRACK = re.compile(rf"{CLEAN_TRACK_NAME} (\d{{1,6}})")
_CLEAN_ENDING = re.compile(r" clean(?: (\d+))?$")


def next_clean_name(name: str, number: int) -> str:
    """`Scene 3 clean`, then `Scene 3 clean 2`: never the name of the timeline that was read."""
    ending = _CLEAN_ENDING.search(name)
    if ending is not None:
        number += int(ending[1] or 1)
        name = name[: ending.start()]
    name = name or "Timeline"
    return f"{name} clean" if number == 1 else f"{name} clean {number}"


def cleaned_clip(use: Use, region: Region, media: CleanedMedia) -> CleanedClip:
    """The clip that stands in for `use`: same record range, the same instant of speech."""
    region_start_s = Fraction(region.start_sample, region.rate_hz)
    return CleanedClip(
        use_id=use.id,
        like=use.addresses,
        media=media,
        source_in_s=use.source.start_s - region_start_s,
        record=use.record,
    )


def plan_conform(
    timeline_name: str,
    uses: Sequence[Use],
    clips: Mapping[str, CleanedClip],
    markers: Sequence[TimelineMarker],
) -> ConformPlan:
    """The plan for all cleaned clips, by use id.

    Clips of one original track and channel count stay together on one new track, so that the
    editor's own order of tracks is kept; where two would overlap, the later one moves on.
    """
    lanes: list[tuple[tuple[int, int], list[CleanedClip]]] = []
    for use in sorted(uses, key=lambda use: (use.track_number, use.record.start_s)):
        clip = clips.get(use.id)
        if clip is None:
            continue
        key = (use.track_number, clip.media.channels)
        for lane_key, lane in lanes:
            if lane_key == key and lane[-1].record.end_s <= clip.record.start_s:
                lane.append(clip)
                break
        else:
            lanes.append((key, [clip]))
    tracks = tuple(
        CleanTrack(f"{CLEAN_TRACK_NAME} {number}", lane[0].media.channels, tuple(lane))
        for number, (_, lane) in enumerate(lanes, start=_next_track_number(uses))
    )
    disable = tuple(address for use in uses if use.id in clips for address in use.addresses)
    return ConformPlan(timeline_name, tracks, disable, tuple(markers))


def _next_track_number(uses: Sequence[Use]) -> int:
    """After the clean tracks that an earlier run left on the timeline."""
    found = (_CLEAN_TRACK.fullmatch(use.track) for use in uses)
    return 1 + max((int(match[1]) for match in found if match is not None), default=0)


def markers_for(reports: Sequence[UseReport]) -> tuple[TimelineMarker, ...]:
    """A marker for every use that was left alone although it is dialogue."""
    return tuple(
        TimelineMarker(
            record=report.use.record,
            name=f"DX not cleaned: {report.left_alone.reason.value}",
            comment=f"{report.use.name or report.use.id} on {report.use.track}: "
            f"{report.left_alone.detail or report.left_alone.reason.value}",
        )
        for report in reports
        if report.marked and report.left_alone is not None
    )
