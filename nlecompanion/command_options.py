"""Options and manners that several commands share, each declared once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from nlecompanion.errors import SettingsError

if TYPE_CHECKING:
    from nlecompanion.settings import Settings

ALL_WELL, SOME_FAILED, UNUSABLE, STOPPED = 0, 1, 2, 130
#: The key in a context's `meta` that says that errors are told as JSON too.
AS_JSON = "nlecompanion.as_json"
FOLDER = click.Path(file_okay=False, path_type=Path)
Command = TypeVar("Command", bound=Callable[..., Any])


def _remember_json(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
    """So that an error of this command is told as JSON too."""
    ctx.meta[AS_JSON] = value
    return value


def json_option(what: str) -> Callable[[Command], Command]:
    """`--json`, with which errors are told as JSON too."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        is_eager=True,
        callback=_remember_json,
        help=f"{what} as JSON on standard output.",
    )


@contextmanager
def stopping_cleanly() -> Iterator[None]:
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


def job_options(command: Any) -> Any:
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


def settings_from(
    profile: str | None,
    engine: str | None,
    tracks: str | None,
    handles: float | None,
    path_map: tuple[str, ...],
    search_roots: tuple[Path, ...],
    media_roots: tuple[Path, ...],
    settings_file: Path | None,
    workers: str | None = None,
) -> Settings:
    """The settings of the file, overridden by the options; each command has its own defaults.

    Raises:
        SettingsError: an option, or the file, cannot be used.
    """
    from nlecompanion.settings import (
        AUTO,
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
    if workers is not None:
        values["workers"] = _count(workers)
    values.setdefault("workers", AUTO)
    if path_map:
        values["path_map"] = tuple(_mapping(text) for text in path_map)
    if search_roots:
        values["search_roots"] = search_roots
    if media_roots:
        values["media_roots"] = media_roots
    return Settings(**values)


def workers_option(command: Command) -> Command:
    """How many processes share the work."""
    return click.option(
        "--workers",
        metavar="N",
        help="Processes that share the regions: auto (by cores and free memory), or a number; "
        "0 works in one.",
    )(command)


def _count(text: str) -> int | Literal["auto"]:
    from nlecompanion.settings import AUTO

    if text == AUTO:
        return AUTO
    if text.isascii() and text.isdigit():
        return int(text)
    raise SettingsError(f"--workers wants auto or a number from 0 on, not {text!r}.")


def _mapping(text: str) -> tuple[str, str]:
    source, separator, target = text.rpartition("=")
    if not separator or not source or not target:
        raise SettingsError(f"--map wants FROM=TO, for example D:/Media=/mnt/media, not {text!r}.")
    return source, target
