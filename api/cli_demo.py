"""``entrepot demo``: from nothing to a shop that can be searched, in one command."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click
from msgspec import structs

from engine.core import Engine
from engine.errors import EntrepotError
from engine.settings import FILE_NAME, Settings, load_settings
from indexer import run_build

from .cli_common import log_to_terminal, server_options
from .engines import promote_generation
from .progress import progress_bar
from .server import serve

DEMO = Path(__file__).parent / "demo"
_PIPELINE = ("ENTREPOT_PROFILES", "ENTREPOT_PLUGINS")
"""What the variables begin with that overrule ``[profiles]`` and ``[plugins]``."""


@click.command("demo")
@server_options
def command(host: str | None, port: int | None, no_browser: bool) -> None:
    """Index the shipped demo shop and serve it.

    The second start reuses the index. It is kept in $ENTREPOT_DATA_DIR, else in the user's
    cache folder. Of an entrepot.toml in the current folder the demo takes [profiles] and
    [plugins]; all else is its own.
    """
    settings = demo_settings()
    log_to_terminal(settings)
    if Path(FILE_NAME).exists():
        click.echo(f"[profiles] and [plugins] are those of {Path(FILE_NAME).absolute()}")
    serve([settings], host=host, port=port, browser=not no_browser, prepare=ensure_indexed)


def demo_settings() -> Settings:
    """The demo shop's settings, its data outside of the installed package; profiles and plugins
    by the ``entrepot.toml`` here, where somebody who writes a plugin switches it on.

    Raises:
        InvalidSettings: that file, or a variable of the environment, is wrong.
    """
    settings = load_settings(DEMO / FILE_NAME, os.environ)
    here = load_settings(env={n: v for n, v in os.environ.items() if n.startswith(_PIPELINE)})
    given = os.environ.get("ENTREPOT_DATA_DIR")
    folder = Path(given).absolute() if given else _cache_folder()
    return structs.replace(
        settings, data_dir=str(folder), profiles=here.profiles, plugins=here.plugins
    )


def ensure_indexed(engine: Engine) -> None:
    """Index the demo, unless that is done already from these files by these models."""
    if engine.health().ready and Path(engine.image_root) == DEMO.resolve():
        return
    click.echo("Indexing the demo shop …")
    with progress_bar() as on_progress:
        report = run_build(engine.settings, "", on_progress)
    click.echo(report.summary())
    if not report.built:
        raise EntrepotError("the demo shop could not be indexed")
    promote_generation(engine, report.generation)


def _cache_folder() -> Path:
    """``$XDG_CACHE_HOME/entrepot/demo``, ``~/.cache/entrepot/demo``, or for a user without a
    home a folder among the temporary files."""
    try:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        cache = tempfile.gettempdir()
    return Path(cache, "entrepot", "demo").absolute()
