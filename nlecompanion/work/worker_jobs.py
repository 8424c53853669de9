"""What workers can be asked for: JSON values in, JSON values out, sound by file.

The same functions serve a job that works in its own process, so that nothing depends on who works.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from nlecompanion.delivery.staging import disk_errors
from nlecompanion.engines.contract import Engine, EngineInfo, Geometry
from nlecompanion.engines.threads import settle_threads
from nlecompanion.engines.weights import sha256_of
from nlecompanion.errors import (
    EngineError,
    Interrupted,
    MediaError,
    NleCompanionError,
    NoSpace,
    NotWritable,
)
from nlecompanion.media.find import why
from nlecompanion.model import LeftAlone, Reason, Region, Span, Split, Take
from nlecompanion.plugins import engine_factory
from nlecompanion.treatment.tone_finding import NoRoomTone, RoomTone
from nlecompanion.treatment.tone_travel import tone_from_bytes, tone_to_bytes
from nlecompanion.wire import Json, from_json, to_json
from nlecompanion.work import Tools, work_region
from nlecompanion.work.hardest import Moments, scout
from nlecompanion.work.places import place_of, place_tones
from nlecompanion.work.survey import Listened, listen, survey_of
from nlecompanion.work.target import Target, Tick
from nlecompanion.work.task import (
    RegionTask,
    TaskOutcome,
    failed_outcome,
    outcome_of,
    task_from_json,
)
from nlecompanion.work.task_digest import EngineId, engine_id

_log = logging.getLogger(__name__)

#: A second try after the memory ran out splits in blocks of this part of the engine's own.
_SMALLER = 4


class Shelf:
    """Engines that are loaded, each made on first need and kept."""

    def __init__(self) -> None:
        self._engines: dict[EngineId, Engine] = {}

    def get(self, wanted: EngineId) -> Engine:
        """The engine, ready to split.

        Raises:
            EngineError: it cannot run here, or is here in another version.
        """
        if wanted not in self._engines:
            here = engine_id(wanted.name)
            if here != wanted:
                raise EngineError(
                    f"The engine {wanted.name!r} is here in version {here.version} with weights "
                    f"{here.weights[:12]}…; the task wants {wanted.version} with "
                    f"{wanted.weights[:12]}…. Use the same on all machines."
                )
            self._engines[wanted] = engine_factory(wanted.name).create()
            settle_threads()
        return self._engines[wanted]


@dataclass(frozen=True, slots=True)
class Told:
    """What a job may use and whom it tells: seconds of sound that were just worked on.

    `smaller`: in smaller blocks, because the memory ran out before.
    """

    shelf: Shelf
    tick: Tick
    smaller: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """An answer. `lasting`: it would be the same next time, so it may be kept."""

    values: dict[str, Json]
    lasting: bool = True


def perform(what: str, values: dict[str, Any], told: Told) -> Done:
    """The answer of the job of that name to these values.

    Raises:
        NoSpace, NotWritable, EngineError, Interrupted, MemoryError: none of the job's regions can
            be worked on like this.
    """
    done = JOBS[what](values, told)
    return replace(done, lasting=done.lasting and not told.smaller)


def _listen(values: dict[str, Any], told: Told) -> Done:
    """One pass over a region as recorded."""
    region = from_json(values["region"], Region)
    try:
        heard = listen(region)
    except Exception as error:
        return _unreadable(region, error)
    told.tick(0.0)
    return Done({"heard": to_json(heard, Listened)})


def _tone(values: dict[str, Any], told: Told) -> Done:
    """The room tone of one place into the file `sound`."""
    surveys = [
        survey_of(from_json(region, Region), from_json(heard, Listened))
        for region, heard in values["surveys"]
    ]
    region, lasting = surveys[0].region, True
    found: RoomTone | NoRoomTone
    try:
        found = place_tones(surveys, lambda _: None)[place_of(region)]
    except Exception as error:
        why_not, lasting = _unreadable(region, error).values["unreadable"], False
        found = NoRoomTone(f"it could not be looked for: {why_not}")
    told.tick(0.0)
    content = tone_to_bytes(found)
    with disk_errors(Path(values["sound"]).parent):
        Path(values["sound"]).write_bytes(content)
    return Done({"sha256": hashlib.sha256(content).hexdigest()}, lasting)


def _scout(values: dict[str, Any], told: Told) -> Done:
    """Windows of a region, ranked by their split."""
    surveyed = survey_of(from_json(values["region"], Region), from_json(values["heard"], Listened))
    windows = from_json(values["windows"], tuple[Span, ...])
    engine = _sized(told, from_json(values["engine"], EngineId))
    try:
        with _out_of_memory():
            moments = scout(surveyed, windows, engine)
    except Exception as error:
        return _unreadable(surveyed.region, error)
    told.tick(0.0)
    return Done({"moments": to_json(moments, Moments)})


def _unreadable(region: Region, error: Exception) -> Done:
    """What is only asked to prepare the work stops none of it: the work will say what is wrong.

    Raises:
        MemoryError: that is what was wrong.
    """
    if isinstance(error, MemoryError):
        raise error
    expected = isinstance(error, NleCompanionError)
    _log.log(
        logging.DEBUG if expected else logging.ERROR,
        "%s could not be listened to",
        region.media.path,
        exc_info=error,
    )
    return Done({"unreadable": str(error)}, lasting=False)


def _region(values: dict[str, Any], told: Told) -> Done:
    """A region's task: its cleaned file into `sound`, by way of the empty folder `scratch`."""
    task = task_from_json(values["task"])
    sound, scratch = Path(values["sound"]), Path(values["scratch"])
    tone = read_tone(Path(values["tone"]), task.tone)
    tools = Tools(_sized(told, task.main), _sized(told, task.light))
    outcome = run_task(task, tools, tone, sound, scratch, told.tick)
    outcome = replace(outcome, smaller=told.smaller)
    return Done({"outcome": to_json(outcome, TaskOutcome)}, lasting=not outcome.failed)


