"""Work that hangs ends its process: the service starts it again, and other jobs come first then."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

logger = logging.getLogger(__name__)

#: EX_TEMPFAIL of sysexits.h: not a success, so the service is started again.
EXIT_CODE = 75


def end_process(line: str) -> None:
    """Ends this process at once: a thread that hangs in native code ends no other way."""
    logger.error("%s", line, extra={"event": "trouble"})
    logging.shutdown()
    os._exit(EXIT_CODE)


class Stall:
    """Calls `end` with a line when `tick` has not been called for `limit_s`."""

    def __init__(self, what: str, limit_s: float, end: Callable[[str], None] = end_process) -> None:
        self._what, self._limit_s, self._end = what, limit_s, end
        self._changed = threading.Condition()
        self._ticks = 0
        self._over = False
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def tick(self) -> None:
        """The work goes on."""
        with self._changed:
            self._ticks += 1
            self._changed.notify()

    def _watch(self) -> None:
        seen = 0

        def moved() -> bool:
            return self._over or self._ticks != seen

        with self._changed:
            while not self._over:
                seen = self._ticks
                if not self._changed.wait_for(moved, self._limit_s):
                    break
            if self._over:
                return
        self._end(
            f"The work on {self._what} has not moved for {self._limit_s:g} s. The daemon ends; "
            "its service starts it again, with other jobs first."
        )
