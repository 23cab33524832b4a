"""A small shop: 48 products with photos, in Qdrant Edge, embedded by the hash encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageDraw

from engine import Engine, FieldKind, GenerationSpec, IndexSchema, PluginManager, Product, Settings
from engine import manager as manager_module
from engine.assembly import open_encoders, open_stores
from engine.core import JOURNAL_FILE
from engine.documents import dense_text, make_point
from engine.journal import Journal
from engine.settings import (
    ComponentSettings,
    EncoderSettings,
    PluginSettings,
    ProfileSettings,
    SearchSettings,
)

from . import toys

KINDS = ("shoe", "sofa", "mug", "plant", "lamp", "bag")
COLORS = {
    "red": (200, 30, 30),
    "green": (30, 160, 60),
    "blue": (40, 60, 200),
    "black": (20, 20, 20),
    "white": (235, 235, 235),
    "yellow": (230, 210, 40),
    "pink": (240, 150, 180),
    "brown": (120, 80, 40),
}
SCHEMA = IndexSchema(
    {
        "color": FieldKind.KEYWORD,
        "material": FieldKind.KEYWORD,
        "weight": FieldKind.NUMBER,
        "vegan": FieldKind.BOOLEAN,
    }
)


def photo(kind: str, color: str) -> Image.Image:
    """The kind decides where the coloured shape lies, so that like photos embed alike."""
    image = Image.new("RGB", (64, 64), (250, 250, 245))
    n = KINDS.index(kind)
    left, top = 4 + 20 * (n % 3), 4 + 28 * (n // 3)
    ImageDraw.Draw(image).ellipse((left, top, left + 18, top + 26), fill=COLORS[color])
    return image


def product(kind: str, color: str) -> Product:
    n = KINDS.index(kind) * len(COLORS) + list(COLORS).index(color)
    attributes: dict[str, Any] = {"color": color}
    if n % 3:
        attributes["material"] = ["wood", "steel"] if n % 2 else "leather"
    if n % 4:
        attributes["weight"] = float(n % 7)
    if n % 5:
        attributes["vegan"] = n % 2 == 0
    return Product(
        id=f"{kind}-{color}",
        title=f"{color.title()} {kind}",
        description=f"A {kind} of the house. Goes well with <b>{color}</b> & more.",
        category=("Home", kind.title()) if kind not in ("shoe", "bag") else ("Wear", kind.title()),
        brand=("Acme", "Bolt", "")[n % 3],
        price=float(5 + n * 7 % 40) if n % 6 else None,
        currency="EUR",
        attributes=attributes,
        images=(f"{kind}-{color}.png",),
        group_id=kind if n % 4 == 0 else "",
        in_stock=n % 7 != 0,
    )


PRODUCTS = {p.id: p for p in (product(kind, color) for kind in KINDS for color in COLORS)}


def photo_of(product_id: str) -> Image.Image:
    kind, color = product_id.split("-")[:2]
    return photo(kind, color)


def photos_of(item: Product) -> list[Image.Image]:
    return [photo_of(item.id)] if item.images else []


def settings_for(
    folder: Path,
    *,
    salt: str = "",
    deadline_ms: float = 60_000,
    search: SearchSettings | None = None,
    **profiles: ProfileSettings,
) -> Settings:
    """Profiles: ``default`` as shipped, ``words`` (text and BM25 alone), one for each toy."""
    encoder = ComponentSettings("hash", {"salt": salt} if salt else {})
    made = {
        "default": ProfileSettings(),
        "bare": ProfileSettings(query_processors=(), rankers=()),
        "words": ProfileSettings(rankers=(), weights={"image": 0}),
        **{name: ProfileSettings(rankers=(name,)) for name in toys.RANKERS},
        **{name: ProfileSettings(rankers=(), arrangers=(name,)) for name in toys.ARRANGERS},
        **{
            name: ProfileSettings(query_processors=("normalize", name), rankers=())
            for name in toys.PROCESSORS
        },
    }
    return Settings(
        root=str(folder),
        data_dir="data",
        encoders=EncoderSettings(encoder, encoder),
        search=search or SearchSettings(),
        profiles={**made, **profiles},
        plugins=PluginSettings(deadline_ms=deadline_ms),
    )


def manager_for(settings: Settings) -> PluginManager:
    """The built-ins and the toys."""

    class Entry:
        name = "toys"
        load = staticmethod(toys.as_plugin)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manager_module, "entry_points", lambda group: [Entry])
        return PluginManager(settings.plugins)


def open_engine(settings: Settings, **options: Any) -> Engine:
    return Engine(settings, manager_for(settings), **options)


def build(settings: Settings, generation: str, items: Iterable[Product]) -> None:
    """A built generation that is not live, as the indexer would leave it."""
    journal = Journal(settings.data_path / JOURNAL_FILE)
    journal.begin(generation)
    journal.close()
    manager = PluginManager(settings.plugins)
    text, image = open_encoders(settings, manager)
    stores = open_stores(settings, manager)
    root = str(settings.root)
    store = stores.create(generation, GenerationSpec(SCHEMA, text.info, image.info, root))
    products = list(items)
    texts = text.encode_texts([dense_text(p) for p in products], "document")
    rows = [image.encode_images(photos_of(p)) for p in products]
    points = [
        make_point(p, row, photos, SCHEMA)
        for p, row, photos in zip(products, texts, rows, strict=True)
    ]
    store.upsert(points)
    store.build(SCHEMA, len(points))
    store.close()
    stores.close()


def make_live(settings: Settings, generation: str) -> None:
    """Promote without an engine."""
    stores = open_stores(settings, PluginManager(settings.plugins))
    stores.promote(generation)
    stores.close()


def renamed(original: str, id: str, **changes: Any) -> Product:
    return msgspec.structs.replace(PRODUCTS[original], id=id, **changes)


def ids(hits: Sequence[Any]) -> list[str]:
    return [hit.id for hit in hits]


def is_unit(row: Any) -> bool:
    return bool(np.isclose(np.linalg.norm(row), 1, atol=1e-5))
