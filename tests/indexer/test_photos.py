"""Photos from files, uploads and inline data; serving them; products sent over HTTP."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from PIL import Image

from engine.core import Engine
from engine.errors import EntrepotError, ForbiddenUrl, ImageTooLarge, InvalidImage, NoIndex
from engine.settings import ImageSettings, Settings
from engine.types import Product
from indexer import LineResult, PhotoLoader, write_lines
from indexer.build import build_generation
from indexer.photos import shrink

from .conftest import gif, huge_png_header, picture


def inline(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


@pytest.fixture
def photos(settings: Settings) -> PhotoLoader:
    return PhotoLoader(settings)


def test_load_keeps_what_can_be_used(photos: PhotoLoader, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "b.jpg").write_text("not a picture")
    os.mkfifo(tmp_path / "pipe.jpg")
    refs = ("a.jpg", "b.jpg", "https://x.example/c.jpg", "pipe.jpg", ".", inline(picture(1, "PNG")))
    loaded = photos.load(Product(id="1", title="t", images=refs), tmp_path, line=4)
    upload = loaded.product.images[-1]
    assert loaded.product.images == ("a.jpg", "https://x.example/c.jpg", upload)
    assert [image.size for image in loaded.images] == [(24, 32)] * 2
    assert [str(issue).split(": ", 2)[:2] for issue in loaded.issues] == [
        ["warning", "line 4 (1)"]
    ] * 4
    assert "is not a file" in loaded.issues[2].reason
    assert photos.images(loaded.product, str(tmp_path))[1].size == (24, 32)


@pytest.mark.parametrize(
    ("ref", "error"),
    [
        ("../secret.jpg", InvalidImage),
        ("/etc/passwd", InvalidImage),
        ("upload:../../secret.jpg", InvalidImage),
        (f"upload:{'0' * 64}.jpg", InvalidImage),
        ("data:text/plain;base64,AAAA", InvalidImage),
        ("data:image/png,AAAA", InvalidImage),
        ("data:image/png;base64,A!A", InvalidImage),
        ("data:image/png;base64," + "A" * 2000, ImageTooLarge),
        ("large.jpg", ImageTooLarge),
        ("//cdn.example/x.jpg", ForbiddenUrl),
        ("x" * 5000, InvalidImage),
    ],
)
def test_refused(settings: Settings, tmp_path: Path, ref: str, error: type[Exception]) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "secret.jpg").write_bytes(picture())
    (tmp_path / "shop" / "large.jpg").write_bytes(b"x" * 1001)
    photos = PhotoLoader(structs.replace(settings, images=ImageSettings(max_bytes=1000)))
    with pytest.raises(error) as caught:
        photos.read(ref, tmp_path / "shop")
    assert isinstance(caught.value, EntrepotError)
    assert photos.locate(ref, tmp_path / "shop") is None or ref == "large.jpg"


def test_locate_serves_pictures_only(photos: PhotoLoader, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    for path in (shop / "a.JPG", shop / "entrepot.toml", tmp_path / "b.jpg"):
        path.write_bytes(picture())
    (shop / "link.jpg").symlink_to(tmp_path / "b.jpg")
    assert photos.locate("a.JPG", shop) == (shop / "a.JPG").resolve()
    assert photos.locate("./a.JPG", str(shop)) is not None
    for ref in ("entrepot.toml", "../b.jpg", "link.jpg", "absent.jpg", ".", "", "a\0.jpg"):
        assert photos.locate(ref, shop) is None
    upload = photos.keep(picture(3))
    found = photos.locate(upload, shop)
    assert found is not None
    assert found.read_bytes() == picture(3)
    assert photos.locate("upload:../b.jpg", shop) is None


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (picture(), "jpg"),
        (picture(kind="PNG"), "png"),
        (picture(kind="WEBP"), "webp"),
        (picture(kind="BMP"), "bmp"),
        (picture(kind="TIFF"), "tiff"),
        (picture(kind="AVIF"), "avif"),
        (gif(), "gif"),
    ],
)
def test_uploads_are_named_by_content(photos: PhotoLoader, data: bytes, suffix: str) -> None:
    ref = photos.keep(data)
    assert ref == photos.keep(data)
    assert ref.endswith(f".{suffix}")
    assert photos.read(ref, "/nowhere") == data


@pytest.mark.parametrize("data", [b"text", b"", huge_png_header(), picture()[:-40]])
def test_what_is_no_picture_is_not_kept(
    photos: PhotoLoader, settings: Settings, data: bytes
) -> None:
    with pytest.raises(InvalidImage):
        photos.keep(data)
    assert not (settings.data_path / "uploads").exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((300, 2000), (300, 2000)),
        ((1023, 1023), (1023, 1023)),
        ((1024, 1500), (512, 750)),
        ((3000, 2000), (1000, 667)),
        ((20, 9000), (9, 4096)),
    ],
)
def test_shrink(before: tuple[int, int], after: tuple[int, int]) -> None:
    assert shrink(Image.new("RGB", before)).size == after


def test_products_over_http(settings: Settings, photos: PhotoLoader, tmp_path: Path) -> None:
    source = tmp_path / "shop" / "products.jsonl"
    source.parent.mkdir()
    source.write_text('{"id": "1", "title": "one", "year": "2011", "color": "red"}')
    (tmp_path / "shop" / "a.jpg").write_bytes(picture())
    rows: list[Any] = [
        {"id": "2", "title": {"en": "two", "sv": "två"}, "image": "a.jpg", "year": "2012"},
        {"id": "3"},
        "text",
        {"id": "4", "name": "four", "images": [inline(picture(4, "PNG")), "../x.jpg"], "fit": "S"},
    ]
    lines = [(n, json.dumps(row).encode()) for n, row in enumerate(rows, 1)]
    lines.append((9, b"{"))
    with Engine(settings, load_images=photos.images) as engine:
        with pytest.raises(NoIndex):
            write_lines(engine, photos, lines)
        report = build_generation(settings, str(source), lambda _: None)
        engine.promote(report.generation)
        results = write_lines(engine, photos, lines)
        assert [(result.line, result.id, result.status) for result in results] == [
            (1, "2", "stored"),
            (2, "3", "failed"),
            (3, "", "failed"),
            (4, "4", "stored"),
            (9, "", "failed"),
        ]
        assert results[0] == LineResult(1, "2", "stored")
        assert results[1].error == "title: missing or empty"
        assert results[2].error == "not an object"
        assert results[4].error.startswith("not valid JSON")
        assert "../x.jpg" in results[3].warnings[0]
        assert "fit" in results[3].warnings[1]
        two, four = engine.get("2"), engine.get("4")
        assert (two.title, two.translations["sv"].title) == ("two", "två")
        assert two.attributes == {"year": 2012.0}
        assert two.images == ("a.jpg",)
        (ref,) = four.images
        assert photos.locate(ref, engine.image_root) is not None
        assert write_lines(engine, photos, []) == []
