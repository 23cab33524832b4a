"""The OpenAPI document is complete and sound, and its examples work."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.openapi import EVENTS_EXAMPLE, SEARCH_EXAMPLES, UPLOAD_EXAMPLE

METHODS = {"get", "post", "put", "delete"}
PATHS = {
    "/v1/search": {"get", "post"},
    "/v1/search/image": {"post"},
    "/v1/understand": {"get"},
    "/v1/explain": {"get"},
    "/v1/products": {"put"},
    "/v1/products/{product_id}": {"get", "delete"},
    "/v1/products/{product_id}/similar": {"get"},
    "/v1/products/{product_id}/images/{number}": {"get"},
    "/v1/suggest": {"get"},
    "/v1/recommendations": {"get"},
    "/v1/synonyms": {"get"},
    "/v1/synonyms/{synonym_id}": {"get", "put", "delete"},
    "/v1/synonyms/import": {"post"},
    "/v1/synonyms/mine": {"post"},
    "/v1/rules": {"get"},
    "/v1/rules/{rule_id}": {"get", "put", "delete"},
    "/v1/rules/test": {"post"},
    "/v1/events": {"post"},
    "/v1/users/{user_id}": {"get", "delete"},
    "/v1/users/{user_id}/opt-out": {"put", "delete"},
    "/v1/analytics": {"get"},
    "/v1/fields": {"get"},
    "/v1/plugins": {"get"},
    "/v1/plugins/{kind}/{name}/disable": {"post"},
    "/v1/plugins/{kind}/{name}/enable": {"post"},
    "/v1/generations": {"get"},
    "/v1/generations/{name}": {"delete"},
    "/v1/generations/{name}/promote": {"post"},
    "/v1/generations/rollback": {"post"},
    "/v1/generations/{name}/evaluate": {"post"},
    "/v1/experiments/{name}/report": {"get"},
    "/v1/judgments": {"get", "post"},
    "/v1/judgments/pool": {"post"},
    "/health/live": {"get"},
    "/health/ready": {"get"},
    "/metrics": {"get"},
}


@pytest.fixture(scope="module")
def document(shop: httpx.Client) -> dict[str, Any]:
    response = shop.get("/schema")
    assert response.headers["content-type"].startswith("application/vnd.oai.openapi+json")
    return dict(response.json())


def test_every_route_is_described(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert {path: METHODS & set(item) for path, item in document["paths"].items()} == PATHS
    operations = [item[m] for item in document["paths"].values() for m in METHODS & set(item)]
    assert all(operation["description"] for operation in operations)
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)


def test_references_resolve(document: dict[str, Any]) -> None:
    for reference in _references(document):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        assert target


def test_path_parameters_are_declared(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        wanted = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        for method in METHODS & set(item):
            declared = item[method].get("parameters") or []
            assert {p["name"] for p in declared if p["in"] == "path"} == wanted


def test_errors_are_described(document: dict[str, Any]) -> None:
    search = document["paths"]["/v1/search"]["post"]["responses"]
    assert "application/problem+json" in search["400"]["content"]
    assert "bearer" in str(document["components"]["securitySchemes"])
    assert document["paths"]["/v1/products"]["put"]["security"] == [{"apiKey": []}]


def test_search_body_is_described(document: dict[str, Any]) -> None:
    body = document["paths"]["/v1/search"]["post"]["requestBody"]["content"]["application/json"]
    assert set(body["examples"]) == {example.id for example in SEARCH_EXAMPLES}
    schema = document["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
    assert {"text", "image", "filters", "facets", "limit"} <= set(schema["properties"])
    form = document["paths"]["/v1/search/image"]["post"]["requestBody"]["content"]
    assert set(form) == {"multipart/form-data"}
    upload = document["paths"]["/v1/products"]["put"]["requestBody"]["content"]
    assert upload["application/x-ndjson"]["example"] == UPLOAD_EXAMPLE


@pytest.mark.parametrize("example", SEARCH_EXAMPLES, ids=lambda example: example.id)
def test_search_examples_work(shop: httpx.Client, example: Any) -> None:
    response = shop.post("/v1/search", json=example.value)
    assert response.status_code == 200, response.text
    assert response.json()["hits"]


def test_the_upload_example_works(own_shop: httpx.Client) -> None:
    response = own_shop.put(
        "/v1/products", content=UPLOAD_EXAMPLE, headers={"Content-Type": "application/x-ndjson"}
    )
    assert response.json()["stored"] == 2


def test_the_events_example_works(own_shop: httpx.Client, document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    assert content["application/json"]["example"] == EVENTS_EXAMPLE
    assert own_shop.post("/v1/events", json=EVENTS_EXAMPLE).json()["accepted"] == 2
    lines = content["application/x-ndjson"]["example"]
    kind = {"Content-Type": "application/x-ndjson"}
    again = own_shop.post("/v1/events", content=lines, headers=kind).json()
    assert again["duplicates"] == 2


def test_no_viewer_from_elsewhere(shop: httpx.Client) -> None:
    assert shop.get("/schema/openapi.yaml").status_code == 200
    assert shop.get("/schema/openapi.json").json() == shop.get("/schema").json()
    for viewer in ("swagger", "redoc", "elements", "rapidoc"):
        assert shop.get(f"/schema/{viewer}").status_code == 404


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [r for value in node.values() for r in _references(value)]
    if isinstance(node, list):
        return [r for value in node for r in _references(value)]
    return []
