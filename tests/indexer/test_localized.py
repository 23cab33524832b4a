"""What rows say by language, currency and market."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import IndexSchema, Product, RawRecord, Translation
from engine.settings import CatalogueSettings
from indexer.columns import FIELDS, normalized
from indexer.inference import SchemaInference
from indexer.localized import Market, Place, place_of_column, read_prices, read_stock
from indexer.mapping import Mapper
from indexer.report import Issue
from indexer.shopify import merge_variants
from plugins.sources import CsvSource

MARKETS = {"at": "EUR", "United States": "USD", "ch": "CHF"}


def convert(data: dict[str, Any], **settings: Any) -> tuple[Product, list[Issue]]:
    mapper = Mapper(CatalogueSettings(**settings), markets=MARKETS)
    product, issues = mapper.map(RawRecord(1, {"id": "1", "title": "Boot", **data}))
    assert product is not None
    return product, issues


def good(data: dict[str, Any], **settings: Any) -> Product:
    product, issues = convert(data, **settings)
    assert issues == []
    return product


@pytest.mark.parametrize(
    ("column", "place"),
    [
        ("title_de", Place("title", "de")),
        ("Title:pt-BR", Place("title", "pt-BR")),
        ("name (fr)", Place("title", "fr")),
        ("name-de_DE", Place("title", "de-DE")),
        ("g:description zh-Hant", Place("description", "zh-Hant")),
        ("Body (HTML) [es]", Place("description", "es")),
        ("price_gbp", Place("price", currency="GBP")),
        ("Price / United States", Place("price", currency="USD", market="united states")),
        ("price_at_chf", Place("price", currency="CHF", market="at")),
        ("sale price (EUR)", Place("sale_price", currency="EUR")),
        ("in_stock_ch", Place("stock", market="ch")),
        ("Included / United States", Place("stock", market="united states")),
        # Words that are not what they look like, and markets that are not the shop's.
        *[
            (name, None)
            for name in ("title", "title_tag", "title_seo", "name_html", "price_old", "price_all")
        ],
        *[(name, None) for name in ("price_max", "price_ch_net", "in_stock_fr", "subtitle_de")],
        *[(name, None) for name in ("compare_at_price", "Price / Canada", "included", "price_")],
    ],
)
def test_columns(column: str, place: Place | None) -> None:
    markets = {
        normalized(name): Market(name.casefold(), currency) for name, currency in MARKETS.items()
    }
    assert place_of_column(normalized(column), FIELDS, markets) == place


def test_texts_by_columns() -> None:
    product = good(
        {
            "title_de": "Stiefel",
            "title_fr": None,
            "description:de": "<p>Aus Leder</p>",
            "description_es": "De piel",
            "translations": {"nl": {"title": "Laars", "machine": ["title", "description", "x"]}},
        }
    )
    assert product.translations == {
        "de": Translation("Stiefel", "Aus Leder"),
        "es": Translation("", "De piel"),
        "nl": Translation("Laars", "", ("title",)),
    }
    assert product.attributes == {}


def test_without_a_plain_title_the_catalogues_language_is_the_title() -> None:
    mapper = Mapper(CatalogueSettings(locale="de"))
    row = {"id": "1", "title_en": "Boot", "title_de": "Stiefel", "title_fr": "Botte"}
    product, issues = mapper.map(RawRecord(1, row))
    assert product is not None
    assert (product.title, product.locale, issues) == ("Stiefel", "de", [])
    assert product.translations == {"en": Translation("Boot"), "fr": Translation("Botte")}


ROW = {"id": "1", "title": "Red chair"}


@pytest.mark.parametrize(
    ("row", "locale", "told"),
    [
        ({"title_id": "T-1000"}, "en", False),
        ({"title_id": 4711, "description_no": "No. 12"}, "en", False),
        ({"title_no": "Stol"}, "en", False),
        ({"title_id": "Kursi merah"}, "en", True),
        ({"description_no": "<p>En stol av tre.</p>"}, "en", True),
        ({"title_id": "Kursi", "title_de": "Stuhl"}, "en", True),
        ({"title_id": "Kursi"}, "id-ID", True),
        ({"title": None, "title_no": "Stol"}, "en", True),
        ({"title_no-NO": "Stol"}, "en", True),
    ],
)
def test_an_identifier_is_no_text_in_indonesian(row: Any, locale: str, told: bool) -> None:
    mapper = Mapper(CatalogueSettings(locale=locale))
    product, issues = mapper.map(RawRecord(1, {**ROW, **row}))
    assert product is not None
    assert issues == []
    assert {"id", "no", "no-NO"}.isdisjoint({product.locale, *product.translations}) is not told
    odd = {column for column in row if column not in ("title", "title_de")}
    assert product.attributes.keys() == (set() if told else odd)


def test_the_shop_says_what_is_a_language() -> None:
    row = {**ROW, "title_no": "Stol", "description_id": "Kursi"}
    assert good(row).translations == {}
    named = good(row, columns={"description_id": "description_id"})
    assert named.translations == {"id": Translation("", "Kursi")}
    mapper = Mapper(CatalogueSettings(), markets={"NO": "NOK"})
    product, _ = mapper.map(RawRecord(1, row))
    assert product is not None
    assert product.translations == {"no": Translation("Stol")}


def test_each_row_is_judged_by_itself() -> None:
    mapper = Mapper(CatalogueSettings())
    told = [
        mapper.map(RawRecord(n, {**ROW, "title_id": value}))[0]
        for n, value in enumerate(("A1", "Kursi merah", "A2"))
    ]
    assert [bool(product and product.translations) for product in told] == [False, True, False]


def test_settings_name_columns_of_a_language() -> None:
    columns = {"title_de": "bezeichnung", "price_gbp": "p2"}
    product = good({"bezeichnung": "Stiefel", "p2": 8}, columns=columns)
    assert product.translations == {"de": Translation("Stiefel")}
    assert (product.price, product.currency) == (8, "GBP")


def test_tags_are_spelled_alike_and_what_is_none_is_left_out() -> None:
    product, issues = convert(
        {
            "title": {"en": "Boot", "DE_at": "Stiefel", "default": "Boot", "": "x"},
            "translations": {"klingon": {"title": "DaS"}},
            "locale": "en_GB.UTF-8",
        }
    )
    assert (product.title, product.locale) == ("Boot", "en")
    assert product.translations == {"de-AT": Translation("Stiefel")}
    assert [(issue.field, issue.severity) for issue in issues] == [
        *[("locale", "warning"), ("title", "warning"), ("title", "warning")],
        ("translations", "warning"),
    ]
    assert "'klingon' is no language tag" in issues[-1].reason


def test_prices_by_currency() -> None:
    product = good({"price": "10 EUR", "price_gbp": "9.50", "price_eur": 11, "Price / AT": 12})
    assert (product.price, product.currency) == (10, "EUR")
    assert product.prices == {"GBP": 9.5, "at/EUR": 12}
    maps = good(
        {"price": {"EUR": 10, "at": {"EUR": 12}}, "prices": [{"amount": 9, "currency": "gbp"}]}
    )
    assert (maps.price, maps.currency, maps.prices) == (9, "GBP", {"EUR": 10, "at/EUR": 12})
    usual = good({"prices": {"GBP": 9, "EUR": 10}}, currency="EUR")
    assert (usual.price, usual.currency, usual.prices) == (10, "EUR", {"GBP": 9})
    nowhere = good({"prices": {"at/EUR": 10}})
    assert (nowhere.price, nowhere.prices) == (None, {"at/EUR": 10})


def test_sale_prices_by_currency() -> None:
    row = {"price": 10, "sale_price": 8, "price_gbp": 9, "sale_price_gbp": 7, "currency": "EUR"}
    assert good(row).prices == {"GBP": 7}
    limited = good({**row, "sale_price_effective_date": "2026-01-01/2026-01-02"})
    assert (limited.price, limited.prices) == (10, {"GBP": 9})


def test_one_bad_price_is_left_out_alone() -> None:
    product, issues = convert(
        {"prices": {"EUR": 10, "GBP": "dear", "euro": 1, "a" * 70: {"EUR": 1}}}
    )
    assert (product.price, product.currency, product.prices) == (10, "EUR", {})
    assert [issue.field for issue in issues] == ["prices"] * 3
    _, issues = convert({"price_gbp": "dear"})
    assert [issue.field for issue in issues] == ["price_gbp"]


def test_stock_by_market() -> None:
    product = good({"in_stock": "yes", "stock": {"AT": 0, "ch": "in stock"}})
    assert (product.in_stock, product.stock) == (True, {"at": False, "ch": True})
    columns = good({"in_stock_at": "no", "availability_ch": "sold out"})
    assert (columns.in_stock, columns.stock) == (False, {"at": False, "ch": False})
    maps, issues = convert({"in_stock": {"at": True, "ch": "perhaps"}})
    assert (maps.in_stock, maps.stock) == (True, {"at": True})
    assert [issue.field for issue in issues] == ["in_stock"]


def test_a_shopify_export_with_markets(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "Handle,Title,Variant Price,Image Src,Included / United States,Price / United States\n"
        "boot,Boot,10.00,,false,12.00\n"
        "sock,Sock,3.00,,true,\n",
        encoding="utf-8",
    )
    mapper = Mapper(CatalogueSettings(currency="EUR"), markets=MARKETS)
    rows = merge_variants(CsvSource().open(str(tmp_path / "s.csv")))
    boot, sock = (mapper.map(record) for record in rows)
    assert boot[0] is not None
    assert (boot[0].price, boot[0].prices, boot[0].stock) == (
        *(10.0, {"united states/USD": 12.0}),
        {"united states": False},
    )
    assert sock[0] is not None
    assert (sock[0].prices, sock[0].stock, sock[1]) == ({}, {"united states": True}, [])


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=9), st.lists)
    | st.dictionaries(
        st.text(max_size=5),
        st.none()
        | st.floats()
        | st.text(max_size=9)
        | st.dictionaries(st.text(max_size=5), st.floats()),
    )
)
def test_rubbish_is_left_out(value: Any) -> None:
    product, _ = convert({"prices": value, "title_de": value, "price_eur": value})
    assert all(amount >= 0 for amount in product.prices.values())
    if isinstance(value, dict):
        assert all(price >= 0 for price in read_prices(value)[0].values())
        assert set(read_stock(value)[0].values()) <= {True, False}


def schema_of(*products: Product, rates: dict[str, float] | None = None) -> IndexSchema:
    inference = SchemaInference({}, rates)
    for product in products:
        inference.add(product)
    return inference.schema()[0]


def test_what_a_catalogue_declares() -> None:
    euros = Product("a", "t", price=1, currency="EUR")
    pounds = Product("b", "t", price=1, currency="GBP", stock={"at": True})
    unnamed = Product("c", "t", price=1)
    special = Product("d", "t", price=1, currency="EUR", prices={"at/EUR": 2})
    assert schema_of(Product("e", "t")) == schema_of(unnamed) == IndexSchema()
    assert schema_of(euros, Product("e", "t", currency="USD")) == IndexSchema(currency="EUR")
    assert schema_of(euros, pounds) == IndexSchema(prices=("EUR", "GBP"), stock=("at",))
    assert schema_of(euros, unnamed) == IndexSchema(prices=("EUR",))
    assert schema_of(special) == IndexSchema(prices=("EUR", "at/EUR"), currency="EUR")
    rates = {"EUR": 1.0, "SEK": 11.0}
    assert schema_of(euros, rates=rates) == IndexSchema(
        prices=("EUR", "SEK"), currency="EUR", rates=rates
    )
    assert schema_of(unnamed, rates=rates) == IndexSchema(rates=rates)
