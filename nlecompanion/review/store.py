"""The decisions about one delivery on disk: merged by field, saved before anybody is told.

The file is written aside, synced and renamed, under a lock that other processes hold to as well:
whatever is killed at whatever moment, what stands there is what was answered last.
"""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nlecompanion.decisions import UNDECIDED, Decision, Decisions
from nlecompanion.errors import NleCompanionError, SettingsError
from nlecompanion.file_lock import waiting_lock

_log = logging.getLogger(__name__)
FOLDER, FILE = "review", "decisions.json"
_PART, _LOCK, _DAMAGED = "decisions.json.part", "lock", "decisions.damaged.json"
_FORMAT = 1
_MAX_BYTES = 64 << 20
_PATIENCE_S = 10.0
_FIELDS = tuple(field.name for field in fields(Decision))
_NEUTRAL = {field.name: getattr(UNDECIDED, field.name) for field in fields(Decision)}


class DecisionTrouble(NleCompanionError):
    """The decisions cannot be read or saved; one line says why."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What is decided about one use: the fields that were set, each with its revision."""

    set: Mapping[str, Any]
    revisions: Mapping[str, int]

    @property
    def revision(self) -> int:
        """That of the latest field; 0 where nothing was ever set."""
        return max(self.revisions.values(), default=0)


_NOTHING = Decided({}, {})


@dataclass(frozen=True, slots=True)
class Book:
    """All decisions about a delivery; `revision` counts every change."""

    revision: int
    uses: Mapping[str, Decided]

    def of(self, use_id: str) -> Decided:
        """What is decided about a use."""
        return self.uses.get(use_id, _NOTHING)

    def decisions(self) -> Decisions:
        """As the pipeline takes them."""
        return Decisions.from_json(
            {"format": 1, "uses": {use_id: dict(d.set) for use_id, d in self.uses.items()}}
        )


@dataclass(frozen=True, slots=True)
class Saved:
    """What stands now, and which fields another window had set meanwhile."""

    decided: Decided
    revision: int
    overwrote: tuple[str, ...]


class DecisionStore:
    """The decisions of the delivery in `folder`; kept in `instead` where that cannot be written.

    `earlier` are those that the delivery was made with: with them everything begins. May be used by
    several threads and processes. Raises `DecisionTrouble` where it cannot.
    """

    def __init__(self, folder: Path, instead: Path, earlier: Decisions | None = None) -> None:
        self._folder = folder / FOLDER
        self._instead = instead
        self._earlier = earlier or Decisions()

    def read(self) -> Book:
        """The decisions as they stand. The newer of the two places wins: a disk may have become
        writable, or not, since.
        """
        books = [_read(place / FILE) for place in (self._folder, self._instead) if _own(place)]
        known = [book for book in books if book is not None]
        return max(known, key=lambda book: book.revision, default=_begun(self._earlier))

    def change(self, use_id: str, base_revision: int, wanted: Mapping[str, Any]) -> Saved:
        """Sets fields of one use; the others, and those of other uses, stay as they are.

        A field with its neutral value (None, False) is back to what the profile says.

        Raises:
            SettingsError: an unknown field, or a value that it cannot have.
            DecisionTrouble: nothing was saved.
        """
        _check(use_id, wanted)
        with self._writing() as place:
            book = self.read()
            before, revision = book.of(use_id), book.revision + 1
            overwrote = tuple(
                name
                for name, value in wanted.items()
                if before.revisions.get(name, 0) > base_revision
                and before.set.get(name, _NEUTRAL[name]) != value
            )
            merged = {**before.set, **wanted}
            after = Decided(
                {name: value for name, value in merged.items() if value != _NEUTRAL[name]},
                {**before.revisions, **dict.fromkeys(wanted, revision)},
            )
            _write(place, Book(revision, {**book.uses, use_id: after}))
        return Saved(after, revision, overwrote)

    @contextmanager
    def _writing(self) -> Iterator[Path]:
        place = self._writable()
        with waiting_lock(place / _LOCK, _PATIENCE_S) as held:
            if not held:
                raise DecisionTrouble(f"{place} has been locked for {_PATIENCE_S:g} s. Try again.")
            yield place

    def _writable(self) -> Path:
        """The delivery's own folder, or else the one in its stead."""
        try:
            self._folder.mkdir(mode=0o755, exist_ok=True)
            if _own(self._folder) and os.access(self._folder, os.W_OK | os.X_OK):
                return self._folder
        except OSError as error:
            _log.info("%s cannot be used: %s", self._folder, error)
        try:
            self._instead.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DecisionTrouble(
                f"Decisions can be kept neither in {self._folder} nor in {self._instead} "
                f"({error.strerror}). Give yourself the right to write there."
            ) from error
        return self._instead


