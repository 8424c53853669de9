"""All regions of a job, one after another; one bad clip does not sink the others."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from nlecompanion.delivery.names import safe_stem, unique_name
from nlecompanion.delivery.staging import disk_errors
from nlecompanion.errors import (
    Interrupted,
    MediaError,
    NleCompanionError,
    NoSpace,
    NotWritable,
)
from nlecompanion.media.find import why
from nlecompanion.model import (
    CleanedClip,
    LeftAlone,
    Loss,
    Reason,
    Region,
    Ruling,
    Use,
    UseReport,
)
from nlecompanion.settings import Profile
from nlecompanion.timeline.choice import CLEANED_ENDING
from nlecompanion.timeline.conform import cleaned_clip
from nlecompanion.treatment.edges import joined_ends
from nlecompanion.treatment.room_tone import RoomTonePlan
from nlecompanion.treatment.tone_finding import ToneKey
from nlecompanion.work import Tools, work_region
from nlecompanion.work.target import RegionOutcome, Target

_log = logging.getLogger(__name__)
CLIPS_FOLDER = "clips"
_SCRATCH_FOLDER = ".scratch"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: seconds of sound done and to do, and what is in work."""

    done_s: float
    total_s: float
    what: str


Watcher = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where files are written now, and where the editor's machine will find them."""

    folder: Path
    seen: Callable[[PurePath], PurePath]

    def target(self, name: str) -> Target:
        """The places of one cleaned file."""
        inside = PurePath(CLIPS_FOLDER) / name
        return Target(self.folder / inside, self.seen(inside), self.folder / _SCRATCH_FOLDER)


@dataclass(slots=True)
class Worked:
    """What became of all regions, by use id where not said otherwise.

    `clips` play in place of their originals, `offers` lie beside them, switched off. `tones` are
    the room tones by place, with the clip that first needed each. `accounts` are by region id.
    """

    clips: dict[str, CleanedClip] = field(default_factory=dict)
    offers: dict[str, CleanedClip] = field(default_factory=dict)
    reports: dict[str, UseReport] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    tones: dict[ToneKey, tuple[RoomTonePlan, CleanedClip]] = field(default_factory=dict)
    accounts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def take(self, region: Region, outcome: RegionOutcome, name: str) -> None:
        """Adds what became of one region."""
        self.reports |= {report.use.id: report for report in outcome.reports}
        if outcome.cleaned is None:
            return
        self.names.add(name.casefold())
        if outcome.account is not None:
            self.accounts[region.id] = outcome.account
        if outcome.clipped_samples:
            what = f"{outcome.clipped_samples} samples over full scale were limited to it"
            self.losses.append(Loss(name, what))
        file = f"{CLIPS_FOLDER}/{name}"
        for report in outcome.reports:
            if report.left_alone is not None:
                continue
            clip = cleaned_clip(report.use, region, outcome.cleaned)
            if report.verdict is not None and report.verdict.ruling is Ruling.UNFIXABLE:
                self.offers[report.use.id] = clip
                self.reports[report.use.id] = replace(report, offered_file=file)
            else:
                self.clips[report.use.id] = clip
                self.reports[report.use.id] = replace(report, cleaned_file=file)
            if outcome.tone is not None:
                self.tones.setdefault(outcome.tone[0], (outcome.tone[1], clip))


def work_regions(
    regions: Sequence[Region],
    uses: Sequence[Use],
    tools: Tools,
    profile: Profile,
    place: Place,
    watcher: Watcher,
) -> Worked:
    """Works on every region; cleaned files are written below the place's `clips`.

    `uses` are all of the timeline's.

    Raises:
        NoSpace, NotWritable: nothing can be delivered.
        Interrupted: the watcher raised it.
    """
    worked = Worked()
    meter = _Meter(watcher, float(sum(r.length_samples / r.rate_hz for r in regions)))
    with disk_errors(place.folder):
        (place.folder / CLIPS_FOLDER).mkdir()
    for region in regions:
        stem = f"{safe_stem(region.media.path.stem)}{CLEANED_ENDING}"
        name = unique_name(stem, ".wav", worked.names)
        target = replace(place.target(name), joined=joined_ends(region, uses))
        worked.take(region, _work_one(region, tools, profile, target, meter), name)
    return worked


class _Meter:
    """Adds up the seconds that the regions report, for one watcher."""

    def __init__(self, watcher: Watcher, total_s: float) -> None:
        self._watcher = watcher
        self._total_s = total_s
        self._done_s = 0.0

    def add(self, seconds: float, what: str) -> None:
        self._done_s += seconds
        self._watcher(Progress(self._done_s, self._total_s, what))


def _work_one(
    region: Region, tools: Tools, profile: Profile, target: Target, meter: _Meter
) -> RegionOutcome:
    """One region; what goes wrong with it is said in its uses' reports."""
    name = target.final.name
    try:
        with disk_errors(target.scratch_folder.parent):
            target.scratch_folder.mkdir()
        return work_region(region, tools, profile, target, lambda s: meter.add(s, name))
    except (NoSpace, NotWritable, Interrupted):
        raise
    except Exception as error:  # one bad clip does not sink the others
        _log.exception("region %s of %s failed", region.id, region.media.path)
        target.staged.unlink(missing_ok=True)
        reports = tuple(UseReport(use, _failure(error)) for use in region.uses)
        return RegionOutcome(reports, None)
    finally:
        shutil.rmtree(target.scratch_folder, ignore_errors=True)


def _failure(error: Exception) -> LeftAlone:
    if isinstance(error, MediaError):
        return why(error)
    if isinstance(error, NleCompanionError):
        return LeftAlone(Reason.FAILED, str(error))
    return LeftAlone(Reason.FAILED, f"{type(error).__name__}: {error}. Please report this.")
