"""The deliveries below a folder, found again at every look, read once as long as they stay."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from nlecompanion.delivery.hand_back import RECEIPT_NAME
from nlecompanion.delivery.report import REPORT_NAME
from nlecompanion.delivery.report.view import Kind, kind_of
from nlecompanion.model import Delivery, UseReport
from nlecompanion.review.receipts import ReceiptTrouble, delivery_of, read_receipt

_log = logging.getLogger(__name__)
#: Deliveries lie in the folder itself, in it, or in folders of it.
_DEPTH = 3
_MAX_FOLDERS = 20_000
_ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


@dataclass(frozen=True)
class Shown:
    """One delivery as it was read; `trouble` says why nothing of it can be shown, else is empty.

    `by_id` are its uses under ids that are safe in addresses; `digest` is its receipt's SHA-256.
    """

    id: str
    folder: Path
    inside: str
    made: str
    trouble: str
    digest: str = ""
    receipt: Mapping[str, Any] = field(default_factory=dict)
    delivery: Delivery | None = None

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @cached_property
    def by_id(self) -> dict[str, UseReport]:
        """The uses in the order of the receipt."""
        uses: dict[str, UseReport] = {}
        for index, report in enumerate(() if self.delivery is None else self.delivery.uses):
            own = report.use.id
            safe = own and set(own) <= _ID_CHARACTERS and own not in uses and own[0] != "."
            uses[own if safe else f"u{index}"] = report
        return uses

    def ladder(self, report: UseReport) -> Mapping[str, Any]:
        """How the intensity of a use's region was found, as the receipt has it."""
        account = None if self.delivery is None else self.delivery.regions.get(report.region)
        found = None if account is None else account.get("ladder")
        return found if isinstance(found, dict) else {}

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many uses of each kind there are."""
        counts = {kind.css: 0 for kind in Kind}
        for report in self.by_id.values():
            counts[kind_of(report).css] += 1
        return counts

    def listed(self) -> dict[str, Any]:
        """Its line in the list."""
        document = self.receipt.get("document", {})
        waiting = {kind.css for kind in Kind if kind.needs_person}
        return {
            "id": self.id,
            "name": self.name,
            "folder": self.inside,
            "made": self.made,
            "document": str(document.get("name", "")),
            "uses": len(self.by_id),
            "counts": self.counts,
            "needs_person": sum(self.counts[css] for css in waiting),
            "trouble": self.trouble or None,
        }


class Shelf:
    """The deliveries below `root`; may be asked by several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[tuple[int, ...], Shown]] = {}

    def all(self) -> list[Shown]:
        """Every delivery, the newest first."""
        found = [self._shown(folder) for folder in _deliveries(self.root)]
        return sorted(found, key=lambda shown: (shown.made, shown.inside), reverse=True)

    def find(self, delivery_id: str) -> Shown | None:
        """The delivery of that id, read anew where it has changed."""
        with self._lock:
            known = [folder for folder in self._read if self._id(folder) == delivery_id]
        for folder in known or _deliveries(self.root):
            if self._id(folder) == delivery_id and _looks_delivered(folder):
                return self._shown(folder)
        return None

    def id_of(self, folder: Path) -> str:
        """The id of the delivery in that folder."""
        return self._id(folder)

    def _id(self, folder: Path) -> str:
        inside = os.path.relpath(folder, self.root)
        return hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]

    def _shown(self, folder: Path) -> Shown:
        path = folder / RECEIPT_NAME
        try:
            seen = path.stat()
            state: tuple[int, ...] = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
            made_s = seen.st_mtime
        except OSError:
            state, made_s = (), _modified_s(folder)
        with self._lock:
            known = self._read.get(folder)
        if known is not None and known[0] == state:
            return known[1]
        shown = self._open(folder, made_s)
        with self._lock:
            self._read[folder] = state, shown
        return shown

    def _open(self, folder: Path, made_s: float) -> Shown:
        inside = os.path.relpath(folder, self.root).encode("utf-8", "replace").decode()
        made = datetime.fromtimestamp(made_s, UTC).isoformat(timespec="seconds")
        try:
            values, digest = read_receipt(folder / RECEIPT_NAME)
            delivery = delivery_of(values, folder)
        except ReceiptTrouble as trouble:
            return Shown(self._id(folder), folder, inside, made, str(trouble))
        return Shown(self._id(folder), folder, inside, made, "", digest, values, delivery)


def _modified_s(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _looks_delivered(folder: Path) -> bool:
    """Whole, or what is left of one."""
    if (folder / RECEIPT_NAME).is_file():
        return True
    return (folder / REPORT_NAME).is_file() and (folder / "clips").is_dir()


def _deliveries(root: Path) -> Iterator[Path]:
    """Folders with a delivery, not through links, not in hidden folders, not inside a delivery."""
    looked = 0
    waiting = [(root, 0)]
    while waiting:
        folder, depth = waiting.pop()
        looked += 1
        if looked > _MAX_FOLDERS:
            return
        if _looks_delivered(folder):
            yield folder
            continue
        if depth < _DEPTH:
            waiting += [(below, depth + 1) for below in _folders(folder)]


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            ]
    except OSError as error:  # others are shown all the same
        _log.info("%s is not looked into: %s", folder, error)
        return []
    return [folder / name for name in sorted(names, reverse=True)]
