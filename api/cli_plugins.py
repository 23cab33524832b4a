"""``entrepot plugins``: what is installed, and what of it works."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from engine.manager import PluginManager

from .cli_common import config_option, settings_from


@click.group("plugins")
def command() -> None:
    """Look at the installed plugins."""


@command.command("list")
@config_option
def list_all(config: Path | None) -> None:
    """Show every plugin and what it provides; broken ones with the reason."""
    manager = PluginManager(settings_from(config).plugins)
    table = Table("plugin", "from", "provides", "", box=None)
    for status in manager.statuses:
        provides = "; ".join(
            f"{kind}: {', '.join(names)}" for kind, names in status.provides.items() if names
        )
        origin = "Entrepot" if status.builtin else "a package"
        table.add_row(status.name, origin, provides, status.error, style="red" * bool(status.error))
    Console().print(table)
