"""A watched folder with a fake clock and fake work, turned by hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testkit.clock import FakeClock

from nlecompanion.errors import NotATimeline
from nlecompanion.watch.contract import (
    Check,
    JobResult,
    Needs,
    Start,
    WatchSettings,
    WorkOrder,
    inline,
)
from nlecompanion.watch.daemon import Daemon, open_daemon
from nlecompanion.watch.journal import Journal
from nlecompanion.watch.states import Job, State

PROFILES = {"exposed": "1", "under-music": "1", "subtitled": "1"}
#: What `check` takes for the end of a document.
END = b"</end>"


def deliver(order: WorkOrder) -> JobResult:
    """Delivers a copy of the document, as the pipeline would: staged, then renamed."""
    assert not order.out.exists()
    assert list(order.staging.iterdir()) == []
    (order.staging / "conformed").write_bytes(order.document.read_bytes())
    order.staging.rename(order.out)
    return JobResult(order.out, 2, 0, "2 uses cleaned")


def check(document: Path) -> Needs:
    """A document is complete when it ends with `END`; its media are the lines before that."""
    content = document.read_bytes()
    if not content.endswith(END):
        raise NotATimeline(f"{document.name} ends too early. Export it again.")
    lines = content.splitlines()[:-1]
    return Needs(tuple(document.parent / os.fsdecode(line) for line in lines))


class Bench:
    """Drops files, opens daemons one after another on the same folder, turns them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = FakeClock()
        self.orders: list[WorkOrder] = []
        self.behaviour: Callable[[WorkOrder], JobResult] = deliver
        self.check: Check = check
        self.start: Start = inline(self.work)

    def work(self, order: WorkOrder) -> JobResult:
        """Notes the order and does what `behaviour` says."""
        self.orders.append(order)
        return self.behaviour(order)

    def drop(self, name: str, content: bytes | None = None) -> Path:
        """Puts a document into the inbox, complete unless `content` says otherwise."""
        path = self.root / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name) + END if content is None else content)
        return path

    @contextmanager
    def daemon(self, **settings: Any) -> Iterator[Daemon]:
        """A daemon on the folder, as after a start."""
        chosen = WatchSettings(**{"profiles": PROFILES, "jitter": 0, **settings})
        with open_daemon(self.root, self.start, self.check, chosen, self.clock) as daemon:
            yield daemon

    def turn(self, daemon: Daemon, seconds: float = 0.0) -> None:
        """Lets time pass, then turns the daemon until it wants to wait."""
        self.clock.advance(seconds)
        while daemon.step() == 0.0:
            pass

    def settle(self, daemon: Daemon, seconds: float = 5.0) -> None:
        """A turn that sees what is new, and one after `seconds`."""
        self.turn(daemon)
        self.turn(daemon, seconds)

    def jobs(self) -> list[Job]:
        """All rows of the journal, oldest first."""
        with Journal(self.root / ".nlecompanion" / "journal.sqlite3", self.clock) as journal:
            return sorted(journal.in_state(*State), key=lambda job: job.id)

    def states(self) -> dict[str, list[str]]:
        """The states of all rows by path, oldest first."""
        states: dict[str, list[str]] = {}
        for job in self.jobs():
            states.setdefault(job.path, []).append(job.state.value)
        return states

    def lying(self, folder: str) -> list[str]:
        """Names in `done`, `failed` or `working`."""
        return sorted(entry.name for entry in (self.root / folder).iterdir())
