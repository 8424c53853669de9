"""The command line: the only place that prints and exits."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nlecompanion import __version__
from nlecompanion.errors import NleCompanionError, SettingsError
from nlecompanion.service_commands import service
from nlecompanion.training.cli import train
from nlecompanion.watch_commands import cancel, forget, retry, status

if TYPE_CHECKING:
    from nlecompanion import telling
    from nlecompanion.settings import Settings
    from nlecompanion.work.preview import Preview

ALL_WELL, SOME_FAILED, UNUSABLE, STOPPED = 0, 1, 2, 130
_AS_JSON = "nlecompanion.as_json"
_Command = TypeVar("_Command", bound=Callable[..., Any])
_FOLDER = click.Path(file_okay=False, path_type=Path)


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
            if ctx.meta.get(_AS_JSON):
                click.echo(json.dumps({"error": line}))
            click.echo(f"nlecompanion: {line}", err=True)
            ctx.exit(UNUSABLE)
        except KeyboardInterrupt:
            click.echo("nlecompanion: stopped; nothing was delivered.", err=True)
            ctx.exit(STOPPED)


def _remember_json(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
    """So that an error of this command is told as JSON too."""
    ctx.meta[_AS_JSON] = value
    return value


def _json_option(what: str) -> Callable[[_Command], _Command]:
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        is_eager=True,
        callback=_remember_json,
        help=f"{what} as JSON on standard output.",
    )


@contextmanager
def _stopping_cleanly() -> Iterator[None]:
    """SIGTERM and SIGHUP end the work as Ctrl-C does: what was staged is taken away."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    numbers = [n for n in ("SIGTERM", "SIGHUP") if hasattr(signal, n)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = {name: signal.signal(getattr(signal, name), stop) for name in numbers}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


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


def _job_options(command: Any) -> Any:
    """The options that `run`, `watch` and `demo` share, declared once."""
    options = [
        click.option(
            "--profile",
            metavar="NAME",
            help="exposed (default), under-music, subtitled, or a profile's .toml file.",
        ),
        click.option(
            "--engine", metavar="NAME", help="auto (default) takes the best that is ready."
        ),
        click.option(
            "--tracks",
            metavar="LIST",
            help="Only these audio tracks: names or numbers, separated by commas (A1,Dialogue).",
        ),
        click.option(
            "--handles",
            type=float,
            metavar="S",
            help="Seconds of extra sound at either end, 0 to 10 (default 2).",
        ),
        click.option(
            "--map",
            "path_map",
            multiple=True,
            metavar="FROM=TO",
            help="Media at FROM in the timeline lie at TO here. Repeatable.",
        ),
        click.option(
            "--search",
            "search_roots",
            multiple=True,
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            metavar="DIR",
            help="Look below DIR for offline media, by name, length and timecode. Repeatable.",
        ),
        click.option(
            "--media-root",
            "media_roots",
            multiple=True,
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            metavar="DIR",
            help="Only read media below DIR. Repeatable. Default: all local files.",
        ),
        click.option(
            "--settings",
            "settings_file",
            metavar="FILE",
            type=click.Path(dir_okay=False, exists=True, path_type=Path),
            help="Settings as TOML; options on the command line win.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _settings(
    profile: str | None,
    engine: str | None,
    tracks: str | None,
    handles: float | None,
    path_map: tuple[str, ...],
    search_roots: tuple[Path, ...],
    media_roots: tuple[Path, ...],
    settings_file: Path | None,
) -> Settings:
    from nlecompanion.settings import (
        DEFAULT_PROFILE,
        Settings,
        handles_from,
        load_profile,
        load_settings,
    )

    values = load_settings(settings_file) if settings_file is not None else {}
    if profile is not None or "profile" not in values:
        values["profile"] = load_profile(profile or DEFAULT_PROFILE)
    if engine is not None:
        values["engine"] = engine
    if tracks is not None:
        values["tracks"] = tuple(name.strip() for name in tracks.split(",") if name.strip())
    if handles is not None:
        values["handles_s"] = handles_from(handles)
    if path_map:
        values["path_map"] = tuple(_mapping(text) for text in path_map)
    if search_roots:
        values["search_roots"] = search_roots
    if media_roots:
        values["media_roots"] = media_roots
    return Settings(**values)


def _mapping(text: str) -> tuple[str, str]:
    source, separator, target = text.rpartition("=")
    if not separator or not source or not target:
        raise SettingsError(f"--map wants FROM=TO, for example D:/Media=/mnt/media, not {text!r}.")
    return source, target


@main.command()
@click.argument("timeline", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=_FOLDER,
    metavar="DIR",
    help="Put the delivery's folder below DIR (default: beside the timeline).",
)
@_job_options
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--go-on", is_flag=True, help="Don't ask when the hardest moment comes out badly.")
@_json_option("The result")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    timeline: Path,
    out: Path | None,
    dry_run: bool,
    go_on: bool,
    as_json: bool,
    **job: Any,
) -> None:
    """Cleans the dialogue of TIMELINE and hands back the conformed timeline."""
    from nlecompanion import pipeline, telling

    settings = _settings(**job)
    timeline = timeline.absolute()
    if dry_run:
        read = pipeline.read_job(timeline, settings)
        click.echo(telling.dry_run_json(read) if as_json else telling.dry_run(read))
        return
    place = pipeline.Place((out or timeline.parent).absolute())
    with _stopping_cleanly(), telling.progress_bar(quiet=as_json) as bar:
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
    type=_FOLDER,
    metavar="DIR",
    help="Put the preview's folder below DIR (default: beside the timeline).",
)
@_job_options
@_json_option("The result")
@click.pass_context
def preview(
    ctx: click.Context, /, timeline: Path, out: Path | None, as_json: bool, **job: Any
) -> None:
    """Treats only the hardest moment of TIMELINE: listen before and after, then decide."""
    from nlecompanion import pipeline, telling

    settings = _settings(**job)
    timeline = timeline.absolute()
    place = pipeline.Place((out or timeline.parent).absolute())
    with _stopping_cleanly(), telling.progress_bar(quiet=as_json) as bar:
        found = pipeline.preview(timeline, settings, place, bar.watch)
    if found is None:
        click.echo("null" if as_json else "Nobody speaks in what would be worked on.")
        return
    click.echo(telling.preview_json(*found) if as_json else telling.preview(*found))
    ctx.exit(SOME_FAILED if found[1].failed else ALL_WELL)


