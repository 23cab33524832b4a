"""Narrowing a result over HTTP: facets, families, and what gives way where nothing is found."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.harness import COLOURS, KINDS, products


def post(shop: httpx.Client, **body: Any) -> dict[str, Any]:
    response = shop.post("/v1/search", json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def get(shop: httpx.Client, **parameters: Any) -> dict[str, Any]:
    response = shop.get("/v1/search", params=parameters)
    assert response.status_code == 200, response.text
    return dict(response.json())


def counts(facet: dict[str, Any]) -> dict[Any, int]:
    return {value["value"]: value["count"] for value in facet["values"]}


def test_counts_leave_room_for_a_second_colour(shop: httpx.Client) -> None:
    filters = {"color": "red", "price": {"lte": 29}}
    for answer in (
        post(shop, text="shoe", filters=filters, facets=["color", "in_stock"]),
        get(
            shop,
            q="shoe",
            facets="color,in_stock",
            **{"filter.color": "red", "filter.price.lte": 29},
        ),
    ):
        assert answer["total"] == 2
        assert counts(answer["facets"]["color"]) == dict.fromkeys(COLOURS, 2)
        assert counts(answer["facets"]["in_stock"]) == {True: 2}


def test_a_selected_value_that_nothing_has_is_told(shop: httpx.Client) -> None:
    answer = post(shop, filters={"color": "puce"}, facets=["color"])
    assert counts(answer["facets"]["color"])["puce"] == answer["total"] == 0


def test_the_engine_chooses_fields(shop: httpx.Client) -> None:
    for answer in (post(shop, text="shoe", facets=["*"]), get(shop, q="shoe", facets="*")):
        assert {"color", "category", "brand", "price"} <= set(answer["facets"])
        assert "locale" not in answer["facets"]


def test_families(shop: httpx.Client) -> None:
    answer = post(shop, text="red shoe", group_by="color", facets=["category"], limit=50)
    assert answer["hits"][0]["id"] == "red-shoe"
    assert answer["hits"][0]["variants"]["count"] == len(KINDS) - 1
    assert set(answer["hits"][0]["variants"]["ids"]) == {f"red-{kind}" for kind in KINDS[1:]}
    assert answer["total"] == len(answer["hits"])
    assert sum(1 + hit.get("variants", {"count": 0})["count"] for hit in answer["hits"]) == len(
        products()
    )
    assert counts(answer["facets"]["category"])["home > shoe"] == len(COLOURS)
    assert get(shop, q="red shoe", group_by="color")["total"] == answer["total"]
    assert "variants" not in post(shop, text="red shoe")["hits"][0]


@pytest.mark.parametrize("field", ["price", "no such"])
def test_what_cannot_group_is_refused(shop: httpx.Client, field: str) -> None:
    response = shop.post("/v1/search", json={"text": "shoe", "group_by": field})
    assert response.status_code == 400
    assert response.json()["detail"].startswith("group_by: ")


def test_what_was_understood_gives_way_and_is_told(shop: httpx.Client) -> None:
    answer = post(shop, text="red shoe under 1")
    assert answer["plan"]["relaxed"] == {"price": {"lte": 1.0}}
    assert answer["plan"]["filters"] == {}
    assert answer["hits"][0]["id"] == "red-shoe"


def test_what_was_selected_does_not(shop: httpx.Client) -> None:
    answer = post(shop, text="shoe", filters={"color": "red", "price": {"lte": 1}})
    assert (answer["total"], answer["plan"]["relaxed"]) == (0, {})
    assert answer["without"] == {"price": len(KINDS)}
    assert post(shop, text="shoe")["without"] == {}


def test_words_beside_products_to_be_like(shop: httpx.Client) -> None:
    answer = post(shop, text="like this but blue", like=["red-shoe"])
    assert {hit["product"]["attributes"].get("color") for hit in answer["hits"]} <= {"blue", None}
    (span,) = answer["plan"]["spans"]
    assert (span["effect"], span["values"]) == ("filter", ["blue"])
    cheaper = post(shop, text="but cheaper", like=["red-lamp"])
    assert cheaper["plan"]["filters"] == {"price": {"lt": 20.0}}
    assert all(hit["product"]["price"] < 20 for hit in cheaper["hits"])
