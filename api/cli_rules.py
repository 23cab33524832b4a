"""``entrepot rules``: list, check and try the business rules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine.core import Engine
from engine.plan import AppliedRule
from engine.rules import Rule
from engine.schema import IndexSchema

from . import rules
from .cli_common import config_option, settings_from
from .convert import filter_pair, filters_from_pairs
from .engines import Shop, open_shop
from .remote import call, declared_fields
from .schemas import Rules, RuleTested


@click.group("rules")
def command() -> None:
    """List, check and try the business rules."""


@command.command("list")
@config_option
def list_all(config: Path | None) -> None:
    """Show all rules in the order of their file."""
    with open_shop(settings_from(config)) as shop:
        found = _listed(shop)
    table = Table("rule", "priority", "does", "", box=None)
    for view in found.rules:
        rule = view.rule
        state = view.problem or ("" if rule.enabled else "not enabled")
        table.add_row(rule.id, str(rule.priority), _does(rule), escape(state))
    Console(soft_wrap=True).print(table)


@command.command("check")
@config_option
def check(config: Path | None) -> None:
    """Say what is wrong with the file of rules; exit status 1 where anything is."""
    with open_shop(settings_from(config)) as shop:
        found = _listed(shop)
    for problem in found.problems:
        click.echo(problem, err=True)
    click.echo(f"rules in force: {len(found.rules)}, problems: {len(found.problems)}")
    sys.exit(1 if found.problems else 0)


@command.command("test")
@click.argument("text", default="")
@click.option("--filter", "filters", multiple=True, metavar="FIELD=VALUE", help="Repeatable.")
@click.option("--locale")
@click.option("--market")
@click.option("--profile", default="default", show_default=True)
@click.option("--at", metavar="TIME", help="ISO 8601 with a time zone [default: now].")
@config_option
def test(text: str, filters: tuple[str, ...], config: Path | None, **asked: Any) -> None:
    """Tell what the rules would do to a search for TEXT, or to browsing without it."""
    pairs = [filter_pair(item) for item in filters]
    with open_shop(settings_from(config)) as shop:
        chosen = filters_from_pairs(pairs, _schema(shop)) if pairs else {}
        found = _tried(shop, {**asked, "text": text or None, "filters": chosen})
    console = Console(highlight=False, soft_wrap=True)
    console.print(escape(f"at {found.at.isoformat()}, searching for {found.text!r}"), style="dim")
    for rule in found.rules:
        for line in _told(rule):
            console.print(escape(line), style="dim" if rule.skipped else "")


def _listed(shop: Shop) -> Rules:
    if isinstance(shop, Engine):
        return rules.list_rules(shop)
    return msgspec.json.decode(call(shop, "GET", "/v1/rules"), type=Rules)


def _tried(shop: Shop, asked: dict[str, Any]) -> RuleTested:
    if isinstance(shop, Engine):
        return rules.try_rules(shop, rules.to_test(asked))
    return msgspec.json.decode(call(shop, "POST", "/v1/rules/test", asked), type=RuleTested)


def _schema(shop: Shop) -> IndexSchema:
    return shop.schema if isinstance(shop, Engine) else declared_fields(shop)


def _does(rule: Rule) -> str:
    counts = {name: len(getattr(rule.then, name)) for name in ("pins", "boost", "bury", "hide")}
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)


def _told(rule: AppliedRule) -> Iterator[str]:
    """One rule: what it does, what it lost, or why it does nothing."""
    if rule.skipped:
        yield f"{rule.id}: no, {rule.skipped}"
        return
    yield f"{rule.id}: applies"
    for product, place in rule.pins.items():
        yield f"  pins {product} to place {place}"
    for boost in rule.boosts:
        yield f"  × {boost.factor:g} for {_products(boost.filters, boost.ids)}"
    for hidden in rule.hide:
        yield f"  hides {_products(hidden.filters, hidden.ids)}"
    for lost in rule.lost:
        to = f" (rule {lost.to})" if lost.to else ""
        yield f"  does not pin {lost.product} to place {lost.place}: {lost.why}{to}"


def _products(filters: dict[str, Any], ids: tuple[str, ...]) -> str:
    parts = [msgspec.json.encode(filters).decode()] if filters else []
    return " and ".join([*parts, *ids])
