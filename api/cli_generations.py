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

from engine.core import Engine
from engine.evaluation.gate import Evidence
from engine.generations import GenerationStatus

from .cli_common import config_option, settings_from
from .engines import check_generation, open_engine, promote_generation
from .evaluating import with_pictures
from .evaluation_tables import evidence_shown, show_evidence
from .remote import call, promote_remotely
from .running import find_server
from .schemas import Promoted


class Shop(Protocol):
    """What the commands need."""

    def generations(self) -> list[GenerationStatus]: ...
    def promote(self, generation: str, gate: Path | None, *, force: bool) -> Evidence | None: ...
    def rollback(self) -> str: ...
    def drop(self, generation: str) -> None: ...


class RemoteShop:
    """The shop that a running server holds."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def generations(self) -> list[GenerationStatus]:
        answer = call(self._client, "GET", "/v1/generations")
        return msgspec.json.decode(answer, type=list[GenerationStatus])

    def promote(self, generation: str, gate: Path | None, *, force: bool) -> Evidence | None:
        sent = with_pictures(gate) if gate else None
        return promote_remotely(self._client, generation, sent, force=force)

    def rollback(self) -> str:
        answer = call(self._client, "POST", "/v1/generations/rollback")
        return msgspec.json.decode(answer, type=Promoted).live

    def drop(self, generation: str) -> None:
        call(self._client, "DELETE", f"/v1/generations/{quote(generation, safe='')}")


class LocalShop:
    """The shop that this process opened."""

    def __init__(self, engine: Engine) -> None:
        self.generations = engine.generations
        self.rollback = engine.rollback
        self.drop = engine.drop
        self._engine = engine

    def promote(self, generation: str, gate: Path | None, *, force: bool) -> Evidence | None:
        sent = with_pictures(gate) if gate else None
        evidence = check_generation(self._engine, generation, sent, force=force)
        promote_generation(self._engine, generation, evidence)
        return evidence


@contextmanager
def open_shop(config: Path | None) -> Iterator[Shop]:
    """Through the running server where there is one, for it holds the index."""
    settings = settings_from(config)
    if client := find_server(settings):
        with closing(client):
            yield RemoteShop(client)
    else:
        with open_engine(settings) as engine:
            yield LocalShop(engine)


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
@click.option(
    "--gate",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Rules and judgments it must pass [default: generations.gate].",
)
@click.option("--force", is_flag=True, help="Whatever the gate finds.")
@config_option
def promote(name: str, gate: Path | None, force: bool, config: Path | None) -> None:
    """Make generation NAME live, if it passes the gate (exit status 1 if not)."""
    with open_shop(config) as shop, evidence_shown():
        if evidence := shop.promote(name, gate, force=force):
            show_evidence(evidence)
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
