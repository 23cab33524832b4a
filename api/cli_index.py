"""``entrepot index``: a catalogue becomes a generation of the index, and goes live."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click
import msgspec

from engine.settings import Settings
from indexer import run_build

from .cli_common import config_option, settings_from
from .engines import check_generation, open_engine, promote_generation
from .evaluation_tables import evidence_shown, show_evidence
from .progress import progress_bar
from .remote import promote_remotely
from .running import find_server


@click.command("index")
@click.argument("source", default="")
@click.option("--no-promote", is_flag=True, help="Build, but leave the live index as it is.")
@click.option("--force", is_flag=True, help="Make it live whatever the gate finds.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
@config_option
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    no_promote: bool,
    force: bool,
    as_json: bool,
    config: Path | None,
) -> None:
    """Index a catalogue and make it live.

    Where the settings name a gate (generations.gate), it must pass that first.

    SOURCE is a JSONL, CSV or Parquet file or a folder of photos [default: catalogue.source].
    Exit status: 0 when every product is in the index, 1 when some failed, 2 when nothing was
    built.
    """
    settings = settings_from(config)
    with progress_bar() as on_progress:
        report = run_build(settings, _absolute(source), on_progress)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)))
    else:
        click.echo(report.summary())
    if report.built and not no_promote:
        promote(settings, report.generation, force=force)
        click.echo(f"{report.generation} is live", err=as_json)
    ctx.exit(report.exit_status)


def promote(settings: Settings, generation: str, *, force: bool) -> None:
    """In the process that holds the index: a running server, else this one; through the gate that
    the settings name. What it found goes to stderr."""
    with evidence_shown():
        if client := find_server(settings):
            with closing(client):
                evidence = promote_remotely(client, generation, force=force)
        else:
            with open_engine(settings) as engine:
                evidence = check_generation(engine, generation, force=force)
                promote_generation(engine, generation, evidence)
    if evidence is not None:
        show_evidence(evidence)


def _absolute(source: str) -> str:
    """A path on the command line starts here; one in the settings, at their file."""
    path = Path(source)
    return str(path.absolute()) if source and path.exists() else source
