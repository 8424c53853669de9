"""The journal's file: its connection, its transactions, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nlecompanion.errors import NoSpace, WatchError
from nlecompanion.watch.contract import Clock
from nlecompanion.watch.schema import open_journal


class JournalFile:
    """An open journal. Used by one thread at a time; other processes may read and write the file.

    Raises:
        NoSpace: the disk is full; nothing was changed.
        WatchError: the journal cannot be used (any more).
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._path = path
        self._connection = open_journal(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def wall_s(self) -> float:
        """The time for entries, seconds since 1970."""
        return self._clock.wall_s()

    def rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows that a query gives."""
        with self._guarded():
            return self._connection.execute(query, values).fetchall()

    def change(self, statement: str, values: tuple[object, ...]) -> int:
        """One statement as a transaction of its own, or a part of one that is open.

        Returns the id of the row that was put in last.
        """
        with self._guarded():
            return self._connection.execute(statement, values).lastrowid or 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is changed inside, or nothing of it."""
        with self._guarded():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise NoSpace(
                    f"No space for the journal {self._path}. Free some; watching goes on by itself."
                ) from error
            raise self._unusable(error) from error
        except UnicodeDecodeError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> WatchError:
        why = " ".join(str(error).split())
        return WatchError(
            f"The journal {self._path} cannot be used ({why}). "
            "Check that its disk is there and writable."
        )


def stored(path: str) -> str | bytes:
    """Names that are no valid Unicode (old discs, old archives) are kept as bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path
