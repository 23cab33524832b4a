"""The command line, ``entrepot``: one module per command, loaded when it is asked for."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any, NoReturn, cast

import click

from engine.errors import EntrepotError, InvalidRequest, InvalidSettings, UnknownPlugin
from engine.hookspecs import READ_CATALOGUE
from engine.manager import PluginManager
from engine.settings import PluginSettings, Settings, load_settings
from engine.types import Product

COMMANDS = {
    "demo": "Index the shipped demo shop and serve it.",
    "eval": "Measure the answers to judged queries, and compare two settings or builds.",
    "experiment": "Report on experiments: profiles tried on shoppers.",
    "generations": "List, promote, roll back and drop builds of the index.",
    "index": "Index a catalogue and make it live.",
    "judgments": "Export the ratings that people gave on the page /judge.html.",
    "plugins": "List the installed plugins, check and time them, or write one.",
    "rules": "List, check and try the business rules.",
    "synonyms": "List, add, import, mine and decide on synonyms.",
    "search": "Search for TEXT, for a photo, or for both.",
    "serve": "Serve the API and the web page until interrupted.",
}
"""Our commands; ``api.cli_<name>`` holds each as ``command``. Their help stands here so that
``entrepot --help`` need not import what serving needs."""

USAGE = (InvalidRequest, InvalidSettings, UnknownPlugin)
"""Errors of what the user gave (exit status 2); all others end with 1."""


class Failed(click.ClickException):
    """One line on stderr instead of a traceback."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error) or type(error).__name__)
        self._usage = isinstance(error, USAGE)

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        return 2 if self._usage else 1


class Commands(click.Group):
    """Our commands and those that plugins registered."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*COMMANDS, *_plugins(ctx).names("commands")})

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (name, COMMANDS.get(name) or self._help(ctx, name)) for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            return cast(click.Command, importlib.import_module(f"api.cli_{cmd_name}").command)
        manager = _plugins(ctx)
        if cmd_name not in manager.names("commands"):
            return None
        try:
            return cast(click.Command, manager.create("commands", cmd_name))
        except Exception as error:  # a broken plugin must not break the others' help
            return _broken(cmd_name, error)

    def _help(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str() if command else ""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (EntrepotError, OSError) as error:
            if ctx.params.get("debug"):
                raise
            raise Failed(error) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="entrepot", prog_name="entrepot")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """Entrepot: product search by words, photos, or both."""
    ctx.meta[READ_CATALOGUE] = _read_catalogue


def _read_catalogue(settings: Settings, uri: str) -> tuple[str, Iterator[Product | None]]:
    """What commands of plugins read catalogues with; loaded when one of them does."""
    found: tuple[str, Iterator[Product | None]] = importlib.import_module(
        "api.catalogue"
    ).read_catalogue(settings, uri)
    return found


def _plugins(ctx: click.Context) -> PluginManager:
    """Plugins by the settings here; a wrong settings file is the chosen command's to report."""
    if isinstance(ctx.obj, PluginManager):
        return ctx.obj
    try:
        settings = load_settings(env=os.environ).plugins
    except InvalidSettings:
        settings = PluginSettings()
    manager = ctx.obj = PluginManager(settings)
    return manager


def _broken(name: str, error: Exception) -> click.Command:
    def fail(**_: object) -> NoReturn:
        raise Failed(error)

    return click.Command(name, callback=fail, short_help=f"(broken: {error})")
