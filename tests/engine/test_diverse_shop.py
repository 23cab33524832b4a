"""The arrangers of diversity in a real search: what docs/diversity.md says of windows and pages."""

from __future__ import annotations

from collections import Counter

from engine import Engine, Query, SearchRequest, SearchResponse
from engine.settings import ProfileSettings

from .conftest import OpenShop
from .shop import PRODUCTS, ids


def search(shop: Engine, profile: str, window: int = 48, **request: int) -> SearchResponse:
    query = Query(text="red shoe")
    asked = SearchRequest(query, profile=profile, rerank_window=window, explain=True, **request)
    answer = shop.search(asked)
    assert answer.degraded == ()
    return answer


def families(answer: SearchResponse) -> Counter[str]:
    return Counter(PRODUCTS[id].group_id for id in ids(answer.hits) if PRODUCTS[id].group_id)


def test_a_family_shows_once_where_the_window_holds_the_result_set(open_shop: OpenShop) -> None:
    shop = open_shop(families=ProfileSettings(rankers=(), arrangers=("variants",)))
    whole = search(shop, "families", limit=48)
    assert set(families(whole).values()) == {1}
    assert whole.total == len(PRODUCTS), "products, not families"
    pages = [search(shop, "families", limit=7, offset=offset) for offset in range(0, 49, 7)]
    assert [id for page in pages for id in ids(page.hits)] == ids(whole.hits)
    stands_for = {
        hit.id: hit.explain.reasons["variants"]["stands for"]
        for hit in whole.hits
        if hit.explain and "variants" in hit.explain.reasons
    }
    sizes = Counter(product.group_id for product in PRODUCTS.values())
    assert stands_for == {id: sizes[PRODUCTS[id].group_id] - 1 for id in stands_for}
    assert len(stands_for) == len(families(whole)) > 1


def test_below_the_window_a_family_may_show_again(open_shop: OpenShop) -> None:
    shop = open_shop(families=ProfileSettings(rankers=(), arrangers=("variants",)))
    assert max(families(search(shop, "families", window=10, limit=48)).values()) > 1


def test_they_work_together_and_say_why(open_shop: OpenShop) -> None:
    shop = open_shop(
        diverse=ProfileSettings(rankers=(), arrangers=("variants", "mmr", "caps")),
        plain=ProfileSettings(rankers=()),
    )
    plain, diverse = (search(shop, profile, limit=20) for profile in ("plain", "diverse"))
    before, after = (
        Counter(hit.product["brand"] for hit in answer.hits[:12] if hit.product["brand"])
        for answer in (plain, diverse)
    )
    assert max(before.values()) > max(after.values()) == 3
    assert diverse.hits[0].id == plain.hits[0].id
    assert ids(diverse.hits) != ids(plain.hits)
    explained = [hit.explain for hit in diverse.hits]
    for cause in ("relevance", "similarity", "most like"):
        assert any(e and cause in e.reasons.get("mmr", {}) for e in explained)


def test_one_product_has_no_neighbours(open_shop: OpenShop) -> None:
    profile = ProfileSettings(rankers=(), arrangers=("mmr", "caps", "variants"))
    shop = open_shop(diverse=profile)
    assert len(search(shop, "diverse", window=1, limit=1).hits) == 1
