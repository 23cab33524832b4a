"""``nearby-stock`` as a shop has it: installed, configured, seen in a search's answer.

Runs the command line that the installed ``entrepot`` brought, in a folder of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SETTINGS = """
shop = "lamps"
log_level = "error"
catalogue.source = "products.jsonl"
[encoders]  # words by their hashes: nothing to load
text = { plugin = "hash" }
image = { plugin = "hash" }
[profiles.default]
query_processors = ["normalize"]
rankers = []
[profiles.near]
query_processors = ["normalize"]
rankers = ["nearby-stock"]
[plugins]
deadline_ms = 5000  # a busy machine is not what this tests
[plugins.options.nearby-stock]
near = { FR = ["lyon"], DE = ["leipzig"] }
"""
PRODUCTS = [
    {"id": "a", "title": "brass desk lamp lamp", "warehouses": ["leipzig"]},
    {"id": "b", "title": "brass desk lamp", "warehouses": ["lyon", "lille"]},
    {"id": "c", "title": "steel floor lamp", "warehouses": ["lille"]},
]


def entrepot(folder: Path, *args: str) -> str:
    """What the command printed; it must succeed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ENTREPOT_")}
    command = [str(Path(sys.executable).with_name("entrepot")), *args]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an indexed shop."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "entrepot.toml").write_text(SETTINGS)
    (folder / "products.jsonl").write_text("".join(json.dumps(p) + "\n" for p in PRODUCTS))
    entrepot(folder, "index")
    return folder


def search(shop: Path, profile: str, market: str) -> dict[str, Any]:
    asked = ("search", "brass desk lamp", "--profile", profile, "--market", market)
    found: dict[str, Any] = json.loads(entrepot(shop, *asked, "--explain", "--json"))
    assert not found.get("degraded")
    return found


def order(answer: dict[str, Any]) -> list[str]:
    return [hit["id"] for hit in answer["hits"]]


def test_the_nearest_comes_first(shop: Path) -> None:
    before = order(search(shop, "default", "FR"))
    assert set(before) == {"a", "b", "c"}
    for market, near in (("FR", "b"), ("DE", "a")):
        assert order(search(shop, "near", market))[0] == near
    assert order(search(shop, "near", "US")) == before


def test_the_answer_says_why(shop: Path) -> None:
    hits = {hit["id"]: hit["explain"] for hit in search(shop, "near", "FR")["hits"]}
    gained = hits["b"]["rankers"]["nearby-stock"]
    assert gained == pytest.approx(0.3 * hits["b"]["fused"], rel=1e-4)
    assert hits["b"]["reasons"] == {
        "nearby-stock": {"in stock at lyon": pytest.approx(gained, rel=1e-4)}
    }
    assert hits["c"]["rankers"]["nearby-stock"] == 0
    assert hits["c"]["reasons"] == {}


def test_check_is_green(shop: Path) -> None:
    assert "0 broken" in entrepot(shop, "plugins", "check", "nearby-stock")
