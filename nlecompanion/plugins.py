"""Finds adapters and engines through entry points; loads each on first need."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, cast

from nlecompanion.errors import NotATimeline, UnknownEngine

if TYPE_CHECKING:
    from pathlib import Path

    from nlecompanion.engines.contract import EngineFactory
    from nlecompanion.timeline.contract import Adapter

ADAPTERS = "nlecompanion.adapters"
ENGINES = "nlecompanion.engines"


def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in sorted(entry_points(group=group))}


def adapters() -> dict[str, Adapter]:
    """All installed adapters by name."""
    return {name: cast("Adapter", point.load()) for name, point in _points(ADAPTERS).items()}


def adapter_for(path: Path) -> Adapter:
    """The adapter that is surest that the document is its own.

    Raises:
        NotATimeline: none of them knows it.
    """
    from nlecompanion.timeline.contract import HEAD_BYTES

    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if not head:
            raise NotATimeline(f"{path.name} is empty. Export it again and let it finish.")
    installed = adapters()
    scored = [(adapter.score(path, head), name) for name, adapter in installed.items()]
    best, name = max(scored, default=(0, ""))
    if best <= 0:
        suffixes = sorted({s for adapter in installed.values() for s in adapter.suffixes})
        raise NotATimeline(
            f"{path.name} is not a timeline that can be read here. "
            f"Export the timeline as one of {', '.join(suffixes)}."
        )
    return installed[name]


def engine_factories() -> dict[str, EngineFactory]:
    """All installed engines' factories by name."""
    return {name: cast("EngineFactory", point.load()) for name, point in _points(ENGINES).items()}


def engine_factory(name: str) -> EngineFactory:
    """The factory of that name, or with "auto" the best one that is ready now, offline.

    Raises:
        UnknownEngine: there is none of that name.
    """
    if name != "auto":
        points = _points(ENGINES)
        if name not in points:
            raise UnknownEngine(
                f"There is no engine {name!r}. Installed: {', '.join(points)}, or auto."
            )
        return cast("EngineFactory", points[name].load())
    ready = [
        # One decibel is the benchmark's standard error: within it, the better sound decides.
        ((round(factory.merit_db), factory.merit_pesq or 0.0, factory.merit_db, name), factory)
        for name, factory in engine_factories().items()
        if factory.merit_db is not None and factory.readiness().ready
    ]
    if not ready:
        raise UnknownEngine("No engine is ready to run. `nlecompanion doctor` says what to do.")
    return max(ready, key=lambda entry: entry[0])[1]
