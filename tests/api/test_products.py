"""Products over HTTP: read, similar, photos, upload, delete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api.upload import BATCH, MAX_LINE
from tests.api.harness import KINDS, ODD_ID, png, problem

NDJSON = {"Content-Type": "application/x-ndjson"}


def put(shop: httpx.Client, *lines: Any) -> dict[str, Any]:
    content = b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines)
    response = shop.put("/v1/products", content=content, headers=NDJSON)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_get(shop: httpx.Client) -> None:
    body = shop.get("/v1/products/red-shoe").json()
    assert body["id"] == "red-shoe"
    assert body["image_urls"] == ["/v1/products/red-shoe/images/0"]
    assert body["in_stock"] is True


def test_an_id_may_hold_anything(shop: httpx.Client) -> None:
    path = f"/v1/products/{quote(ODD_ID, safe='')}"
    body = shop.get(path).json()
    assert body["id"] == ODD_ID
    assert body["image_urls"] == ["https://shop.example/odd.jpg"]
    assert shop.get(f"{path}/similar?limit=1").status_code == 200
    problem(shop.get(f"{path}/images/0"), 404, "number")


@pytest.mark.parametrize("path", ["nope", "nope/similar", "nope/images/0", "a%2Fb", "%00", "%ff"])
def test_no_such_product(shop: httpx.Client, path: str) -> None:
    response = shop.get(f"/v1/products/{path}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_similar(shop: httpx.Client) -> None:
    answer = shop.get(
        "/v1/products/red-shoe/similar",
        params={"limit": 3, "filter.in_stock": "true", "facets": "color", "explain": "true"},
    ).json()
    found = [hit["id"] for hit in answer["hits"]]
    assert len(found) == 3
    assert "red-shoe" not in found
    assert {hit.split("-")[0] for hit in found[:2]} & {"red"}
    assert {"like_text", "like_image"} >= set(answer["hits"][0]["explain"]["lanes"])
    assert answer["facets"]["color"]["values"]


def test_similar_refuses_misspelt_parameters(shop: httpx.Client) -> None:
    problem(shop.get("/v1/products/red-shoe/similar?limt=3"), 400, "limt")


def test_photo(shop: httpx.Client) -> None:
    response = shop.get("/v1/products/red-shoe/images/0")
    assert response.content == png("red")
    assert response.headers["content-type"] == "image/png"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "max-age" in response.headers["cache-control"]
    known = {"If-None-Match": response.headers["etag"]}
    again = shop.get("/v1/products/red-shoe/images/0", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    head = shop.head("/v1/products/red-shoe/images/0")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(png("red")))


@pytest.mark.parametrize("number", ["1", "-1", "99999999999999999999"])
def test_no_such_photo(shop: httpx.Client, number: str) -> None:
    problem(shop.get(f"/v1/products/red-shoe/images/{number}"), 404, "number")


def test_photos_outside_the_catalogue_stay_there(own_shop: httpx.Client) -> None:
    put(
        own_shop, {"id": "spy", "title": "Spy", "images": ["../../../../etc/passwd", "/etc/passwd"]}
    )
    for number in (0, 1):
        detail = problem(own_shop.get(f"/v1/products/spy/images/{number}"), 404, "number")
        assert "etc" not in detail


def test_only_pictures_are_served(own_shop: httpx.Client, photo_root: Any) -> None:
    (photo_root / "photos" / "page.jpg").write_text("<script>alert(1)</script>")
    put(own_shop, {"id": "page", "title": "Page", "images": ["photos/page.jpg"]})
    problem(own_shop.get("/v1/products/page/images/0"), 404, "number")


def test_put_then_search_then_delete(own_shop: httpx.Client) -> None:
    lamp = {
        "id": "new-lamp",
        "title": "Turquoise lantern",
        "price": 5,
        "images": ["photos/red-mug.png"],
    }
    assert put(own_shop, lamp) == {
        "stored": 1,
        "failed": 0,
        "items": [{"line": 1, "id": "new-lamp", "status": "stored", "error": "", "warnings": []}],
    }
    found = own_shop.post("/v1/search", json={"text": "turquoise", "limit": 1}).json()
    assert found["hits"][0]["id"] == "new-lamp"
    photo = own_shop.post("/v1/search/image", files={"image": png("red")}, data={"limit": "5"})
    assert "new-lamp" in {hit["id"] for hit in photo.json()["hits"]}
    gone = own_shop.delete("/v1/products/new-lamp")
    assert (gone.status_code, gone.content) == (204, b"")
    problem(own_shop.get("/v1/products/new-lamp"), 404, "id")
    problem(own_shop.delete("/v1/products/new-lamp"), 404, "id")


def test_put_replaces(own_shop: httpx.Client) -> None:
    put(own_shop, {"id": "red-shoe", "title": "Crimson boot"})
    assert own_shop.get("/v1/products/red-shoe").json()["title"] == "Crimson boot"
    assert own_shop.post("/v1/search", json={"filters": {}, "limit": 0}).json()["total"] == 21


def test_a_bad_line_fails_alone(own_shop: httpx.Client) -> None:
    result = put(
        own_shop,
        {"id": "one", "title": "One"},
        b"{not json",
        b"",
        {"id": "two"},
        {"id": "three", "title": "T", "description": "x" * 5_000_000},
        {"id": "", "title": "Nameless"},
        b'{"id": "five", "title": "\xff"}',
        b"[1, 2]",
        {"id": "six", "title": "Six"},
    )
    statuses = {item["line"]: item["status"] for item in result["items"]}
    assert statuses == {1: "stored", **dict.fromkeys((2, 4, 5, 6, 7, 8), "failed"), 9: "stored"}
    assert (result["stored"], result["failed"]) == (2, 6)
    assert all(item["error"] for item in result["items"] if item["status"] == "failed")
    assert own_shop.get("/v1/products/six").status_code == 200
    problem(own_shop.get("/v1/products/two"), 404, "id")


def test_the_last_of_equal_ids_wins(own_shop: httpx.Client) -> None:
    result = put(own_shop, {"id": "d", "title": "First"}, {"id": "d", "title": "Second"})
    assert result["stored"] == 2
    assert own_shop.get("/v1/products/d").json()["title"] == "Second"


def test_upload_streams(own_shop: httpx.Client) -> None:
    """Lines cut anywhere, several batches, the last line without its end."""
    count = 2 * BATCH + 3

    def chunks() -> Iterator[bytes]:
        text = "\r\n".join(
            json.dumps({"id": f"s{n}", "title": f"Streamed {n} é"}) for n in range(count)
        )
        data = text.encode()
        for start in range(0, len(data), 777):
            yield data[start : start + 777]

    response = own_shop.put("/v1/products", content=chunks(), headers=NDJSON)
    assert response.json()["stored"] == count
    assert [item["line"] for item in response.json()["items"]] == list(range(1, count + 1))
    assert own_shop.get(f"/v1/products/s{count - 1}").json()["title"].endswith("é")


def test_an_endless_line_is_cut(own_shop: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"id": "x", "title": "'
        for _ in range(MAX_LINE // 100_000 + 5):
            yield b"y" * 100_000
        yield b'"}\n{"id": "after", "title": "After"}\n'

    items = own_shop.put("/v1/products", content=chunks(), headers=NDJSON).json()["items"]
    assert [item["status"] for item in items] == ["failed", "stored"]
    assert f"{MAX_LINE:,}" in items[0]["error"]


def test_an_empty_upload(own_shop: httpx.Client) -> None:
    assert put(own_shop) == {"stored": 0, "failed": 0, "items": []}


def test_upload_needs_its_content_type(own_shop: httpx.Client) -> None:
    problem(own_shop.put("/v1/products", json={"id": "x", "title": "X"}), 415)


def test_undeclared_attributes_are_stored_with_a_warning(own_shop: httpx.Client) -> None:
    result = put(own_shop, {"id": "w", "title": "W", "attributes": {"wingspan": 3}})
    assert "wingspan" in result["items"][0]["warnings"][0]


def test_every_kind_has_every_colour(shop: httpx.Client) -> None:
    answer = shop.get("/v1/search", params={"facets": "category", "limit": 0}).json()
    counts = {v["value"]: v["count"] for v in answer["facets"]["category"]["values"]}
    assert counts == {"home": 20, **{f"home > {kind}": 5 for kind in KINDS}}
