"""``entrepot generations``: list, promote, roll back and drop builds of the index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import click
import httpx
import msgspec
from rich.console import Console
from rich.table import Table

from engine.generations import GenerationStatus

from .cli_common import config_option, settings_from
from .engines import open_engine
from .remote import call, promote_remotely
from .running import find_server
from .schemas import Promoted


class Shop(Protocol):
    """What the commands need; an engine is one."""

    def generations(self) -> list[GenerationStatus]: ...
    def promote(self, generation: str) -> None: ...
    def rollback(self) -> str: ...
    def drop(self, generation: str) -> None: ...


class RemoteShop:
    """The shop that a running server holds."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def generations(self) -> list[GenerationStatus]:
        answer = call(self._client, "GET", "/v1/generations")
        return msgspec.json.decode(answer, type=list[GenerationStatus])

    def promote(self, generation: str) -> None:
        promote_remotely(self._client, generation)

    def rollback(self) -> str:
        answer = call(self._client, "POST", "/v1/generations/rollback")
        return msgspec.json.decode(answer, type=Promoted).live

    def drop(self, generation: str) -> None:
        call(self._client, "DELETE", f"/v1/generations/{quote(generation, safe='')}")


@contextmanager
def open_shop(config: Path | None) -> Iterator[Shop]:
    """Through the running server where there is one, for it holds the index."""
    settings = settings_from(config)
    if client := find_server(settings):
        with closing(client):
            yield RemoteShop(client)
    else:
        with open_engine(settings) as engine:
            yield engine


@click.group("generations")
def command() -> None:
    """List, promote, roll back and drop builds of the index."""


@command.command("list")
@config_option
def list_all(config: Path | None) -> None:
    """Show all built generations, oldest first."""
    with open_shop(config) as shop:
        found = shop.generations()
    table = Table("generation", "products", "created", "", box=None)
    for g in found:
        state = "live" if g.live else "" if g.usable else "made by another model"
        table.add_row(g.name, f"{g.products:,}", g.created_at, state)
    Console().print(table)


@command.command("promote")
@click.argument("name")
@config_option
def promote(name: str, config: Path | None) -> None:
    """Make generation NAME live."""
    with open_shop(config) as shop:
        shop.promote(name)
    click.echo(f"{name} is live")


@command.command("rollback")
@config_option
def rollback(config: Path | None) -> None:
    """Go back to the generation before the live one."""
    with open_shop(config) as shop:
        name = shop.rollback()
    click.echo(f"{name} is live")


@command.command("drop")
@click.argument("name")
@config_option
def drop(name: str, config: Path | None) -> None:
    """Delete generation NAME, which must not be live."""
    with open_shop(config) as shop:
        shop.drop(name)
    click.echo(f"{name} is deleted")
