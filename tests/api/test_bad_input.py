"""Bad input: each gets a problem that names what is wrong, and nothing breaks after it."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs
from PIL import Image

from engine import Engine
from engine.settings import ImageSettings
from tests.api.harness import build, make_settings, png, problem, serving

JSON = {"Content-Type": "application/json"}


def huge_png_header() -> bytes:
    """A PNG that says it is 30,000 × 30,000 and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


def picture(format: str, mode: str = "RGB", frames: int = 1) -> bytes:
    buffer = io.BytesIO()
    images = [Image.new(mode, (40, 40), n * 9) for n in range(frames)]
    more = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    images[0].save(buffer, format, **more)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def fetching(tmp_path_factory: pytest.TempPathFactory, photo_root: Path) -> Iterator[httpx.Client]:
    """A shop that fetches pictures by URL."""
    settings = structs.replace(
        make_settings(tmp_path_factory.mktemp("fetching")),
        images=ImageSettings(urls=True, schemes=("http", "https"), timeout_s=5),
    )
    build(settings, photo_root)
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        yield client


BODIES: list[tuple[dict[str, Any], str, str]] = [
    ({"text": "x", "limit": -1}, "limit", "0…1000"),
    ({"text": "x", "limit": 10**9}, "limit", "0…1000"),
    ({"text": "x", "limit": 10**30}, "limit", "0…1000"),
    ({"text": "x", "limit": "many"}, "limit", "int"),
    ({"text": "x", "offset": -1}, "offset", "negative"),
    ({"text": "x", "offset": 990, "limit": 20}, "offset", "narrow the search with filters"),
    ({"text": ""}, "text", "empty"),
    ({"text": " \t\n"}, "text", "empty"),
    ({"text": "x" * 10_000}, "text", "2,000"),
    ({}, "text", '"filters": {}'),
    ({"limit": 5}, "text", "give text, image, image_url or like"),
    ({"text": "x", "txet": "y"}, "txet", "unknown field"),
    ({"text": 5}, "text", "str"),
    ({"text": "x", "filters": {"colour": "red"}}, "filters.colour", "did you mean 'color'"),
    ({"text": "x", "filters": {"color": {"lte": 5}}}, "filters.color", "number field"),
    ({"text": "x", "filters": {"price": "cheap"}}, "filters.price", "finite number"),
    ({"text": "x", "filters": {"price": {"below": 5}}}, "filters.price", "gte"),
    ({"text": "x", "facets": ["colr"]}, "facets.colr", "Declared fields"),
    ({"text": "x", "sort": {"field": "prise"}}, "sort.prise", "did you mean 'price'"),
    ({"text": "x", "sort": {"field": "price", "order": "up"}}, "sort.order", "up"),
    ({"text": "x", "profile": "fancy"}, "profile", "default"),
    ({"text": "x", "image_weight": 2}, "image_weight", "<= 1"),
    ({"text": "x", "crop": [0, 0, 1, 1]}, "crop", "no picture"),
    ({"like": ["x"] * 21}, "like", "20"),
    ({"image": "not base64!"}, "image", "base64"),
    ({"image": base64.b64encode(b"hello").decode()}, "image", "not a picture"),
    ({"image": base64.b64encode(png("red")).decode(), "crop": [0.9, 0, 0.5, 1]}, "crop", "inside"),
    ({"image": base64.b64encode(png("red")).decode(), "crop": [0, 0, 0, 1]}, "crop", "inside"),
    ({"image_url": "http://127.0.0.1:1/x.png"}, "image_url", "images.urls"),
    ({"image_url": "x", "image": "y"}, "image_url", "not both"),
]


@pytest.mark.parametrize(("body", "field", "says"), BODIES, ids=lambda value: str(value)[:40])
def test_search_body(shop: httpx.Client, body: dict[str, Any], field: str, says: str) -> None:
    detail = problem(shop.post("/v1/search", json=body), 400, field)
    assert says in detail


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"", JSON, 400),
        (b"[]", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b'{"text": "x"}', {"Content-Type": "text/plain"}, 415),
        (b'{"text": "x"}', {}, 415),
    ],
)
def test_what_is_not_json(
    shop: httpx.Client, content: bytes, headers: dict[str, str], status: int
) -> None:
    problem(shop.post("/v1/search", content=content, headers=headers), status)


def test_unknown_like_id(shop: httpx.Client) -> None:
    assert "nope" in problem(shop.post("/v1/search", json={"like": ["nope"]}), 404, "like")


