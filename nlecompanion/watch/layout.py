"""The folders of a watched folder, and whether a folder can be one."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nlecompanion.errors import WatchError
from nlecompanion.watch.filesystems import network_kind

#: The folder that makes a folder a watched one.
PRIVATE = ".nlecompanion"
#: The file of the folder's own options.
OPTIONS = "watch.toml"


@dataclass(frozen=True, slots=True)
class WatchFolder:
    """Where things lie. Nothing in `inbox` is ever written to, renamed or deleted.

    Journal and lock lie in `state`, on a local disk, where one is named.
    """

    root: Path
    state: Path | None = None

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
        """What makes the folder a watched one; journal and lock, unless there is a `state`."""
        return self.root / PRIVATE

    @property
    def journal(self) -> Path:
        """The SQLite journal."""
        return (self.state or self.private) / "journal.sqlite3"

    @property
    def lock(self) -> Path:
        """The file whose lock says that a daemon watches this folder."""
        return (self.state or self.private) / "lock"

    @property
    def shared_lock(self) -> Path | None:
        """Where `state` is elsewhere: a lock inside the folder, for other machines."""
        return self.private / "lock" if self.state is not None else None


def existing(folder: Path, state_dir: Path | None) -> WatchFolder:
    """The places of a folder that is, or was, watched.

    Raises:
        WatchError: it never was.
    """
    root = folder.resolve()
    places = WatchFolder(root, _state_of(root, state_dir))
    if not places.journal.is_file():
        raise WatchError(
            f"{root} is no watched folder: there is no journal {places.journal}. "
            f"Start one by `nlecompanion watch`, or check the path."
        )
    return places


def _state_of(root: Path, state_dir: Path | None) -> Path | None:
    """One folder below `state_dir` for each watched folder."""
    if state_dir is None:
        return None
    number = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    return state_dir / f"{root.name}-{number}"


def _refuse_network(places: WatchFolder) -> None:
    place = places.journal.parent
    if kind := network_kind(place):
        raise WatchError(
            f"{place} lies on a network drive ({kind}), where the journal would not be safe. "
            f'Write state_dir = "a folder on a local disk" into {places.root / OPTIONS}.'
        )


def refuse_links(places: WatchFolder) -> None:
    """Nothing is written through a link: it would lead out of the folder, or to another disk.

    Raises:
        WatchError: one of the folders that are written to is a link.
    """
    for place in (places.working, places.done, places.failed, places.private):
        if place.is_symlink():
            raise WatchError(
                f"{place} is a link. Put a folder in its place; deliveries are renamed from "
                "working to done, so both must lie on one disk."
            )


def prepare(folder: Path, state_dir: Path | None = None) -> WatchFolder:
    """Makes what is missing of a watched folder and proves that all of it can be written.

    Raises:
        WatchError: it is no folder, cannot be written, lies inside another watched folder, or its
            journal would lie on a network drive; or one of its folders is a link.
    """
    root = folder.resolve()
    for above in root.parents:
        if (above / PRIVATE).is_dir():
            raise WatchError(
                f"{root} lies inside the watched folder {above}: a delivery would become a job. "
                "Choose a folder outside it."
            )
    places = WatchFolder(root, _state_of(root, state_dir))
    refuse_links(places)
    state = (places.state,) if places.state is not None else ()
    folders = (places.inbox, places.working, places.done, places.failed, places.private)
    for place in (root, *folders, *state):
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
    _refuse_network(places)
    return places
