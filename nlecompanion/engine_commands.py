"""The commands `doctor` and `engines`."""

from __future__ import annotations

from pathlib import Path

import click

from nlecompanion.command_options import ALL_WELL, FOLDER, SOME_FAILED, json_option


@click.command()
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=FOLDER,
    metavar="DIR",
    help="Also check that DIR can be written. Repeatable.",
)
@json_option("The findings")
@click.pass_context
def doctor(ctx: click.Context, folders: tuple[Path, ...], as_json: bool) -> None:
    """Says what is installed, which engines are ready and what to do about the rest."""
    from nlecompanion import telling
    from nlecompanion.doctor import examine

    findings = examine(folders or (Path.cwd(),))
    click.echo(telling.findings_json(findings) if as_json else telling.findings(findings))
    ctx.exit(SOME_FAILED if any(finding.trouble for finding in findings) else ALL_WELL)


@click.group(invoke_without_command=True)
@json_option("The list")
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
