"""Families as one result: nothing is lost, no family shows twice, all figures speak of the same."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import (
    Engine,
    Filter,
    InvalidFilter,
    InvalidRequest,
    LostPin,
    Query,
    QueryPlan,
    Rule,
    SearchRequest,
    SearchResponse,
)
from engine.inquiry import Inquiry
from engine.schema import field_values
from engine.settings import ProfileSettings
from engine.types import SortBy

from .conftest import OpenShop
from .shop import PRODUCTS, SCHEMA, ids, photo

QUERIES = [None, Query(text="red shoe"), Query(image=photo("mug", "red"))]
VALUES = {id: field_values(product, SCHEMA) for id, product in PRODUCTS.items()}
asked = st.sampled_from(QUERIES)
field = st.sampled_from(["group_id", "brand", "color", "material", "category"])
sort = st.sampled_from([None, SortBy("price"), SortBy("color", "desc")])


def search(shop: Engine, query: Query | None, **request: Any) -> SearchResponse:
    return shop.search(SearchRequest(query, **{"profile": "bare", **request}))


def family(id: str, field: str) -> Any:
    value = VALUES[id].get(field)
    return (tuple(value) if isinstance(value, list) else (value,)) if value else id


@given(query=asked, field=field, sort=sort, size=st.integers(1, 20), window=st.integers(1, 60))
def test_nothing_is_lost_and_no_family_shows_twice(
    shop: Engine, query: Any, field: str, sort: Any, size: int, window: int
) -> None:
    alone = ids(search(shop, query, sort=sort, limit=1000, rerank_window=window).hits)
    request: dict[str, Any] = {"group_by": field, "sort": sort, "rerank_window": window}
    hits: list[Any] = []
    while True:
        page = search(shop, query, offset=len(hits), limit=size, **request)
        hits += page.hits
        if not page.hits:
            break
    assert page.total == len(hits)
    first: dict[Any, str] = {}
    for id in alone:
        first.setdefault(family(id, field), id)
    assert ids(hits) == list(first.values())  # the best of each, in the order that it had
    for hit in hits:
        own = family(hit.id, field)
        others = [id for id in PRODUCTS if family(id, field) == own and id != hit.id]
        told = hit.variants
        assert (told.count if told else 0) == len(others)
        assert sorted(told.ids if told else ()) == sorted(others)


@given(query=asked, field=field)
def test_facets_count_families(shop: Engine, query: Any, field: str) -> None:
    answer = search(shop, query, group_by=field, facets=["color", "price"], limit=1)
    for value in answer.facets["color"].values:
        clicked = search(shop, query, group_by=field, filters={"color": value.value}, limit=1)
        assert clicked.total == value.count


def test_a_filter_chooses_who_stands_for_the_family(shop: Engine) -> None:
    for color in ("red", "black"):
        answer = search(shop, Query(text="shoe"), group_by="group_id", filters={"color": color})
        assert all(id.endswith(color) for id in ids(answer.hits))


def test_the_profile_may_group_and_a_request_may_not(open_shop: OpenShop) -> None:
    engine = open_shop(families=ProfileSettings(query_processors=(), group_by="brand"))
    grouped = search(engine, Query(text="mug"), profile="families")
    assert grouped.total == len({family(id, "brand") for id in PRODUCTS})
    assert search(engine, Query(text="mug"), profile="families", group_by="").total == len(PRODUCTS)


def test_without_grouping_a_hit_says_nothing_of_variants(shop: Engine) -> None:
    assert all(hit.variants is None for hit in search(shop, Query(text="mug")).hits)


def test_what_cannot_group_is_refused(shop: Engine) -> None:
    with pytest.raises(InvalidRequest, match="group_by: 'price' is no keyword field"):
        search(shop, None, group_by="price")
    with pytest.raises(InvalidFilter, match=r"unknown field 'brnd'.*did you mean 'brand'"):
        search(shop, None, group_by="brnd")


def test_a_pin_that_is_deleted_meanwhile(
    open_shop: OpenShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_shop()
    then = {"pins": {"mug-red": 1}}
    engine.rules.put(msgspec.convert({"id": "r", "then": then}, Rule))
    placed = Inquiry.settle

    def settle(self: Inquiry, plan: QueryPlan, filter: Filter) -> None:
        placed(self, plan, filter)
        assert self.pins == {"mug-red": 1}
        self.store.delete(["mug-red"])

    monkeypatch.setattr(Inquiry, "settle", settle)
    hits = engine.search(SearchRequest(None, group_by="brand", limit=1000)).hits
    assert hits
    assert "mug-red" not in ids(hits)


@pytest.mark.parametrize("query", QUERIES)
def test_one_pin_stands_for_a_family(open_shop: OpenShop, query: Any) -> None:
    engine = open_shop()
    first, second = (id for id in PRODUCTS if PRODUCTS[id].group_id == "mug")
    then = {"pins": {first: 2, second: 1}}
    engine.rules.put(msgspec.convert({"id": "r", "then": then}, Rule))
    answer = engine.search(SearchRequest(query, group_by="group_id", limit=1000))
    (rule,) = answer.plan.rules
    assert rule.pins == {second: 1}
    assert rule.lost == (LostPin(first, 2, "another of its family is placed"),)
    assert ids(answer.hits)[0] == second
    assert first not in ids(answer.hits)
