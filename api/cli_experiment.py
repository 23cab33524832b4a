"""``entrepot experiment``: what came of trying profiles on shoppers."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import click
import msgspec
from rich.markup import escape
from rich.table import Table

from engine.assembly import open_events
from engine.errors import NotFound
from engine.evaluation.experiment import ExperimentReport
from engine.manager import PluginManager
from engine.settings import Settings

from .cli_common import config_option, settings_from
from .evaluation_tables import terminal
from .experiments import report_of
from .remote import call
from .running import find_server


@click.group("experiment")
def command() -> None:
    """Report on experiments: profiles tried on shoppers."""


@command.command("report")
@click.argument("name")
@click.option("--days", default=30.0, show_default=True, help="How far back events count.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
@config_option
def report(name: str, days: float, as_json: bool, config: Path | None) -> None:
    """What the events that carry experiment NAME's arms say of them."""
    settings = settings_from(config)
    found = _found(settings, name, days)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    if found.arms:
        _print_arms(found)
    console = terminal()
    if found.preference is not None:
        p = found.preference
        console.print(
            f"of {p.clicked_searches:,} searches with a click {p.second} won {0.5 + p.value:.1%} "
            f"against {p.first} ({0.5 + p.low:.1%} to {0.5 + p.high:.1%}), ties half"
        )
    for warning in found.warnings:
        console.print(escape(warning), style="yellow")


def _found(settings: Settings, name: str, days: float) -> ExperimentReport:
    """From the running server where there is one, for it writes the events."""
    if client := find_server(settings):
        with closing(client):
            path = f"/v1/experiments/{quote(name, safe='')}/report?days={days:g}"
            return msgspec.json.decode(call(client, "GET", path), type=ExperimentReport)
    store = open_events(settings, PluginManager(settings.plugins))
    if store is None:
        raise NotFound("this shop keeps no events: events.plugin", field="events.plugin")
    with closing(store):
        return report_of(settings, store, name, days)


def _print_arms(found: ExperimentReport) -> None:
    figures = list(dict.fromkeys(name for arm in found.arms for name in arm.figures))
    table = Table("", *(arm.profile for arm in found.arms), box=None)
    table.add_row("shoppers", *(f"{arm.shoppers:,}" for arm in found.arms))
    table.add_row("searches", *(f"{arm.searches:,}" for arm in found.arms))
    for name in figures:
        cells = []
        for arm in found.arms:
            figure = arm.figures.get(name)
            if figure is None:
                cells.append("")
            elif figure.change is None:
                cells.append(f"{figure.value:.4g} ({figure.low:.4g} to {figure.high:.4g})")
            else:
                change, low, high = figure.change
                cells.append(f"{figure.value:.4g}, {change:+.4g} ({low:+.4g} to {high:+.4g})")
        table.add_row(name, *cells)
    terminal().print(table)
