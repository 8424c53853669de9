"""The order of the stages, readable aloud, and nothing else.

read the document, choose the dialogue, find the media, plan the regions
listen to all regions, find the room tones of their places, treat the hardest moment
each region: extract, measure, split, judge, mix, write (`work`), whoever does it
mark what needs a person, plan the conform, deliver
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from nlecompanion.decisions import Decisions
from nlecompanion.delivery.hand_back import write_receipt
from nlecompanion.delivery.names import safe_stem
from nlecompanion.delivery.staging import Staging, reserve, reserve_exactly
from nlecompanion.delivery.unpacking import room_for
from nlecompanion.errors import Interrupted, NleCompanionError
from nlecompanion.hand_over import Made, hand_over
from nlecompanion.job import Job, read_job, with_own_keys
from nlecompanion.job_record import JobRecord, keep_record
from nlecompanion.media.find import LISTENED_TO
from nlecompanion.media.locate import editor_path
from nlecompanion.model import CleanedClip, Delivery, Loss, Region, Span, UseReport
from nlecompanion.settings import Profile, Settings
from nlecompanion.timeline.conform import next_clean_name
from nlecompanion.verdict.flags import mark_dialogue
from nlecompanion.work import hears_speech, regions
from nlecompanion.work.cleaner import find_cleaner
from nlecompanion.work.neighbours import neighbour_floors_db
from nlecompanion.work.places import place_of
from nlecompanion.work.preview import (
    Preview,
    find_scouted,
    foresee,
    preview_receipt,
    preview_window,
    write_pair,
)
from nlecompanion.work.regions import Progress, Watcher, Worked, assignments, work_regions
from nlecompanion.work.survey_all import survey_all, tones_of
from nlecompanion.work.tasks_bench import Bench
from nlecompanion.work.tasks_decided import profile_for
from nlecompanion.work.tasks_done import Kept
from nlecompanion.work.tasks_opened import LateEngine, engines_for, open_bench
from nlecompanion.work.tone_clips import write_tone_clips
from nlecompanion.work.worker_jobs import Shelf

__all__ = ["Ask", "Job", "Place", "preview", "read_job", "run", "with_own_keys"]

_log = logging.getLogger(__name__)

#: Asked whether to go on although the hardest moment cannot be made good.
Ask = Callable[[Preview], bool]


def _nobody(_: Progress) -> None:
    """The watcher that does not look."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a delivery goes: a new folder below `out`.

    A caller that must know the folder's name beforehand says it (`name`, and its `number` among
    deliveries of one document), and may say where the delivery is filled (`staging`, on the same
    file system).
    """

    out: Path
    name: str | None = None
    staging: Path | None = None
    number: int = 1


@dataclass(frozen=True, slots=True)
class _Run:
    """What all stages of one run look at."""

    job: Job
    settings: Settings
    decisions: Decisions
    shelf: Shelf
    watcher: Watcher
    ask: Ask | None = None
    done: Kept | None = None

    def say(self, what: str) -> None:
        """Something goes on that has no length."""
        self.watcher(Progress(0, 1, what))

    def profile_of(self, region: Region) -> Profile:
        """As it was decided for the region's uses."""
        return profile_for(region, self.settings.profile, self.decisions)[0]


def run(
    document: Path,
    settings: Settings,
    place: Place,
    watcher: Watcher = _nobody,
    ask: Ask | None = None,
    decisions: Decisions | None = None,
    done: Kept | None = None,
) -> Delivery:
    """A timeline goes in, a delivery comes out.

    `watcher` is told of every block of sound. The hardest moment is treated first; where that
    fails, `ask` is asked whether to go on all the same. `decisions` are the editor's about single
    uses; what is in `done` is not done again. A timeline without anything to clean gives a
    `Delivery` without a folder, and nothing is written.

    Raises:
        DocumentError: the document cannot be worked on.
        EngineError: the engine cannot run.
        DeliveryError: the delivery could not be written; nothing stands under its final name.
        Interrupted: the watcher raised it, or `ask` said no.
    """
    decisions = decisions or Decisions()
    with room_for(document) as room:
        settings, own = with_own_keys(settings, document)
        main, _ = engines_for(settings)
        job = read_job(document, settings, room, decisions)
        job = replace(job, notes=(*own, *job.notes))
        this = _Run(job, settings, decisions, Shelf(), watcher, ask, done)
        if not job.regions:
            return Delivery(None, None, job.facts, _marked(this, {}), job.notes)
        staging, number = _reserved(document, place)
        with staging:
            delivery = _delivered(this, staging, number)
        if delivery.folder is not None:
            record = JobRecord(document.absolute(), settings, decisions, main.name)
            keep_record(record, delivery.folder)
        return delivery


def _reserved(document: Path, place: Place) -> tuple[Staging, int]:
    if place.name is None:
        return reserve(place.out.absolute(), next_clean_name(safe_stem(document.stem), 1))
    return reserve_exactly(place.out.absolute() / place.name, place.staging), place.number


