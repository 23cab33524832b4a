"""A small shop behind a real HTTP server on a free loopback port."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from PIL import Image

from api.app import create_app
from engine import Encoder, Engine, GenerationSpec, IndexSchema, Point, Product, Settings
from engine.assembly import open_encoders, open_stores
from engine.documents import dense_text, make_point
from engine.images import decode_image, read_local
from engine.journal import JOURNAL_FILE, Journal
from engine.manager import PluginManager
from engine.schema import FieldKind
from engine.settings import ComponentSettings, EncoderSettings, ProfileSettings, ServerSettings

HASH = EncoderSettings(ComponentSettings("hash"), ComponentSettings("hash"))
COLOURS = ("red", "green", "blue", "white", "black")
KINDS = ("shoe", "lamp", "sofa", "mug")
ODD_ID = "a/b c?#%2F·é"
SETTINGS_FILE = """
shop = "test"
log_level = "error"
[catalogue]
source = "products.jsonl"
[encoders]
text = { plugin = "hash" }
image = { plugin = "hash" }
[profiles.default]
weights = { image = 0.0 }
"""
SCHEMA = IndexSchema({"color": FieldKind.KEYWORD, "size": FieldKind.NUMBER})


def products() -> list[Product]:
    """Twenty products, one photo each, and one whose id needs escaping."""
    found = [
        Product(
            id=f"{color}-{kind}",
            title=f"{color.title()} {kind}",
            category=("home", kind),
            brand="Acme" if kind in ("shoe", "mug") else "Umbra",
            price=10.0 * (i + 1) + n,
            attributes={"color": color, "size": float(n)},
            images=(f"photos/{color}-{kind}.png",),
            in_stock=color != "black",
        )
        for i, kind in enumerate(KINDS)
        for n, color in enumerate(COLOURS)
    ]
    odd = Product(id=ODD_ID, title="Odd one <b>out</b>", images=("https://shop.example/odd.jpg",))
    return [*found, odd]


def png(color: str, size: tuple[int, int] = (32, 32)) -> bytes:
    """A plain picture."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def two_halves(left: str, right: str) -> bytes:
    """A picture whose halves differ."""
    buffer = io.BytesIO()
    image = Image.new("RGB", (64, 32), left)
    image.paste(Image.new("RGB", (32, 32), right), (32, 0))
    image.save(buffer, "PNG")
    return buffer.getvalue()


def make_photos(folder: Path) -> Path:
    """The photos of :func:`products`; the folder they are relative to."""
    (folder / "photos").mkdir(parents=True)
    for color in COLOURS:
        for kind in KINDS:
            (folder / "photos" / f"{color}-{kind}.png").write_bytes(png(color))
    return folder


def make_settings(data_dir: Path, shop: str = "test", api_key: str = "") -> Settings:
    return Settings(
        shop=shop,
        data_dir=str(data_dir),
        encoders=HASH,
        # Hashed words know nothing of pictures.
        profiles={"default": ProfileSettings(weights={"image": 0.0})},
        server=ServerSettings(api_key=api_key),
    )


def build(
    settings: Settings,
    root: Path,
    generation: str = "g1",
    live: bool = True,
    items: Sequence[Product] = (),
) -> None:
    """A generation of ``items`` (default: :func:`products`), without the indexer."""
    items = items or products()
    journal = Journal(settings.data_path / JOURNAL_FILE)
    journal.begin(generation)
    journal.close()
    manager = PluginManager(settings.plugins)
    text, image = open_encoders(settings, manager)
    stores = open_stores(settings, manager)
    spec = GenerationSpec(SCHEMA, text.info, image.info, image_root=str(root))
    store = stores.create(generation, spec)
    store.upsert([_point(product, text, image, root, settings) for product in items])
    store.build(SCHEMA, len(items))
    store.close()
    if live:
        stores.promote(generation)
    stores.close()


def _point(
    product: Product, text: Encoder, image: Encoder, root: Path, settings: Settings
) -> Point:
    refs = [ref for ref in product.images if "://" not in ref]
    photos = [decode_image(read_local(root, ref, settings.images), settings.images) for ref in refs]
    rows = image.encode_images(photos or [Image.new("RGB", (8, 8))])[: len(photos)]
    words = text.encode_texts([dense_text(product)], "document")[0]
    return make_point(product, words, rows, SCHEMA)


@contextmanager
def serving(engines: Mapping[str, Engine], **client: object) -> Iterator[httpx.Client]:
    """A server in a thread, answering when the block begins, and a client of it."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(engines), log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    port = listener.getsockname()[1]
    try:
        # Connections wait in the listener's queue until the server takes them.
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30, **client
        ) as opened:
            yield opened
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
        assert not thread.is_alive()


def write_catalogue(root: Path) -> Path:
    """:func:`products` as JSON lines beside their photos, and settings that name them."""
    rows = [
        {
            "id": product.id,
            "title": product.title,
            "category": " > ".join(product.category),
            "brand": product.brand,
            "price": product.price,
            "images": [ref for ref in product.images if "://" not in ref],
            **product.attributes,
        }
        for product in products()
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "products.jsonl").write_text(lines, encoding="utf-8")
    (root / "entrepot.toml").write_text(SETTINGS_FILE, encoding="utf-8")
    return root / "entrepot.toml"


def problem(response: httpx.Response, status: int, field: str = "") -> str:
    """Checks that ``response`` is a problem by RFC 9457; its detail."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert {"type", "title", "detail", "request_id"} <= set(body)
    assert body["request_id"] == response.headers["x-request-id"]
    assert body.get("field", "") == field, body
    return str(body["detail"])