def _begun(earlier: Decisions) -> Book:
    uses = earlier.to_json()["uses"]
    return Book(0, {use: Decided(told, dict.fromkeys(told, 0)) for use, told in uses.items()})


def _own(place: Path) -> bool:
    """Whether it is a folder, not a link to somewhere: deliveries come from other people too."""
    return place.is_dir() and not place.is_symlink()


def _check(use_id: str, wanted: Mapping[str, Any]) -> None:
    unknown = [name for name in wanted if name not in _FIELDS]
    if unknown:
        raise SettingsError(f"There is no decision {unknown[0]!r}; there are {', '.join(_FIELDS)}.")
    subtitle = wanted.get("subtitle")
    if isinstance(subtitle, str) and not _is_text(subtitle):
        raise SettingsError("The subtitle holds half a character, which no file can hold.")
    Decisions.from_json({"format": 1, "uses": {use_id: dict(wanted)}})


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(path: Path) -> Book | None:
    """None where there is none; a damaged one is put aside, never written over."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link: not ours, and not followed
            return None
        raise DecisionTrouble(f"{path} cannot be read ({error.strerror}).") from error
    with os.fdopen(descriptor, "rb") as opened:
        content = opened.read(_MAX_BYTES)
    try:
        return _book(json.loads(content))
    except (ValueError, RecursionError, SettingsError) as error:
        _log.warning("%s is damaged (%s) and is put aside", path, error)
        _put_aside(path)
        return None


def _put_aside(path: Path) -> None:
    try:
        path.replace(path.with_name(_DAMAGED))
    except OSError as error:
        raise DecisionTrouble(
            f"{path} is damaged and cannot be moved away ({error.strerror}). Move it by hand."
        ) from error


def _book(values: Any) -> Book:
    """Raises ValueError, SettingsError: not such a file."""
    if not isinstance(values, dict) or values.get("format") != _FORMAT:
        raise ValueError("another format")
    uses, revision = values.get("uses"), values.get("revision")
    if not isinstance(uses, dict) or not isinstance(revision, int):
        raise ValueError("no uses or no revision")
    return Book(revision, {use_id: _decided(use_id, told) for use_id, told in uses.items()})


def _decided(use_id: str, told: Any) -> Decided:
    if not isinstance(told, dict):
        raise ValueError("a use is no object")
    chosen, revisions = told.get("set"), told.get("revisions")
    if not isinstance(chosen, dict) or not isinstance(revisions, dict):
        raise ValueError("a use without fields")
    _check(use_id, chosen)
    known = {name: at for name, at in revisions.items() if isinstance(at, int)}
    return Decided(chosen, known)


def _write(place: Path, book: Book) -> None:
    """Aside, synced, renamed, the folder synced."""
    uses = {
        use_id: {"set": dict(decided.set), "revisions": dict(decided.revisions)}
        for use_id, decided in sorted(book.uses.items())
    }
    values = {"format": _FORMAT, "revision": book.revision, "uses": uses}
    part = place / _PART
    try:
        part.unlink(missing_ok=True)  # what a killed process has left, or a link in our way
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(part, flags, 0o644), "w", encoding="utf-8") as opened:
            json.dump(values, opened, ensure_ascii=True, indent=1)
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(place / FILE)
        _sync(place)
    except OSError as error:
        raise DecisionTrouble(
            f"The decision was not saved: {place} cannot be written ({error.strerror})."
        ) from error


def _sync(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
