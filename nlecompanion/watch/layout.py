"""The folders of a watched folder, and whether a folder can be one."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from nlecompanion.errors import WatchError

#: The folder that makes a folder a watched one.
PRIVATE = ".nlecompanion"


@dataclass(frozen=True, slots=True)
class WatchFolder:
    """Where things lie. Nothing in `inbox` is ever written to, renamed or deleted."""

    root: Path

    @property
    def inbox(self) -> Path:
        """Documents are dropped here, or into a sub-folder named after a profile."""
        return self.root / "inbox"

    @property
    def working(self) -> Path:
        """Staging folders; on the same file system as `done`, so that a rename hands over."""
        return self.root / "working"

    @property
    def done(self) -> Path:
        """Deliveries."""
        return self.root / "done"

    @property
    def failed(self) -> Path:
        """Copies of documents that could not be worked on, each with a line beside it."""
        return self.root / "failed"

    @property
    def private(self) -> Path:
        """The journal and the lock."""
        return self.root / PRIVATE

    @property
    def journal(self) -> Path:
        """The SQLite journal."""
        return self.private / "journal.sqlite3"

    @property
    def lock(self) -> Path:
        """The file whose lock says that a daemon watches this folder."""
        return self.private / "lock"


def prepare(folder: Path) -> WatchFolder:
    """Makes what is missing of a watched folder and proves that all of it can be written.

    Raises:
        WatchError: it is no folder, cannot be written, or lies inside another watched folder.
    """
    root = folder.resolve()
    for above in root.parents:
        if (above / PRIVATE).is_dir():
            raise WatchError(
                f"{root} lies inside the watched folder {above}: a delivery would become a job. "
                "Choose a folder outside it."
            )
    places = WatchFolder(root)
    for place in (root, places.inbox, places.working, places.done, places.failed, places.private):
        try:
            place.mkdir(parents=True, exist_ok=True)
            # The inbox is only read, so it may be one that this user cannot write to.
            if place != places.inbox:
                tempfile.TemporaryFile(dir=place).close()
        except OSError as error:
            raise WatchError(
                f"{place} cannot be used ({error.strerror}). "
                "Make it a folder that you may write to, or watch another one."
            ) from error
    return places
