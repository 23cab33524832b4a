"""Events over HTTP, and what a shopper may ask of a shop."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs

from engine import Engine
from engine.settings import EventSettings
from tests.api.harness import build, make_settings, problem, serving
from tests.api.processes import Server

NDJSON = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}


def click(id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": id,
        "type": "click",
        "user_id": "ada",
        "products": [{"id": "red-shoe"}],
        **changes,
    }


def post(client: httpx.Client, *events: Any) -> dict[str, Any]:
    response = client.post("/v1/events", json=list(events))
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_each_event_has_its_result(own_shop: httpx.Client) -> None:
    late = "2001-01-01T00:00:00Z"
    answer = post(
        own_shop,
        click("e1"),
        click("e2", type="bought"),
        click("e1"),
        click("e3", products=[{"id": "no-such"}]),
        "not an event",
        click("e4", time=late),
        click("e5", user_id="x" * 1_000_000),
        {"type": "click"},
        click("e6", time="2999-01-01T00:00:00Z"),
        click("e7", email="ada@example.com"),
        click("x" * 1_000_000),
    )
    items = answer.pop("items")
    assert answer == {"accepted": 2, "duplicates": 1, "ignored": 0, "rejected": 8}
    assert [item["index"] for item in items] == list(range(11))
    found = [(item["id"], item["status"]) for item in items]
    assert found[:5] == [
        *(("e1", "accepted"), ("e2", "rejected"), ("e1", "duplicate"), ("e3", "accepted")),
        ("", "rejected"),
    ]
    assert [status for _, status in found[4:]] == ["rejected"] * 7
    assert items[1]["error"] == "type: Invalid enum value 'bought'"
    assert items[3]["warning"] == "no such product: no-such"
    assert items[5]["error"].startswith("time: longer ago")
    assert items[6]["error"] == "user_id: Expected `str` of length <= 128"
    assert "id" in items[7]["error"]
    assert "future" in items[8]["error"]
    assert "email" in items[9]["error"]
    assert all(len(item["id"]) <= 128 for item in items)


def test_lines(own_shop: httpx.Client) -> None:
    lines = [json.dumps(click("e1")), "", "{", json.dumps(click("e2")), '{"id": "\\ud800"}']
    body = "\n".join(lines).encode() + b"\n\xff\xfe\n"
    answer = own_shop.post("/v1/events", content=body, headers=NDJSON).json()
    assert [(i["index"], i["id"], i["status"]) for i in answer["items"]] == [
        *((0, "e1", "accepted"), (1, "", "rejected"), (2, "e2", "accepted")),
        *((3, "", "rejected"), (4, "", "rejected")),
    ]


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[", b'[{"id": 1}, }]', b"\xff", b"[1"])
def test_what_is_no_array(shop: httpx.Client, body: bytes) -> None:
    response = shop.post("/v1/events", content=body, headers=JSON)
    assert "JSON array" in problem(response, 400, "events")


def test_limits(shop: httpx.Client) -> None:
    many = [click(f"many-{n}") for n in range(1001)]
    assert "1,000" in problem(shop.post("/v1/events", json=many), 400, "events")
    huge = b'[{"id": "' + b"x" * 9_000_000 + b'"}]'
    problem(shop.post("/v1/events", content=huge, headers=JSON), 413)
    problem(shop.post("/v1/events", content=b"[]", headers={"Content-Type": "text/plain"}), 415)
    assert post(shop)["items"] == []


def test_a_shopper_may_see_and_erase(own_shop: httpx.Client) -> None:
    post(own_shop, click("e1", session_id="s1", query="Shoes", variant="b"), click("e2"))
    kept = own_shop.get("/v1/users/ada").json()
    assert [event["id"] for event in kept["events"]] == ["e1", "e2"]
    assert kept["events"][0]["query"] == "Shoes"
    assert not kept["opted_out"]
    assert kept["session_affinities"]["color"] == {"red": 1.0}
    assert own_shop.delete("/v1/users/ada").json() == {"events": 2}
    assert own_shop.get("/v1/users/ada").json()["events"] == []
    assert own_shop.delete("/v1/users/ada").json() == {"events": 0}
    assert post(own_shop, click("e1", time="2026-01-01T00:00:00Z"))["accepted"] == 0
    assert own_shop.get("/v1/users/nobody").json()["events"] == []
    problem(own_shop.get("/v1/users/ada%40example.com"), 400, "id")
    problem(own_shop.delete(f"/v1/users/{'x' * 1000}"), 400, "id")


def test_opting_out(own_shop: httpx.Client) -> None:
    post(own_shop, click("e1"))
    assert own_shop.put("/v1/users/ada/opt-out").json() == {"events": 1}
    assert own_shop.get("/v1/users/ada").json()["opted_out"]
    assert post(own_shop, click("e2"), click("e3", user_id="bob"))["ignored"] == 1
    assert own_shop.delete("/v1/users/ada/opt-out").status_code == 204
    assert post(own_shop, click("e4"))["accepted"] == 1


def test_analytics_hide_what_few_asked(own_shop: httpx.Client) -> None:
    asked = [
        click(f"e{n}", type="impression", user_id=f"u{n}", query="Lamp", results=3, products=[])
        for n in range(10)
    ]
    post(own_shop, *asked, click("own", query="only ada asks this"))
    answer = own_shop.get("/v1/analytics?days=1").json()
    assert answer["at_least"] == 10
    assert [(q["query"], q["shoppers"], q["searches"]) for q in answer["queries"]] == [
        ("lamp", 10, 10)
    ]
    problem(own_shop.get("/v1/analytics?days=0"), 400, "days")
    problem(own_shop.get("/v1/analytics?limit=0"), 400, "limit")


def test_metrics_count_events_and_name_nobody(own_shop: httpx.Client) -> None:
    post(own_shop, click("e1", user_id="somebody-7"), click("e1"), "rubbish")
    own_shop.get("/v1/users/somebody-7")
    text = own_shop.get("/metrics").text
    assert 'entrepot_events_total{shop="test",status="accepted"} 1.0' in text
    assert 'entrepot_events_total{shop="test",status="duplicate"} 1.0' in text
    assert 'entrepot_events_total{shop="test",status="rejected"} 1.0' in text
    assert 'route="/v1/users/{user_id}"' in text
    assert "somebody-7" not in text


def test_nobody_is_named_in_the_log(
    tmp_path: Path, photo_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the most talkative level, through good and bad requests and a store that fails."""
    settings = make_settings(tmp_path)
    build(settings, photo_root)
    with (
        caplog.at_level(logging.DEBUG),
        Engine.open(settings) as engine,
        serving({"test": engine}) as client,
    ):
        caplog.set_level(logging.WARNING, "httpx")  # that is the client's own log
        caplog.set_level(logging.WARNING, "httpcore")
        post(client, click("e1", user_id="somebody-7", query="my own words"))
        client.post("/v1/search", json={"text": "my own words", "user_id": "somebody-7"})
        client.post("/v1/search", json={"text": "x", "user_id": "somebody-7@example.com"})
        client.get("/v1/users/somebody-7")
        store = engine.behaviour.store
        store._db.execute("DROP TABLE events")  # type: ignore[attr-defined]
        answer = client.post("/v1/events", json=[click("e2", user_id="somebody-7")])
        problem(answer, 500)
        problem(client.get("/v1/users/somebody-7"), 500)
        client.delete("/v1/users/somebody-7")
    assert "StoreError" in caplog.text
    assert "somebody-7" not in caplog.text
    assert "my own words" not in caplog.text


