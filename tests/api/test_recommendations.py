"""Recommendations over HTTP."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from engine import Engine
from engine.settings import PluginSettings
from tests.api.harness import ODD_ID, build, make_settings, problem, serving

URL = "/v1/recommendations"


def open_shop(data: Path, photo_root: Path) -> Engine:
    """The shop of the other tests; here a busy machine shall cost no recommender."""
    settings = msgspec.structs.replace(
        make_settings(data), plugins=PluginSettings(deadline_ms=60_000)
    )
    build(settings, photo_root)
    return Engine.open(settings)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, photo_root: Path) -> Iterator[httpx.Client]:
    """For reading."""
    data = tmp_path_factory.mktemp("recommending")
    with open_shop(data, photo_root) as engine, serving({"test": engine}) as client:
        yield client


@pytest.fixture
def engine(tmp_path: Path, photo_root: Path) -> Iterator[Engine]:
    """For writing."""
    with open_shop(tmp_path / "data", photo_root) as engine:
        yield engine


def recommend(client: httpx.Client, **parameters: Any) -> dict[str, Any]:
    response = client.get(URL, params=parameters)
    assert response.status_code == 200, response.text
    return dict(response.json())


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["id"] for item in answer["items"]]


def test_a_product_without_any_event(shop: httpx.Client) -> None:
    answer = recommend(shop, product="red-shoe", limit=3)
    assert answer["place"] == "product"
    assert len(answer["items"]) == 3
    assert "red-shoe" not in ids(answer)
    first = answer["items"][0]
    assert first["product"]["image_urls"] == [f"/v1/products/{first['id']}/images/0"]
    (reason,) = first["reasons"]
    assert reason["recommender"] == "content"
    assert reason["because"] == "red-shoe"
    assert "Red shoe" in reason["text"]
    assert reason["contribution"] == pytest.approx(first["score"])
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)


def test_fields_filters_and_limit(shop: httpx.Client) -> None:
    given = {"product": "red-shoe", "filter.color": "blue", "fields": "title,price", "limit": 100}
    answer = recommend(shop, **given)
    assert set(ids(answer)) == {"blue-shoe", "blue-lamp", "blue-sofa", "blue-mug"}
    assert all(set(item["product"]) == {"id", "title", "price"} for item in answer["items"])
    assert recommend(shop, product="red-shoe", limit=0)["items"] == []


def test_a_stranger_gets_something(shop: httpx.Client) -> None:
    answer = recommend(shop, session_id="s-1", limit=4)
    assert answer["place"] == "user"
    assert [item["reasons"][0]["recommender"] for item in answer["items"]] == ["newest"] * 4
    assert [item["score"] for item in answer["items"]] == [0.0] * 4


def test_what_is_sold_out_is_left_out_unless_asked_for(shop: httpx.Client) -> None:
    assert not [id for id in ids(recommend(shop, product="red-shoe", limit=100)) if "black" in id]
    found = ids(recommend(shop, product="red-shoe", limit=100, **{"filter.in_stock": "false"}))
    assert found
    assert all(id.startswith("black") for id in found)


@pytest.mark.parametrize(
    ("parameters", "status", "field", "told"),
    [
        ({}, 400, "product", "give a product, a cart, a user_id or a session_id"),
        ({"cart": ","}, 400, "product", "give a product"),
        ({"product": ""}, 400, "product", "1 to 256 characters"),
        ({"product": "no-such"}, 404, "product", "no product 'no-such'"),
        ({"cart": "red-shoe,no-such"}, 404, "cart", "no product 'no-such'"),
        ({"cart": ["red-shoe"] * 51}, 400, "cart", "the limit is 50"),
        ({"product": "x" * 5000}, 400, "product", "not 5,000"),
        ({"user_id": "a@b.example"}, 400, "user_id", "no personal data"),
        ({"session_id": "x" * 129}, 400, "session_id", "1 to 128"),
        ({"product": "red-shoe", "recommenders": "magic"}, 400, "recommenders", "no 'magic'"),
        ({"product": "red-shoe", "recommenders": ""}, 400, "recommenders", "names none"),
        ({"product": "red-shoe", "limit": -1}, 400, "limit", "outside 0…100"),
        ({"product": "red-shoe", "limit": 101}, 400, "limit", "outside 0…100"),
        ({"product": "red-shoe", "limit": "many"}, 400, "limit", ""),
        ({"product": "red-shoe", "filter.colour": "red"}, 400, "filters.colour", "color"),
        ({"product": "red-shoe", "colour": "red"}, 400, "colour", "unknown parameter"),
        ({"product": "red-shoe", "profile": "none"}, 400, "profile", "no profile"),
        ({"product": "red-shoe", "currency": "euro"}, 400, "currency", "no currency"),
        ({"product": "red-shoe", "locale": "!!"}, 400, "locale", "no language tag"),
        ({"product": "red-shoe", "market": "a" * 65}, 400, "market", "no market"),
    ],
)
def test_bad_input(
    shop: httpx.Client, parameters: dict[str, Any], status: int, field: str, told: str
) -> None:
    assert told in problem(shop.get(URL, params=parameters), status, field)


def test_an_id_of_a_megabyte(shop: httpx.Client) -> None:
    """HTTPX refuses to send it; whatever becomes of it, the server goes on."""
    port = shop.base_url.port
    assert port is not None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", f"{URL}?product={'x' * 1_000_000}")
        assert 400 <= connection.getresponse().status < 500
    except (ConnectionError, http.client.HTTPException):
        pass  # it hung up before all was sent
    finally:
        connection.close()
    assert recommend(shop, product="red-shoe", limit=1)["items"]


def test_odd_ids(shop: httpx.Client) -> None:
    assert recommend(shop, product=ODD_ID, limit=2)["items"]


def test_what_shoppers_do_tells(engine: Engine) -> None:
    """Every second shopper buys a red shoe and a white sofa, which nothing about them says."""
    events = [
        {
            "id": f"{shopper}-{n}",
            "type": "purchase",
            "user_id": f"u{shopper}",
            "session_id": f"s{shopper}",
            "products": [{"id": id} for id in bought],
        }
        for shopper in range(10)
        for n, bought in enumerate(
            [["red-shoe", "white-sofa"]] if shopper % 2 else [["blue-mug", "green-lamp"]]
        )
    ]
    with serving({"test": engine}) as client:
        assert client.post("/v1/events", json=events).json()["accepted"] == 10
        engine.learning.learn()
        first = recommend(client, product="red-shoe")["items"][0]
        assert first["id"] == "white-sofa"
        assert [reason["text"] for reason in first["reasons"]][:2] == [
            "often looked at with “Red shoe”",
            "often bought with “Red shoe”",
        ]
        cart = recommend(client, cart="green-lamp,red-shoe")
        assert set(ids(cart)[:2]) == {"blue-mug", "white-sofa"}
        # u1 has both already.
        mine = recommend(client, user_id="u1", limit=100)
        assert not {"red-shoe", "white-sofa"} & set(ids(mine))
        # and nobody else's purchase is repeated to them on a product's page either
        assert "white-sofa" not in ids(recommend(client, product="red-shoe", user_id="u1"))
        named = recommend(client, product="red-shoe", recommenders="popularity,trending")
        assert {r["recommender"] for i in named["items"] for r in i["reasons"]} <= {
            "popularity",
            "trending",
        }


def test_the_components_are_listed(shop: httpx.Client) -> None:
    listed = shop.get("/v1/plugins").json()
    assert "content" in listed["components"]["recommenders"]
    running = {each["name"] for each in listed["running"] if each["kind"] == "recommenders"}
    assert running == set(listed["components"]["recommenders"])


def test_one_can_be_switched_off(engine: Engine) -> None:
    with serving({"test": engine}) as client:
        off = client.post("/v1/plugins/recommenders/content/disable").json()
        assert off["enabled"] is False
        answer = recommend(client, product="red-shoe", limit=2)
        assert [item["reasons"][0]["recommender"] for item in answer["items"]] == ["newest"] * 2
        on = client.post("/v1/plugins/recommenders/content/enable").json()
        assert on["enabled"] is True
        answer = recommend(client, product="red-shoe", limit=2)
        assert [item["reasons"][0]["recommender"] for item in answer["items"]] == ["content"] * 2
