"""The order of the stages, readable aloud, and nothing else.

read the document, choose the dialogue, find the media, plan the regions
each region: extract, measure, split, judge, mix, write (`work`)
mark what needs a person, plan the conform, deliver
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from nlecompanion.delivery.flags import write_flags
from nlecompanion.delivery.hand_back import RECEIPT_NAME, write_documents, write_receipt
from nlecompanion.delivery.names import safe_stem
from nlecompanion.delivery.paths import path_losses
from nlecompanion.delivery.receipt import receipt
from nlecompanion.delivery.report import ReportLimits, write_report
from nlecompanion.delivery.staging import Staging, disk_errors, reserve, reserve_exactly
from nlecompanion.delivery.unpacking import room_for
from nlecompanion.engines.threads import settle_threads
from nlecompanion.errors import (
    Interrupted,
    NleCompanionError,
    NotATimeline,
    UnsupportedDocument,
)
from nlecompanion.isolation import Isolation
from nlecompanion.media.bundles import unpack_media
from nlecompanion.media.find import LISTENED_TO, find_media, wanted_urls
from nlecompanion.media.locate import editor_path
from nlecompanion.model import (
    CleanedClip,
    Delivery,
    Loss,
    MediaFile,
    Region,
    Span,
    TimelineFacts,
    Use,
    UseReport,
)
from nlecompanion.plugins import engine_factory
from nlecompanion.settings import Settings, overlaid, own_files
from nlecompanion.timeline.choice import choose, require_tracks
from nlecompanion.timeline.conform import (
    markers_for,
    next_clean_name,
    plan_conform,
)
from nlecompanion.timeline.documents import read_document, recognise
from nlecompanion.timeline.regions import plan_regions
from nlecompanion.verdict.flags import mark_dialogue
from nlecompanion.work import Tools, hears_speech, regions
from nlecompanion.work.cleaner import find_cleaner
from nlecompanion.work.hardest import find_hardest
from nlecompanion.work.preview import (
    Preview,
    bet_on,
    foresee,
    preview_receipt,
    preview_window,
    write_pair,
)
from nlecompanion.work.regions import Progress, Watcher, Worked, work_regions
from nlecompanion.work.tone_clips import write_tone_clips

if TYPE_CHECKING:
    from nlecompanion.engines.contract import EngineFactory

_log = logging.getLogger(__name__)
#: Does what a mixer does by hand; always there.
LIGHT_ENGINE = "dsp"


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
class Job:
    """A document that has been read, with its uses settled against their media."""

    document: Path
    document_sha256: str
    adapter: str
    facts: TimelineFacts
    uses: tuple[Use, ...]
    files: dict[str, MediaFile]
    regions: tuple[Region, ...]
    notes: tuple[Loss, ...] = ()


def read_job(document: Path, settings: Settings, room: Path | None = None) -> Job:
    """Everything up to the first sound: uses, media, regions.

    Writes nothing but the media of a zip bundle, into `room`; without one, into a room of its own
    which is gone when this returns.

    Raises:
        DocumentError: the document cannot be worked on.
        SettingsError: a track was asked for that it does not have.
    """
    if not document.is_file() and not document.is_dir():
        raise NotATimeline(f"{document} is no file. Check the path.")
    with ExitStack() as stack:
        isolation = stack.enter_context(Isolation())
        room = room or stack.enter_context(room_for(document))
        adapter = recognise(document, isolation)
        digest = _digest(document)
        read = read_document(document, adapter, isolation)
        require_tracks(read.uses, settings.tracks)
        chosen = choose(read.uses, settings.tracks, Fraction(settings.profile.min_use_s))
        if room is not None:
            with disk_errors(room):
                unpack_media(document, wanted_urls(chosen), room, isolation)
        found = find_media(chosen, read.media, document, settings, isolation, room)
    uses, files = found.uses, found.files
    regions = plan_regions(uses, files, settings.handles_s, read.facts.sample_rate_hz)
    return Job(document, digest, adapter, read.facts, uses, files, regions, found.notes)


def with_own_keys(settings: Settings, document: Path) -> tuple[Settings, tuple[Loss, ...]]:
    """The settings with what the user's own files say about this timeline, and a note on each.

    Raises:
        SettingsError: a key or value in them that cannot be used.
    """
    notes = []
    for path in own_files(document.absolute()):
        profile, keys = overlaid(settings.profile, path)
        settings = replace(settings, profile=profile)
        notes.append(Loss(path.name, f"sets {', '.join(keys) or 'nothing'}"))
    return settings, tuple(notes)


def _digest(document: Path) -> str:
    """SHA-256 of a document; where it is a folder, of its files' digests in order of name."""
    if document.is_dir():
        parts = [_digest(p) for p in sorted(document.rglob("*")) if p.is_file()]
        return hashlib.sha256("".join(parts).encode("ascii")).hexdigest()
    with document.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def run(
    document: Path,
    settings: Settings,
    place: Place,
    watcher: Watcher = _nobody,
    ask: Ask | None = None,
) -> Delivery:
    """A timeline goes in, a delivery comes out.

    `watcher` is told of every block of sound. The hardest moment is treated first; where that
    fails, `ask` is asked whether to go on all the same. A timeline without anything to clean gives
    a `Delivery` without a folder, and nothing is written.

    Raises:
        DocumentError: the document cannot be worked on.
        EngineError: the engine cannot run.
        DeliveryError: the delivery could not be written; nothing stands under its final name.
        Interrupted: the watcher raised it, or `ask` said no.
    """
    with room_for(document) as room:
        return _run(document, settings, place, watcher, ask, room)