@pytest.fixture
def public_shop(tmp_path: Path, photo_root: Path) -> Iterator[httpx.Client]:
    settings = make_settings(tmp_path, api_key="s3cret")
    build(settings, photo_root)
    settings = structs.replace(settings, events=EventSettings(public=True))
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        yield client


def test_events_may_be_public_and_nothing_else(public_shop: httpx.Client) -> None:
    elsewhere = {"Origin": "https://shop.example"}
    answer = public_shop.post("/v1/events", json=[click("e1")], headers=elsewhere)
    assert answer.json()["accepted"] == 1
    for method, path in (
        *(("GET", "/v1/users/ada"), ("DELETE", "/v1/users/ada"), ("GET", "/v1/analytics")),
        *(("PUT", "/v1/users/ada/opt-out"), ("DELETE", "/v1/users/ada/opt-out")),
    ):
        problem(public_shop.request(method, path), 401)
    key = {"Authorization": "Bearer s3cret"}
    assert public_shop.delete("/v1/users/ada", headers=key).json() == {"events": 1}


def test_a_shop_that_keeps_no_events(tmp_path: Path, photo_root: Path) -> None:
    settings = structs.replace(make_settings(tmp_path), events=EventSettings(plugin=""))
    build(settings, photo_root)
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        assert "events.plugin" in problem(
            client.post("/v1/events", json=[click("e1")]), 404, "events.plugin"
        )
        problem(client.get("/v1/users/ada"), 404, "events.plugin")


def test_events_before_the_first_index(tmp_path: Path) -> None:
    with Engine.open(make_settings(tmp_path)) as engine, serving({"test": engine}) as client:
        assert post(client, click("e1"))["accepted"] == 1
        assert len(client.get("/v1/users/ada").json()["events"]) == 1


def test_acknowledged_events_outlive_the_server(tmp_path: Path, photo_root: Path) -> None:
    """kill -9 of a real server while eight clients send; replaying everything afterwards accepts
    exactly what was not acknowledged or stored."""
    settings = make_settings(tmp_path / "data")
    build(settings, photo_root)
    config = tmp_path / "entrepot.toml"
    config.write_text(
        'shop = "test"\nlog_level = "error"\ndata_dir = "data"\n[encoders]\n'
        'text = { plugin = "hash" }\nimage = { plugin = "hash" }\n',
        encoding="utf-8",
    )
    batches = [[click(f"b{b}e{n}", user_id=f"u{b}") for n in range(5)] for b in range(2000)]
    acknowledged: set[str] = set()
    with Server(config) as server:

        def send(worker: int) -> None:
            with httpx.Client(base_url=server.client.base_url, trust_env=False) as client:
                for number, batch in enumerate(batches[worker::8]):
                    if worker == 0 and number == 20:
                        server.kill()
                    try:
                        answer = client.post("/v1/events", json=batch).json()
                    except httpx.TransportError:
                        return
                    accepted = [i["id"] for i in answer["items"] if i["status"] == "accepted"]
                    acknowledged.update(accepted)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(send, range(8)))
    assert len(acknowledged) >= 100
    assert len(acknowledged) < 10_000
    with Server(config) as server:
        sent = [event for batch in batches for event in batch]
        random.Random(1).shuffle(sent)
        status = {}
        for start in range(0, len(sent), 1000):
            answer = server.client.post("/v1/events", json=sent[start : start + 1000]).json()
            status |= {item["id"]: item["status"] for item in answer["items"]}
        assert {status[id] for id in acknowledged} == {"duplicate"}
        assert set(status.values()) == {"accepted", "duplicate"}
