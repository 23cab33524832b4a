"""Modules of the torch stack, imported when a command runs."""

from __future__ import annotations

import importlib
from typing import Any

import click


def heavy(name: str) -> Any:
    """``models.<name>``, or the remedy where the torch stack is not installed."""
    try:
        return importlib.import_module(f"models.{name}")
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error.name} is not installed: pip install 'entrepot[models]'"
        ) from error
