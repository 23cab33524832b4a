"""Facets: counts under what else is chosen, against brute force; which fields the engine offers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import (
    Engine,
    FacetResult,
    FacetValue,
    InvalidFilter,
    Query,
    SearchRequest,
    SearchResponse,
)
from engine.facets import AUTO, SAMPLE, usefulness
from engine.filters import matches, parse_filters
from engine.schema import FieldKind, field_values
from engine.settings import SearchSettings

from .conftest import OpenShop
from .shop import PRODUCTS, SCHEMA, ids, photo

FIELDS = ("color", "material", "category", "brand", "vegan", "in_stock", "price", "weight")
QUERIES = [None, Query(text="red shoe"), Query(image=photo("mug", "red"))]
VALUES = {id: field_values(product, SCHEMA) for id, product in PRODUCTS.items()}

FILTERS: dict[str, Any] = {
    "color": st.lists(st.sampled_from(["red", "blue", "black", "no such"]), min_size=1, max_size=3),
    "material": st.sampled_from(["wood", "leather", {"not": "steel"}]),
    "brand": st.sampled_from(["Acme", "Bolt", {"not": ["Acme"]}]),
    "vegan": st.booleans(),
    "price": st.sampled_from([{"gte": 20}, {"lt": 20}, {"gte": 10, "lte": 30}, {"gt": 1000}]),
}
filters_of = st.fixed_dictionaries({}, optional=FILTERS)


def search(shop: Engine, query: Query | None, **request: Any) -> SearchResponse:
    return shop.search(SearchRequest(query, **{"limit": 1000, "profile": "bare", **request}))


def under(filters: dict[str, Any]) -> list[str]:
    parsed = parse_filters(filters, SCHEMA)
    return [id for id, values in VALUES.items() if matches(parsed, id, values)]


def by_hand(field: str, found: list[str], chosen: Any = ()) -> FacetResult:
    column = [VALUES[id].get(field) for id in found]
    if SCHEMA.kind(field) is FieldKind.NUMBER:
        numbers = [value for value in column if isinstance(value, float)]
        return FacetResult(min=min(numbers), max=max(numbers)) if numbers else FacetResult()
    counts: Counter[Any] = Counter()
    for value in column:
        counts.update(value if isinstance(value, list) else [] if value is None else [value])
    best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    missing = [(value, 0) for value in dict.fromkeys(chosen) if value not in counts]
    return FacetResult(tuple(FacetValue(value, count) for value, count in [*best, *missing]))


def chosen_of(spec: Any) -> list[Any]:
    return spec if isinstance(spec, list) else [] if isinstance(spec, dict) else [spec]


@pytest.mark.parametrize("query", QUERIES, ids=["browse", "text", "image"])
@given(filters=filters_of)
def test_a_fields_counts_are_under_all_other_filters(
    shop: Engine, query: Query | None, filters: dict[str, Any]
) -> None:
    """Every lane finds all products of this small shop, so brute force is over the catalogue."""
    answer = search(shop, query, filters=filters, facets=FIELDS)
    assert sorted(ids(answer.hits)) == sorted(under(filters))
    for field in FIELDS:
        others = {name: spec for name, spec in filters.items() if name != field}
        chosen = chosen_of(filters[field]) if field in filters else ()
        assert answer.facets[field] == by_hand(field, under(others), chosen), field


@given(filters=filters_of, field=st.sampled_from(["color", "material", "brand", "vegan"]))
def test_a_count_is_the_total_after_a_click(
    shop: Engine, filters: dict[str, Any], field: str
) -> None:
    others = {name: spec for name, spec in filters.items() if name != field}
    for value in (
        search(shop, Query(text="mug"), filters=filters, facets=[field]).facets[field].values
    ):
        clicked = search(shop, Query(text="mug"), filters={**others, field: value.value}, limit=1)
        assert clicked.total == value.count


@pytest.mark.parametrize("query", QUERIES, ids=["browse", "text", "image"])
def test_what_is_selected_stays_whatever_its_count(open_shop: OpenShop, query: Any) -> None:
    engine = open_shop(search=SearchSettings(facet_values=2))
    filters = {"color": ["yellow", "no such"], "brand": "Bolt"}
    values = search(engine, query, filters=filters, facets=["color"]).facets["color"].values
    assert len(values) == 4
    counts = {value.value: value.count for value in values}
    assert counts["no such"] == 0
    assert counts["yellow"] == len(under({"brand": "Bolt", "color": "yellow"})) > 0


def test_pages_and_arrangers_do_not_change_facets_and_total(shop: Engine) -> None:
    whole = search(shop, Query(text="shoe"), facets=FIELDS)
    page = search(shop, Query(text="shoe"), facets=FIELDS, limit=1, offset=2)
    less = search(shop, Query(text="shoe"), facets=FIELDS, profile="drop-all", limit=3)
    assert less.hits == ()
    assert (page.facets, page.total) == (less.facets, less.total) == (whole.facets, whole.total)


def test_only_the_largest_values_are_listed(open_shop: OpenShop) -> None:
    engine = open_shop(search=SearchSettings(facet_values=2))
    for query in QUERIES:
        facets = search(engine, query, facets=("category",)).facets
        assert [v.value for v in facets["category"].values] == ["Home", "Wear"]


@pytest.mark.parametrize("query", QUERIES, ids=["browse", "text", "image"])
def test_the_engine_chooses_the_most_useful_fields(shop: Engine, query: Any) -> None:
    facets = search(shop, query, facets=[AUTO]).facets
    names = list(facets)
    assert names[0] in ("color", "category")
    assert not {"locale", "currency", "group_id", "updated_at"} & set(names)
    for name in names:
        assert facets[name] == by_hand(name, list(PRODUCTS))


def test_what_the_words_speak_of_comes_earlier(shop: Engine) -> None:
    """Of two fields that are about as useful."""
    plain = list(search(shop, Query(text="mug"), facets=[AUTO]).facets)
    spoken = list(search(shop, Query(text="leather mug"), facets=[AUTO], profile="default").facets)
    assert spoken.index("material") < plain.index("material")


def test_named_and_selected_fields_are_kept(shop: Engine) -> None:
    facets = search(shop, None, facets=["group_id", AUTO], filters={"brand": "no such"}).facets
    assert list(facets)[:2] == ["group_id", "brand"]
    assert facets["brand"].values[-1] == FacetValue("no such", 0)


def test_an_unknown_field_beside_auto_is_refused(shop: Engine) -> None:
    with pytest.raises(InvalidFilter, match=r"colr.*did you mean 'color'"):
        search(shop, None, facets=[AUTO, "colr"])


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (["a", "b"] * 8, ["a"] * 15 + ["b"]),  # tells more apart
        (["a", "b"] * 8, ["a", "b", None, None] * 4),  # on more products
        (list("abcdefgh") * 2, list("abcdefghijklmnop")),  # a name each is no choice
        ([["a"], ["b", "c"]] * 8, [None] * 16),
        ([1.0, 2.0] * 8, [1.0] * 16),
    ],
)
def test_usefulness(better: list[Any], worse: list[Any]) -> None:
    assert 1 >= usefulness(better) > usefulness(worse) >= 0


@given(st.lists(st.none() | st.sampled_from("abc") | st.lists(st.sampled_from("abc"))))
def test_usefulness_is_a_share(column: list[Any]) -> None:
    assert 0 <= usefulness(column) <= 1


def test_a_browse_is_judged_by_a_sample(shop: Engine) -> None:
    assert len(PRODUCTS) < SAMPLE
    assert search(shop, None, facets=[AUTO]).facets


@pytest.mark.parametrize("query", QUERIES)
def test_a_price_in_a_currency_that_nothing_has_one_in(shop: Engine, query: Any) -> None:
    answer = search(shop, query, currency="XXX", facets=("price", "color"))
    assert answer.facets["price"] == FacetResult()
    assert answer.facets["color"].values
