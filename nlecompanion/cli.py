"""The command line: the only place that prints and exits."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nlecompanion import __version__
from nlecompanion.cache_commands import cache
from nlecompanion.command_options import (
    ALL_WELL,
    AS_JSON,
    FOLDER,
    SOME_FAILED,
    STOPPED,
    UNUSABLE,
    job_options,
    json_option,
    settings_from,
    stopping_cleanly,
    workers_option,
)
from nlecompanion.engine_commands import doctor, engines
from nlecompanion.errors import NleCompanionError
from nlecompanion.review_command import review
from nlecompanion.service_commands import service
from nlecompanion.task_commands import assemble, farm, work
from nlecompanion.training.cli import train
from nlecompanion.watch_commands import cancel, forget, retry, status

if TYPE_CHECKING:
    from nlecompanion import telling
    from nlecompanion.work.preview import Preview


class _Group(click.Group):
    """Our errors become one line and exit code 2; a broken pipe or Ctrl-C is not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except (NleCompanionError, OSError, UnicodeError) as error:
            line = " ".join(str(error).split())
            if ctx.meta.get(AS_JSON):
                click.echo(json.dumps({"error": line}))
            click.echo(f"nlecompanion: {line}", err=True)
            ctx.exit(UNUSABLE)
        except KeyboardInterrupt:
            click.echo("nlecompanion: stopped; nothing was delivered.", err=True)
            ctx.exit(STOPPED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nlecompanion")
@click.option("-v", "--verbose", count=True, help="Say more (-v: what happens, -vv: everything).")
@click.pass_context
def main(ctx: click.Context, /, verbose: int) -> None:
    """Cleans the dialogue of an exported timeline and hands back the conformed timeline.

    \b
    Start here:   nlecompanion demo
    One timeline: nlecompanion run "Scene 3.xml"
    A folder:     nlecompanion watch ~/Dialogue

    Exit codes: 0 all went well, 1 some uses failed, 2 the input cannot be used,
    130 stopped.
    """
    import logging

    level = {0: logging.ERROR, 1: logging.INFO}.get(verbose, logging.DEBUG)
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    if not verbose:
        # What fails is told in the summary; a traceback is for those who ask.
        logger = logging.getLogger("nlecompanion")
        logger.setLevel(logging.CRITICAL)
        ctx.call_on_close(lambda: logger.setLevel(logging.NOTSET))


@main.command()
@click.argument("timeline", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=FOLDER,
    metavar="DIR",
    help="Put the delivery's folder below DIR (default: beside the timeline).",
)
@job_options
@workers_option
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--go-on", is_flag=True, help="Don't ask when the hardest moment comes out badly.")
@json_option("The result")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    timeline: Path,
    out: Path | None,
    dry_run: bool,
    go_on: bool,
    as_json: bool,
    workers: str | None,
    **job: Any,
) -> None:
    """Cleans the dialogue of TIMELINE and hands back the conformed timeline."""
    from nlecompanion import pipeline, telling

    settings = settings_from(workers=workers, **job)
    timeline = timeline.absolute()
    if dry_run:
        read = pipeline.read_job(timeline, settings)
        click.echo(telling.dry_run_json(read) if as_json else telling.dry_run(read))
        return
    place = pipeline.Place((out or timeline.parent).absolute())
    with stopping_cleanly(), telling.progress_bar(quiet=as_json) as bar:
        ask = _asking(bar) if bar.interactive and not go_on else None
        delivery = pipeline.run(timeline, settings, place, bar.watch, ask)
    click.echo(telling.delivery_json(delivery) if as_json else telling.delivery(delivery))
    ctx.exit(SOME_FAILED if delivery.failed else ALL_WELL)


def _asking(bar: telling.Bar) -> Callable[[Preview], bool]:
    """Asks at the terminal whether to go on."""
    from nlecompanion import telling

    def ask(seen: Preview) -> bool:
        bar.pause()
        click.echo(telling.question(seen), err=True)
        return click.confirm("Go on?", default=True, err=True)

    return ask


@main.command()
@click.argument("timeline", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=FOLDER,
    metavar="DIR",
    help="Put the preview's folder below DIR (default: beside the timeline).",
)
@job_options
@json_option("The result")
@click.pass_context
def preview(
    ctx: click.Context, /, timeline: Path, out: Path | None, as_json: bool, **job: Any
) -> None:
    """Treats only the hardest moment of TIMELINE: listen before and after, then decide."""
    from nlecompanion import pipeline, telling

    settings = settings_from(**job)
    timeline = timeline.absolute()
    place = pipeline.Place((out or timeline.parent).absolute())
    with stopping_cleanly(), telling.progress_bar(quiet=as_json) as bar:
        found = pipeline.preview(timeline, settings, place, bar.watch)
    if found is None:
        click.echo("null" if as_json else "Nobody speaks in what would be worked on.")
        return
    click.echo(telling.preview_json(*found) if as_json else telling.preview(*found))
    ctx.exit(SOME_FAILED if found[1].failed else ALL_WELL)


@main.command()
@click.option(
    "--out",
    type=FOLDER,
    default=Path("nlecompanion-demo"),
    show_default=True,
    metavar="DIR",
    help="Where the scene and its delivery are made.",
)
@job_options
@json_option("The result")
@click.pass_context
def demo(ctx: click.Context, /, out: Path, as_json: bool, **job: Any) -> None:
    """Makes a small scene with picture, runs the whole path on it and says what was done."""
    from nlecompanion import pipeline, telling
    from nlecompanion.delivery.staging import disk_errors
    from nlecompanion.demo import make_scene

    settings = settings_from(**job)
    out = out.absolute()
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        timeline = make_scene(out)
    with stopping_cleanly(), telling.progress_bar(quiet=as_json) as bar:
        delivery = pipeline.run(timeline, settings, pipeline.Place(out), bar.watch)
    click.echo(telling.delivery_json(delivery) if as_json else telling.delivery(delivery))
    ctx.exit(SOME_FAILED if delivery.failed else ALL_WELL)


@main.command()
@click.argument("folder", type=FOLDER)
@job_options
@click.option("--polling", is_flag=True, help="Look by the clock: for network drives.")
def watch(folder: Path, polling: bool, **job: Any) -> None:
    """Watches FOLDER/inbox; deliveries appear in FOLDER/done, what fails in FOLDER/failed.

    A sub-folder of the inbox that is named after a profile picks that profile.
    """
    from nlecompanion.watching import watch_folder

    files = (job["settings_file"],) if job["settings_file"] is not None else ()
    watch_folder(
        folder.absolute(),
        lambda: settings_from(**job),
        files=files,
        polling=polling,
        say=click.echo,
    )


for _command in (
    assemble,
    cache,
    cancel,
    doctor,
    engines,
    farm,
    forget,
    retry,
    review,
    service,
    status,
    train,
    work,
):
    main.add_command(_command)

if __name__ == "__main__":
    main()
