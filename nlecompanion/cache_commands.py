"""The command `cache`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from nlecompanion.region_cache import CacheState


@click.group(invoke_without_command=True)
@click.pass_context
def cache(ctx: click.Context) -> None:
    """Finished regions, kept so that a changed timeline costs only what changed."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show)


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(as_json: bool = False) -> None:
    """Says where the cache lies and how much is in it."""
    from nlecompanion.region_cache import RegionCache, cache_folder

    # How much it may hold is a setting of each job; a look at it needs no limit.
    found = RegionCache(cache_folder(), max_bytes=1).describe()
    click.echo(_as_json(found) if as_json else _as_text(found))


@cache.command()
def empty() -> None:
    """Takes everything out of the cache; deliveries stay as they are."""
    from nlecompanion.region_cache import RegionCache, cache_folder

    before = RegionCache(cache_folder(), max_bytes=1).clear()
    click.echo(f"Emptied {before.folder}: {_amount(before)} taken out.")


def _amount(found: CacheState) -> str:
    return f"{found.entries} regions, {found.size_bytes / 1e6:.1f} MB"


def _as_text(found: CacheState) -> str:
    if found.trouble is not None:
        return f"Not used: {found.trouble}."
    return f"{found.folder}: {_amount(found)}."


def _as_json(found: CacheState) -> str:
    return json.dumps(
        {
            "folder": str(found.folder),
            "regions": found.entries,
            "bytes": found.size_bytes,
            "trouble": found.trouble,
        }
    )
