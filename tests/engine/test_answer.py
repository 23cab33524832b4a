"""Sorting and highlights of an answer."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Engine, Query, SearchRequest, SearchResponse, SortBy
from engine.answer import _mark, _stem, _stems
from engine.schema import field_values
from engine.settings import SearchSettings

from .conftest import OpenShop
from .shop import PRODUCTS, SCHEMA, ids, photo

QUERIES = [None, Query(text="red shoe"), Query(image=photo("mug", "red"))]
VALUES = {id: field_values(product, SCHEMA) for id, product in PRODUCTS.items()}


def search(shop: Engine, query: Query | None, **request: Any) -> SearchResponse:
    return shop.search(SearchRequest(query, **{"limit": 1000, **request}))


def test_depth_bounds_the_lanes(open_shop: OpenShop) -> None:
    engine = open_shop(search=SearchSettings(depth=5))
    answer = search(engine, Query(image=photo("mug", "red")), facets=("color",))
    assert answer.total == len(answer.hits) == 5
    assert sum(v.count for v in answer.facets["color"].values) == 5
    assert search(engine, None).total == len(PRODUCTS)


# Sorting


@pytest.mark.parametrize("query", QUERIES, ids=["browse", "text", "image"])
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("field", ["price", "weight", "color", "category", "vegan"])
def test_sorting(shop: Engine, query: Any, field: str, order: Any) -> None:
    found = ids(search(shop, query, sort=SortBy(field, order)).hits)
    relevance = ids(search(shop, query, profile="bare").hits)

    def key(id: str) -> Any:
        value = VALUES[id].get(field)
        return value if isinstance(value, list) else [value]

    present = [id for id in relevance if VALUES[id].get(field) is not None]
    present.sort(key=key, reverse=order == "desc")
    assert found == present + [id for id in relevance if VALUES[id].get(field) is None]
    assert set(found) == set(PRODUCTS)


def test_sorted_hits_are_explained_by_their_lanes(shop: Engine) -> None:
    hit = search(shop, Query(text="mug"), sort=SortBy("price"), explain=True).hits[0]
    assert hit.explain is not None
    assert {"text", "image"} <= set(hit.explain.lanes)
    assert hit.explain.rankers == {}
    assert hit.score == hit.explain.fused


# Highlights


def test_highlights_mark_and_escape(shop: Engine) -> None:
    hits = search(shop, Query(text="RED shoes"), highlight=True).hits
    by_id = {hit.id: hit.highlights for hit in hits}
    assert by_id["shoe-red"] == {
        "title": "<mark>Red</mark> <mark>shoe</mark>",
        "description": "A <mark>shoe</mark> of the house. Goes well with "
        "&lt;b&gt;<mark>red</mark>&lt;/b&gt; &amp; more.",
    }
    assert by_id["mug-blue"] == {}


def test_nothing_to_mark_without_words(shop: Engine) -> None:
    hit = search(shop, Query(image=photo("mug", "red")), highlight=True).hits[0]
    assert hit.highlights == {}


markup = st.text(alphabet="<>&\"' abcredshoes\n/=;üß", max_size=60)


@given(markup, st.lists(st.sampled_from(["red", "shoes", "a", "<b>", "b"]), max_size=3))
def test_highlights_never_let_markup_through(text: str, words: list[str]) -> None:
    marked, hits = _mark(text, frozenset(_stems(" ".join(words))))
    assert marked.count("<mark>") == marked.count("</mark>") == hits
    bare = marked.replace("<mark>", "").replace("</mark>", "")
    assert not re.search("[<>\"']", bare)
    assert html.unescape(bare) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("shoe", "shoes"),
        ("dress", "dresses"),
        ("box", "boxes"),
        ("lady", "ladies"),
        ("purse", "purses"),
        ("house", "houses"),
        ("glass", "glasses"),
        ("lamp", "lamps"),
    ],
)
def test_singular_and_plural_are_marked_alike(one: str, other: str) -> None:
    assert _stem(one) == _stem(other)


def test_unlike_words_are_not() -> None:
    assert len({_stem(word) for word in ("bus", "bag", "dress", "shoe", "sofa", "lamp")}) == 6
