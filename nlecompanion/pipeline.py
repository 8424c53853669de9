"""The order of the stages, readable aloud, and nothing else.

read the document, choose the dialogue, find the media, plan the regions
each region: extract, measure, split, judge, mix, write (`work`)
mark what needs a person, plan the conform, deliver
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from nlecompanion.delivery.hand_back import (
    RECEIPT_NAME,
    write_conformed,
    write_neutral,
    write_receipt,
)
from nlecompanion.delivery.names import safe_stem, unique_name
from nlecompanion.delivery.paths import path_losses
from nlecompanion.delivery.receipt import receipt
from nlecompanion.delivery.staging import Staging, disk_errors, reserve, reserve_exactly
from nlecompanion.engines.threads import settle_threads
from nlecompanion.errors import (
    Interrupted,
    MediaError,
    NleCompanionError,
    NoSpace,
    NotATimeline,
    NotWritable,
    UnsupportedDocument,
)
from nlecompanion.media.find import LISTENED_TO, find_media, why
from nlecompanion.media.locate import editor_path
from nlecompanion.model import (
    CleanedClip,
    CleanedMedia,
    Delivery,
    LeftAlone,
    Loss,
    MediaFile,
    Reason,
    Region,
    TimelineFacts,
    Use,
    UseReport,
)
from nlecompanion.plugins import adapter_for, engine_factory
from nlecompanion.settings import Settings
from nlecompanion.timeline.choice import choose, require_tracks
from nlecompanion.timeline.conform import (
    cleaned_clip,
    markers_for,
    next_clean_name,
    plan_conform,
)
from nlecompanion.timeline.contract import timeline_facts
from nlecompanion.timeline.regions import plan_regions
from nlecompanion.timeline.uses import read_uses
from nlecompanion.verdict.flags import mark_dialogue
from nlecompanion.work import RegionOutcome, Target, hears_speech, work_region

if TYPE_CHECKING:
    import opentimelineio as otio

    from nlecompanion.engines.contract import Engine
    from nlecompanion.timeline.contract import Adapter

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
class Job:
    """A document that has been read, with its uses settled against their media."""

    document: Path
    document_sha256: str
    adapter: Adapter
    timeline: otio.schema.Timeline
    facts: TimelineFacts
    uses: tuple[Use, ...]
    files: dict[str, MediaFile]
    regions: tuple[Region, ...]


def read_job(document: Path, settings: Settings) -> Job:
    """Everything up to the first sound: uses, media, regions. Writes nothing.

    Raises:
        DocumentError: the document cannot be worked on.
        SettingsError: a track was asked for that it does not have.
    """
    if not document.is_file() and not document.is_dir():
        raise NotATimeline(f"{document} is no file. Check the path.")
    adapter = adapter_for(document)
    digest = _digest(document)
    timeline = adapter.read(document)
    facts = timeline_facts(timeline)
    found = read_uses(timeline)
    require_tracks(found, settings.tracks)
    chosen = choose(found, settings.tracks, Fraction(settings.profile.min_use_s))
    uses, files = find_media(chosen, document, settings)
    regions = plan_regions(uses, files, settings.handles_s, facts.sample_rate_hz)
    return Job(document, digest, adapter, timeline, facts, uses, files, regions)


def _digest(document: Path) -> str:
    """SHA-256 of a document; where it is a folder, of its files' digests in order of name."""
    if document.is_dir():
        parts = [_digest(p) for p in sorted(document.rglob("*")) if p.is_file()]
        return hashlib.sha256("".join(parts).encode("ascii")).hexdigest()
    with document.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def run(document: Path, settings: Settings, place: Place, watcher: Watcher = _nobody) -> Delivery:
    """A timeline goes in, a delivery comes out.

    `watcher` is told of every block of sound. A timeline without anything to clean gives a
    `Delivery` without a folder, and nothing is written.

    Raises:
        DocumentError: the document cannot be worked on.
        EngineError: the engine cannot run.
        DeliveryError: the delivery could not be written; nothing stands under its final name.
        Interrupted: the watcher raised it.
    """
    factory = engine_factory(settings.engine)
    job = read_job(document, settings)
    if not job.regions:
        return Delivery(None, None, job.facts, _marked(job, {}, settings))
    engine = factory.create()
    settle_threads()
    if place.name is None:
        staging, number = reserve(
            place.out.absolute(), next_clean_name(safe_stem(document.stem), 1)
        )
    else:
        staging = reserve_exactly(place.out.absolute() / place.name, place.staging)
        number = place.number
    with staging:
        clips, reports, losses = _work_all(job, engine, settings, staging, watcher)
        marked = _marked(job, reports, settings)
        if not clips:
            return Delivery(None, None, job.facts, marked, tuple(losses))
        return _deliver(job, engine, settings, staging, number, clips, marked, losses)