@main.command()
@click.option(
    "--out",
    type=_FOLDER,
    default=Path("nlecompanion-demo"),
    show_default=True,
    metavar="DIR",
    help="Where the scene and its delivery are made.",
)
@_job_options
@_json_option("The result")
@click.pass_context
def demo(ctx: click.Context, /, out: Path, as_json: bool, **job: Any) -> None:
    """Makes a small scene with picture, runs the whole path on it and says what was done."""
    from nlecompanion import pipeline, telling
    from nlecompanion.delivery.staging import disk_errors
    from nlecompanion.demo import make_scene

    settings = _settings(**job)
    out = out.absolute()
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        timeline = make_scene(out)
    with _stopping_cleanly(), telling.progress_bar(quiet=as_json) as bar:
        delivery = pipeline.run(timeline, settings, pipeline.Place(out), bar.watch)
    click.echo(telling.delivery_json(delivery) if as_json else telling.delivery(delivery))
    ctx.exit(SOME_FAILED if delivery.failed else ALL_WELL)


@main.command()
@click.argument("folder", type=_FOLDER)
@_job_options
@click.option("--polling", is_flag=True, help="Look by the clock: for network drives.")
def watch(folder: Path, polling: bool, **job: Any) -> None:
    """Watches FOLDER/inbox; deliveries appear in FOLDER/done, what fails in FOLDER/failed.

    A sub-folder of the inbox that is named after a profile picks that profile.
    """
    from nlecompanion.watching import watch_folder

    files = (job["settings_file"],) if job["settings_file"] is not None else ()
    watch_folder(
        folder.absolute(), lambda: _settings(**job), files=files, polling=polling, say=click.echo
    )


@main.command()
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=_FOLDER,
    metavar="DIR",
    help="Also check that DIR can be written. Repeatable.",
)
@_json_option("The findings")
@click.pass_context
def doctor(ctx: click.Context, folders: tuple[Path, ...], as_json: bool) -> None:
    """Says what is installed, which engines are ready and what to do about the rest."""
    from nlecompanion import telling
    from nlecompanion.doctor import examine

    findings = examine(folders or (Path.cwd(),))
    click.echo(telling.findings_json(findings) if as_json else telling.findings(findings))
    ctx.exit(SOME_FAILED if any(finding.trouble for finding in findings) else ALL_WELL)


@main.group(invoke_without_command=True)
@_json_option("The list")
@click.pass_context
def engines(ctx: click.Context, as_json: bool) -> None:
    """Lists the engines with licence and source; `engines get NAME` fetches weights."""
    from nlecompanion import telling
    from nlecompanion.plugins import engine_factories

    if ctx.invoked_subcommand is None:
        found = engine_factories()
        click.echo(telling.engines_json(found) if as_json else telling.engines(found))


@engines.command("get")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Accept the licence notice without being asked.")
def engines_get(name: str, yes: bool) -> None:
    """Fetches the weights of engine NAME, after showing under which terms they are given."""
    from nlecompanion.plugins import engine_factory

    factory = engine_factory(name)
    if factory.readiness().ready:
        click.echo(f"{name} is ready.")
        return
    info = factory.info
    click.echo(f"{info.title}\nWeights: {info.weights}\nSource: {info.source}")
    if info.licence_notice:
        click.echo(f"\n{info.licence_notice}\n")
        if not yes:
            click.confirm("Fetch them under these terms?", abort=True)
    factory.fetch()
    click.echo(f"{name} is ready.")


main.add_command(train)
for _command in (status, retry, cancel, forget, service):
    main.add_command(_command)

if __name__ == "__main__":
    main()
