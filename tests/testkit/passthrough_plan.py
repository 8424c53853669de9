"""A conform plan that cleans every eligible use, with made-up cleaned files: no sound is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from nlecompanion.model import CleanedClip, CleanedMedia, ConformPlan, TimelineMarker, Use
from nlecompanion.timeline.conform import plan_conform
from nlecompanion.timeline.uses import read_uses

if TYPE_CHECKING:
    import opentimelineio as otio


def eligible(timeline: otio.schema.Timeline) -> tuple[Use, ...]:
    """The uses that the document does not rule out."""
    return tuple(use for use in read_uses(timeline) if use.left_alone is None)


def made_up_media(use: Use, number: int, folder: Path, handles_s: Fraction) -> CleanedMedia:
    """One file for the use alone, on the document's grid, with handles clamped to the file."""
    grid = use.frame_rate or Fraction(48_000)
    start_s = max(use.source.start_s - use.lead_s - handles_s, Fraction(0))
    start_s = Fraction(math.floor(start_s * grid)) / grid
    end_s = use.source.end_s + use.tail_s + handles_s
    return CleanedMedia(
        id=f"m{number}",
        path=folder / f"dx_{number:03}.wav",
        rate_hz=48_000,
        channels=len(use.channels or (0, 1)),
        length_samples=math.ceil((end_s - start_s) * 48_000),
        start_s=(use.media_start_s or Fraction(0)) + start_s,
        frame_rate=use.frame_rate,
    )


def passthrough_plan(
    timeline: otio.schema.Timeline,
    folder: Path,
    name: str = "Cut clean",
    handles_s: Fraction = Fraction(2),
    markers: Sequence[TimelineMarker] = (),
    leave: Sequence[str] = (),
) -> ConformPlan:
    """A plan for all eligible uses except those in `leave` (by id)."""
    uses = [use for use in eligible(timeline) if use.id not in leave]
    clips = {}
    for number, use in enumerate(uses, start=1):
        media = made_up_media(use, number, folder, handles_s)
        offset_s = media.start_s - (use.media_start_s or Fraction(0))
        clips[use.id] = CleanedClip(
            use.id, use.addresses, media, use.source.start_s - offset_s, use.record
        )
    return plan_conform(name, uses, clips, tuple(markers))
