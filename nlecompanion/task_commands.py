"""The commands `work`, `farm` and `assemble`: regions as tasks for other machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nlecompanion.command_options import (
    ALL_WELL,
    FOLDER,
    SOME_FAILED,
    job_options,
    json_option,
    settings_from,
    stopping_cleanly,
)

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("task", type=_FILE)
@click.option(
    "--out", type=FOLDER, required=True, metavar="DIR", help="Put what is made below DIR."
)
def work(task: Path, out: Path) -> None:
    """Works on one region: TASK is a file that `farm` has written.

    What it makes is named by the task's contents; a task that was run before is not run again.
    """
    from nlecompanion.work.tasks_done import run_task_file

    with stopping_cleanly():
        ran = run_task_file(task.absolute(), out.absolute(), lambda _: None)
    click.echo(f"{ran.values}{'' if ran.made else ' was there already'}")


@click.command()
@click.argument("timeline", type=click.Path(path_type=Path))
@click.option(
    "--out", type=FOLDER, required=True, metavar="DIR", help="Put the job's files in DIR."
)
@job_options
def farm(timeline: Path, out: Path, **job: Any) -> None:
    """Cuts TIMELINE into tasks: DIR/commands.txt has one command a region, then the assembly.

    All machines must see DIR and the media under the same paths and have the same version of
    nlecompanion. All lines but the last may run in any order, anywhere, again after a failure.
    """
    from nlecompanion import telling
    from nlecompanion.farming import cut
    from nlecompanion.work.regions import Progress

    settings = settings_from(**job)
    with stopping_cleanly(), telling.progress_bar(quiet=False) as bar:
        made = cut(
            timeline.absolute(),
            settings,
            out.absolute(),
            lambda what: bar.watch(Progress(0, 1, what)),
        )
    click.echo(f"{made.commands}: {made.tasks} tasks")


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--out",
    type=FOLDER,
    metavar="DIR",
    help="Put the delivery's folder below DIR (default: beside the timeline).",
)
@json_option("The result")
@click.pass_context
def assemble(ctx: click.Context, /, folder: Path, out: Path | None, as_json: bool) -> None:
    """Puts together the delivery of a job that `farm` has cut into FOLDER.

    Regions whose tasks were not run are worked on here.
    """
    from nlecompanion import telling
    from nlecompanion.farming import put_together

    with stopping_cleanly(), telling.progress_bar(quiet=as_json) as bar:
        delivery = put_together(folder.absolute(), out, bar.watch)
    click.echo(telling.delivery_json(delivery) if as_json else telling.delivery(delivery))
    ctx.exit(SOME_FAILED if delivery.failed else ALL_WELL)
