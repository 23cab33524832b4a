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
    """A picture and the captions it may be trained with; ``product`` joins pictures of one
    thing, so that the development split holds whole products out."""

    path: Path
    captions: tuple[str, ...]
    product: str


def rows(path: Path) -> list[Row]:
    """A JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def validation_ids(data: Path) -> set[str]:
    """Fashion products that are kept for validation."""
    return set((data / "fashion" / "val_ids.txt").read_text().split())


def fashion_caption_forms(row: Row) -> tuple[str, ...]:
    """The title and the ways a shopper would say the same attributes."""
    kind, color, gender = row["type"].lower(), row["color"].lower(), row["gender"].lower()
    return (
        row["title"],
        f"{color} {kind} {gender}",
        f"{gender} {color} {kind}",
        f"{color} {kind}",
    )


def training_photos(data: Path) -> list[Photo]:
    """Every picture that may train the heads."""
    return [*_fashion(data), *_demo(data), *_grocery(data), *_clothing(data)]


def _fashion(data: Path) -> Iterator[Photo]:
    held_out = validation_ids(data)
    for row in rows(data / "fashion" / "products.jsonl"):
        if row["id"] not in held_out:
            path = data / "fashion" / row["image"]
            yield Photo(path, fashion_caption_forms(row), f"fashion-{row['id']}")


def _demo(data: Path) -> Iterator[Photo]:
    for row in rows(data / "demo_store" / "products.jsonl"):
        title = row["title"]["en"]
        captions = (title, f"{title}, {row['category'].replace('/', ', ').lower()}")
        yield Photo(data / "demo_store" / row["image"], captions, f"demo-{row['id']}")


def _grocery(data: Path) -> Iterator[Photo]:
    folder = data / "grocery"
    captions: dict[str, tuple[str, ...]] = {}
    for row in rows(folder / "catalogue.jsonl"):
        title, kind = row["title"], row["category"]
        captions[row["id"]] = (title, f"{title} {kind}".lower(), f"a photo of {title}")
        yield Photo(folder / row["image"], captions[row["id"]], row["id"])
    for row in rows(folder / "train.jsonl"):
        yield Photo(folder / row["image"], captions[row["product"]], row["product"])


def _clothing(data: Path) -> Iterator[Photo]:
    for row in rows(data / "clothing" / "train.jsonl"):
        label = row["label"].replace("_", " ").lower()
        captions = (label, f"a photo of a {label}", f"{label} on a person")
        yield Photo(data / "clothing" / row["image"], captions, f"clothing-{row['image']}")
