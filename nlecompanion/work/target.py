"""Where a region's work goes, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any

from nlecompanion.model import CleanedMedia, Region, UseReport
from nlecompanion.treatment.room_tone import RoomTonePlan
from nlecompanion.treatment.tone_finding import ToneKey

#: Samples a channel that are read, treated and written at a time.
BLOCK_SAMPLES = 480_000
#: Told the seconds of sound that were just split.
Tick = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a region's cleaned file is written now, and where the editor will find it.

    `joined` says of its first and last sound whether another clip stands right next to it,
    `neighbour_floor_db` how high the floor of the clips beside it lies (`neighbours`).
    """

    staged: Path
    final: PurePath
    scratch_folder: Path
    joined: tuple[bool, bool] = (True, True)
    neighbour_floor_db: float | None = None


@dataclass(frozen=True, slots=True)
class RegionOutcome:
    """What became of a region: a report for each use, and the cleaned file if one was written.

    `tone` is the room tone of its place, `account` the receipt's values of what was done.
    """

    reports: tuple[UseReport, ...]
    cleaned: CleanedMedia | None
    clipped_samples: int = 0
    tone: tuple[ToneKey, RoomTonePlan] | None = None
    account: Mapping[str, Any] | None = None


def cleaned_media(region: Region, final: PurePath) -> CleanedMedia:
    """A region's cleaned file, as it will lie at `final`."""
    return CleanedMedia(
        id=region.id,
        path=final,
        rate_hz=region.rate_hz,
        channels=len(region.channels),
        length_samples=region.length_samples,
        start_s=region.media_start_s + Fraction(region.start_sample, region.rate_hz),
        frame_rate=region.frame_rate,
    )


def layout_of(region: Region) -> str:
    """The stream's own layout where all its channels are used, in order."""
    for stream in region.media.streams[:1]:
        if region.channels == tuple(range(stream.channels)):
            return stream.layout
    return {1: "mono", 2: "stereo"}.get(len(region.channels), f"{len(region.channels)} channels")
