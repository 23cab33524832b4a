"""Pages neither overlap nor skip, whatever reorders or drops between fusion and page."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Engine, Query, SearchRequest, SearchResponse, SortBy

from .shop import PRODUCTS, ids, photo

PROFILES = ["default", "bare", "by-price", "level", "drop-odd", "drop-all", "turn"]
QUERIES = [
    None,
    Query(text="red shoe"),
    Query(image=photo("lamp", "blue")),
    Query(text="red shoe", image=photo("lamp", "blue")),
    Query(like=("bag-red",)),
]
cuts = st.lists(st.integers(0, 20), min_size=1, max_size=6)


@settings(max_examples=120)
@given(
    st.sampled_from(QUERIES),
    st.sampled_from(PROFILES),
    st.sampled_from([None, SortBy("price"), SortBy("color", "desc")]),
    st.sampled_from([None, 1, 7, 48, 1000]),
    cuts,
)
def test_pages_join_to_one_list(
    shop: Engine,
    query: Query | None,
    profile: str,
    sort: SortBy | None,
    window: int | None,
    limits: list[int],
) -> None:
    def page(offset: int, limit: int) -> SearchResponse:
        return shop.search(
            SearchRequest(
                *(query, {}, (), sort, limit, offset), profile=profile, rerank_window=window
            )
        )

    whole = page(0, 1000)
    joined: list[Any] = []
    for limit in limits:
        answer = page(len(joined), limit)
        assert answer.total == whole.total
        joined += answer.hits
    joined += page(len(joined), 1000 - len(joined)).hits
    assert joined == list(whole.hits)
    assert len(set(ids(whole.hits))) == len(whole.hits)


@pytest.mark.parametrize("window", [1, 5, 20, 48])
def test_below_the_window_the_fused_order_stands(shop: Engine, window: int) -> None:
    request = SearchRequest(Query(text="red shoe"), limit=1000, profile="bare")
    fused = ids(shop.search(request).hits)

    def under(profile: str) -> list[str]:
        return ids(
            shop.search(
                SearchRequest(
                    Query(text="red shoe"), limit=1000, profile=profile, rerank_window=window
                )
            ).hits
        )

    assert under("turn") == fused[:window][::-1] + fused[window:]
    assert under("drop-odd") == fused[:window:2] + fused[window:]
    assert under("drop-all") == fused[window:]


def test_equal_scores_keep_the_fused_order(shop: Engine) -> None:
    hits = {
        profile: ids(
            shop.search(SearchRequest(Query(text="red shoe"), limit=99, profile=profile)).hits
        )
        for profile in ("bare", "level", "double", "as-list")
    }
    assert hits["level"] == hits["bare"] == hits["double"] == hits["as-list"]


def test_browsing_pages_by_id(shop: Engine) -> None:
    pages = [shop.search(SearchRequest(limit=7, offset=offset)) for offset in range(0, 56, 7)]
    assert [hit.id for page in pages for hit in page.hits] == sorted(PRODUCTS)
    assert {page.total for page in pages} == {len(PRODUCTS)}
