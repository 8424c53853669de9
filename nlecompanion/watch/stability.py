"""When a file has been still for long enough. No I/O, no loop: observations in, answers out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Sighting:
    """A document as a scan saw it; `path` is relative to the inbox, with `/`.

    Of a bundle, `size_bytes` counts all its files and `modified_ns` is a number made of their names
    and times: another one where anything has changed.
    """

    path: str
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Still:
    """A file that has not changed for `still_s` seconds."""

    sighting: Sighting
    still_s: float


@dataclass(frozen=True, slots=True)
class _Watched:
    sighting: Sighting
    since_s: float
    needed_s: float


class StabilityTracker:
    """Tells which observed files have kept size and modification time for `still_s` seconds.

    Only the injected `now_s` counts (monotonic seconds), never a file's own times: clocks of
    servers and cameras are wrong, and copies keep their original's times.
    """

    def __init__(self, still_s: float) -> None:
        self._still_s = still_s
        self._watched: dict[str, _Watched] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def observe(self, sighting: Sighting, now_s: float) -> None:
        """Notes a file; a new or changed one starts its wait from the beginning."""
        known = self._watched.get(sighting.path)
        if known is None or known.sighting != sighting:
            self._watched[sighting.path] = _Watched(sighting, now_s, self._still_s)

    def keep_only(self, paths: Collection[str]) -> None:
        """Forgets files that have vanished or need no more watching."""
        for path in self._watched.keys() - set(paths):
            del self._watched[path]

    def forget(self, path: str) -> None:
        """Forgets one file, if it is known."""
        self._watched.pop(path, None)

    def ask_again(self, path: str, needed_s: float) -> None:
        """Does not call the file still before it has been so for `needed_s` in all."""
        self._watched[path] = replace(self._watched[path], needed_s=needed_s)

    def still(self, now_s: float) -> tuple[Still, ...]:
        """The files that have been still for long enough, the longest still first."""
        ready = [w for w in self._watched.values() if now_s - w.since_s >= w.needed_s]
        ready.sort(key=lambda w: (w.since_s, w.sighting.path))
        return tuple(Still(w.sighting, now_s - w.since_s) for w in ready)

    def next_due_s(self) -> float | None:
        """The moment at which the next file can be still; None where nothing is watched."""
        return min((w.since_s + w.needed_s for w in self._watched.values()), default=None)
