"""A bench for one job: who works, by the settings, with which engines, in which room."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from nlecompanion.delivery.staging import disk_errors
from nlecompanion.engines.contract import Engine, EngineInfo, Geometry
from nlecompanion.model import Region, Split, Take
from nlecompanion.plugins import engine_factory
from nlecompanion.region_cache import RegionCache, cache_folder
from nlecompanion.settings import AUTO, Settings
from nlecompanion.work.pool import Here, Pool, Workers, automatic_workers, memory_a_worker
from nlecompanion.work.task_digest import EngineId, engine_id
from nlecompanion.work.tasks_bench import Bench
from nlecompanion.work.tasks_done import Both, Kept
from nlecompanion.work.worker_jobs import Shelf

#: Does what a mixer does by hand; always there.
LIGHT_ENGINE = "dsp"
_ROOM = ".work"


def engines_for(settings: Settings) -> tuple[EngineId, EngineId]:
    """The engine that was asked for does everything; with `auto`, light work is done by `dsp`.

    Raises:
        UnknownEngine: there is none of that name, or none is ready.
        WeightsMissing: it is not ready.
    """
    main = engine_id(engine_factory(settings.engine).info.name)
    return main, main if settings.engine != AUTO else engine_id(LIGHT_ENGINE)


@contextmanager
def open_bench(
    settings: Settings,
    shelf: Shelf,
    regions: Sequence[Region],
    folder: Path,
    done: Kept | None = None,
) -> Iterator[Bench]:
    """A bench for these regions, whose files lie in `folder` until it is closed; its workers end
    then. Without workers, the engines come from `shelf`. What is in `done` is not done again.

    Raises:
        EngineError: the engine cannot run.
        NoSpace, NotWritable: the folder cannot be written to.
    """
    main, light = engines_for(settings)
    room = folder / _ROOM
    with ExitStack() as stack, disk_errors(folder):
        room.mkdir()
        stack.callback(shutil.rmtree, room, ignore_errors=True)
        workers = stack.enter_context(_workers(settings, regions, shelf))
        cache = RegionCache(cache_folder(), round(settings.cache_gb * 1e9))
        kept = cache if done is None else Both(done, cache)
        yield Bench(workers, kept, main, light, room)


@contextmanager
def _workers(settings: Settings, regions: Sequence[Region], shelf: Shelf) -> Iterator[Workers]:
    count = settings.workers
    if count == AUTO:
        seconds = sum(region.length_samples / region.rate_hz for region in regions)
        count = automatic_workers(len(regions), seconds)
    if not count:
        yield Here(shelf)
        return
    with Pool(count, memory_a_worker(count)) as pool:
        yield pool


class LateEngine:
    """An engine that is loaded when it first splits: most jobs never ask for it here."""

    def __init__(self, shelf: Shelf, wanted: EngineId) -> None:
        self._shelf, self._wanted = shelf, wanted

    @property
    def info(self) -> EngineInfo:
        """Known without loading it."""
        return engine_factory(self._wanted.name).info

    def geometry(self, rate_hz: int, channels: int) -> Geometry:
        """As the engine has it."""
        return self._engine().geometry(rate_hz, channels)

    def split(self, take: Take) -> Split:
        """As the engine does."""
        return self._engine().split(take)

    def _engine(self) -> Engine:
        return self._shelf.get(self._wanted)
