"""Looks into a file that is still: which job it is, or why it is none."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nlecompanion.errors import (
    NleCompanionError,
    NotATimeline,
    SettingsError,
    UnsupportedDocument,
)
from nlecompanion.settings import own_files
from nlecompanion.watch.contract import Check, WatchSettings
from nlecompanion.watch.digest import document_files, one_line, sha256_of, unexpected
from nlecompanion.watch.filing import file_failure
from nlecompanion.watch.journal import Journal, identity_of
from nlecompanion.watch.layout import WatchFolder
from nlecompanion.watch.media import SeenMedia, look_again, look_at
from nlecompanion.watch.names import shown
from nlecompanion.watch.scan import sighting_of
from nlecompanion.watch.stability import Sighting, StabilityTracker, Still
from nlecompanion.watch.states import State

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Identity:
    profile: str
    document_sha256: str
    value: str
    media: tuple[SeenMedia, ...]
    sound_s: float


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A document that is complete, whose media are being watched since `since_s`."""

    sighting: Sighting
    outcome: _Identity
    since_s: float


@dataclass(frozen=True, slots=True)
class _Refusal:
    """`for_good` is false where a little later the answer may be another."""

    line: str
    for_good: bool


class Taker:
    """Moves still files from `seen` to `stable`, `duplicate` or `failed`."""

    def __init__(
        self,
        places: WatchFolder,
        journal: Journal,
        tracker: StabilityTracker,
        check: Check,
        settings: WatchSettings,
    ) -> None:
        self._places = places
        self._journal = journal
        self._tracker = tracker
        self._check = check
        self._settings = settings
        self._waiting: dict[str, _Waiting] = {}

    def adopt(self, check: Check, settings: WatchSettings) -> None:
        """From now on with these."""
        self._check, self._settings = check, settings
        self._waiting.clear()

    def keep_only(self, paths: Collection[str]) -> None:
        """Forgets files that have vanished or are settled."""
        self._waiting = {path: w for path, w in self._waiting.items() if path in paths}

    def take(self, still: Still, now_s: float, should_stop: Callable[[], bool]) -> None:
        """Decides on one file, or asks the tracker to wait for longer.

        Nothing is refused while `should_stop`: what ends the daemon may have ended the reader too.

        Raises:
            NoSpace, NotWritable: the line in `failed/` could not be written; nothing is decided.
        """
        sighting = still.sighting
        job = self._journal.at(sighting.path)
        if job is None or job.state is not State.SEEN:
            self._tracker.forget(sighting.path)
            return
        outcome = self._outcome(sighting)
        if isinstance(outcome, _Refusal) and should_stop():
            return
        now = sighting_of(self._places.inbox, sighting.path)
        if now != sighting:  # it changed while it was read: whatever was found out is void
            if now is None:
                self._tracker.forget(sighting.path)
            else:
                self._tracker.observe(now, now_s)
            return
        if isinstance(outcome, _Identity):
            if (left_s := self._media_wait_s(sighting, outcome, now_s)) > 0:
                self._tracker.ask_again(sighting.path, still.still_s + left_s)
                return
            self._journal.take(
                job,
                sighting,
                outcome.profile,
                outcome.document_sha256,
                outcome.value,
                outcome.media,
                outcome.sound_s,
            )
        elif not outcome.for_good and still.still_s < self._settings.patience_s:
            self._tracker.ask_again(sighting.path, self._settings.patience_s)
            return
        else:
            document = self._places.inbox / sighting.path
            filed = file_failure(self._places.failed, document, outcome.line)
            self._journal.fail(job, outcome.line, filed, sighting)
        self._tracker.forget(sighting.path)

    def _outcome(self, sighting: Sighting) -> _Identity | _Refusal:
        """What a look into the file gives; one is enough while neither it nor its media change."""
        waiting = self._waiting.get(sighting.path)
        if waiting is not None and waiting.sighting == sighting:
            known = waiting.outcome
            if look_again(known.media, self._places.inbox / sighting.path) == known.media:
                return known
        return self._identify(sighting)

    def _media_wait_s(self, sighting: Sighting, outcome: _Identity, now_s: float) -> float:
        """How long the media must still keep size and time, for they must do so for `still_s`.

        Their own times are not asked: clocks of servers are wrong, and copies keep times.
        """
        if not any(seen.is_there for seen in outcome.media):
            return 0.0
        waiting = self._waiting.get(sighting.path)
        if waiting is None or waiting.sighting != sighting or waiting.outcome != outcome:
            waiting = self._waiting[sighting.path] = _Waiting(sighting, outcome, now_s)
        return waiting.since_s + self._settings.still_s - now_s

    def _identify(self, sighting: Sighting) -> _Identity | _Refusal:
        document = self._places.inbox / sighting.path
        try:
            profile = self._profile(sighting.path)
            self._refuse_huge(document)
            sha256 = sha256_of(document)
            needs = self._check(document)
            media = look_at(needs.media, document)
            # The user's own keys beside the document are settings of this job like the others.
            own = "".join(sha256_of(file) for file in own_files(document))
            settings = self._settings.profiles[profile] + own
            value = identity_of(sha256, profile, settings, media)
        except NotATimeline as error:
            return _Refusal(one_line(error), for_good=False)
        except NleCompanionError as error:
            return _Refusal(one_line(error), for_good=True)
        except OSError as error:
            # Windows refuses to open what another program still writes.
            line = (
                f"{shown(document.name)} cannot be read ({error.strerror}). "
                "Give this user the right to read it, close it in other programs, drop it again."
            )
            return _Refusal(line, for_good=False)
        except Exception as error:
            logger.exception("%s could not be read", shown(sighting.path))
            return _Refusal(unexpected(sighting.path, error), for_good=True)
        return _Identity(profile, sha256, value, media, needs.sound_s)

    def _profile(self, path: str) -> str:
        """The profile that the first sub-folder names."""
        above = PurePosixPath(path).parts[:-1]
        if not above:
            return self._settings.default_profile
        known = {name.casefold(): name for name in self._settings.profiles}
        profile = known.get(above[0].casefold())
        if profile is None:
            raise SettingsError(
                f"There is no profile {shown(above[0])!r}. Drop the document into the inbox itself "
                f"or a sub-folder called {', '.join(sorted(self._settings.profiles))}."
            )
        return profile

    def _refuse_huge(self, document: Path) -> None:
        size_bytes = sum(part.stat().st_size for part in document_files(document))
        if size_bytes > self._settings.max_document_bytes:
            raise UnsupportedDocument(
                f"{shown(document.name)} has {size_bytes / 2**20:.0f} MiB; a timeline may "
                f"have {self._settings.max_document_bytes / 2**20:.0f} MiB. "
                "Export the timeline alone, without media."
            )
