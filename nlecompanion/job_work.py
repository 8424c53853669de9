"""One job of the daemon: the pipeline, into the folder that the daemon has chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nlecompanion import pipeline
from nlecompanion.delivery.receipt import summary
from nlecompanion.errors import Interrupted, NleCompanionError
from nlecompanion.model import FAILURES, Delivery
from nlecompanion.settings import Settings, load_profile
from nlecompanion.watch.contract import JobResult, Work, WorkOrder
from nlecompanion.watch.names import delivery_name
from nlecompanion.work.regions import Progress


def work_with(settings: Settings) -> Work:
    """The work with these settings, in this process."""
    return lambda order: work_on(order, settings)


def work_on(order: WorkOrder, settings: Settings) -> JobResult:
    """Works on one document.

    Raises:
        As `watch.contract.Work`.
    """
    profile = settings.profile
    if order.profile != profile.name:
        profile = load_profile(order.profile)
    chosen = replace(settings, profile=profile)
    if order.is_sparing:
        chosen = sparing(chosen)
    made = pipeline.run(
        order.document,
        chosen,
        pipeline.Place(
            order.out.parent,
            order.out.name,
            order.staging,
            number=_number(order.out.name, order.document.name),
        ),
        _watcher(order),
    )
    if made.folder is None and made.failed:
        raise NleCompanionError(_first_failure(made))
    return JobResult(made.folder, made.cleaned, made.failed, _message(made))


def sparing(settings: Settings) -> Settings:
    """The same work, bit for bit, with as little memory and as few processors as can be."""
    return settings if settings.workers == 0 else replace(settings, workers=1)


def _watcher(order: WorkOrder) -> Callable[[Progress], None]:
    def watcher(progress: Progress) -> None:
        order.progress(progress.done_s, progress.total_s, progress.what)
        if order.should_stop() or (progress.hands_back and not order.may_hand_back()):
            raise Interrupted(f"{order.document.name} was put back")

    return watcher


def _first_failure(made: Delivery) -> str:
    """One line for `failed/`: how many uses, and the first reason with its next move."""
    reports = [r for r in made.uses if r.left_alone is not None and r.left_alone.reason in FAILURES]
    use, left_alone = reports[0].use, reports[0].left_alone
    return f"Nothing could be cleaned: {len(reports)} uses failed, first {use.name}: {left_alone}"


def _number(slot: str, document_name: str) -> int:
    """The number that the daemon put behind the document's name, so that ours go with it."""
    rest = slot.removeprefix(delivery_name(document_name)).strip()
    return int(rest) if rest.isdecimal() else 1


def _message(made: Delivery) -> str:
    counts = summary(made.uses)
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"{told or 'no uses'}." if made.folder else f"Nothing to clean: {told or 'no uses'}."