def _delivered(this: _Run, staging: Staging, number: int) -> Delivery:
    """Everything from the first sound to the finished folder."""
    job, settings = this.job, this.settings
    where = regions.Place(
        staging.folder, lambda inside: editor_path(staging.final / inside, settings.path_map)
    )
    with open_bench(settings, this.shelf, job.regions, staging.folder, this.done) as bench:
        worked, foreseen = _worked(this, bench, where)
        engine = LateEngine(this.shelf, bench.main)
    cleaner = find_cleaner(
        worked.reports,
        job.regions,
        job.files.values(),
        settings,
        engine,
        lambda what: this.watcher(Progress(1.0, 1.0, what)),
    )
    worked.reports = cleaner.told(worked.reports)
    worked.losses += cleaner.notes
    marked = _marked(this, worked.reports)
    if not worked.clips and not worked.offers:
        return Delivery(None, None, job.facts, marked, (*job.notes, *worked.losses))
    tones = _tone_clips(this, worked, where)
    delivery = hand_over(
        Made(job, settings, engine.info, worked, tones, marked, foreseen, this.decisions, number),
        staging,
    )
    # Media that went away during the last region leave no half result.
    this.watcher(Progress(1, 1, "Handing back", hands_back=True))
    staging.commit()
    return delivery


def _worked(this: _Run, bench: Bench, where: regions.Place) -> tuple[Worked, Preview | None]:
    """All regions, after the hardest moment of them has been looked at."""
    job = this.job
    surveys = survey_all(job.regions, bench, this.say)
    tones = tones_of(job.regions, surveys, bench, this.say)
    foreseen = foresee(surveys, bench, tones, this.profile_of, this.say)
    if foreseen is not None and foreseen.failed and this.ask is not None and not this.ask(foreseen):
        raise Interrupted("Stopped after the preview")
    heard = [(s.region, s.track) for s in surveys if s is not None]
    floors_db = neighbour_floors_db(heard, this.settings.profile)
    chosen = assignments(job.regions, job.uses, tones, this.profile_of, floors_db)
    accepted = frozenset(u.id for u in job.uses if this.decisions.of(u.id).accept)
    worked = work_regions(chosen, bench, where, this.watcher, accepted)
    worked.losses += _undone(this)
    return worked, foreseen


def _undone(this: _Run) -> list[Loss]:
    """Decisions that could not be followed."""
    profile = this.settings.profile
    return [
        loss
        for region in this.job.regions
        for loss in profile_for(region, profile, this.decisions)[1]
    ]


def _tone_clips(this: _Run, worked: Worked, where: regions.Place) -> Sequence[CleanedClip]:
    job = this.job
    return write_tone_clips(
        worked.tones,
        where,
        worked.names,
        this.settings.profile.tone_clip_s,
        Span(Fraction(0), max(use.record.end_s for use in job.uses)),
        job.facts.rate,
    )


def preview(
    document: Path, settings: Settings, place: Place, watcher: Watcher = _nobody
) -> tuple[Path, Preview] | None:
    """Treats the hardest moment alone: a folder with `before.wav`, `after.wav` and the account.

    Returns that folder and what was found, or None where nobody speaks or nothing can be read.

    Raises:
        DocumentError, EngineError, MediaError, DeliveryError, Interrupted: as `run`.
    """
    settings, _ = with_own_keys(settings, document)
    with room_for(document) as room:
        job = read_job(document, settings, room)
        this = _Run(job, settings, Decisions(), Shelf(), watcher)
        staging, _ = reserve(place.out.absolute(), f"{safe_stem(document.stem)} preview")
        with staging:
            with open_bench(settings, this.shelf, job.regions, staging.folder) as bench:
                surveys = survey_all(job.regions, bench, this.say)
                known = [surveyed for surveyed in surveys if surveyed is not None]
                found = find_scouted(known, bench, this.say)
                if not found:
                    return None
                tones = tones_of(job.regions, surveys, bench, this.say)
                tone = tones[place_of(found[0].region)]
                seen = preview_window(found[0], bench, tone, settings.profile, staging.folder)
            if seen is None:
                return None
            write_pair(found[0].as_region(), staging.folder)
            write_receipt(preview_receipt(seen, job.facts), staging.folder / "preview.json")
            return staging.commit(), seen


def _marked(this: _Run, reports: dict[str, UseReport]) -> tuple[UseReport, ...]:
    """A report for every use of the timeline, in order, with markers where a person is needed."""
    every = [reports.get(use.id, UseReport(use, use.left_alone)) for use in this.job.uses]
    return mark_dialogue(every, _heard(this), this.settings.tracks)


def _heard(this: _Run) -> set[str]:
    """Ids of the uses that are left alone and in whose source somebody speaks."""
    job, min_speech_s = this.job, this.settings.profile.min_speech_s
    heard: set[str] = set()
    for use in job.uses:
        media = job.files.get(use.media_url)
        if use.left_alone is None or use.left_alone.reason not in LISTENED_TO or media is None:
            continue
        try:
            if hears_speech(use, media, job.facts.sample_rate_hz, min_speech_s):
                heard.add(use.id)
        except NleCompanionError as error:
            _log.warning("%s could not be listened to: %s", use.id, error)
    return heard
