"""Options and small helpers that several commands share."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from engine.settings import Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])

config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings file [default: entrepot.toml here, if there is one].",
)


def server_options(function: F) -> F:
    """``--host``, ``--port`` and ``--no-browser``, for commands that serve."""
    options = [
        click.option("--host", help="Address to listen on [default: server.host]."),
        click.option("--port", type=int, help="Port; 0 picks a free one [default: server.port]."),
        click.option("--no-browser", is_flag=True, help="Do not open the web page."),
    ]
    for option in options:
        function = option(function)
    return function


def settings_from(config: Path | None) -> Settings:
    """The settings with the environment's overrides, and logging set up by them."""
    settings = load_settings(config, os.environ)
    log_to_terminal(settings)
    return settings


def log_to_terminal(settings: Settings) -> None:
    """Logs go to stderr, as much as ``log_level`` says."""
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it reports every request
