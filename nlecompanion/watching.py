"""Ties the daemon to readers and to processes of work: what `nlecompanion watch` runs.

The pipeline itself is loaded by the processes of work alone (`job_work`), not here.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from nlecompanion.errors import MediaError
from nlecompanion.isolation import Isolation
from nlecompanion.job_process import JobProcesses
from nlecompanion.media.find import wanted_urls
from nlecompanion.media.locate import local_path, readings
from nlecompanion.settings import Settings, load_profile, profile_names
from nlecompanion.timeline.choice import choose
from nlecompanion.timeline.documents import read_document, recognise
from nlecompanion.watch.announcing import announcing
from nlecompanion.watch.contract import Needs, Underway, WatchSettings, WorkOrder
from nlecompanion.watch.daemon import Means, open_daemon
from nlecompanion.watch.logs import log_state_changes
from nlecompanion.watch.options import FolderOptions, load_options
from nlecompanion.watch.reloading import Reloading

logger = logging.getLogger(__name__)

#: A reader that has read this many documents is replaced: memory that it has lost comes back.
_DOCUMENTS_A_READER = 200


def watch_folder(
    folder: Path,
    settings: Callable[[], Settings],
    *,
    files: tuple[Path, ...] = (),
    polling: bool,
    say: Callable[[str], None],
) -> None:
    """Watches until SIGTERM or Ctrl-C.

    `settings` gives the job's settings; when one of the `files` that they come from has changed,
    they are asked for again.

    Raises:
        SettingsError: the settings or the folder's own options cannot be used.
        WatchError: the folder cannot be watched, or another daemon watches it.
    """
    log_state_changes()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Reader() as reader, announcing() as announcer, JobProcesses() as processes:

        def means() -> Means:
            chosen, options = settings(), load_options(folder)
            announcer.adopt(options.webhook, notify=options.notify)
            reader.settings = chosen
            watched = _with_options(chosen, options, polling)

            def start(order: WorkOrder) -> Underway:
                return processes.start(order, chosen, options.stall_s)

            return Means(start, reader, watched, reader.rest, processes.rest)

        fresh = Reloading(means, (folder / "watch.toml", *files))
        first = fresh.first()
        state_dir = load_options(folder).state_dir
        with open_daemon(
            folder,
            first.start,
            first.check,
            first.settings,
            state_dir=state_dir,
            rest=first.rest,
            idle=first.idle,
        ) as daemon:
            say(f"Watching {daemon.places.inbox}. Ctrl-C ends it.")
            daemon.run(stop, fresh)


def _with_options(settings: Settings, options: FolderOptions, polling: bool) -> WatchSettings:
    return replace(
        watch_settings(settings, polling=polling or options.polling),
        still_s=options.still_s,
        rescan_s=options.rescan_s,
        poll_s=options.poll_s,
        retry_parked_s=options.retry_parked_s,
    )


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


class Reader:
    """Parses documents to their end, in a child process that serves many of them."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._isolation = Isolation()
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._isolation.__exit__(kind, error, trace)

    def __call__(self, document: Path) -> Needs:
        """The media whose sound would be worked on, where this machine has, or would have, them.

        Raises:
            DocumentError: the document cannot be read.
        """
        self._read += 1
        if self._read > _DOCUMENTS_A_READER:
            self.rest()
        read = read_document(document, recognise(document, self._isolation), self._isolation)
        chosen = choose(read.uses, self.settings.tracks, Fraction(0))
        media = tuple(self._path(url, document) for url in sorted(wanted_urls(chosen)))
        sound_s = sum(
            (use.record.duration_s for use in chosen if use.left_alone is None), Fraction(0)
        )
        return Needs(media, float(sound_s))

    def rest(self) -> None:
        """Ends the child; the next document starts another."""
        self._isolation.__exit__(None, None, None)
        self._read = 0

    def _path(self, url: str, document: Path) -> Path:
        try:
            return local_path(url, document, self.settings.path_map, self.settings.media_roots)
        except MediaError:
            # Nothing is there now; a name to go by is enough.
            return document.parent / next(iter(readings(url)), url).replace("\0", "")
