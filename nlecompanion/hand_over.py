"""What lies in a delivery beside its sound: flags, documents, the report and the receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nlecompanion.decisions import Decisions
from nlecompanion.delivery.flags import write_flags
from nlecompanion.delivery.hand_back import RECEIPT_NAME, write_documents, write_receipt
from nlecompanion.delivery.names import safe_stem
from nlecompanion.delivery.paths import path_losses
from nlecompanion.delivery.receipt import receipt
from nlecompanion.delivery.report import ReportLimits, write_report
from nlecompanion.delivery.staging import Staging
from nlecompanion.engines.contract import EngineInfo
from nlecompanion.errors import UnsupportedDocument
from nlecompanion.job import Job, document_digest
from nlecompanion.model import CleanedClip, ConformPlan, Delivery, Loss, UseReport
from nlecompanion.settings import Settings
from nlecompanion.timeline.conform import markers_for, next_clean_name, plan_conform
from nlecompanion.work.preview import Preview, bet_on, preview_receipt
from nlecompanion.work.regions import Worked


@dataclass(frozen=True, slots=True)
class Made:
    """All that a delivery is made of. `number` is its own among those of one document."""

    job: Job
    settings: Settings
    engine: EngineInfo
    worked: Worked
    tones: Sequence[CleanedClip]
    reports: Sequence[UseReport]
    foreseen: Preview | None
    decisions: Decisions
    number: int


def hand_over(made: Made, staging: Staging) -> Delivery:
    """Writes all of it into the staged folder.

    Raises:
        UnsupportedDocument: the document is not the one that was read.
        DeliveryError: the folder cannot be written.
    """
    job, document = made.job, made.job.document
    if document_digest(document) != job.document_sha256:
        raise UnsupportedDocument(
            f"{document.name} was exported again while it was worked on. Run once more."
        )
    stem = next_clean_name(safe_stem(document.stem), made.number)
    losses = [*job.notes, *made.worked.losses]
    losses += write_flags(made.reports, document, job.facts, staging.folder, stem, made.decisions)
    plan = _plan(made)
    conformed = staging.folder / f"{stem}{document.suffix}"
    neutral = None if job.adapter == "otio" else staging.folder / f"{stem}.otio"
    losses += write_documents(job.adapter, document, plan, conformed, neutral)
    losses += path_losses(job.uses, document, conformed.name)
    delivery = Delivery(
        folder=staging.final,
        document=staging.final / conformed.name,
        timeline=job.facts,
        uses=tuple(made.reports),
        losses=tuple(losses),
        plan=plan,
        regions=made.worked.accounts,
    )
    delivery = replace(delivery, losses=(*delivery.losses, *_write_report(made, delivery, staging)))
    write_receipt(_receipt(made, delivery), staging.folder / RECEIPT_NAME)
    return delivery


def _plan(made: Made) -> ConformPlan:
    job, worked = made.job, made.worked
    return plan_conform(
        next_clean_name(job.facts.name or job.document.stem, made.number),
        job.uses,
        worked.clips,
        markers_for(made.reports),
        worked.offers,
        made.tones,
    )


def _write_report(made: Made, delivery: Delivery, staging: Staging) -> list[Loss]:
    return write_report(
        delivery,
        made.job.document.name,
        made.settings,
        made.engine,
        made.job.regions,
        staging.folder,
        ReportLimits(sound_mb=made.settings.report_sound_mb),
    )


def _receipt(made: Made, delivery: Delivery) -> dict[str, object]:
    seen, job = made.foreseen, made.job
    told = None if seen is None else preview_receipt(seen, job.facts)
    return receipt(
        delivery,
        document_name=job.document.name,
        document_sha256=job.document_sha256,
        settings=made.settings,
        engine=made.engine,
        preview=None if seen is None or told is None else told | bet_on(seen, made.worked.accounts),
    )
