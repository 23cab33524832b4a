"""A plugin's command reads a catalogue exactly as `entrepot index` does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from api import cli
from engine.hookspecs import READ_CATALOGUE
from engine.manager import PluginManager
from engine.settings import load_settings


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """Two products under foreign column names, a row without a title, one not published."""
    rows = [
        {"sku": 1, "name": "Red <b>Shoe</b>", "product_type": "Shoes > Men", "photo": "1.jpg"},
        {"sku": 2, "name": "Blue Hat", "photo": "2.jpg"},
        {"sku": 3, "photo": "3.jpg"},
        {"sku": 4, "name": "Draft", "published": "false"},
    ]
    path = tmp_path / "feed.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def manager() -> PluginManager:
    """Offers one command, `count`, which prints what the injected reader gives."""

    @click.command()
    @click.argument("uri")
    @click.pass_context
    def count(ctx: click.Context, uri: str) -> None:
        root, products = ctx.meta[READ_CATALOGUE](load_settings(None, os.environ), uri)
        shown = [p and {"id": p.id, "title": p.title, "category": p.category} for p in products]
        click.echo(json.dumps({"root": root, "products": shown}))

    class Offer(PluginManager):
        def names(self, kind: str) -> list[str]:
            return ["count"]

        def create(self, kind: str, name: str, options: object = None) -> click.Command:
            return count

    return Offer()


def test_rows_become_products(catalogue: Path, manager: PluginManager) -> None:
    result = CliRunner().invoke(cli.main, ["count", str(catalogue)], obj=manager)
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["root"] == str(catalogue.parent.resolve())
    shoe = {"id": "1", "title": "Red Shoe", "category": ["Shoes", "Men"]}
    assert found["products"] == [shoe, {"id": "2", "title": "Blue Hat", "category": []}, None, None]


def test_an_unreadable_catalogue_is_the_callers_fault(manager: PluginManager) -> None:
    result = CliRunner().invoke(cli.main, ["count", "nothing.jsonl"], obj=manager)
    assert result.exit_code == 2
    assert "no such catalogue: nothing.jsonl" in result.output
