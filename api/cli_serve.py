"""``entrepot serve``: answer searches over HTTP."""

from __future__ import annotations

from pathlib import Path

import click

from engine.errors import InvalidSettings

from .cli_common import server_options, settings_from
from .server import serve


@click.command("serve")
@click.option(
    "--config",
    "configs",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings file; repeat it to serve several shops [default: entrepot.toml here].",
)
@server_options
def command(
    configs: tuple[Path, ...], host: str | None, port: int | None, no_browser: bool
) -> None:
    """Serve the API and the web page until interrupted."""
    shops = [settings_from(config) for config in configs or (None,)]
    if len({settings.shop for settings in shops}) < len(shops):
        raise InvalidSettings("several shops need different names: set 'shop' in each file")
    serve(shops, host=host, port=port, browser=not no_browser)