JOBS: dict[str, Callable[[dict[str, Any], Told], Done]] = {
    "listen": _listen,
    "tone": _tone,
    "scout": _scout,
    "region": _region,
}


def run_task(
    task: RegionTask,
    tools: Tools,
    tone: RoomTone | NoRoomTone,
    sound: Path,
    scratch: Path,
    tick: Tick,
) -> TaskOutcome:
    """Works on the task's region; what goes wrong with it is its outcome.

    The cleaned file, if there is one, is `sound`. The folder `scratch` is made and taken away.

    Raises:
        NoSpace, NotWritable: nothing can be delivered.
        Interrupted: `tick` raised it.
        MemoryError: there is not enough of it.
    """
    region = task.region
    target = Target(sound, sound, scratch, task.joined, task.neighbour_floor_db)
    try:
        with disk_errors(scratch.parent):
            scratch.mkdir()
        with _out_of_memory():
            outcome = work_region(region, tools, task.profile, target, tick, tone)
        made = outcome_of(outcome, None if outcome.cleaned is None else sha256_of(sound))
        # A number that JSON does not have must cost this region, not all of them.
        from_json(to_json(made, TaskOutcome), TaskOutcome)
        return made
    except (NoSpace, NotWritable, Interrupted, MemoryError):
        raise
    except Exception as error:  # one bad clip does not sink the others
        _log.exception("a region of %s failed", region.media.path)
        sound.unlink(missing_ok=True)
        return failed_outcome(len(region.uses), failure(error))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def failure(error: Exception) -> LeftAlone:
    """Why a region could not be worked on, for its uses."""
    if isinstance(error, MediaError):
        return why(error)
    if isinstance(error, NleCompanionError):
        return LeftAlone(Reason.FAILED, str(error))
    return LeftAlone(Reason.FAILED, f"{type(error).__name__}: {error}. Please report this.")


@lru_cache(maxsize=2)
def read_tone(path: Path, sha256: str) -> RoomTone | NoRoomTone:
    """The tone in that file.

    Raises:
        EngineError: the file is not the one of that SHA-256.
    """
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise EngineError(f"{path.name} is damaged: its SHA-256 is not {sha256[:16]}…. Run again.")
    return tone_from_bytes(content)


def _sized(told: Told, wanted: EngineId) -> Engine:
    engine = told.shelf.get(wanted)
    return _Smaller(engine) if told.smaller else engine


class _Smaller:
    """An engine in smaller blocks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def info(self) -> EngineInfo:
        """That of the engine."""
        return self._engine.info

    def geometry(self, rate_hz: int, channels: int) -> Geometry:
        """A fourth of the engine's block, and no less than its context."""
        whole = self._engine.geometry(rate_hz, channels)
        least = max(whole.context_samples, whole.fade_samples, 1)
        return replace(whole, block_samples=max(least, whole.block_samples // _SMALLER))

    def split(self, take: Take) -> Split:
        """As the engine does."""
        return self._engine.split(take)


@contextmanager
def _out_of_memory() -> Iterator[None]:
    """Raises MemoryError where that is what an error goes back to; torch has no class for it."""
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, MemoryError) or "DefaultCPUAllocator" in str(cause):
                raise MemoryError(str(cause)) from error
            cause = cause.__cause__ or cause.__context__
        raise