@pytest.mark.parametrize(
    ("parameters", "field", "says"),
    [
        ({"q": "x", "colour": "red"}, "colour", "filter.colour"),
        ({"q": "x", "filter.colour": "red"}, "filters.colour", "did you mean"),
        ({"q": "x", "filter.price.lte": "cheap"}, "filters.price", "finite number"),
        ({"q": "x", "filter.in_stock": "maybe"}, "filters.in_stock", "boolean"),
        ({"q": "x", "filter.price": "5", "filter.price.lte": "6"}, "filters.price", "not both"),
        ({"q": "x", "limit": "-1"}, "limit", "0…1000"),
        ({"q": "x", "limit": "ten"}, "limit", "int"),
        ({"q": ""}, "text", "empty"),
    ],
)
def test_link(shop: httpx.Client, parameters: dict[str, str], field: str, says: str) -> None:
    assert says in problem(shop.get("/v1/search", params=parameters), 400, field)


def test_browsing_by_link_needs_nothing(shop: httpx.Client) -> None:
    assert shop.get("/v1/search").status_code == 200


@pytest.mark.parametrize(
    ("photo", "status", "says"),
    [
        (picture("JPEG")[:-200], 400, "damaged"),
        (huge_png_header(), 413, "pixels"),
        (b"I am text, named .jpg", 400, "not a picture"),
        (b"", 400, "not a picture"),
        (b"GIF89a", 400, ""),
    ],
    ids=["truncated", "huge", "text", "empty", "stub"],
)
def test_uploaded_photo(shop: httpx.Client, photo: bytes, status: int, says: str) -> None:
    response = shop.post("/v1/search/image", files={"image": ("photo.jpg", photo, "image/jpeg")})
    assert says in problem(response, status, "image")


@pytest.mark.parametrize(
    "photo",
    [
        picture("GIF", "P", frames=3),
        picture("JPEG", "CMYK"),
        picture("PNG", "I;16"),
        picture("WEBP"),
    ],
    ids=["animated", "cmyk", "16 bit", "webp"],
)
def test_odd_pictures_work(shop: httpx.Client, photo: bytes) -> None:
    response = shop.post("/v1/search/image", files={"image": ("x.jpg", photo)})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"crop": "1,2,3"}, "crop"),
        ({"crop": "a,b,c,d"}, "crop"),
        ({"crop": "-1,0,1,1"}, "crop"),
        ({"filters": "{"}, "filters"),
        ({"filters": "[]"}, "filters"),
        ({"limit": "x"}, "limit"),
        ({"colour": "red"}, "colour"),
        ({"image_weight": "7"}, "image_weight"),
    ],
)
def test_form_field(shop: httpx.Client, form: dict[str, str], field: str) -> None:
    response = shop.post("/v1/search/image", data=form, files={"image": ("x.png", png("red"))})
    problem(response, 400, field)


def test_a_form_needs_its_file(shop: httpx.Client) -> None:
    text = {"text": (None, "shoe")}
    problem(shop.post("/v1/search/image", files=text), 400, "image")
    not_a_file = {"image": (None, "shoe")}
    problem(shop.post("/v1/search/image", files=not_a_file), 400, "image")


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"x", "multipart/form-data", 400),
        (b"x", "multipart/form-data; boundary=y", 400),
        (b"--y\r\n", "multipart/form-data; boundary=y", 400),
        (b"{}", "application/json", 415),
    ],
)
def test_what_is_not_a_form(shop: httpx.Client, content: bytes, kind: str, status: int) -> None:
    headers = {"Content-Type": kind}
    problem(shop.post("/v1/search/image", content=content, headers=headers), status)


def test_text_that_is_not_utf8_in_a_form(shop: httpx.Client) -> None:
    parts = (
        b'--y\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\xfe\r\n'
        b'--y\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n\r\n'
        + png("red")
        + b"\r\n--y--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=y"}
    problem(shop.post("/v1/search/image", content=parts, headers=headers), 400)


def test_too_large_a_body(shop: httpx.Client) -> None:
    big = b'{"image": "' + b"A" * 28_000_000 + b'"}'
    problem(shop.post("/v1/search", content=big, headers=JSON), 413)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/products/../../etc/passwd", 404),
        ("GET", "/schema/nowhere.json", 404),
        ("PUT", "/v1/search", 405),
        ("POST", "/v1/plugins", 405),
    ],
)
def test_no_such_route(shop: httpx.Client, method: str, path: str, status: int) -> None:
    problem(shop.request(method, path), status)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1/x.png", "not a public address"),
        ("http://localhost:1/x.png", "not a public address"),
        ("http://[::1]:1/x.png", "not a public address"),
        ("http://169.254.169.254/latest", "not a public address"),
        ("file:///etc/passwd", "scheme"),
        ("shoe", "scheme"),
    ],
)
def test_image_url_where_urls_are_on(fetching: httpx.Client, url: str, says: str) -> None:
    response = fetching.post("/v1/search", json={"image_url": url})
    detail = problem(response, 400, "image_url")
    assert detail.startswith("image_url:")
    assert says in detail


def test_the_shop_is_well_after_all_that(shop: httpx.Client) -> None:
    assert shop.get("/health/ready").status_code == 200
    assert shop.post("/v1/search", json={"text": "red shoe"}).json()["hits"]
