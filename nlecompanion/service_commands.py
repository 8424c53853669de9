"""The command `service`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from nlecompanion.service import Service

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
_DRY = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


@click.group()
def service() -> None:
    """Watches a folder from login on: systemd, launchd or the Windows task scheduler."""


@service.command()
@click.argument("folder", type=_FOLDER)
@click.option("--settings", "settings_file", type=_FILE, metavar="FILE", help="Settings as TOML.")
@_DRY
def install(folder: Path, settings_file: Path | None, dry_run: bool) -> None:
    """Writes the service for FOLDER and starts it."""
    from nlecompanion import service as services
    from nlecompanion.watch.layout import prepare
    from nlecompanion.watch.options import load_options

    found = _service(folder, settings_file)
    if dry_run:
        click.echo(f"Would write {found.file}:\n")
        click.echo(found.content.decode("utf-16" if found.content[:2] == b"\xff\xfe" else "utf-8"))
        _tell("Would run", found.install)
        return
    prepare(folder, load_options(folder).state_dir)
    if told := services.install(found):
        click.echo(told)
    click.echo(f"{found.name} watches {folder.resolve()} from now on. Written: {found.file}")


@service.command()
@click.argument("folder", type=_FOLDER)
@_DRY
def uninstall(folder: Path, dry_run: bool) -> None:
    """Ends the service for FOLDER and takes it away; the folder stays as it is."""
    from nlecompanion import service as services

    found = _service(folder, None)
    if dry_run:
        _tell("Would run", found.uninstall)
        click.echo(f"Would take away {found.file}")
        return
    if told := services.uninstall(found):
        click.echo(told)
    click.echo(f"{found.name} is taken away.")


@service.command("status")
@click.argument("folder", type=_FOLDER)
@_DRY
def service_status(folder: Path, dry_run: bool) -> None:
    """Says whether the service for FOLDER is installed and runs."""
    from nlecompanion import service as services

    found = _service(folder, None)
    if dry_run:
        _tell("Would run", (found.status,))
        return
    click.echo(services.state(found))


def _service(folder: Path, settings_file: Path | None) -> Service:
    from nlecompanion.service import service_for

    options = () if settings_file is None else ("--settings", str(settings_file.resolve()))
    return service_for(folder, options)


def _tell(what: str, commands: tuple[tuple[str, ...], ...]) -> None:
    for command in commands:
        click.echo(f"{what}: {' '.join(command)}")
