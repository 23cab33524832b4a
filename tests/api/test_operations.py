"""Health, metrics, introspection, generations and the page's files."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from msgspec import structs

from api.routes.page import WEB
from engine import Engine
from engine.settings import ComponentSettings, EncoderSettings
from tests.api.harness import build, make_settings, problem, products, serving


def test_live(shop: httpx.Client) -> None:
    assert shop.get("/health/live").json() == {"status": "live"}
    assert shop.head("/health/live").status_code == 200


def test_ready(shop: httpx.Client) -> None:
    response = shop.get("/health/ready")
    assert response.status_code == 200
    state = response.json()["shops"]["test"]
    assert state["ready"]
    assert state["products"] == len(products())
    assert state["encoders"] == {"text": "hash", "image": "hash"}


def test_not_ready_until_a_generation_is_promoted(tmp_path: Path, photo_root: Path) -> None:
    settings = make_settings(tmp_path)
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        response = client.get("/health/ready")
        assert response.status_code == 503
        assert "nothing is indexed" in response.json()["shops"]["test"]["problems"][0]
        for path in ("/v1/search?q=shoe", "/v1/products/red-shoe", "/v1/fields"):
            assert "entrepot index" in problem(client.get(path), 503)
        line = b'{"id": "x", "title": "X"}'
        kind = {"Content-Type": "application/x-ndjson"}
        problem(client.put("/v1/products", content=line, headers=kind), 503)
        build(settings, photo_root, live=False)
        assert client.post("/v1/generations/g1/promote").json() == {"live": "g1"}
        assert client.get("/health/ready").status_code == 200
        assert client.get("/v1/search?q=shoe").json()["hits"]


def test_an_index_of_another_model_is_not_served(tmp_path: Path, photo_root: Path) -> None:
    settings = make_settings(tmp_path)
    build(settings, photo_root)
    salted = ComponentSettings("hash", {"salt": "other"})
    other = structs.replace(settings, encoders=EncoderSettings(salted, salted))
    with Engine.open(other) as engine, serving({"test": engine}) as client:
        ready = client.get("/health/ready")
        assert ready.status_code == 503
        assert "index again" in ready.json()["shops"]["test"]["problems"][0]
        assert "index again" in problem(client.get("/v1/search?q=shoe"), 409, "generation")
        problem(client.post("/v1/generations/g1/promote"), 409, "generation")
        assert not client.get("/v1/generations").json()[0]["usable"]
        build(other, photo_root, "g2", live=False)
        assert client.post("/v1/generations/g2/promote").status_code == 200
        assert client.get("/v1/search?q=shoe").json()["generation"] == "g2"


def test_generations(tmp_path: Path, photo_root: Path) -> None:
    settings = make_settings(tmp_path)
    for name in ("g1", "g2", "g3"):
        build(settings, photo_root, name, live=name == "g1")

    def names(client: httpx.Client) -> list[tuple[str, bool]]:
        return [(g["name"], g["live"]) for g in client.get("/v1/generations").json()]

    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        assert names(client) == [("g1", True), ("g2", False), ("g3", False)]
        assert client.post("/v1/generations/g3/promote").json() == {"live": "g3"}
        assert names(client) == [("g1", False), ("g2", False), ("g3", True)]
        assert client.get("/v1/search?q=shoe").json()["generation"] == "g3"
        assert client.post("/v1/generations/rollback").json() == {"live": "g1"}, "g2 never was"
        problem(client.delete("/v1/generations/g1"), 409)
        assert client.delete("/v1/generations/g3").status_code == 204
        problem(client.post("/v1/generations/g3/promote"), 404)
        problem(client.post("/v1/generations/..%2Fg2/promote"), 404)
        assert names(client) == [("g1", True), ("g2", False)]


def test_no_search_fails_while_generations_change(tmp_path: Path, photo_root: Path) -> None:
    """Four clients search without pause through writes, promotions and rollbacks."""
    settings = make_settings(tmp_path)
    build(settings, photo_root, "g1")
    build(settings, photo_root, "g2", live=False)
    over = threading.Event()
    with Engine.open(settings) as engine, serving({"test": engine}) as client:

        def searches() -> list[int]:
            with httpx.Client(base_url=client.base_url, trust_env=False, timeout=60) as own:
                found = []
                while not over.is_set():
                    found.append(own.get("/v1/search", params={"q": "red shoe"}).status_code)
                return found

        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(searches) for _ in range(4)]
            try:
                for n in range(6):
                    name = f"g{2 - n % 2}"
                    assert client.post(f"/v1/generations/{name}/promote").status_code == 200
                    line = f'{{"id": "n{n}", "title": "New {n}"}}'
                    kind = {"Content-Type": "application/x-ndjson"}
                    put = client.put("/v1/products", content=line, headers=kind)
                    assert put.json()["stored"] == 1
            finally:
                over.set()
            answers = [future.result(60) for future in asked]
        assert all(set(found) == {200} for found in answers)
        assert client.get("/v1/products/n0").status_code == 200


def test_plugins(shop: httpx.Client) -> None:
    body = shop.get("/v1/plugins").json()
    assert "hash" in body["components"]["encoders"]
    assert "qdrant-edge" in body["components"]["stores"]
    assert {"name", "builtin", "provides"} <= set(body["plugins"][0])


def test_fields(shop: httpx.Client) -> None:
    found = {f["name"]: (f["kind"], f["core"]) for f in shop.get("/v1/fields").json()["fields"]}
    assert found["price"] == ("number", True)
    assert found["color"] == ("keyword", False)
    assert found["in_stock"] == ("boolean", True)


def test_metrics(own_shop: httpx.Client) -> None:
    own_shop.post("/v1/search", json={"text": "red shoe"})
    own_shop.post("/v1/search", json={"text": "red shoe", "limit": -1})
    own_shop.put(
        "/v1/products",
        content=b'{"id": "x", "title": "X"}\n{}',
        headers={"Content-Type": "application/x-ndjson"},
    )
    own_shop.get("/v1/products/red-shoe")
    own_shop.get("/nowhere/at/all")
    response = own_shop.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = response.text
    for stage in ("understand", "encode", "retrieve", "fuse", "rank", "respond"):
        assert f'entrepot_stage_seconds_count{{shop="test",stage="{stage}"}} 1.0' in text
    for line in (
        'entrepot_requests_total{method="POST",route="/v1/search",status="200"} 1.0',
        'entrepot_requests_total{method="POST",route="/v1/search",status="400"} 1.0',
        'entrepot_requests_total{method="GET",route="/v1/products/{product_id}",status="200"} 1.0',
        'entrepot_requests_total{method="GET",route="none",status="404"} 1.0',
        'entrepot_writes_total{shop="test",status="stored"} 1.0',
        'entrepot_writes_total{shop="test",status="failed"} 1.0',
        'entrepot_ready{shop="test"} 1.0',
    ):
        assert line in text
    assert re.search(r'entrepot_request_seconds_bucket\{le="0.015",route="/v1/search"\}', text)


@pytest.mark.parametrize("given", ["abc-1", "", "ä", "x" * 65, "two words"])
def test_request_ids(shop: httpx.Client, given: str) -> None:
    """A harmless id is kept; any other, which might forge log lines, is replaced."""
    response = shop.get("/health/live", headers={"X-Request-Id": given.encode()})
    answered = response.headers["x-request-id"]
    assert answered == given if given == "abc-1" else re.fullmatch(r"[0-9a-f]{32}", answered)


def test_the_page(shop: httpx.Client) -> None:
    page = shop.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for file in WEB.rglob("*"):
        if file.is_file() and file.name != "index.html":
            response = shop.get(f"/{file.relative_to(WEB).as_posix()}")
            assert response.status_code == 200
            assert response.content == file.read_bytes()
    assert shop.get("/app.js").headers["content-type"].startswith("text/javascript")


def test_the_page_loads_nothing_from_elsewhere(shop: httpx.Client) -> None:
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", shop.get("/").text)
