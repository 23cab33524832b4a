"""A small catalogue laid out like the training data, and the model with fresh heads."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch
from open_clip.model import CustomTextCLIP

from engine.testing.encoder_contract import picture
from models.towers import build_clip
from tests.models.tiny import write_tiny
from tests.models.tiny_query import write_tiny_query

torch.set_num_threads(2)
COLORS = ("Red", "Blue", "Green", "Black")
KINDS = ("Shoes", "Shirts", "Bags")


@pytest.fixture(scope="session")
def model() -> CustomTextCLIP:
    """Not to be changed: whoever trains builds its own."""
    return build_clip()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A served folder of small random towers, in float32; not to be changed."""
    folder = tmp_path_factory.mktemp("tiny") / "fp32"
    with warnings.catch_warnings():
        # torch.export and its ONNX exporter warn about each other's deprecations.
        warnings.simplefilter("ignore")
        write_tiny(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_query(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A served folder of a small random query tower, in float32; not to be changed."""
    folder = tmp_path_factory.mktemp("tiny-query") / "fp32"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above
        write_tiny_query(folder)
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 fashion products (every sixth for validation), 3 groceries, clothing, a demo shop."""
    folder = tmp_path_factory.mktemp("data")
    _fashion(folder / "fashion")
    _grocery(folder / "grocery")
    _clothing(folder / "clothing")
    demo = {"title": {"en": "Oak Stool"}, "category": "Home/Furniture"}
    rows = [{"id": f"demo-{i}", "image": _photo(folder / "demo_store", i), **demo} for i in (1, 2)]
    write_rows(folder / "demo_store" / "products.jsonl", rows)
    return folder


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _photo(folder: Path, number: int) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    picture((60, 80), seed=number).save(folder / f"{number}.jpg")
    return f"{number}.jpg"


def _fashion(folder: Path) -> None:
    rows: list[dict[str, object]] = [
        {
            "id": str(i),
            "title": f"Acme {COLORS[i % 4]} {KINDS[i % 3]} {i}",
            "gender": "Men",
            "type": KINDS[i % 3],
            "color": COLORS[i % 4],
            "season": "Fall",
            "usage": "Casual",
            "image": _photo(folder, i),
        }
        for i in range(24)
    ]
    write_rows(folder / "products.jsonl", rows)
    held_out = [str(i) for i in range(0, 24, 6)]
    (folder / "val_ids.txt").write_text("\n".join(held_out))
    write_rows(folder / "attribute_queries.jsonl", [{"id": "a0", "text": "red shoes men"}])
    (folder / "attribute_qrels.tsv").write_text("a0\t0\t0\t3\na0\t0\t12\t1\n")


def _grocery(folder: Path) -> None:
    apple = {"category": "Apple", "description": "A sweet fruit with a thin skin."}
    catalogue: list[dict[str, object]] = [
        {"id": f"g{i}", "title": f"Apple {i}", "image": _photo(folder, i), **apple}
        for i in range(3)
    ]
    write_rows(folder / "catalogue.jsonl", catalogue)
    for part, start in (("train", 10), ("val", 20)):
        photos: list[dict[str, object]] = [
            {"image": _photo(folder, start + i), "product": f"g{i}"} for i in range(3)
        ]
        write_rows(folder / f"{part}.jsonl", photos)


def _clothing(folder: Path) -> None:
    for part, start in (("train", 0), ("validation", 100)):
        photos: list[dict[str, object]] = [
            {"image": _photo(folder, start + i), "label": label}
            for i, label in enumerate(("dress", "hat") * 6)
        ]
        write_rows(folder / f"{part}.jsonl", photos)
