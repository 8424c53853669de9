"""The commands `status`, `retry`, `cancel` and `forget`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from nlecompanion.watch.journal import Journal
    from nlecompanion.watch.layout import WatchFolder

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FOLLOW_S = 1.0
#: Clears the screen and goes to its top left corner (ECMA-48: ED, CUP).
_CLEAR = "\033[2J\033[H"


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[WatchFolder, Journal]]:
    from nlecompanion.watch.contract import SystemClock
    from nlecompanion.watch.journal import Journal
    from nlecompanion.watch.layout import existing
    from nlecompanion.watch.options import load_options

    places = existing(folder, load_options(folder).state_dir)
    with Journal(places.journal, SystemClock()) as journal:
        yield places, journal


@click.command()
@click.argument("folder", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="One JSON object (a line at every change).")
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C.")
def status(folder: Path, as_json: bool, follow: bool) -> None:
    """Says where the jobs of the watched FOLDER stand, whether or not it is watched now."""
    from nlecompanion.watch.status import as_json as told_as_json
    from nlecompanion.watch.status import as_text, read_status

    with _opened(folder) as (places, journal):
        before = None
        while True:
            found = read_status(places, journal)
            told = told_as_json(found) if as_json else as_text(found, time.time())
            if told != before:
                screen = follow and not as_json and sys.stdout.isatty()
                click.echo(f"{_CLEAR}{told}" if screen else told)
            if not follow:
                return
            before = told
            time.sleep(_FOLLOW_S)


def _ask(folder: Path, job: str, what: str) -> None:
    from nlecompanion.watch.asking import ask
    from nlecompanion.watch.contract import SystemClock
    from nlecompanion.watch.requests import What
    from nlecompanion.watch.status import find_job, read_status

    with _opened(folder) as (places, journal):
        found = find_job(read_status(places, journal), job)
        click.echo(ask(places, journal, SystemClock(), found.id, What(what)))


@click.command()
@click.argument("folder", type=_FOLDER)
@click.argument("job")
def retry(folder: Path, job: str) -> None:
    """Works on JOB again (a number of `status`, or a document's name)."""
    _ask(folder, job, "retry")


@click.command()
@click.argument("folder", type=_FOLDER)
@click.argument("job")
def cancel(folder: Path, job: str) -> None:
    """Takes JOB out of the queue, or stops the work on it."""
    _ask(folder, job, "cancel")


@click.command()
@click.argument("folder", type=_FOLDER)
@click.argument("job")
def forget(folder: Path, job: str) -> None:
    """Takes JOB out of the list; its document, dropped again, is worked on again."""
    _ask(folder, job, "forget")
