"""Who may write, and which shop a request is for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from engine import Engine
from tests.api.harness import build, make_settings, problem, serving

ADMIN = [
    ("PUT", "/v1/products"),
    ("DELETE", "/v1/products/red-shoe"),
    ("POST", "/v1/generations/g1/promote"),
    ("POST", "/v1/generations/rollback"),
    ("DELETE", "/v1/generations/g1"),
    ("POST", "/v1/plugins/rankers/availability/disable"),
    ("POST", "/v1/plugins/rankers/availability/enable"),
    ("POST", "/v1/events"),
    ("GET", "/v1/users/u1"),
    ("DELETE", "/v1/users/u1"),
    ("PUT", "/v1/users/u1/opt-out"),
    ("DELETE", "/v1/users/u1/opt-out"),
    ("GET", "/v1/analytics"),
    ("GET", "/v1/explain?product=red-shoe"),
    ("GET", "/v1/rules"),
    ("PUT", "/v1/rules/r1"),
    ("GET", "/v1/synonyms"),
    ("GET", "/v1/synonyms/s1"),
    ("PUT", "/v1/synonyms/s1"),
    ("DELETE", "/v1/synonyms/s1"),
    ("POST", "/v1/synonyms/import"),
    ("POST", "/v1/synonyms/mine"),
    ("POST", "/v1/generations/g1/evaluate"),
    ("GET", "/v1/experiments/e1/report"),
    ("POST", "/v1/judgments/pool"),
    ("POST", "/v1/judgments"),
    ("GET", "/v1/judgments"),
]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, photo_root: Path) -> Iterator[httpx.Client]:
    settings = make_settings(tmp_path_factory.mktemp("keyed"), api_key="s3cret-ü")
    build(settings, photo_root)
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), ADMIN)
@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic s3cret", "s3cret"])
def test_a_key_must_be_sent(keyed: httpx.Client, method: str, path: str, given: str) -> None:
    response = keyed.request(method, path, headers={"Authorization": given} if given else {})
    assert "server.api_key" in problem(response, 401)
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_the_right_key_is_taken(keyed: httpx.Client) -> None:
    key = {"Authorization": "bearer s3cret-ü".encode()}
    assert keyed.post("/v1/generations/g1/promote", headers=key).json() == {"live": "g1"}
    problem(keyed.post("/v1/generations/rollback", headers=key), 404, "generation")


def test_reading_needs_no_key(keyed: httpx.Client) -> None:
    assert keyed.post("/v1/search", json={"text": "shoe"}).status_code == 200


@pytest.mark.parametrize(("method", "path"), ADMIN)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "shop.example"},
        {"Host": "10.0.0.5:8080"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"X-Forwarded-For": "203.0.113.9"},
    ],
    ids=str,
)
def test_without_a_key_only_local_programs_write(
    shop: httpx.Client, method: str, path: str, headers: dict[str, str]
) -> None:
    assert "server.api_key" in problem(shop.request(method, path, headers=headers), 403)


def test_the_page_itself_may_write(own_shop: httpx.Client) -> None:
    own = {"Origin": str(own_shop.base_url).rstrip("/")}
    assert own_shop.delete("/v1/products/red-mug", headers=own).status_code == 204


def test_several_shops(tmp_path: Path, photo_root: Path) -> None:
    one, two = make_settings(tmp_path / "1", "one"), make_settings(tmp_path / "2", "two")
    build(one, photo_root)
    with (
        Engine.open(one) as first,
        Engine.open(two) as second,
        serving({"one": first, "two": second}) as client,
    ):
        body = {"text": "red shoe", "limit": 1}
        assert "one, two" in problem(client.post("/v1/search", json=body), 400, "X-Entrepot-Shop")
        nobody = {"X-Entrepot-Shop": "three"}
        problem(client.post("/v1/search", json=body, headers=nobody), 404, "X-Entrepot-Shop")
        of_one = client.post("/v1/search", json=body, headers={"X-Entrepot-Shop": "one"}).json()
        (address,) = of_one["hits"][0]["product"]["image_urls"]
        assert client.get(address).status_code == 200
        of_two = client.get("/v1/search", params={"q": "red shoe", "shop": "two"})
        assert "entrepot index" in problem(of_two, 503)
        ready = client.get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()["shops"]["one"]["ready"]
        assert not ready.json()["shops"]["two"]["ready"]
