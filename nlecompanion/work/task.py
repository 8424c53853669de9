"""One region as a task: everything that its sound depends on, and nothing of its document.

The task's region is anonymous: its uses are windows in order of time, without ids, names or places
on the timeline. What comes of it can serve any document that plays the same windows of the same
sound; `bound` gives it back to one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import PurePath
from typing import Any

from nlecompanion.errors import SettingsError
from nlecompanion.model import Diagnosis, LeftAlone, Plan, Region, Span, Use, UseReport, Verdict
from nlecompanion.settings import Profile
from nlecompanion.treatment.room_tone import RoomTonePlan
from nlecompanion.treatment.tone_finding import RoomTone
from nlecompanion.wire import Json, from_json, to_json
from nlecompanion.work.places import place_of
from nlecompanion.work.target import RegionOutcome, cleaned_media
from nlecompanion.work.task_digest import (
    EngineId,
    program_digest,
    region_digest,
    sha256_of_json,
)

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class RegionTask:
    """What a worker needs beside the media and the tone's file.

    `main` and `light` are the engines as `Tools` has them; `tone` is the SHA-256 of the room tone's
    file (`tone_travel`), `joined` and `neighbour_floor_db` as in `Target`; `program` is the program
    that made the task.
    """

    region: Region
    profile: Profile
    main: EngineId
    light: EngineId
    tone: str
    joined: tuple[bool, bool]
    program: str
    neighbour_floor_db: float | None = None

    def digest(self) -> str:
        """SHA-256 over all that the outcome depends on, the program among it.

        Raises:
            OSError: the media cannot be read.
        """
        engines = self.main, self.light
        return region_digest(
            self.region, self.profile, engines, self.tone, self.joined, self.neighbour_floor_db
        )


def task_to_json(task: RegionTask) -> dict[str, Json]:
    """The task as the values of a task file."""
    return {"format": _FORMAT, "program": task.program, "task": to_json(task, RegionTask)}


def task_from_json(values: Any) -> RegionTask:
    """The task in these values, which only the program that wrote them may run.

    Raises:
        SettingsError: no task, or one of another version of the program.
    """
    if not isinstance(values, dict) or values.get("format") != _FORMAT:
        raise SettingsError("This is no task of a region. `nlecompanion farm` writes some.")
    if values.get("program") != program_digest():
        raise SettingsError(
            f"The task was made by another version of nlecompanion or its libraries "
            f"({str(values.get('program'))[:12]}…; here runs {program_digest()[:12]}…). Install "
            f"the same on all machines, or make the tasks anew."
        )
    try:
        return from_json(values.get("task"), RegionTask)
    except (ValueError, TypeError, SettingsError) as error:
        raise SettingsError(f"The task is damaged ({error}). Make it anew.") from error


def windows_of(region: Region) -> dict[tuple[Fraction, ...], list[Use]]:
    """The uses by their windows, in order of time: equal windows are one to a task."""
    found: dict[tuple[Fraction, ...], list[Use]] = {}
    for use in region.uses:
        window = (use.source.start_s, use.source.duration_s, use.lead_s, use.tail_s)
        found.setdefault(window, []).append(use)
    return dict(sorted(found.items()))


def anonymous(region: Region) -> Region:
    """The region with nothing left of its document."""
    windows = windows_of(region)
    uses = tuple(
        Use(
            id=f"window-{number}",
            name="",
            track="",
            track_number=0,
            record=Span(Fraction(0), window[1]),
            source=Span(window[0], window[1]),
            media_url="",
            media_start_s=None,
            channels=region.channels,
            addresses=(),
            frame_rate=None,
            lead_s=window[2],
            tail_s=window[3],
        )
        for number, window in enumerate(windows)
    )
    return replace(region, id="region", uses=uses, frame_rate=None)


@dataclass(frozen=True, slots=True)
class UseOutcome:
    """What became of one window; the fields are those of `UseReport`."""

    left_alone: LeftAlone | None
    diagnosis: Diagnosis | None = None
    plan: Plan | None = None
    verdict: Verdict | None = None
    evidence: Json = None


@dataclass(frozen=True, slots=True, eq=False)
class TaskOutcome:
    """What became of a task's region, a `UseOutcome` for each of its uses.

    `sound_sha256` is that of the cleaned file, None where there is none. `tone` is the plan without
    the tone itself, which the job has; `has_tone` says that it goes with one. `failed`: something
    went wrong, so that another try may end otherwise. `smaller`: it was split in smaller blocks
    than usual, because the memory ran out. The rest is as in `RegionOutcome`.
    """

    uses: tuple[UseOutcome, ...]
    sound_sha256: str | None = None
    clipped_samples: int = 0
    tone: RoomTonePlan | None = None
    has_tone: bool = False
    account: Json = None
    failed: bool = False
    smaller: bool = False


def failed_outcome(windows: int, why: LeftAlone) -> TaskOutcome:
    """Nothing was done, for one reason."""
    return TaskOutcome((UseOutcome(why),) * windows, failed=True)


def outcome_of(outcome: RegionOutcome, sound_sha256: str | None) -> TaskOutcome:
    """What travels of the outcome of an anonymous region."""
    plan = None if outcome.tone is None else outcome.tone[1]
    return TaskOutcome(
        uses=tuple(
            UseOutcome(
                report.left_alone,
                report.diagnosis,
                report.plan,
                report.verdict,
                None if report.evidence is None else dict(report.evidence),
            )
            for report in outcome.reports
        ),
        sound_sha256=sound_sha256,
        clipped_samples=outcome.clipped_samples,
        tone=None if plan is None else replace(plan, tone=None),
        has_tone=plan is not None and plan.tone is not None,
        account=None if outcome.account is None else dict(outcome.account),
    )


def bound(
    outcome: TaskOutcome, region: Region, final: PurePath, tone: RoomTone | None
) -> RegionOutcome:
    """The outcome as that of a document's region, whose uses share windows by index.

    `final` is where the cleaned file will lie, `tone` that of the region's place.

    Raises:
        ValueError: the outcome has another number of windows.
    """
    by_use = {
        use.id: UseReport(
            use,
            told.left_alone,
            told.diagnosis,
            told.plan,
            told.verdict,
            region=region.id if told.plan is not None else "",
            evidence=_mapping(told.evidence),
        )
        for told, uses in zip(outcome.uses, windows_of(region).values(), strict=True)
        for use in uses
    }
    plan = outcome.tone
    return RegionOutcome(
        reports=tuple(by_use[use.id] for use in region.uses),
        cleaned=None if outcome.sound_sha256 is None else cleaned_media(region, final),
        clipped_samples=outcome.clipped_samples,
        tone=None
        if plan is None
        else (place_of(region), replace(plan, tone=tone if outcome.has_tone else None)),
        account=_mapping(outcome.account),
    )


def _mapping(told: Json) -> Mapping[str, Any] | None:
    if told is not None and not isinstance(told, dict):
        raise ValueError(f"an object expected, not {type(told).__name__}")
    return told


def places_recipe(stretches: Sequence[str]) -> str:
    """By what a place's tone is known: the stretches in which it is looked for."""
    return sha256_of_json(["tone", sorted(stretches)])
