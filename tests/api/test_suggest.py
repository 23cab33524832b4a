"""Suggestions over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest

from engine import Engine, Event, EventProduct, Product
from tests.api.harness import ODD_ID, build, make_settings, problem, serving


@pytest.fixture
def engine(tmp_path: Path, photo_root: Path) -> Iterator[Engine]:
    settings = make_settings(tmp_path / "data")
    build(settings, photo_root)
    with Engine.open(settings) as engine:
        engine.words.read()
        yield engine


@pytest.fixture
def shop(engine: Engine) -> Iterator[httpx.Client]:
    with serving({"test": engine}) as client:
        yield client


def texts(shop: httpx.Client, typed: str, **more: str) -> list[str]:
    answer = shop.get("/v1/suggest", params={"q": typed, **more})
    assert answer.status_code == 200, answer.text
    return [s["text"] for s in answer.json()["suggestions"]]


def test_the_answer_is_documented_json(shop: httpx.Client) -> None:
    answer = shop.get("/v1/suggest", params={"q": "sho", "limit": "4"}).json()
    assert answer["took_ms"] > 0
    first, second, *products = answer["suggestions"]
    category = {"text": "shoe", "kind": "category", "value": "home > shoe"}
    assert first == {**category, "highlight": "<mark>sho</mark>e"}
    assert {p["kind"] for p in [second, *products]} == {"product"}
    assert products[0]["id"].endswith("-shoe")
    odd = shop.get("/v1/suggest", params={"q": "odd"}).json()["suggestions"]
    assert odd == [
        {
            "text": "Odd one <b>out</b>",
            "kind": "product",
            "highlight": "<mark>Odd</mark> one &lt;b&gt;out&lt;/b&gt;",
            "id": ODD_ID,
        }
    ]


@pytest.mark.parametrize(
    "typed",
    ["", " ", "🙂", "كتاب حقيبة", "\u202e\u0000", "<script>", "%", "é" * 3000, "a b " * 5000],
)
def test_anything_can_be_typed(typed: str, shop: httpx.Client) -> None:
    assert isinstance(texts(shop, typed), list)


def test_what_is_wrong_names_its_field(shop: httpx.Client) -> None:
    for limit in ("0", "21", "many"):
        problem(shop.get("/v1/suggest", params={"q": "a", "limit": limit}), 400, "limit")
    problem(shop.get("/v1/suggest", params={"q": "a", "locale": "x!"}), 400, "locale")


def test_a_megabyte_is_answered_or_refused_at_once(engine: Engine) -> None:
    assert engine.suggest("x" * 1_000_000) == []
    assert engine.suggest("shoe " * 200_000) == engine.suggest("shoe shoe ")


def test_queries_are_offered_once_enough_shoppers_asked_them(
    shop: httpx.Client, engine: Engine
) -> None:
    def ask(shopper: int, query: str, results: int) -> None:
        shown = (EventProduct("red-shoe"),) if results else ()
        who, now = f"s{shopper}", datetime.now(UTC)
        told = Event(f"{shopper}-{results}", "impression", now, None, who, shown, query)
        engine.record([msgspec.structs.replace(told, results=results)])

    for n in range(engine.settings.events.anonymity - 1):
        ask(n, "red mug shoe", 5)
        ask(n, "red zebra", 0)
    engine.words.read()
    assert "red mug shoe" not in texts(shop, "red")
    ask(99, "red mug shoe", 5)
    ask(99, "red zebra", 0)
    engine.words.read()
    found = texts(shop, "red")
    assert found[0] == "red mug shoe"
    assert "red zebra" not in found  # it led to nothing


def test_writes_and_deletions_are_taken_up(shop: httpx.Client, engine: Engine) -> None:
    assert texts(shop, "zebr") == []
    engine.put([(Product(id="z", title="Zebra rug"), [])])
    engine.words.read()
    assert texts(shop, "zebr") == ["Zebra rug"]
    engine.delete("z")
    engine.words.read()
    assert texts(shop, "zebr") == []


def test_words_of_a_write_are_the_shops_at_once(engine: Engine) -> None:
    with engine._live() as live:
        assert not live.shop.current.lexicon.knows("zebra")
        engine.put([(Product(id="z", title="Zebra rug", brand="Zorblax"), [])])
        assert live.shop.current.lexicon.knows("zebra")
        assert live.shop.current.lexicon.knows("zorblax")
