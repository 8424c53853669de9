"""The work behind the page, one piece at a time: preparing stems, and delivering again."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nlecompanion.review.children import Child, Ended

_log = logging.getLogger(__name__)
QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"
#: Pieces of work that ended are remembered for windows that come later.
_REMEMBERED = 500


@dataclass
class Piece:
    """One piece of work; `state` and what stands beside it change under the bench's lock."""

    key: tuple[str, str]
    task: dict[str, Any]
    number: int
    state: str = QUEUED
    done_s: float = 0.0
    total_s: float = 0.0
    what: str = ""
    why: str = ""
    result: dict[str, Any] | None = None
    child: Child | None = field(default=None, repr=False)

    def seen(self) -> Piece:
        """As it is now."""
        return Piece(**{name: getattr(self, name) for name in _SEEN})


_SEEN = ("key", "task", "number", "state", "done_s", "total_s", "what", "why", "result")


class Bench:
    """One thread that does pieces of work in child processes; may be asked by any thread.

    `told` hears of every change of a piece; `latest_first`: what was asked for last is done next,
    as when somebody walks through a list.
    """

    def __init__(
        self,
        told: Callable[[Piece], None],
        *,
        latest_first: bool = False,
        make: Callable[[dict[str, Any]], Child] = Child,
    ) -> None:
        self._told, self._make = told, make
        self._latest_first = latest_first
        self._changed = threading.Condition()
        self._waiting: list[Piece] = []
        self._pieces: dict[tuple[str, str], Piece] = {}
        self._numbers = itertools.count(1)
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="review work", daemon=True)
        self._thread.start()

    def ask(self, key: tuple[str, str], task: dict[str, Any]) -> Piece:
        """Queues a piece; the one under that key where it is waiting or in work already."""
        with self._changed:
            known = self._pieces.get(key)
            if known is not None and known.state in {QUEUED, RUNNING}:
                if known in self._waiting and self._latest_first:
                    self._waiting.remove(known)
                    self._waiting.append(known)
                return known.seen()
            piece = Piece(key, task, next(self._numbers))
            self._pieces.pop(key, None)
            self._pieces[key] = piece
            self._waiting.append(piece)
            self._forget()
            self._changed.notify_all()
            seen = piece.seen()
        self._told(seen)
        return seen

    def of(self, key: tuple[str, str]) -> Piece | None:
        """The latest piece under that key."""
        with self._changed:
            piece = self._pieces.get(key)
            return None if piece is None else piece.seen()

    def stop(self, key: tuple[str, str]) -> bool:
        """Ends a piece, or takes it out of the queue; False where there is nothing to end."""
        with self._changed:
            piece = self._pieces.get(key)
            if piece is None or piece.state not in {QUEUED, RUNNING}:
                return False
            child = piece.child
            if piece in self._waiting:
                self._waiting.remove(piece)
                piece.state, piece.why = FAILED, "Stopped"
            seen = piece.seen()
        if child is not None:
            child.stop()
        else:
            self._told(seen)
        return True

    def close(self) -> None:
        """Ends what is in work, and the thread."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            children = [piece.child for piece in self._pieces.values() if piece.child is not None]
            self._changed.notify_all()
        for child in children:
            child.stop()
        self._thread.join()

    def _forget(self) -> None:
        ended = [key for key, piece in self._pieces.items() if piece.state in {DONE, FAILED}]
        for key in ended[: max(0, len(self._pieces) - _REMEMBERED)]:
            del self._pieces[key]

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                piece = self._waiting.pop(-1 if self._latest_first else 0)
                piece.state, piece.child = RUNNING, self._make(piece.task)
                child, seen = piece.child, piece.seen()
            self._told(seen)
            try:
                ended = child.run(partial(self._progress, piece))
            except Exception as error:  # no process could be started: the page says so
                _log.exception("a child could not be run")
                ended = Ended(None, f"The work could not be started: {error}.")
            self._ended(piece, ended)

    def _progress(self, piece: Piece, values: dict[str, Any]) -> None:
        with self._changed:
            piece.done_s = float(values.get("done_s", piece.done_s))
            piece.total_s = float(values.get("total_s", piece.total_s))
            piece.what = str(values.get("what", piece.what))
            seen = piece.seen()
        self._told(seen)

    def _ended(self, piece: Piece, ended: Ended) -> None:
        with self._changed:
            piece.child, piece.result, piece.why = None, ended.result, ended.why
            piece.state = FAILED if ended.result is None else DONE
            seen = piece.seen()
        self._told(seen)
