"""A clock that moves only when a test says so."""

from __future__ import annotations


class FakeClock:
    """Both kinds of time; `jump` moves the wall clock alone, as a user or a time server does."""

    def __init__(self, monotonic_s: float = 1000.0, wall_s: float = 1.75e9) -> None:
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s

    def monotonic_s(self) -> float:
        """For intervals."""
        return self._monotonic_s

    def wall_s(self) -> float:
        """Seconds since 1970."""
        return self._wall_s

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self._monotonic_s += seconds
        self._wall_s += seconds

    def jump(self, seconds: float) -> None:
        """Sets the wall clock to another time."""
        self._wall_s += seconds
