"""Where pieces of work are handed out: what was done before comes from the cache."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlecompanion.work.pool import Answer, Request, TickOf, Workers
from nlecompanion.work.task_digest import EngineId
from nlecompanion.work.tasks_done import Kept
from nlecompanion.work.worker_jobs import Done

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Piece:
    """A request, and how its answer is kept.

    `digest` is called when it is due and gives the name in the cache; None, or one that raises
    OSError because the media is gone: it is not kept. `sound` is the file that the answer makes.
    """

    request: Request
    digest: Callable[[], str] | None = None
    sound: Path | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """Who works, with which engines, and what is kept. `room` is an empty folder for files."""

    workers: Workers
    cache: Kept
    main: EngineId
    light: EngineId
    room: Path

    def answers(self, pieces: Sequence[Piece], tick: TickOf) -> Iterator[Answer]:
        """The answers in the pieces' order, each kept as soon as it is there.

        `tick` is told a piece's number and seconds of sound; all of it for what was kept.

        Raises:
            NleCompanionError: nothing can be worked on, or `tick` raised it.
        """
        digests = [_digest(piece) for piece in pieces]
        found: dict[int, Answer] = {}
        for number, (piece, digest) in enumerate(zip(pieces, digests, strict=True)):
            known = self._known(piece, digest)
            if known is not None:
                found[number] = known
                tick(number, piece.request.seconds)
        missing = [number for number in range(len(pieces)) if number not in found]
        ready = 0
        made = self.workers.answers(
            [pieces[number].request for number in missing],
            lambda index, seconds: tick(missing[index], seconds),
        )
        for index, answer in made:
            number = missing[index]
            found[number] = answer
            self._keep(pieces[number], digests[number], answer)
            while ready in found:
                yield found.pop(ready)
                ready += 1
        while ready in found:
            yield found.pop(ready)
            ready += 1

    def _known(self, piece: Piece, digest: str | None) -> Done | None:
        if digest is None:
            return None
        nowhere = self.room / "nothing"
        values = self.cache.get(digest, piece.sound or nowhere)
        return None if values is None else Done(values)

    def _keep(self, piece: Piece, digest: str | None, answer: Answer) -> None:
        if digest is None or not isinstance(answer, Done) or not answer.lasting:
            return
        sound = piece.sound if piece.sound is not None and piece.sound.is_file() else None
        self.cache.put(digest, answer.values, sound)


def _digest(piece: Piece) -> str | None:
    if piece.digest is None:
        return None
    try:
        return piece.digest()
    except OSError as error:
        logger.debug("Not looked up in the cache: %s", error)
        return None
