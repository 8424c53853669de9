"""What the daemon is given: the start of work, the check, the settings, the clock.

The daemon decides when a document is worked on and that it is worked on once; what the work is, and
in which process it is done, it does not know. Whoever starts the daemon hands in both callables.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nlecompanion.errors import SettingsError


def _nobody(done_s: float, total_s: float, what: str) -> None:
    """Whom progress is told where nobody looks."""


def _yes() -> bool:
    """Where nobody objects."""
    return True


def _nothing() -> None:
    """Where nobody waits."""


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """One document to work on.

    `document` stays where it was dropped: relative media paths resolve against its folder, and it
    is never written to. `out` is the folder that the delivery must get in the end; it does not
    exist yet. `staging` is an empty folder on the same file system, cleared before and after.
    `should_stop` turns true when the daemon is asked to end, when the job is cancelled, and when
    its media are away. `progress` may be told the seconds of sound done, those to do, and what is
    in work, as often as one likes. `is_sparing` asks for as little memory and as few processors as
    can be: the work beside is longer, or this one died before. A process that does the work keeps
    the descriptors `keep_open`, which hold the folder's lock. `wake` may be called from any thread
    when there is something to poll for. `may_hand_back` is asked once, right before the delivery
    gets its name: no, where media went away during the last of the work.
    """

    document: Path
    profile: str
    out: Path
    staging: Path
    should_stop: Callable[[], bool]
    progress: Callable[[float, float, str], None] = _nobody
    is_sparing: bool = False
    keep_open: tuple[int, ...] = ()
    wake: Callable[[], None] = _nothing
    may_hand_back: Callable[[], bool] = _yes


@dataclass(frozen=True, slots=True)
class JobResult:
    """What became of one document. `delivery` is `WorkOrder.out`, or None: nothing to deliver.

    `cleaned` and `failed` count uses; `message` is one line for the editor.
    """

    delivery: Path | None
    cleaned: int
    failed: int
    message: str


class Work(Protocol):
    """Works on one document and renames the whole delivery to `order.out` in one step.

    Where it was killed, it is called again with the same `out`, unless `out` exists by then: a
    folder of that name is taken for a complete delivery.

    Raises:
        Interrupted: `should_stop` was true; the daemon knows why, and what is to become of the job.
        NoSpace, NotWritable: the job is parked and tried again later.
        NleCompanionError: the document cannot be worked on; it goes to `failed/` with the line.
    """

    def __call__(self, order: WorkOrder) -> JobResult:
        """Does the work."""


class WorkDied(Exception):
    """The process that did the work crashed, was killed or hung; `str()` says how."""


class Underway(Protocol):
    """Work that has been started."""

    def poll(self) -> JobResult | None:
        """The result; None while the work goes on. Raises what `Work` raises, and `WorkDied`."""

    def stop(self) -> None:
        """Asks for an end soon: `poll` then raises `Interrupted`, unless it was done before."""


class Start(Protocol):
    """Starts the work on one document, which must not hold up whoever calls this."""

    def __call__(self, order: WorkOrder) -> Underway:
        """Starts it."""


class _Inline:
    def __init__(self, work: Work, order: WorkOrder) -> None:
        self._work, self._order = work, order

    def poll(self) -> JobResult | None:
        """Does the whole work."""
        return self._work(self._order)

    def stop(self) -> None:
        """Comes too late or too early: `should_stop` is asked by the work itself."""


def inline(work: Work) -> Start:
    """Work that is done in this very process while it is polled; for short work and for tests."""
    return lambda order: _Inline(work, order)


@dataclass(frozen=True, slots=True)
class Needs:
    """The media whose sound would be worked on, there or not, and how much of it, in seconds."""

    media: Sequence[Path]
    sound_s: float = 0.0


class Check(Protocol):
    """Says whether a document parses to its end, and what it needs.

    Raises:
        NotATimeline: it does not, or not yet: asked again when the file has been still for longer.
        DocumentError: it never will.
    """

    def __call__(self, document: Path) -> Needs:
        """Reads the document."""


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How a folder is watched.

    `profiles` maps the name of each profile to a fingerprint of its settings: with other settings
    the same document is another job. `still_s` is how long a file must not have changed before it
    is looked into; a file that does not parse then gets until `patience_s`, since copies stall.
    Its media must have been still for `still_s` as well.
    Without events (`polling`) the inbox is looked at every `poll_s` instead of every `rescan_s`,
    which varies by the share `jitter` either way: machines that started together part.
    """

    profiles: Mapping[str, str]
    default_profile: str = "exposed"
    still_s: float = 5.0
    patience_s: float = 30.0
    rescan_s: float = 60.0
    polling: bool = False
    poll_s: float = 5.0
    retry_parked_s: float = 60.0
    jitter: float = 0.1
    max_document_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        if self.default_profile not in self.profiles:
            raise SettingsError(
                f"There is no profile {self.default_profile!r}. "
                f"Known profiles: {', '.join(sorted(self.profiles))}."
            )
        if min(self.rescan_s, self.poll_s, self.retry_parked_s) <= 0 or self.still_s < 0:
            raise SettingsError(
                f"The watch intervals must be above 0 s (rescan {self.rescan_s:g}, poll "
                f"{self.poll_s:g}, retry {self.retry_parked_s:g}, still {self.still_s:g})."
            )


class Clock(Protocol):
    """Both kinds of time, in seconds."""

    def monotonic_s(self) -> float:
        """For intervals: never jumps."""

    def wall_s(self) -> float:
        """For the journal: seconds since 1970, may jump."""


class SystemClock:
    """The machine's own clock."""

    def monotonic_s(self) -> float:
        """For intervals: never jumps."""
        return time.monotonic()

    def wall_s(self) -> float:
        """For the journal: seconds since 1970, may jump."""
        return time.time()
