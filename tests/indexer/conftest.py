"""A shop on real components (hash encoder, Qdrant Edge), and pictures to fill it with."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.protocols import Point
from engine.settings import ComponentSettings, EncoderSettings, Settings
from plugins.qdrant_edge import EdgeOptions, EdgeStores

HASH = ComponentSettings("hash", {"dim": 64})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=str(tmp_path), data_dir="data", encoders=EncoderSettings(HASH, HASH))


@pytest.fixture
def catalogue(tmp_path: Path) -> Callable[[Iterable[dict[str, Any]]], Path]:
    """Writes rows to ``shop/products.jsonl``; ``shop/`` is where photos go."""

    def write(rows: Iterable[dict[str, Any]]) -> Path:
        path = tmp_path / "shop" / "products.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


def picture(
    number: int = 0, kind: str = "JPEG", size: tuple[int, int] = (24, 32), mode: str = "RGB"
) -> bytes:
    """A picture unlike those of other numbers."""
    blue = (number * 53 + number // 256 * 20) % 256
    image = Image.new("RGB", size, (number * 37 % 256, number * 91 % 256, blue))
    image.paste((255 - number % 256, 0, 0), (0, 0, size[0] // 2, size[1] // 2))
    data = io.BytesIO()
    image.convert(mode).save(data, kind)
    return data.getvalue()


def gif() -> bytes:
    """An animation of two frames, red and blue."""
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], duration=50)
    return data.getvalue()


def huge_png_header(width: int = 30_000, height: int = 30_000) -> bytes:
    """A PNG that says it has this size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def points(settings: Settings, generation: str) -> dict[str, Point]:
    """Everything a built generation holds."""
    store = EdgeStores(EdgeOptions(str(settings.data_path))).open(generation)
    try:
        return {point.product.id: point for batch in store.iterate() for point in batch}
    finally:
        store.close()


def generations(settings: Settings) -> list[str]:
    return EdgeStores(EdgeOptions(str(settings.data_path))).generations()
