"""A job cut into task files for a farm's own manager, and put together again.

The folder of a farm job holds `tasks/` with one file a region, `tasks/tones/`, `commands.txt` with
one command a line, the last of which assembles the delivery, and `done/` for what they make.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nlecompanion import pipeline
from nlecompanion.decisions import Decisions
from nlecompanion.delivery.staging import disk_errors
from nlecompanion.delivery.unpacking import room_for
from nlecompanion.errors import NleCompanionError, SettingsError
from nlecompanion.job import read_job, with_own_keys
from nlecompanion.job_record import JobRecord, record_from_values, record_values
from nlecompanion.model import Delivery
from nlecompanion.settings import Settings
from nlecompanion.work.neighbours import neighbour_floors_db
from nlecompanion.work.regions import Watcher, assignments
from nlecompanion.work.survey_all import survey_all, tones_of
from nlecompanion.work.task import task_to_json
from nlecompanion.work.tasks_done import TONES_FOLDER, DoneFolder
from nlecompanion.work.tasks_opened import open_bench
from nlecompanion.work.worker_jobs import Shelf

JOB_FILE, COMMANDS_FILE, TASKS_FOLDER, DONE_FOLDER = "job.json", "commands.txt", "tasks", "done"


@dataclass(frozen=True, slots=True)
class Farm:
    """A job that was cut: its commands, and how many tasks it has."""

    commands: Path
    tasks: int


def cut(document: Path, settings: Settings, folder: Path, say: Callable[[str], None]) -> Farm:
    """Listens to all regions and writes a task file and a command for each.

    Raises:
        DocumentError: the document cannot be worked on.
        SettingsError: its media are inside of it, where no other machine finds them.
        NoSpace, NotWritable: the folder cannot be written.
    """
    chosen, _ = with_own_keys(settings, document)
    with room_for(document) as room:
        job = read_job(document, chosen, room)
        if room is not None and any(r.media.path.is_relative_to(room) for r in job.regions):
            raise SettingsError(
                f"{document.name} carries its media inside. Unpack it, and cut what is in there."
            )
    if not job.regions:
        raise NleCompanionError(f"There is nothing to clean in {document.name}.")
    tasks = folder / TASKS_FOLDER
    with disk_errors(folder):
        (tasks / TONES_FOLDER).mkdir(parents=True, exist_ok=True)
        (folder / DONE_FOLDER).mkdir(exist_ok=True)
        with open_bench(chosen, Shelf(), job.regions, folder) as bench:
            surveys = survey_all(job.regions, bench, say)
            tones = tones_of(job.regions, surveys, bench, say)
            for tone in tones.values():
                shutil.copyfile(tone.path, tasks / TONES_FOLDER / f"{tone.sha256}.tone")
            heard = [(s.region, s.track) for s in surveys if s is not None]
            floors_db = neighbour_floors_db(heard, chosen.profile)
            every = assignments(job.regions, job.uses, tones, lambda _: chosen.profile, floors_db)
            made = [one.task(bench) for one in every]
            engine = bench.main.name
        names = {f"{task.digest()}.json": task_to_json(task) for task in made}
        for name, values in names.items():
            (tasks / name).write_text(json.dumps(values), encoding="ascii")
        record = JobRecord(document.absolute(), settings, Decisions(), engine)
        (folder / JOB_FILE).write_text(json.dumps(record_values(record)), encoding="ascii")
        commands = folder / COMMANDS_FILE
        lines = [_work_command(tasks / name, folder / DONE_FOLDER) for name in names]
        lines.append(_command("assemble", folder))
        commands.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")
    return Farm(commands, len(names))


def put_together(folder: Path, out: Path | None, watcher: Watcher) -> Delivery:
    """The delivery of a job that was cut, from what its commands have made; works on the rest.

    Raises:
        SettingsError: there is no such job in the folder.
        NleCompanionError: as `pipeline.run`.
    """
    try:
        values = json.loads((folder / JOB_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{folder} is no job that `nlecompanion farm` has cut: {error}."
        ) from error
    record = record_from_values(values, folder.name)
    place = pipeline.Place((out or record.document.parent).absolute())
    done = DoneFolder(folder / DONE_FOLDER)
    return pipeline.run(record.document, record.settings, place, watcher, done=done)


def _work_command(task: Path, out: Path) -> str:
    return _command("work", task, "--out", out)


def _command(*words: str | Path) -> str:
    return shlex.join(["nlecompanion", *(str(word) for word in words)])
