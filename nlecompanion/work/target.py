"""Where a region's work goes, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

from nlecompanion.model import CleanedMedia, UseReport

#: Samples a channel that are read, treated and written at a time.
BLOCK_SAMPLES = 480_000
#: Told the seconds of sound that were just split.
Tick = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a region's cleaned file is written now, and where the editor will find it."""

    staged: Path
    final: PurePath
    scratch_folder: Path


@dataclass(frozen=True, slots=True)
class RegionOutcome:
    """What became of a region: a report for each use, and the cleaned file if one was written."""

    reports: tuple[UseReport, ...]
    cleaned: CleanedMedia | None
    clipped_samples: int = 0
