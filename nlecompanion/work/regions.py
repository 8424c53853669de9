"""All regions of a job, whoever works on them; one bad clip does not sink the others.

What comes of a region is taken in the regions' order, so that names, losses and receipts are the
same with any number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from nlecompanion.delivery.names import safe_stem, unique_name
from nlecompanion.delivery.staging import disk_errors
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
from nlecompanion.wire import from_json
from nlecompanion.work.places import place_of
from nlecompanion.work.pool import Answer, Request
from nlecompanion.work.survey_all import ToneFile, seconds_of
from nlecompanion.work.target import RegionOutcome, Target
from nlecompanion.work.task import (
    RegionTask,
    TaskOutcome,
    anonymous,
    bound,
    failed_outcome,
    task_to_json,
)
from nlecompanion.work.task_digest import program_digest
from nlecompanion.work.tasks_bench import Bench, Piece
from nlecompanion.work.worker_jobs import Done

CLIPS_FOLDER = "clips"
_SCRATCH_FOLDER = ".scratch"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: seconds of sound done and to do, and what is in work.

    `hands_back`: nothing is left to do but to give the delivery its name; the last moment to stop.
    """

    done_s: float
    total_s: float
    what: str
    hands_back: bool = False


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
    `accepted` are uses whose best effort shall play whatever was judged.
    """

    clips: dict[str, CleanedClip] = field(default_factory=dict)
    offers: dict[str, CleanedClip] = field(default_factory=dict)
    reports: dict[str, UseReport] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    tones: dict[ToneKey, tuple[RoomTonePlan, CleanedClip]] = field(default_factory=dict)
    accounts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    accepted: frozenset[str] = frozenset()

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
            if report.use.id in self.accepted:
                report = _accepted(report)
            if report.verdict is not None and report.verdict.ruling is Ruling.UNFIXABLE:
                self.offers[report.use.id] = clip
                self.reports[report.use.id] = replace(report, offered_file=file)
            else:
                self.clips[report.use.id] = clip
                self.reports[report.use.id] = replace(report, cleaned_file=file)
            if outcome.tone is not None:
                self.tones.setdefault(outcome.tone[0], (outcome.tone[1], clip))


def _accepted(report: UseReport) -> UseReport:
    """The editor has heard what was judged beyond saving, and takes it."""
    verdict = report.verdict
    if verdict is None or verdict.ruling is not Ruling.UNFIXABLE:
        return report
    reasons = ("accepted by the editor", *verdict.reasons)
    return replace(report, verdict=replace(verdict, ruling=Ruling.DELIVER, reasons=reasons))


@dataclass(frozen=True, slots=True)
class Assignment:
    """A region and how it is to be treated."""

    region: Region
    profile: Profile
    joined: tuple[bool, bool]
    tone: ToneFile
    neighbour_floor_db: float | None = None

    def task(self, bench: Bench) -> RegionTask:
        """As workers get it."""
        return RegionTask(
            region=anonymous(self.region),
            profile=self.profile,
            main=bench.main,
            light=bench.light,
            tone=self.tone.sha256,
            joined=self.joined,
            program=program_digest(),
            neighbour_floor_db=self.neighbour_floor_db,
        )

    def piece(self, bench: Bench, name: str) -> Piece:
        """As it is handed out; its files in the bench's room are called by `name`."""
        task, sound = self.task(bench), bench.room / f"{name}.wav"
        values = {
            "task": task_to_json(task),
            "tone": str(self.tone.path),
            "sound": str(sound),
            "scratch": str(bench.room / f"{name}{_SCRATCH_FOLDER}"),
        }
        request = Request("region", lambda: values, seconds_of(self.region))
        return Piece(request, task.digest, sound)


def assignments(
    regions: Sequence[Region],
    uses: Sequence[Use],
    tones: Mapping[ToneKey, ToneFile],
    profile_of: Callable[[Region], Profile],
    floors_db: Mapping[str, float],
) -> list[Assignment]:
    """What is to be done with each region; `uses` are all of the timeline's.

    `floors_db` are those of the clips beside each region, by its id (`neighbours`).
    """
    return [
        Assignment(
            region,
            profile_of(region),
            joined_ends(region, uses),
            tones[place_of(region)],
            floors_db.get(region.id),
        )
        for region in regions
    ]


def work_regions(
    jobs: Sequence[Assignment],
    bench: Bench,
    place: Place,
    watcher: Watcher,
    accepted: frozenset[str] = frozenset(),
) -> Worked:
    """Works on every region; cleaned files are written below the place's `clips`.

    `accepted` are uses whose best effort plays whatever is judged.

    Raises:
        NoSpace, NotWritable: nothing can be delivered.
        EngineError: the engine cannot run.
        Interrupted: the watcher raised it.
    """
    worked = Worked(accepted=accepted)
    with disk_errors(place.folder):
        (place.folder / CLIPS_FOLDER).mkdir()
    meter = _Meter(watcher, [job.region for job in jobs])
    pieces = [job.piece(bench, f"region-{number}") for number, job in enumerate(jobs)]
    for job, piece, answer in zip(jobs, pieces, bench.answers(pieces, meter.add), strict=True):
        name = unique_name(_stem(job.region), ".wav", worked.names)
        target = place.target(name)
        outcome = _outcome(job, answer)
        if outcome.sound_sha256 is not None and piece.sound is not None:
            with disk_errors(place.folder):
                piece.sound.rename(target.staged)
        if outcome.smaller:
            worked.losses.append(Loss(name, "the memory ran out; split in smaller blocks"))
        tone = job.tone.read() if outcome.has_tone else None
        worked.take(job.region, bound(outcome, job.region, target.final, tone), name)
    return worked


def _stem(region: Region) -> str:
    return f"{safe_stem(region.media.path.stem)}{CLEANED_ENDING}"


def _outcome(job: Assignment, answer: Answer) -> TaskOutcome:
    if isinstance(answer, Done):
        return from_json(answer.values["outcome"], TaskOutcome)
    windows = len(anonymous(job.region).uses)
    return failed_outcome(windows, LeftAlone(Reason.FAILED, f"{answer.line}. Please report this."))


class _Meter:
    """Adds up the seconds that the regions report, for one watcher."""

    def __init__(self, watcher: Watcher, regions: Sequence[Region]) -> None:
        self._watcher = watcher
        self._names = [_stem(region) for region in regions]
        self._lengths_s = [seconds_of(region) for region in regions]
        self._done_s = [0.0] * len(regions)

    def add(self, number: int, seconds: float) -> None:
        """Region `number` is so much further; a second try tells nothing new."""
        done_s = self._done_s[number] + seconds
        self._done_s[number] = min(done_s, self._lengths_s[number])
        self._watcher(Progress(sum(self._done_s), sum(self._lengths_s), self._names[number]))
