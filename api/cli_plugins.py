"""``entrepot plugins``: what is installed, what of it works, what it costs; and a new one."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from engine.manager import PluginManager, PluginStatus

from . import cli_plugins_bench, cli_plugins_check, cli_plugins_new
from .cli_common import config_option, settings_from
from .plugin_remedies import load_remedy


@click.group("plugins")
def command() -> None:
    """List the installed plugins, check and time them, or write one."""


@command.command("list")
@config_option
def list_all(config: Path | None) -> None:
    """Show every plugin and what it provides; broken ones with the reason and the remedy."""
    manager = PluginManager(settings_from(config).plugins)
    console = Console(highlight=False, soft_wrap=True)
    for status in manager.statuses:
        origin = "Entrepot" if status.builtin else status.distribution
        console.print(f"[b]{escape(status.name)}[/b]  [dim]{escape(origin)}[/dim]")
        if status.error:
            console.print(f"  [red]✗ {escape(status.error)}[/red]")
            console.print(f"    → {escape(load_remedy(status))}")
        for line in _components(manager, status):
            console.print(f"  {escape(line)}")


def _components(manager: PluginManager, status: PluginStatus) -> list[str]:
    """A line per component: its kind, its name, its options."""
    lines = []
    for kind, names in status.provides.items():
        for name in names:
            options = manager.options_of(kind, name).__struct_encode_fields__
            title = kind.removesuffix("s").replace("_", " ")
            shown = f" · {', '.join(options)}" if options else ""
            lines.append(f"{title:<16}{name}{shown}")
    return lines


for each in (cli_plugins_check.command, cli_plugins_bench.command, cli_plugins_new.command):
    command.add_command(each)
