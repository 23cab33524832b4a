"""Searching over HTTP: what comes back."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from tests.api.harness import COLOURS, KINDS, ODD_ID, png, products, two_halves

STAGES = {"understand", "encode", "retrieve", "fuse", "rank", "respond"}


def search(shop: httpx.Client, **body: Any) -> dict[str, Any]:
    response = shop.post("/v1/search", json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def ids(answer: dict[str, Any]) -> list[str]:
    return [hit["id"] for hit in answer["hits"]]


def by_photo(shop: httpx.Client, photo: bytes, **form: Any) -> dict[str, Any]:
    response = shop.post("/v1/search/image", data=form, files={"image": ("p.png", photo)})
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_words(shop: httpx.Client) -> None:
    answer = search(shop, text="red shoe", limit=3)
    assert ids(answer)[0] == "red-shoe"
    assert len(answer["hits"]) == 3
    assert answer["total"] == len(products())
    assert set(answer["timings"]) == STAGES
    assert answer["plan"]["original"] == "red shoe"
    assert answer["generation"] == "g1"
    assert answer["degraded"] == []


def test_a_hit_holds_the_product_and_its_photos_addresses(shop: httpx.Client) -> None:
    hit = search(shop, text="red shoe", limit=1)["hits"][0]
    assert hit["product"]["title"] == "Red shoe"
    assert hit["product"]["attributes"] == {"color": "red", "size": 0.0}
    (address,) = hit["product"]["image_urls"]
    assert shop.get(address).content == png("red")


def test_filters_facets_and_sort(shop: httpx.Client) -> None:
    answer = search(
        shop,
        text="shoe",
        filters={"color": ["red", "blue"], "price": {"lte": 29}},
        facets=["color", "price", "in_stock"],
        sort={"field": "price", "order": "desc"},
    )
    assert ids(answer) == ["blue-lamp", "red-lamp", "blue-shoe", "red-shoe"]
    counts = {value["value"]: value["count"] for value in answer["facets"]["color"]["values"]}
    assert counts == dict.fromkeys(COLOURS, 2)  # what else can be chosen
    chosen = [p for p in products() if p.attributes.get("color") in ("red", "blue")]
    prices = [p.price for p in chosen if p.price is not None]
    assert answer["facets"]["price"] == {"min": min(prices), "max": max(prices)}
    assert answer["facets"]["in_stock"]["values"] == [{"value": True, "count": 4}]


def test_browsing_pages_through_everything(shop: httpx.Client) -> None:
    seen: list[str] = []
    for offset in range(0, 25, 5):
        seen += ids(search(shop, filters={}, limit=5, offset=offset))
    assert sorted(seen) == sorted(product.id for product in products())


@pytest.mark.parametrize("limit", [0, 1, 1000])
def test_limits_at_their_bounds(shop: httpx.Client, limit: int) -> None:
    assert len(search(shop, text="shoe", limit=limit)["hits"]) <= limit


def test_chosen_fields_highlights_and_explanation(shop: httpx.Client) -> None:
    answer = search(
        shop, text="lamp", fields=["title", "color"], highlight=True, explain=True, limit=1
    )
    (hit,) = answer["hits"]
    assert set(hit["product"]) == {"id", "title", "color"}
    assert "<mark>lamp</mark>" in hit["highlights"]["title"]
    explained = hit["explain"]
    assert explained["score"] == pytest.approx(hit["score"])
    assert sum(lane["contribution"] for lane in explained["lanes"].values()) == pytest.approx(
        explained["fused"]
    )


def test_highlights_are_escaped(shop: httpx.Client) -> None:
    answer = search(shop, text="odd", highlight=True, limit=1)
    assert answer["hits"][0]["highlights"]["title"] == (
        "<mark>Odd</mark> one &lt;b&gt;out&lt;/b&gt;"
    )


def test_a_photo_three_ways(shop: httpx.Client) -> None:
    photo = png("green", (64, 48))
    encoded = base64.b64encode(photo).decode()
    answers = [
        by_photo(shop, photo, limit=4),
        search(shop, image=encoded, limit=4),
        search(shop, image=f"data:image/png;base64,{encoded}", limit=4),
    ]
    for answer in answers:
        assert set(ids(answer)) == {f"green-{kind}" for kind in KINDS}
        assert answer["timings"]["decode"] > 0
        assert answer["took_ms"] == pytest.approx(sum(answer["timings"].values()), abs=1)


def test_words_refine_a_photo(shop: httpx.Client) -> None:
    both = by_photo(shop, png("blue"), text="sofa", image_weight="0.5", limit=1, explain="true")
    assert ids(both) == ["blue-sofa"]
    assert {"photo", "text", "bm25"} <= set(both["hits"][0]["explain"]["lanes"])


def test_form_fields_mean_what_json_fields_do(shop: httpx.Client) -> None:
    form = by_photo(
        shop,
        png("red"),
        text=" ",
        filters='{"price": {"lt": 35}}',
        facets="color,brand",
        sort="-price",
        fields=["title", "price"],
        limit="2",
        offset="1",
    )
    body = search(
        shop,
        image=base64.b64encode(png("red")).decode(),
        filters={"price": {"lt": 35}},
        facets=["color", "brand"],
        sort={"field": "price", "order": "desc"},
        fields=["title", "price"],
        limit=2,
        offset=1,
    )
    assert form["hits"] == body["hits"]
    assert form["facets"] == body["facets"]


def test_only_the_cropped_part_counts(shop: httpx.Client) -> None:
    photo = two_halves("red", "blue")
    right = by_photo(shop, photo, crop="0.5,0,0.5,1", limit=4)
    assert set(ids(right)) == {f"blue-{kind}" for kind in KINDS}
    encoded = base64.b64encode(photo).decode()
    left = search(shop, image=encoded, crop=[0, 0, 0.5, 1], limit=4)
    assert set(ids(left)) == {f"red-{kind}" for kind in KINDS}


def test_like_leaves_out_what_it_is_like(shop: httpx.Client) -> None:
    answer = search(shop, like=["red-shoe", "red-mug"], limit=5)
    assert not {"red-shoe", "red-mug"} & set(ids(answer))
    assert {"red-lamp", "red-sofa"} <= set(ids(answer))


def test_the_simple_form_means_what_json_does(shop: httpx.Client) -> None:
    link = shop.get(
        "/v1/search?q=shoe&filter.color=red&filter.color=blue&filter.price.lte=30"
        "&filter.price.gt=5&filter.in_stock=true&filter.brand.not=Nobody"
        "&facets=color,brand&sort=-price&fields=title,price&limit=3&explain=true"
    )
    body = search(
        shop,
        text="shoe",
        filters={
            "color": ["red", "blue"],
            "price": {"lte": 30, "gt": 5},
            "in_stock": True,
            "brand": {"not": ["Nobody"]},
        },
        facets=["color", "brand"],
        sort={"field": "price", "order": "desc"},
        fields=["title", "price"],
        limit=3,
        explain=True,
    )
    assert link.status_code == 200
    assert link.json()["hits"] == body["hits"]
    assert link.json()["facets"] == body["facets"]


def test_a_link_without_words_browses(shop: httpx.Client) -> None:
    answer = shop.get("/v1/search", params={"filter.color": "green", "limit": 100}).json()
    assert answer["total"] == len(KINDS)


def test_links_may_name_products_to_be_like(shop: httpx.Client) -> None:
    answer = shop.get("/v1/search", params={"like": ["red-shoe", ODD_ID], "limit": 1})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "text",
    [
        "👟 red shoe 👠",
        "نعل أحمر",
        "红色的鞋",
        "赤い靴",
        "\u202ered shoe",
        "a" * 2000,
        "c++ / -x OR (y)",
    ],
)
def test_any_script_is_fine(shop: httpx.Client, text: str) -> None:
    assert search(shop, text=text, limit=1)["plan"]["original"] == text


def test_equal_requests_get_equal_answers(shop: httpx.Client) -> None:
    answers = [search(shop, text="white lamp", facets=["color"]) for _ in range(3)]
    assert answers[0]["hits"] == answers[1]["hits"] == answers[2]["hits"]
    assert len(COLOURS) == len(answers[0]["facets"]["color"]["values"])


def test_the_reading_of_words(shop: httpx.Client) -> None:
    answer = shop.get("/v1/understand", params={"q": " red   shoe ", "ignore": ["color:red"]})
    assert answer.status_code == 200, answer.text
    plan = answer.json()["plan"]
    assert (plan["original"], plan["text"]) == (" red   shoe ", "red shoe")
    assert plan["ignored"] == ["color:red"]
    assert "normalize" in [step["processor"] for step in plan["steps"]]
    assert shop.get("/v1/understand", params={"q": " "}).json()["field"] == "text"
    assert shop.get("/v1/understand").status_code == 400


@pytest.mark.parametrize("way", ["json", "link", "form"])
def test_readings_that_were_taken_back(shop: httpx.Client, way: str) -> None:
    ignore = ["color:red", "brand:acme"]
    if way == "json":
        answer = search(shop, text="red shoe", ignore=ignore)
    elif way == "link":
        answer = shop.get("/v1/search", params={"q": "red shoe", "ignore": ignore}).json()
    else:
        answer = by_photo(shop, png("red"), text="red shoe", ignore=ignore)
    assert answer["plan"]["ignored"] == ignore
