"""Training photos with their captions, and the held-out sets.

Reads the folders ``fashion``, ``grocery``, ``clothing`` and ``demo_store`` as published with
the project's data; see the model card for sources and licences. The products of
``fashion/val_ids.txt``, ``grocery/val.jsonl`` and ``clothing/validation.jsonl`` are never
trained on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture with the captions that name it (``titles``) and that describe its kind
    (``kinds``), each of which may be trained with; ``product`` joins pictures of one thing, so
    that the development split holds whole products out."""

    path: Path
    titles: tuple[str, ...]
    kinds: tuple[str, ...]
    product: str


def rows(path: Path) -> list[Row]:
    """A JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def validation_ids(data: Path) -> set[str]:
    """Fashion products that are kept for validation."""
    return set((data / "fashion" / "val_ids.txt").read_text().split())


def fashion_kinds(row: Row) -> tuple[str, ...]:
    """The ways a shopper would say a product's attributes."""
    kind, color, gender = row["type"].lower(), row["color"].lower(), row["gender"].lower()
    return (
        f"{color} {kind} {gender}",
        f"{gender} {color} {kind}",
        f"{color} {kind}",
        f"{gender} {kind}",
    )


def training_photos(data: Path) -> list[Photo]:
    """Every picture that may train the model."""
    return [*_fashion(data), *_demo(data), *_grocery(data), *_clothing(data)]


def _fashion(data: Path) -> Iterator[Photo]:
    held_out = validation_ids(data)
    for row in rows(data / "fashion" / "products.jsonl"):
        if row["id"] not in held_out:
            path = data / "fashion" / row["image"]
            yield Photo(path, (row["title"],), fashion_kinds(row), f"fashion-{row['id']}")


def _demo(data: Path) -> Iterator[Photo]:
    for row in rows(data / "demo_store" / "products.jsonl"):
        kind = row["category"].replace("/", ", ").lower()
        path = data / "demo_store" / row["image"]
        yield Photo(path, (row["title"]["en"],), (kind,), f"demo-{row['id']}")


def _grocery(data: Path) -> Iterator[Photo]:
    folder = data / "grocery"
    captions: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for row in rows(folder / "catalogue.jsonl"):
        title, kind = row["title"], row["category"]
        captions[row["id"]] = (title, f"a photo of {title}"), (kind.lower(),)
        yield Photo(folder / row["image"], *captions[row["id"]], row["id"])
    for row in rows(folder / "train.jsonl"):
        yield Photo(folder / row["image"], *captions[row["product"]], row["product"])


def _clothing(data: Path) -> Iterator[Photo]:
    for row in rows(data / "clothing" / "train.jsonl"):
        label = row["label"].replace("_", " ").lower()
        titles = (f"{label} on a person", f"a photo of a {label}")
        path = data / "clothing" / row["image"]
        yield Photo(path, titles, (label,), f"clothing-{row['image']}")
