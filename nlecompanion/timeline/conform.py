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
    Ruling,
    TimelineMarker,
    Unfixable,
    Use,
    UseReport,
)
from nlecompanion.timeline.choice import CLEAN_TRACK_NAME, OFFER_TRACK_NAME, TONE_TRACK_NAME

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
    offers: Mapping[str, CleanedClip] | None = None,
    tones: Sequence[CleanedClip] = (),
) -> ConformPlan:
    """The plan for all cleaned clips, by use id.

    Clips of one original track and channel count stay together on one new track, so that the
    editor's own order of tracks is kept; where two would overlap, the later one moves on.
    `offers` are best efforts for uses whose originals play on, and `tones` stretches of room tone:
    both come on tracks that are switched off.
    """
    tracks = [
        *_tracks(CLEAN_TRACK_NAME, _lanes(uses, clips), _next_track_number(uses)),
        *_tracks(OFFER_TRACK_NAME, _lanes(uses, offers or {}), 1, enabled=False),
        *_tracks(TONE_TRACK_NAME, _stacked(tones), 1, enabled=False),
    ]
    disable = tuple(address for use in uses if use.id in clips for address in use.addresses)
    return ConformPlan(timeline_name, tuple(tracks), disable, tuple(markers))


def _tracks(
    name: str, lanes: Sequence[Sequence[CleanedClip]], first: int, *, enabled: bool = True
) -> list[CleanTrack]:
    return [
        CleanTrack(f"{name} {number}", lane[0].media.channels, tuple(lane), enabled)
        for number, lane in enumerate(lanes, start=first)
    ]


def _lanes(uses: Sequence[Use], clips: Mapping[str, CleanedClip]) -> list[list[CleanedClip]]:
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
    return [lane for _, lane in lanes]


def _stacked(clips: Sequence[CleanedClip]) -> list[list[CleanedClip]]:
    """In record order, on as few tracks as do without overlaps; one channel count a track."""
    lanes: list[list[CleanedClip]] = []
    for clip in sorted(clips, key=lambda clip: clip.record.start_s):
        for lane in lanes:
            same = lane[0].media.channels == clip.media.channels
            if same and lane[-1].record.end_s <= clip.record.start_s:
                lane.append(clip)
                break
        else:
            lanes.append([clip])
    return lanes


def _next_track_number(uses: Sequence[Use]) -> int:
    """After the clean tracks that an earlier run left on the timeline."""
    found = (_CLEAN_TRACK.fullmatch(use.track) for use in uses)
    return 1 + max((int(match[1]) for match in found if match is not None), default=0)


#: One colour a kind, so that an editor sees at a glance what to do.
_UNFIXABLE_COLORS = {
    Unfixable.MASKED: "RED",
    Unfixable.DAMAGED: "MAGENTA",
    Unfixable.LOST: "PURPLE",
}
_DOUBTFUL_COLOR = "YELLOW"
_NOT_CLEANED_COLOR = "ORANGE"


def markers_for(reports: Sequence[UseReport]) -> tuple[TimelineMarker, ...]:
    """A marker for every use that needs a person: beyond saving, doubtful, or not worked on."""
    found = (_marker(report) for report in reports)
    return tuple(marker for marker in found if marker is not None)


def _marker(report: UseReport) -> TimelineMarker | None:
    use, verdict = report.use, report.verdict
    where = f"{use.name or use.id} on {use.track}"
    if report.marked and report.left_alone is not None:
        detail = report.left_alone.detail or report.left_alone.reason.value
        name = f"DX not cleaned: {report.left_alone.reason.value}"
        return TimelineMarker(use.record, name, f"{where}: {detail}", _NOT_CLEANED_COLOR)
    if verdict is None or report.left_alone is not None:
        return None
    comment = f"{where}: {'; '.join(verdict.reasons)}"
    if report.proposals:
        comment += f". A cleaner source: {report.proposals[0].reason}."
    if verdict.ruling is Ruling.UNFIXABLE:
        kind = verdict.kind or Unfixable.MASKED
        return TimelineMarker(
            use.record, f"DX beyond saving: {kind.value}", comment, _UNFIXABLE_COLORS[kind]
        )
    if verdict.ruling is Ruling.WARN:
        return TimelineMarker(use.record, "DX doubtful: listen", comment, _DOUBTFUL_COLOR)
    return None
