"""Shoppers of other languages, markets and currencies over HTTP, from catalogue to answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from engine import Engine, Product, Settings, load_settings
from engine.settings import LocalizationSettings
from indexer.build import build_generation
from tests.api.harness import build, make_settings, serving

CATALOGUE: list[dict[str, Any]] = [
    {
        "id": "boot",
        "title": {"en": "Red boot", "de": "Roter Stiefel"},
        "description": "A boot of leather.",
        "category": "Shoes > Boots",
        "color": "red",
        "price": "10 EUR",
        "prices": {"GBP": 9, "at": {"EUR": 12}},
        "in_stock": True,
        "stock": {"at": False},
        "translations": {
            "pt-BR": {"title": "Bota vermelha", "machine": ["title"]},
            "de-CH": {"description": "Ein Stiefel aus Leder."},
        },
    },
    {
        "id": "glass",
        "title": "Blue glass",
        "title_de": "Blaue Gläser",
        "category": "Glasses",
        "color": "blue",
        "price": 30,
        "currency": "SEK",
        "price_gbp": "2.50",
        "stock": {"at": True},
    },
    {"id": "gift", "title": "Red gift card", "category": "Gifts", "color": "red", "vegan": "yes"},
    {"id": "hat", "title": "Blue hat", "color": "blue", "price": 7, "currency": "USD"},
]
SHOP = """
shop = "test"
log_level = "error"
[catalogue]
source = "products.jsonl"
[encoders]
text = { plugin = "hash" }
image = { plugin = "hash" }
[profiles.default]
query_processors = ["normalize"]
weights = { image = 0.0 }
[localization]
labels = ["own.toml", "machine.json"]
markets = { CH = "GBP", at = "EUR" }
rates = { EUR = 1.0, SEK = 10.0 }
"""
LABELS = """
[de.fields]
color = "Farbe"
[de.values.color]
red = "Rot"
[de.values.category]
Shoes = "Schuhe"
Boots = "Stiefel"
[de.values.in_stock]
true = "lieferbar"
[de-AT.values.color]
blue = "Blau (AT)"
"""
MACHINE = {"de": {"values": {"color": {"red": "Röte", "blue": "Blau"}}}}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("localized")
    (folder / "entrepot.toml").write_text(SHOP, encoding="utf-8")
    (folder / "own.toml").write_text(LABELS, encoding="utf-8")
    (folder / "machine.json").write_text(json.dumps(MACHINE), encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in CATALOGUE)
    (folder / "products.jsonl").write_text(lines, encoding="utf-8")
    return load_settings(folder / "entrepot.toml")


@pytest.fixture(scope="module")
def shop(settings: Settings) -> Iterator[httpx.Client]:
    source = str(Path(settings.root, "products.jsonl"))
    report = build_generation(settings, source, lambda progress: None, "g1")
    assert (report.reason, report.issues) == ("", [])
    with Engine(settings) as engine:
        engine.promote("g1")
        with serving({"test": engine}) as client:
            yield client


def search(shop: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = shop.post("/v1/search", json={"filters": {}, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def products(shop: httpx.Client, **body: Any) -> dict[str, dict[str, Any]]:
    return {hit["id"]: hit["product"] for hit in search(shop, **body)["hits"]}


def ids(shop: httpx.Client, **body: Any) -> list[str]:
    return [hit["id"] for hit in search(shop, **body)["hits"]]


# Texts


def test_texts_come_in_the_best_language(shop: httpx.Client) -> None:
    boot = products(shop, locale="de-AT")["boot"]
    assert (boot["title"], boot["description"]) == ("Roter Stiefel", "Ein Stiefel aus Leder.")
    assert boot["locale"] == "de"
    assert boot["localized"] == {"title": {"locale": "de"}, "description": {"locale": "de-CH"}}
    assert "translations" not in boot
    boot = products(shop, locale="pt")["boot"]
    assert (boot["title"], boot["description"]) == ("Bota vermelha", "A boot of leather.")
    assert boot["localized"] == {
        "title": {"locale": "pt-BR", "machine": True},
        "description": {"locale": "en"},
    }


def test_who_names_no_language_or_one_that_is_not_there_gets_the_products_own(
    shop: httpx.Client,
) -> None:
    plain = products(shop)
    assert plain["boot"]["title"] == "Red boot"
    assert set(plain["boot"]["translations"]) == {"de", "de-CH", "pt-BR"}
    assert not {"localized", "labels", "converted_from"} & plain["boot"].keys()
    for locale in ("en-GB", "fr"):
        boot = products(shop, locale=locale)["boot"]
        assert (boot["title"], boot["locale"]) == ("Red boot", "en")
        assert "localized" not in boot


def test_chosen_fields_stay_chosen(shop: httpx.Client) -> None:
    fields = ["title", "color", "translations"]
    boot = products(shop, locale="de", fields=fields)["boot"]
    assert boot.keys() == {"id", *fields, "localized", "labels"}
    assert boot["localized"] == {"title": {"locale": "de"}}
    assert boot["labels"] == {"color": {"red": "Rot"}}
    assert products(shop, locale="de", fields=["brand"])["boot"] == {"id": "boot", "brand": ""}


def test_what_is_shown_is_highlighted(shop: httpx.Client) -> None:
    hits = search(shop, text="roter stiefel", locale="de", highlight=True)["hits"]
    assert hits[0]["id"] == "boot"
    assert hits[0]["highlights"]["title"] == "<mark>Roter</mark> <mark>Stiefel</mark>"


def test_keywords_are_read_in_the_shoppers_language(shop: httpx.Client) -> None:
    def by_words(text: str, locale: str | None) -> list[str]:
        hits = search(shop, text=text, locale=locale, explain=True)["hits"]
        return [hit["id"] for hit in hits if "bm25" in hit["explain"]["lanes"]]

    assert by_words("Gläsern", None) == []
    assert by_words("Gläsern", "de-AT") == ["glass"]
    assert by_words("blue glasses", "de") == by_words("blue glasses", None)


def test_one_product_and_its_likes_are_localized(shop: httpx.Client) -> None:
    one = shop.get("/v1/products/boot?locale=de&currency=GBP").json()
    assert (one["title"], one["price"], one["currency"]) == ("Roter Stiefel", 9.0, "GBP")
    assert one["image_urls"] == []
    plain = shop.get("/v1/products/boot").json()
    assert (plain["title"], plain["price"], plain["prices"]) == (
        *("Red boot", 10.0),
        {"GBP": 9.0, "at/EUR": 12.0},
    )
    like = shop.get("/v1/products/hat/similar?locale=de&currency=GBP&limit=9").json()
    assert {hit["product"]["title"] for hit in like["hits"]} >= {"Roter Stiefel", "Blaue Gläser"}


# Names of fields and values


def test_facets_that_the_engine_chooses_are_the_shoppers(shop: httpx.Client) -> None:
    """By text and by browsing, whose facets are counted apart."""
    for body in ({}, {"text": "red boot"}):
        assert search(shop, facets=["*"], **body)["facets"]["price"] == {"min": 7, "max": 30}
        answer = search(shop, facets=["*"], currency="GBP", **body)
        assert answer["facets"]["price"] == {"min": 2.5, "max": 9}
        assert not any(":" in name for name in answer["facets"])


def test_facets_and_hits_say_what_values_are_called(shop: httpx.Client) -> None:
    answer = search(shop, locale="de", facets=["color", "category", "in_stock", "price"])
    color = answer["facets"]["color"]
    assert color["label"] == "Farbe"
    assert color["values"] == [
        {"value": "blue", "count": 2, "label": "Blau"},
        {"value": "red", "count": 2, "label": "Rot"},  # the shop's own before the machine's
    ]
    labels = {v["value"]: v.get("label") for v in answer["facets"]["category"]["values"]}
    assert labels == {
        **{"Shoes": "Schuhe", "Shoes > Boots": "Schuhe > Stiefel"},
        **{"Glasses": None, "Gifts": None},
    }
    assert answer["facets"]["in_stock"]["values"][0]["label"] == "lieferbar"
    boot = next(hit["product"] for hit in answer["hits"] if hit["id"] == "boot")
    assert boot["labels"] == {
        "color": {"red": "Rot"},
        "category": {"Shoes": "Schuhe", "Shoes > Boots": "Schuhe > Stiefel"},
        "in_stock": {"true": "lieferbar"},
    }
    assert boot["attributes"]["color"] == "red"  # what is filtered by stays what it is


def test_a_region_says_what_it_says_otherwise(shop: httpx.Client) -> None:
    values = search(shop, locale="de-AT", facets=["color"])["facets"]["color"]["values"]
    assert [value["label"] for value in values] == ["Blau (AT)", "Rot"]
    for locale in (None, "en", "fr"):
        facet = search(shop, locale=locale, facets=["color"])["facets"]["color"]
        assert facet == {"values": [{"value": "blue", "count": 2}, {"value": "red", "count": 2}]}


# Currencies and markets


def test_prices_are_those_of_the_currency(shop: httpx.Client) -> None:
    answer = search(shop, currency="gbp", sort={"field": "price"}, facets=["price"])
    shown = [(hit["id"], hit["product"]["price"]) for hit in answer["hits"]]
    assert shown == [("glass", 2.5), ("boot", 9.0), ("gift", None), ("hat", None)]
    assert {hit["product"]["currency"] for hit in answer["hits"]} == {"GBP"}
    assert answer["facets"]["price"] == {"min": 2.5, "max": 9.0}
    assert answer["warnings"] == [
        "currency: 2 of 4 products have no price in GBP; give them one (prices), or rates under "
        "[localization]"
    ]
    assert ids(shop, currency="GBP", filters={"price": {"gte": 3}}) == ["boot"]
    assert ids(shop, filters={"price": {"gte": 3}}) == [
        "boot",
        "glass",
        "hat",
    ]
    assert search(shop, currency="GBP", fields=["title"])["warnings"] == []


def test_only_the_shops_rates_convert_and_it_is_said(shop: httpx.Client) -> None:
    found = products(shop, currency="SEK")
    assert (found["boot"]["price"], found["boot"]["currency"]) == (100.0, "SEK")
    assert found["boot"]["converted_from"] == {"price": 10.0, "currency": "EUR"}
    assert found["glass"]["price"] == 30.0
    assert "converted_from" not in found["glass"]
    assert (found["hat"]["price"], found["gift"]["price"]) == (None, None)
    assert ids(shop, currency="SEK", filters={"price": {"gt": 99}}) == ["boot"]
    kept = products(shop, currency="SEK", fields=["title"])["boot"]
    assert kept == {"id": "boot", "title": "Red boot"}


def test_a_market_has_its_currency_its_prices_and_its_stock(shop: httpx.Client) -> None:
    boot = products(shop, market="AT")["boot"]
    assert (boot["price"], boot["currency"], boot["in_stock"]) == (12.0, "EUR", False)
    assert products(shop, market="ch")["boot"]["price"] == 9.0
    assert products(shop, market="nowhere")["boot"]["price"] == 10.0
    assert ids(shop, market="at", filters={"in_stock": True}) == ["gift", "glass", "hat"]
    assert ids(shop, filters={"in_stock": True}) == ["boot", "gift", "glass", "hat"]
    counts = search(shop, market="at", facets=["in_stock"])["facets"]["in_stock"]["values"]
    assert counts == [{"value": True, "count": 3}, {"value": False, "count": 1}]
    # The ranker "availability" sees what the shopper would: the boot sinks in Austria alone.
    assert ids(shop, text="red boot")[0] == "boot"
    assert ids(shop, text="red boot", market="at")[0] != "boot"


def test_an_index_without_a_currencys_prices_is_told_of(
    shop: httpx.Client, tmp_path: Path, photo_root: Path
) -> None:
    """As one is that was built before products had prices in several, or the shop that market."""

    def told(client: httpx.Client) -> list[str]:
        ready = client.get("/health/ready")
        assert ready.status_code == 200
        (state,) = ready.json()["shops"].values()
        return [problem for problem in state["problems"] if problem.startswith("prices in ")]

    assert told(shop) == []
    items = [
        Product(id=code, title="Mug", price=9.0, currency=code) for code in ("EUR", "GBP", "SEK")
    ]
    old = msgspec.structs.replace(
        make_settings(tmp_path / "data"),
        localization=LocalizationSettings(markets={"ch": "CHF", "at": "EUR"}),
    )
    build(old, photo_root, items=items)
    with Engine.open(old) as engine, serving({"test": engine}) as client:
        (problem,) = told(client)
        assert problem.startswith("prices in CHF, EUR, GBP, SEK: ")
        assert "entrepot index" in problem
        assert ids(client, currency="EUR", filters={"price": {"gte": 0}}) == []


def test_a_currency_that_nobody_has_finds_nothing_by_price(shop: httpx.Client) -> None:
    assert ids(shop, currency="CHF", filters={"price": {"gte": 0}}) == []
    assert {p["price"] for p in products(shop, currency="CHF").values()} == {None}


def test_fields_that_stores_keep_for_prices_are_not_listed(shop: httpx.Client) -> None:
    names = [field["name"] for field in shop.get("/v1/fields").json()["fields"]]
    assert [name for name in names if name.startswith(("price", "in_stock"))] == [
        "price",
        "in_stock",
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("locale", text) for text in ("klingon", "de_DE.UTF-8", "e", " de ", "x" * 36)],
        *[("currency", text) for text in ("EURO", "€", "")],
        *[("market", text) for text in ("", "a\nb", "m" * 65)],
    ],
)
def test_what_is_no_language_currency_or_market_is_named(
    shop: httpx.Client, field: str, value: str
) -> None:
    answer = shop.post("/v1/search", json={"text": "boot", field: value})
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    answer = shop.get("/v1/products/boot", params={field: value})
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_a_live_write_is_localized_too(shop: httpx.Client) -> None:
    line = {"id": "new", "title": {"en": "Cap", "de": "Mütze"}, "prices": {"GBP": 1, "x": 2}}
    answer = shop.put(
        "/v1/products",
        content=json.dumps(line),
        headers={"Content-Type": "application/x-ndjson"},
    ).json()
    assert answer["items"][0]["warnings"] == ["prices: 'x' is no currency of ISO 4217"]
    assert products(shop, locale="de", currency="GBP")["new"]["title"] == "Mütze"
    assert ids(shop, currency="GBP", filters={"price": {"lte": 1}}) == ["new"]
    shop.delete("/v1/products/new")
