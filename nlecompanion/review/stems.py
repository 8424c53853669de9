"""Stems of a use in the review's cache: made once, found again after a restart.

A folder is known by what its sound depends on, so that a new delivery of the same region finds what
was made for the old one. What is current in a delivery is drawn beside it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlecompanion.errors import MediaUnreadable, NleCompanionError
from nlecompanion.model import Region, UseReport
from nlecompanion.review.deliveries import Shelf, Shown
from nlecompanion.review.order import Order, order_of
from nlecompanion.review.places import cache_folder
from nlecompanion.review.receipts import number_in
from nlecompanion.settings import Profile, Settings

if TYPE_CHECKING:
    from nlecompanion.job import Job

_log = logging.getLogger(__name__)
MANIFEST, _INDEX, _ASIDE = "listening.json", "index", "aside"
_FORMAT = 1
#: All prepared stems together; the least recently heard go first.
MAX_BYTES = 8 << 30
Progress = Callable[[float, float, str], None]


@dataclass(frozen=True, slots=True)
class Current:
    """What of the stems was delivered."""

    de_echo: bool
    room_tone: bool
    intensity_db: float
    presence_db: float

    @property
    def name(self) -> str:
        """For files that are drawn of it."""
        switches = f"{int(self.de_echo)}{int(self.room_tone)}"
        return f"{switches}-{self.intensity_db:g}-{self.presence_db:g}"


def current_of(report: UseReport, ladder: Mapping[str, Any], profile: Profile) -> Current:
    """From the receipt of the use and its region; `profile` as it was decided for that region."""
    assert report.plan is not None
    return Current(
        profile.de_echo,
        profile.room_tone,
        report.plan.intensity_db,
        number_in(ladder, "presence_db") or 0.0,
    )


def index_file(digest: str, use_id: str) -> Path:
    """Where it stands which stems a use of the delivery with that receipt has."""
    name = hashlib.sha256(f"{digest}|{use_id}".encode("utf-8", "surrogatepass")).hexdigest()
    return cache_folder() / _INDEX / f"{name}.json"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Stems that are there: their folder, what is in it, and what of it was delivered."""

    folder: Path
    listening: dict[str, Any]
    current: Current


