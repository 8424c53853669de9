"""Ties the daemon to the pipeline: what `nlecompanion watch` runs."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nlecompanion import pipeline
from nlecompanion.delivery.receipt import summary
from nlecompanion.errors import Interrupted, NleCompanionError
from nlecompanion.model import FAILURES, Delivery
from nlecompanion.plugins import adapter_for
from nlecompanion.settings import Settings, load_profile, profile_names
from nlecompanion.watch.contract import JobResult, WatchSettings, Work, WorkOrder
from nlecompanion.watch.daemon import open_daemon
from nlecompanion.watch.names import delivery_name


def watch_folder(
    folder: Path, settings: Settings, *, polling: bool, say: Callable[[str], None]
) -> None:
    """Watches until SIGTERM or Ctrl-C.

    Raises:
        WatchError: the folder cannot be watched, or another daemon watches it.
    """
    _log_state_changes()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with open_daemon(
        folder, work_with(settings), read_whole, watch_settings(settings, polling=polling)
    ) as daemon:
        say(f"Watching {daemon.places.inbox}. Ctrl-C ends it.")
        daemon.run(stop)


def _log_state_changes() -> None:
    """One line a state change on standard error, whatever -v said."""
    logger = logging.getLogger("nlecompanion")
    if logger.getEffectiveLevel() > logging.INFO:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        watch = logging.getLogger("nlecompanion.watch")
        watch.addHandler(handler)
        watch.setLevel(logging.INFO)
        watch.propagate = False


def watch_settings(settings: Settings, *, polling: bool = False) -> WatchSettings:
    """The daemon's settings: each profile with the fingerprint of all that changes a result."""
    profiles = {name: load_profile(name) for name in profile_names()}
    profiles[settings.profile.name] = settings.profile
    return WatchSettings(
        profiles={
            name: replace(settings, profile=profile).fingerprint()
            for name, profile in profiles.items()
        },
        default_profile=settings.profile.name,
        polling=polling,
    )


def read_whole(document: Path) -> object:
    """Parses the document to its end."""
    return adapter_for(document).read(document)


def work_with(settings: Settings) -> Work:
    """The daemon's work: the pipeline, into the folder that the daemon has chosen."""

    def work(order: WorkOrder) -> JobResult:
        def watcher(_: pipeline.Progress) -> None:
            if order.should_stop():
                raise Interrupted(f"{order.document.name} was put back")

        profile = settings.profile
        if order.profile != profile.name:
            profile = load_profile(order.profile)
        made = pipeline.run(
            order.document,
            replace(settings, profile=profile),
            pipeline.Place(
                order.out.parent,
                order.out.name,
                order.staging,
                number=_number(order.out.name, order.document.name),
            ),
            watcher,
        )
        if made.folder is None and made.failed:
            raise NleCompanionError(_first_failure(made))
        return JobResult(made.folder, made.cleaned, made.failed, _message(made))

    return work


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
