"""What costs what where: shown as it is filtered by, and nothing made up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import (
    OWN_PRICE,
    IndexSchema,
    Product,
    Query,
    QueryPlan,
    SearchRequest,
    Selection,
    SortBy,
)
from engine.admission import whole_filter
from engine.filters import Filter, Range, Terms, matches, parse_filters
from engine.localize import Localization
from engine.markets import NOWHERE, Place, place_of, read_filters
from engine.prices import Price, price_of
from engine.schema import FieldKind, field_values

RATES = {"EUR": 1.0, "SEK": 11.25, "JPY": 160.0}
SCHEMA = IndexSchema(prices=("EUR", "GBP", "JPY", "SEK", "at/EUR"), rates=RATES, stock=("at", "ch"))
AMOUNTS = st.none() | st.floats(0, 1000).map(lambda amount: round(amount, 2))
CURRENCIES = st.sampled_from(["", "EUR", "GBP", "SEK", "JPY", "USD"])
PRODUCTS = st.builds(
    Product,
    st.just("p"),
    st.just("Mug"),
    price=AMOUNTS,
    currency=CURRENCIES,
    prices=st.dictionaries(st.sampled_from(SCHEMA.prices), st.floats(0, 1000), max_size=3),
    in_stock=st.booleans(),
    stock=st.dictionaries(st.sampled_from(SCHEMA.stock), st.booleans()),
)


def test_the_nearest_price_is_the_price() -> None:
    product = Product(
        "p", "Mug", price=10, currency="EUR", prices={"GBP": 9, "at/EUR": 12, "EUR": 99}
    )
    found = {key: price_of(product, key, RATES) for key in ("EUR", "at/EUR", "ch/EUR", "at/GBP")}
    assert found == {
        "EUR": Price(10),  # a sale's, say
        "at/EUR": Price(12),
        "ch/EUR": Price(10),
        "at/GBP": Price(9),
    }


def test_only_rates_convert() -> None:
    euros = Product("p", "Mug", price=9.99, currency="EUR", prices={"GBP": 9})
    assert price_of(euros, "SEK", RATES) == Price(112.39, (9.99, "EUR"))
    assert price_of(euros, "JPY", RATES) == Price(1598, (9.99, "EUR"))
    assert price_of(euros, "SEK", {}) is price_of(euros, "USD", RATES) is None
    pounds = Product("p", "Mug", price=9, currency="GBP", prices={"JPY": 320, "at/EUR": 1})
    assert price_of(pounds, "EUR", RATES) == Price(2.0, (320, "JPY"))
    assert price_of(Product("p", "Mug", price=9), "EUR", RATES) is None


@given(PRODUCTS, st.sampled_from(["EUR", "GBP", "JPY", "SEK"]), st.sampled_from(["", "at", "ch"]))
def test_what_is_shown_is_what_is_filtered_by(product: Product, currency: str, market: str) -> None:
    audience = Localization().audience(SCHEMA, None, market or None, currency)
    view, held = audience.view(product), field_values(product, SCHEMA)
    price = view["price"]

    def found(**filters: Any) -> bool:
        return matches(audience.place.filter(parse_filters(filters, SCHEMA)), "p", held)

    assert view["currency"] == currency
    assert found(price={"gte": 0}) == (price is not None)
    if price is not None:
        assert found(price=price)
        assert not found(price={"gt": price})
        own = product.currency == currency and product.price is not None
        named = {currency, audience.place.key} & product.prices.keys()
        assert ("converted_from" in view) == (not own and not named)
    assert found(in_stock=view["in_stock"])
    assert not found(in_stock=not view["in_stock"])


@given(PRODUCTS)
def test_who_names_no_market_or_currency_sees_the_product(product: Product) -> None:
    view = Localization().audience(SCHEMA, None, None, None).view(product)
    assert (view["price"], view["currency"], view["in_stock"]) == (
        *(product.price, product.currency),
        product.in_stock,
    )


@pytest.mark.parametrize(
    ("market", "currency", "place"),
    [
        (None, None, NOWHERE),
        (None, "gbp", Place("", "GBP", {"price": "price:GBP"})),
        ("AT", "EUR", Place("at", "at/EUR", {"price": "price:at/EUR", "in_stock": "in_stock:at"})),
        ("at", "GBP", Place("at", "GBP", {"price": "price:GBP", "in_stock": "in_stock:at"})),
        ("at", None, Place("at", "at/EUR", {"price": "price:at/EUR", "in_stock": "in_stock:at"})),
        ("uk", None, Place("uk", "GBP", {"price": "price:GBP"})),
        ("ch", None, Place("ch", "", {"in_stock": "in_stock:ch"})),
        ("mars", "XXX", Place("mars", "XXX", {"price": "price:XXX"})),
        ("mars", None, Place("mars")),
    ],
)
def test_places(market: str | None, currency: str | None, place: Place) -> None:
    assert place_of(market, currency, SCHEMA, {"uk": "GBP"}) == place


def test_a_shop_of_one_currency_stores_no_second_price() -> None:
    schema = IndexSchema(currency="EUR")
    assert place_of(None, "EUR", schema, {}) == Place("", "EUR")
    assert place_of(None, "GBP", schema, {}).fields == {"price": "price:GBP"}
    product = Product("p", "Mug", price=3, currency="EUR")
    assert "price:EUR" not in field_values(product, schema)
    assert Localization().audience(schema, None, None, "eur").view(product)["price"] == 3


def test_a_request_by_stored_fields_and_its_columns_by_names() -> None:
    place = place_of("at", "EUR", SCHEMA, {})
    request = SearchRequest(facets=("price", "brand"), sort=SortBy("price", "desc"))
    stored = place.request(request)
    assert stored.facets == ("price:at/EUR", "brand")
    assert stored.sort == SortBy("price:at/EUR", "desc")
    assert NOWHERE.request(request) is request

    class Store:
        def columns(self, ids: Any, fields: Any) -> dict[str, list[Any]]:
            return {field: [field] for field in fields}

    store: Any = Store()
    assert place.columns(store, ["p"], ["title", "in_stock", "price", OWN_PRICE]) == {
        "title": ["title"],
        "in_stock": ["in_stock:at"],
        "price": ["price:at/EUR"],
        OWN_PRICE: ["price"],
    }
    assert NOWHERE.columns(store, ["p"], ["price", OWN_PRICE]) == {
        "price": ["price"],
        OWN_PRICE: ["price"],
    }


def test_filters_mean_the_shoppers_prices_and_rules_the_shops() -> None:
    place = place_of("at", "EUR", SCHEMA, {})
    assert place.filter(Filter((Range("price", lte=5),), ("x",))) == Filter(
        (Range("price:at/EUR", lte=5),), ("x",)
    )
    hidden = Selection({"price": {"lte": 5}, "in_stock": False})
    assert place.hidden(hidden) == (Range("price", lte=5), Terms("in_stock:at", (False,)))


def test_a_price_of_ones_own_goes_before_one_in_words_whatever_that_is_in() -> None:
    request = SearchRequest(Query("mug under 60 €"), {"price": {"lte": 50}}, currency="GBP")
    plan = QueryPlan(filters={"price": {"lte": 60}, "currency": ["EUR"], "color": "red"})
    schema = IndexSchema({"color": FieldKind.KEYWORD}, SCHEMA.prices)
    audience = Localization().of(request, schema)
    own = parse_filters(request.filters, schema)
    assert whole_filter(own, request, plan, audience).conditions == (
        Terms("color", ("red",)),
        Range("price:GBP", lte=50),
    )


@pytest.mark.parametrize(
    ("filters", "field", "left"),
    [
        ({"price": {"lte": 60}}, "price:GBP", {"price"}),
        ({"price": {"lte": 60}, "currency": ["EUR"]}, "price:EUR", {"price"}),
        (
            {"price": {"lte": 60}, "currency": "SEK", "color": "red"},
            "price:SEK",
            {"price", "color"},
        ),
        ({"price": {"lte": 60}, "currency": ["EUR", "GBP"]}, "price:GBP", {"price"}),
        ({"price": {"lte": 60}, "currency": ["EUR", "SEK"]}, "price:GBP", {"price", "currency"}),
        ({"price": {"lte": 60}, "currency": "USD"}, "price:GBP", {"price", "currency"}),
        ({"currency": "EUR"}, "price:GBP", {"currency"}),
    ],
)
def test_words_say_which_currency_they_mean(
    filters: dict[str, Any], field: str, left: set[str]
) -> None:
    """A shopper who pays in pounds types "under 60 €"."""
    rest, place = read_filters(filters, place_of(None, "GBP", SCHEMA, {}), SCHEMA)
    assert (set(rest), place.field("price")) == (left, field)


def test_fields_of_prices_and_markets_are_declared() -> None:
    assert SCHEMA.kind("price:at/EUR") is FieldKind.NUMBER
    assert SCHEMA.kind("in_stock:ch") is FieldKind.BOOLEAN
    assert SCHEMA.kind("price:CHF") is SCHEMA.kind("in_stock:de") is None
    assert {"price:GBP", "in_stock:at"} < set(SCHEMA.names())
