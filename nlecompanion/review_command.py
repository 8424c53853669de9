"""The command `review`."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from nlecompanion.command_options import stopping_cleanly

_FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)


@click.command()
@click.argument("folder", type=_FOLDER, default=".")
@click.option(
    "--document",
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE",
    help="The timeline that the deliveries were made of, where this machine does not know it.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Listen there; anything but a loopback address opens the page to the network.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="NUMBER",
    help="Listen on this port (default: a free one).",
)
@click.option("--no-browser", is_flag=True, help="Print the address, open nothing.")
def review(folder: Path, document: Path | None, host: str, port: int, no_browser: bool) -> None:
    """Opens a page to listen, compare and decide: the deliveries below FOLDER.

    FOLDER is a delivery, a folder with some, or a watched folder, whose jobs are shown as well.
    """
    from nlecompanion.review.desk import Options
    from nlecompanion.review.serve import serve

    options = Options(folder.resolve(), None if document is None else document.resolve())
    # A signal is how it ends: there is nothing to be sorry for.
    with contextlib.suppress(KeyboardInterrupt), stopping_cleanly():
        serve(options, host, port, open_browser=not no_browser, say=click.echo)