def _run(
    document: Path,
    settings: Settings,
    place: Place,
    watcher: Watcher,
    ask: Ask | None,
    room: Path | None,
) -> Delivery:
    settings, own = with_own_keys(settings, document)
    factory = engine_factory(settings.engine)
    job = read_job(document, settings, room)
    job = replace(job, notes=(*own, *job.notes))
    if not job.regions:
        return Delivery(None, None, job.facts, _marked(job, {}, settings), job.notes)
    tools = _tools(factory, settings)
    settle_threads()
    if place.name is None:
        staging, number = reserve(
            place.out.absolute(), next_clean_name(safe_stem(document.stem), 1)
        )
    else:
        staging = reserve_exactly(place.out.absolute() / place.name, place.staging)
        number = place.number
    with staging:
        where = regions.Place(
            staging.folder, lambda inside: editor_path(staging.final / inside, settings.path_map)
        )
        foreseen = foresee(job.regions, tools, settings.profile, staging.folder, watcher)
        if foreseen is not None and foreseen.failed and ask is not None and not ask(foreseen):
            raise Interrupted("Stopped after the preview")
        worked = work_regions(job.regions, job.uses, tools, settings.profile, where, watcher)
        cleaner = find_cleaner(
            worked.reports,
            job.regions,
            job.files.values(),
            settings,
            tools.main,
            lambda what: watcher(Progress(1.0, 1.0, what)),
        )
        worked.reports = cleaner.told(worked.reports)
        worked.losses += cleaner.notes
        marked = _marked(job, worked.reports, settings)
        if not worked.clips and not worked.offers:
            return Delivery(None, None, job.facts, marked, (*job.notes, *worked.losses))
        tones = write_tone_clips(
            worked.tones,
            where,
            worked.names,
            settings.profile.tone_clip_s,
            Span(Fraction(0), max(use.record.end_s for use in job.uses)),
            job.facts.rate,
        )
        delivery = _stage(job, tools, settings, staging, number, worked, tones, marked, foreseen)
        # The last moment to stop: media that went away during the last region leave no half result.
        watcher(Progress(1, 1, "Handing back"))
        staging.commit()
        return delivery


def preview(
    document: Path, settings: Settings, place: Place, watcher: Watcher = _nobody
) -> tuple[Path, Preview] | None:
    """Treats the hardest moment alone: a folder with `before.wav`, `after.wav` and the account.

    Returns that folder and what was found, or None where nobody speaks.

    Raises:
        DocumentError, EngineError, MediaError, DeliveryError, Interrupted: as `run`.
    """
    settings, _ = with_own_keys(settings, document)
    factory = engine_factory(settings.engine)
    with room_for(document) as room:
        job = read_job(document, settings, room)
        tools = _tools(factory, settings)
        settle_threads()
        found = find_hardest(job.regions, tools.main, lambda what: watcher(Progress(0, 1, what)))
        if not found:
            return None
        staging, _ = reserve(place.out.absolute(), f"{safe_stem(document.stem)} preview")
        with staging:
            seen = preview_window(found[0], tools, settings.profile, staging.folder)
            write_pair(found[0].as_region(), staging.folder)
            write_receipt(preview_receipt(seen, job.facts), staging.folder / "preview.json")
            return staging.commit(), seen


def _tools(factory: EngineFactory, settings: Settings) -> Tools:
    """The engine that was asked for does everything; with `auto`, light work is done by `dsp`."""
    main = factory.create()
    if settings.engine != "auto" or factory.info.name == LIGHT_ENGINE:
        return Tools(main, main)
    return Tools(main, engine_factory(LIGHT_ENGINE).create())


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


def _stage(
    job: Job,
    tools: Tools,
    settings: Settings,
    staging: Staging,
    number: int,
    worked: Worked,
    tones: Sequence[CleanedClip],
    reports: Sequence[UseReport],
    foreseen: Preview | None,
) -> Delivery:
    """Flags, documents, report and receipt into the staged folder."""
    document = job.document
    if _digest(document) != job.document_sha256:
        raise UnsupportedDocument(
            f"{document.name} was exported again while it was worked on. Run once more."
        )
    losses = [*job.notes, *worked.losses]
    stem = next_clean_name(safe_stem(document.stem), number)
    losses += write_flags(reports, document, job.facts, staging.folder, stem)
    plan = plan_conform(
        next_clean_name(job.facts.name or document.stem, number),
        job.uses,
        worked.clips,
        markers_for(reports),
        worked.offers,
        tones,
    )
    conformed = staging.folder / f"{stem}{document.suffix}"
    neutral = None if job.adapter == "otio" else staging.folder / f"{stem}.otio"
    losses += write_documents(job.adapter, document, plan, conformed, neutral)
    losses += path_losses(job.uses, document, conformed.name)
    delivery = Delivery(
        folder=staging.final,
        document=staging.final / conformed.name,
        timeline=job.facts,
        uses=tuple(reports),
        losses=tuple(losses),
        plan=plan,
        regions=worked.accounts,
    )
    missing = write_report(
        delivery,
        document.name,
        settings,
        tools.main.info,
        job.regions,
        staging.folder,
        ReportLimits(sound_mb=settings.report_sound_mb),
    )
    delivery = replace(delivery, losses=(*delivery.losses, *missing))
    write_receipt(
        receipt(
            delivery,
            document_name=document.name,
            document_sha256=job.document_sha256,
            settings=settings,
            engine=tools.main.info,
            preview=None
            if foreseen is None
            else preview_receipt(foreseen, job.facts) | bet_on(foreseen, worked.accounts),
        ),
        staging.folder / RECEIPT_NAME,
    )
    return delivery
