"""GET /v1/explain over real HTTP."""

from __future__ import annotations

import httpx


def test_a_product_that_is_shown_and_one_that_is_filtered(shop: httpx.Client) -> None:
    searched = shop.get("/v1/search", params={"q": "shoe", "explain": "true"}).json()
    first = searched["hits"][0]
    asked = {"product": first["id"], "query": "shoe"}
    shown = shop.get("/v1/explain", params=asked).json()
    assert (shown["outcome"], shown["place"]) == ("shown", 1)
    assert shown["explain"] == first["explain"]
    assert shown["total"] == searched["total"]
    free = {**asked, "filter.price.gte": "1000000"}
    filtered = shop.get("/v1/explain", params=free).json()
    (barrier,) = filtered["barriers"]
    assert (filtered["outcome"], barrier["by"]) == ("filtered", "filter")
    assert barrier["wanted"] == {"field": "price", "gte": 1000000.0}


def test_what_cannot_be_explained(shop: httpx.Client) -> None:
    unknown = shop.get("/v1/explain", params={"product": "nowhere", "query": "shoe"})
    assert (unknown.status_code, unknown.json()["field"]) == (404, "product")
    assert shop.get("/v1/explain", params={"query": "shoe"}).status_code == 400
