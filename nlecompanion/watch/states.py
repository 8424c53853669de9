"""A drop, the states that it goes through, and the line that each change of state writes.

    seen ─► stable ─► (queued) ─► working ─► (delivering) ─► done
      │        │                     │ ▲                      failed
      ├─► duplicate                  ▼ │                      gone
      └─► failed, gone              parked

On request: whatever is still to be done ─► cancelled; what has ended ─► seen (retry) or forgotten.
`queued` and `delivering` are known to the journal and not used: what waits is `stable`, and a
delivery is one rename.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum

from nlecompanion.watch.names import shown
from nlecompanion.watch.stability import Sighting

logger = logging.getLogger(__name__)


class State(StrEnum):
    """Where a drop stands."""

    SEEN = "seen"
    STABLE = "stable"
    QUEUED = "queued"
    WORKING = "working"
    DELIVERING = "delivering"
    DONE = "done"
    FAILED = "failed"
    PARKED = "parked"
    DUPLICATE = "duplicate"
    GONE = "gone"
    CANCELLED = "cancelled"
    FORGOTTEN = "forgotten"


#: A second drop of the same content is not worked on beside one of these.
LIVE = (
    State.STABLE,
    State.QUEUED,
    State.WORKING,
    State.DELIVERING,
    State.DONE,
    State.PARKED,
)
#: Something is still to be done.
OPEN = (
    State.SEEN,
    State.STABLE,
    State.QUEUED,
    State.WORKING,
    State.DELIVERING,
    State.PARKED,
)

#: What has come to its end, and can be forgotten.
ENDED = (State.DONE, State.FAILED, State.DUPLICATE, State.GONE, State.CANCELLED)

#: The changes that there are.
NEXT: dict[State, frozenset[State]] = {
    State.SEEN: frozenset(
        {State.STABLE, State.DUPLICATE, State.FAILED, State.GONE, State.CANCELLED}
    ),
    State.STABLE: frozenset(
        {State.SEEN, State.QUEUED, State.WORKING, State.PARKED, State.GONE, State.CANCELLED}
    ),
    State.QUEUED: frozenset({State.STABLE, State.WORKING, State.GONE, State.CANCELLED}),
    State.WORKING: frozenset(
        {
            State.STABLE,
            State.DELIVERING,
            State.DONE,
            State.FAILED,
            State.PARKED,
            State.GONE,
            State.CANCELLED,
        }
    ),
    State.DELIVERING: frozenset({State.STABLE, State.DONE, State.FAILED, State.PARKED}),
    State.PARKED: frozenset({State.SEEN, State.WORKING, State.GONE, State.CANCELLED}),
    State.DUPLICATE: frozenset({State.SEEN, State.FORGOTTEN}),
    State.DONE: frozenset({State.SEEN, State.FORGOTTEN}),
    State.FAILED: frozenset({State.SEEN, State.FORGOTTEN}),
    State.GONE: frozenset({State.FORGOTTEN}),
    State.CANCELLED: frozenset({State.SEEN, State.FORGOTTEN}),
    State.FORGOTTEN: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the journal, its columns in this order.

    `path` is relative to the inbox, with `/`. `slot` names the delivery, and `filed`
    the copy in `failed/`; None where there is none. `crashes` counts processes that died of the
    work; `sound_s` is how much dialogue there is, in seconds, once that is known.
    """

    id: int
    path: str
    size_bytes: int
    modified_ns: int
    state: State
    profile: str
    document_sha256: str | None
    identity: str | None
    duplicate_of: int | None
    slot: str | None
    attempts: int
    cleaned: int | None
    failed: int | None
    message: str
    filed: str | None
    crashes: int
    sound_s: float | None

    @property
    def sighting(self) -> Sighting:
        """What the file looked like."""
        return Sighting(self.path, self.size_bytes, self.modified_ns)


def tell(job: Job, before: State | None, note: str) -> None:
    """One line a state change: text for people, `extra` for machines."""
    logger.log(
        logging.WARNING if job.state in (State.FAILED, State.PARKED) else logging.INFO,
        "%s: %s%s",
        shown(job.path),
        job.state.value,
        f" ({note})" if note else "",
        extra={
            "event": "state",
            "job": job.id,
            "document": shown(job.path),
            "state": job.state.value,
            "state_before": before.value if before else None,
            "profile": job.profile,
            "note": note,
        },
    )