def prepared(shown: Shown, report: UseReport) -> Prepared | None:
    """The stems of a use; None where there are none, or where some of them are gone."""
    try:
        found = json.loads(index_file(shown.digest, report.use.id).read_bytes())
        folder = cache_folder() / str(found["folder"])
        current = Current(**found["current"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.debug("No stems of %s: %s", report.use.id, error)
        return None
    listening = _manifest(folder)
    if listening is None or not (folder / f"after-{current.name}.png").is_file():
        return None
    return Prepared(folder, listening, current)


def _manifest(folder: Path) -> dict[str, Any] | None:
    """What is in a folder of stems; None where there are none, or some of the sounds are gone."""
    try:
        told = json.loads((folder / MANIFEST).read_bytes())
        if told["format"] != _FORMAT:
            return None
        rungs = [rung for each in told["rungs"].values() for rung in each]
        names = {rung[part] for rung in rungs for part in ("voice", "background", "tone", "ride")}
        whole = names - {None} | {told["original"]} <= {path.name for path in folder.iterdir()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.debug("No stems in %s: %s", folder, error)
        return None
    return dict(told) if whole else None


def prepare_stems(task: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Makes the stems of the task's use, or finds those that are there.

    The task names the delivery's `folder`, the `use` and maybe the `document`.

    Raises:
        NleCompanionError: they cannot be made; says why.
    """
    folder = Path(task["folder"])
    shelf = Shelf(folder)
    shown = shelf.find(shelf.id_of(folder))
    if shown is None or shown.delivery is None:
        raise NleCompanionError("The delivery is no longer there.")
    report = next(one for one in shown.delivery.uses if one.use.id == task["use"])
    document = task.get("document")
    order = order_of(shown, None if document is None else Path(document))
    root = cache_folder()
    for place in (root, root / _INDEX, root / _ASIDE):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    found, current = _found_or_made(order, report, shown.ladder(report), progress)
    _drawn(found, current)
    index = index_file(shown.digest, report.use.id)
    _write_json(index, {"folder": found.name, "current": asdict(current)})
    _make_room(root, found)
    return {"folder": found.name}


def _found_or_made(
    order: Order, report: UseReport, ladder: Mapping[str, Any], progress: Progress
) -> tuple[Path, Current]:
    from nlecompanion.delivery.unpacking import room_for
    from nlecompanion.job import read_job, with_own_keys
    from nlecompanion.work.tasks_decided import profile_for

    with room_for(order.document) as room:
        progress(0, 1, "Reading the timeline")
        settings, _ = with_own_keys(order.settings, order.document)
        job = read_job(order.document, settings, room, order.decisions)
        region = next((r for r in job.regions if any(u.id == report.use.id for u in r.uses)), None)
        if region is None:
            use = next((u for u in job.uses if u.id == report.use.id), None)
            why = "it is no longer in the timeline" if use is None else str(use.left_alone)
            raise MediaUnreadable(f"Its sound cannot be had: {why}.")
        profile, _ = profile_for(region, settings.profile, order.decisions)
        current = current_of(report, ladder, profile)
        floor_db = number_in(ladder, "neighbour_floor_db")
        making = _Making(job, settings, region, report, floor_db)
        return making.run(current, progress), current


class _Making:
    """The stems of one use of one region of a job that was read."""

    def __init__(
        self,
        job: Job,
        settings: Settings,
        region: Region,
        report: UseReport,
        floor_db: float | None,
    ) -> None:
        self._job, self._settings = job, settings
        self._region, self._report = region, report
        self._floor_db = floor_db
        self._use = next(use for use in region.uses if use.id == report.use.id)
        self._same_place = self._neighbours()

    def _neighbours(self) -> list[Region]:
        from nlecompanion.work.places import place_of

        place = place_of(self._region)
        return [region for region in self._job.regions if place_of(region) == place]

    def run(self, current: Current, progress: Progress) -> Path:
        """Their folder: one in which what was delivered is among the rungs."""
        delivered = current.intensity_db, current.presence_db
        free = None
        for key in (self._key(None), self._key(delivered)):
            folder = cache_folder() / key
            told = _manifest(folder)
            if told is None:
                free = free or folder
            elif _holds(told, current):
                os.utime(folder / MANIFEST)  # now the most recently heard
                return folder
        final = free or cache_folder() / self._key(delivered)
        aside = Path(tempfile.mkdtemp(dir=cache_folder() / _ASIDE))
        try:
            made = self._made(aside, delivered, progress)
            _write_json(aside / MANIFEST, {"format": _FORMAT, **made})
            if final.exists():
                shutil.rmtree(final)  # half of it is gone
            aside.rename(final)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        return final

    def _key(self, delivered: tuple[float, float] | None) -> str:
        """By all that the stems depend on."""
        from nlecompanion.work.task import anonymous, places_recipe
        from nlecompanion.work.task_digest import (
            engine_id,
            region_digest,
            sha256_of_json,
            stretch_digest,
        )

        profile = replace(self._settings.profile, intensity_db=None, de_echo=True, room_tone=True)
        assert self._report.plan is not None
        tone = places_recipe([stretch_digest(region) for region in self._same_place])
        engines = [engine_id(self._report.plan.engine)]
        anyone = anonymous(self._region)
        region = region_digest(anyone, profile, engines, tone, self._joined(), self._floor_db)
        window = [str(self._use.source.start_s), str(self._use.source.duration_s)]
        handles = str(self._settings.handles_s)
        values = [_FORMAT, region, self._settings.engine, window, handles, delivered]
        return sha256_of_json(values)[:40]

    def _joined(self) -> tuple[bool, bool]:
        from nlecompanion.treatment.edges import joined_ends

        return joined_ends(self._region, self._job.uses)

    def _made(
        self, folder: Path, delivered: tuple[float, float], progress: Progress
    ) -> dict[str, Any]:
        from nlecompanion.engines.threads import settle_threads
        from nlecompanion.plugins import engine_factory
        from nlecompanion.work import Tools
        from nlecompanion.work.listening import Wanted, prepare
        from nlecompanion.work.places import place_of, place_tones
        from nlecompanion.work.survey import survey

        region = self._region
        assert self._report.plan is not None
        main = engine_factory(self._settings.engine).create()
        name = self._report.plan.engine
        light = main if name == main.info.name else engine_factory(name).create()
        settle_threads()
        total_s = region.length_samples / region.rate_hz
        progress(0, total_s, "Listening for room tone")
        surveys = [survey(each) for each in self._same_place]
        tone = place_tones(surveys, lambda what: progress(0, total_s, what))[place_of(region)]
        done_s = 0.0

        def tick(seconds: float) -> None:
            nonlocal done_s
            done_s += seconds
            what = "Splitting" if done_s < 0.999 * total_s else "Preparing the slider"
            progress(min(done_s, 0.95 * total_s), total_s, what)

        wanted = Wanted(
            region=region,
            use=self._use,
            profile=self._settings.profile,
            tone=tone,
            light=light is not main,
            joined=self._joined(),
            handles_s=self._settings.handles_s,
            delivered=delivered,
            neighbour_floor_db=self._floor_db,
        )
        scratch = folder / "scratch"
        scratch.mkdir()
        try:
            return prepare(wanted, Tools(main, light), scratch, folder, tick).values()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _holds(told: Mapping[str, Any], current: Current) -> bool:
    """Whether what was delivered is among the rungs."""
    rungs = [rung for each in told["rungs"].values() for rung in each]
    asked = current.intensity_db, current.presence_db
    return any((rung["intensity_db"], rung["presence_db"]) == asked for rung in rungs)


def _drawn(folder: Path, current: Current) -> None:
    """Pictures of what is current, where they are missing."""
    from nlecompanion.review.pictures import draw
    from nlecompanion.work.listening_types import Listening, Setting

    if (folder / f"after-{current.name}.png").is_file():
        return
    listening = Listening.from_values(json.loads((folder / MANIFEST).read_bytes()))
    setting = Setting(current.de_echo, current.room_tone)
    draw(listening, listening.rung(setting, current.intensity_db), folder, current.name)


def _write_json(path: Path, values: dict[str, Any]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(values), encoding="ascii")
    part.replace(path)


def _make_room(root: Path, keep: Path) -> None:
    """The least recently heard go, until the rest is below the limit."""
    folders = [path for path in root.iterdir() if (path / MANIFEST).is_file()]
    heard = sorted(
        ((path / MANIFEST).stat().st_mtime_ns, _size_bytes(path), path) for path in folders
    )
    left_bytes = sum(size for _, size, _ in heard)
    for _, size_bytes, path in heard:
        if left_bytes <= MAX_BYTES:
            return
        if path != keep:
            shutil.rmtree(path, ignore_errors=True)
            left_bytes -= size_bytes


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