def _work_all(
    job: Job, engine: Engine, settings: Settings, staging: Staging, watcher: Watcher
) -> tuple[dict[str, CleanedClip], dict[str, UseReport], list[Loss]]:
    """All regions, one after another: clips and reports by use id, and losses."""
    clips: dict[str, CleanedClip] = {}
    reports: dict[str, UseReport] = {}
    losses: list[Loss] = []
    names: set[str] = set()
    meter = _Meter(watcher, float(sum(r.length_samples / r.rate_hz for r in job.regions)))
    (staging.folder / CLIPS_FOLDER).mkdir()
    for region in job.regions:
        name = unique_name(f"{safe_stem(region.media.path.stem)} DX", ".wav", names)
        outcome = _work_one(region, engine, settings, staging, name, meter)
        reports |= {report.use.id: report for report in outcome.reports}
        if outcome.cleaned is None:
            continue
        names.add(name.casefold())
        losses += _clipping(outcome.cleaned, outcome.clipped_samples)
        for report in outcome.reports:
            if report.left_alone is None:
                clips[report.use.id] = cleaned_clip(report.use, region, outcome.cleaned)
                reports[report.use.id] = replace(report, cleaned_file=f"{CLIPS_FOLDER}/{name}")
    return clips, reports, losses


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
    region: Region, engine: Engine, settings: Settings, staging: Staging, name: str, meter: _Meter
) -> RegionOutcome:
    """One region; what goes wrong with it is said in its uses' reports."""
    scratch = staging.folder / _SCRATCH_FOLDER
    target = Target(
        staged=staging.folder / CLIPS_FOLDER / name,
        final=editor_path(staging.final / CLIPS_FOLDER / name, settings.path_map),
        scratch_folder=scratch,
    )
    try:
        with disk_errors(staging.folder):
            scratch.mkdir()
        return work_region(
            region, engine, settings.profile, target, lambda seconds: meter.add(seconds, name)
        )
    except (NoSpace, NotWritable, Interrupted):
        raise
    except Exception as error:  # one bad clip does not sink the others
        _log.exception("region %s of %s failed", region.id, region.media.path)
        target.staged.unlink(missing_ok=True)
        reports = tuple(UseReport(use, _failure(error)) for use in region.uses)
        return RegionOutcome(reports, None)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _failure(error: Exception) -> LeftAlone:
    if isinstance(error, MediaError):
        return why(error)
    if isinstance(error, NleCompanionError):
        return LeftAlone(Reason.FAILED, str(error))
    return LeftAlone(Reason.FAILED, f"{type(error).__name__}: {error}. Please report this.")


def _clipping(cleaned: CleanedMedia, samples: int) -> list[Loss]:
    if not samples:
        return []
    return [Loss(cleaned.path.name, f"{samples} samples over full scale were limited to it")]


def _marked(job: Job, reports: dict[str, UseReport], settings: Settings) -> tuple[UseReport, ...]:
    """A report for every use of the timeline, in order, with markers where a person is needed."""
    every = [reports.get(use.id, UseReport(use, use.left_alone)) for use in job.uses]
    return mark_dialogue(every, _heard(job, settings), settings.tracks)


def _heard(job: Job, settings: Settings) -> set[str]:
    """Ids of the uses that are left alone and in whose source somebody speaks."""
    heard: set[str] = set()
    for use in job.uses:
        media = job.files.get(use.media_url)
        if use.left_alone is None or use.left_alone.reason not in LISTENED_TO or media is None:
            continue
        try:
            if hears_speech(use, media, job.facts.sample_rate_hz, settings.profile.min_speech_s):
                heard.add(use.id)
        except NleCompanionError as error:
            _log.warning("%s could not be listened to: %s", use.id, error)
    return heard


def _deliver(
    job: Job,
    engine: Engine,
    settings: Settings,
    staging: Staging,
    number: int,
    clips: dict[str, CleanedClip],
    reports: Sequence[UseReport],
    losses: list[Loss],
) -> Delivery:
    """Documents into the staged folder, the conformed timeline last, then the rename."""
    document = job.document
    if _digest(document) != job.document_sha256:
        raise UnsupportedDocument(
            f"{document.name} was exported again while it was worked on. Run once more."
        )
    plan = plan_conform(
        next_clean_name(job.facts.name or document.stem, number),
        job.uses,
        clips,
        markers_for(reports),
    )
    stem = next_clean_name(safe_stem(document.stem), number)
    conformed = staging.folder / f"{stem}{document.suffix}"
    losses += write_conformed(job.adapter, document, plan, conformed)
    losses += path_losses(job.uses, conformed.name)
    if document.suffix.casefold() != ".otio":
        write_neutral(job.timeline, plan, staging.folder / f"{stem}.otio")
    write_receipt(
        receipt(
            document_name=document.name,
            document_sha256=job.document_sha256,
            facts=job.facts,
            settings=settings,
            engine=engine.info,
            uses=reports,
            losses=losses,
        ),
        staging.folder / RECEIPT_NAME,
    )
    folder = staging.commit()
    return Delivery(folder, folder / conformed.name, job.facts, tuple(reports), tuple(losses), plan)
