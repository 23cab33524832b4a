"""``entrepot synonyms``: list, add, import, mine and decide on synonyms."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO
from urllib.parse import quote

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine.core import Engine
from engine.synonyms import Status, Synonym

from . import synonyms
from .cli_common import config_option, settings_from
from .engines import Shop, open_shop
from .remote import call
from .schemas import SynonymLines, Synonyms, SynonymsAdded


@click.group("synonyms")
def command() -> None:
    """List, add, import, mine and decide on synonyms."""


@command.command("list")
@click.option("--status", type=click.Choice(["active", "candidate", "rejected"]))
@config_option
def list_all(status: str | None, config: Path | None) -> None:
    """Show all synonyms in the order of their file."""
    with open_shop(settings_from(config)) as shop:
        found = _listed(shop)
    table = Table("id", "synonyms", "locale", "status", "", box=None)
    for synonym in (view.synonym for view in found.synonyms):
        if status in (None, synonym.status):
            why = escape(synonym.evidence or synonym.note)
            words = escape(_told(synonym))
            table.add_row(synonym.id, words, synonym.locale, synonym.status, why)
    Console(soft_wrap=True).print(table)
    for problem in found.problems:
        click.echo(problem, err=True)


@command.command("add")
@click.argument("words", nargs=-1, required=True)
@click.option("--to", "meant", multiple=True, help="WORDS also mean this, one way. Repeatable.")
@click.option("--locale", default="", help="Only for queries in this language.")
@config_option
def add(words: tuple[str, ...], meant: tuple[str, ...], locale: str, config: Path | None) -> None:
    """Let all WORDS mean the same; quote those of several words."""
    line = ", ".join(words) + (f" => {', '.join(meant)}" if meant else "")
    with open_shop(settings_from(config)) as shop:
        _tell(_imported(shop, SynonymLines(line, locale)))


@command.command("import")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--locale", default="", help="Only for queries in this language.")
@config_option
def import_lines(file: TextIO, locale: str, config: Path | None) -> None:
    """Add the synonyms of FILE: lines such as "sofa, couch" and "tablet => ipad"."""
    with open_shop(settings_from(config)) as shop:
        _tell(_imported(shop, SynonymLines(file.read(), locale)))


@command.command("mine")
@config_option
def mine(config: Path | None) -> None:
    """Look for candidates in what shoppers do and in the catalogue; none has an effect until
    approved."""
    with open_shop(settings_from(config)) as shop:
        if isinstance(shop, Engine):
            found = synonyms.mine_synonyms(shop)
        else:
            found = _decoded(call(shop, "POST", "/v1/synonyms/mine"))
    _tell(found)


@command.command("approve")
@click.argument("ids", nargs=-1, required=True)
@config_option
def approve(ids: tuple[str, ...], config: Path | None) -> None:
    """Make candidates active."""
    _decide(ids, "active", config)


@command.command("reject")
@click.argument("ids", nargs=-1, required=True)
@config_option
def reject(ids: tuple[str, ...], config: Path | None) -> None:
    """Let synonyms have no effect, and candidates not be proposed again."""
    _decide(ids, "rejected", config)


def _listed(shop: Shop) -> Synonyms:
    if isinstance(shop, Engine):
        return synonyms.list_synonyms(shop)
    return msgspec.json.decode(call(shop, "GET", "/v1/synonyms"), type=Synonyms)


def _imported(shop: Shop, lines: SynonymLines) -> SynonymsAdded:
    if isinstance(shop, Engine):
        return synonyms.import_synonyms(shop, lines.text, lines.locale)
    return _decoded(call(shop, "POST", "/v1/synonyms/import", lines))


def _decide(ids: tuple[str, ...], status: Status, config: Path | None) -> None:
    with open_shop(settings_from(config)) as shop:
        for id in ids:
            path = f"/v1/synonyms/{quote(id, safe='')}"
            if isinstance(shop, Engine):
                known = shop.synonyms.get(id)
                shop.synonyms.put(msgspec.structs.replace(known, status=status), known.etag)
            else:
                known = msgspec.json.decode(call(shop, "GET", path), type=Synonym)
                decided = msgspec.structs.replace(known, status=status)
                call(shop, "PUT", path, decided, f'"{known.etag}"')
            click.echo(f"{id}: {status}")


def _decoded(answer: bytes) -> SynonymsAdded:
    return msgspec.json.decode(answer, type=SynonymsAdded)


def _tell(found: SynonymsAdded) -> None:
    for synonym in found.added:
        why = f": {synonym.evidence}" if synonym.evidence else ""
        click.echo(f"{synonym.id}: {_told(synonym)} ({synonym.status}){why}")
    click.echo(f"added: {len(found.added)}, there already: {found.known}")


def _told(synonym: Synonym) -> str:
    if synonym.words:
        return ", ".join(synonym.words)
    return f"{', '.join(synonym.typed)} => {', '.join(synonym.meant)}"
