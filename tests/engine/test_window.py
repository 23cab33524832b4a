"""``Engine.window``: what a ranker would see, without being one."""

from __future__ import annotations

import numpy as np
import pytest

from engine import Engine, InvalidRequest, Query, RankingBatch, SearchRequest, SortBy

from . import shop as small
from .conftest import OpenShop

QUERY = Query("red shoe")


def same_batch(ours: RankingBatch, theirs: RankingBatch) -> bool:
    """Equal to the last bit; the request's page aside."""
    arrays = [(ours.scores, theirs.scores)]
    for name in ("lane_ranks", "lane_scores", "vectors"):
        mine, others = getattr(ours, name), getattr(theirs, name)
        assert mine.keys() == others.keys()
        arrays += [(mine[key], others[key]) for key in mine]
    return (
        all(np.array_equal(a, b, equal_nan=True) for a, b in arrays)
        and ours.ids == theirs.ids
        and ours.columns == theirs.columns
    )


def test_it_is_what_rankers_see(shop: Engine) -> None:
    found = shop.search(SearchRequest(QUERY, profile="bare", limit=48))
    batch = shop.window(SearchRequest(QUERY, profile="bare"), ["price", "title"], ["image"])
    assert batch.ids == small.ids(found.hits)
    np.testing.assert_array_equal(batch.scores, np.float32([hit.score for hit in found.hits]))
    assert batch.columns["title"] == [hit.product["title"] for hit in found.hits]
    assert batch.columns.keys() >= {"price", "title"}
    assert batch.vectors["image"].shape[0] == len(batch.ids)
    assert batch.plan.original == QUERY.text


def test_it_stands_behind_the_profiles_rankers(open_shop: OpenShop) -> None:
    shop = open_shop()
    plain = shop.window(SearchRequest(QUERY, profile="bare"))
    doubled = shop.window(SearchRequest(QUERY, profile="double"))
    assert doubled.ids == plain.ids
    np.testing.assert_array_equal(doubled.scores, plain.scores * 2)


def test_page_and_order_do_not_matter(shop: Engine) -> None:
    plain = shop.window(SearchRequest(QUERY), ["price"])
    page = SearchRequest(QUERY, limit=3, offset=7, sort=SortBy("price"), facets=("color",))
    assert same_batch(shop.window(page, ["price"]), plain)


def test_nothing_found_is_an_empty_window(shop: Engine) -> None:
    for request in (
        SearchRequest(),
        SearchRequest(QUERY, filters={"color": "puce"}),
    ):
        batch = shop.window(request, ["price"])
        assert (batch.ids, batch.scores.shape) == ([], (0,))


def test_a_wrong_request_is_refused(shop: Engine) -> None:
    with pytest.raises(InvalidRequest, match="profile"):
        shop.window(SearchRequest(QUERY, profile="nobody"))


def test_searches_go_on_as_before(shop: Engine) -> None:
    before = shop.search(SearchRequest(QUERY))
    shop.window(SearchRequest(QUERY))
    assert small.ids(shop.search(SearchRequest(QUERY)).hits) == small.ids(before.hits)
