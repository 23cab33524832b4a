"""Towers, resolutions and recipes compared on the development split, and the image tower as it
comes: for the model card."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from engine import EncoderInfo, Role, UnsupportedModality, Vectors

from .data import rows, validation_ids
from .evaluation import Figure, embed_files, photo_figures
from .features import preprocess
from .towers import build_clip
from .training import Recipe, train

VARIANTS: dict[str, dict[str, object]] = {
    "lite0, 128 px": {},
    "lite0, 160 px": {"size": 160},
    "lite2, 128 px": {"trunk": "tf_efficientnet_lite2"},
    "lite0, 128 px, titles alone": {"kinds": 0.0},
    "lite0, 128 px, heads alone": {"tower_lr": 0.0, "text_lr": 0.0},
}


def ablation(
    data: Path, work: Path, epochs: int, report: Callable[[str], None]
) -> Iterator[tuple[str, dict[str, float]]]:
    """Each variant of the shipped recipe after ``epochs``, on products it did not train on."""
    for name, change in VARIANTS.items():
        recipe = replace(Recipe(epochs=epochs, views=2), **change)  # type: ignore[arg-type]
        _, figures = train(data, work, recipe, report, dev=True)
        yield name, figures


class PlainPhotos:
    """The image tower with its public ImageNet weights: pooled features, made unit."""

    def __init__(self) -> None:
        self._trunk = build_clip().visual.trunk
        dim = self._trunk.num_features
        self.info = EncoderInfo("imagenet", "1", dim, ("image",), fingerprint="imagenet")

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Unit rows ``[n, 1280]``."""
        with torch.inference_mode():
            features = self._trunk(torch.from_numpy(preprocess(images)))
        return np.asarray(F.normalize(features, dim=-1).numpy(), dtype=np.float32)

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        raise UnsupportedModality("ImageNet's tower reads no words")

    def close(self) -> None:
        """Nothing to release."""


def plain_figures(data: Path) -> dict[str, Figure]:
    """Photo figures of the image tower before any training."""
    held_out = validation_ids(data)
    products = [r for r in rows(data / "fashion" / "products.jsonl") if r["id"] in held_out]
    encoder = PlainPhotos()
    gallery = embed_files(encoder, [data / "fashion" / row["image"] for row in products])
    return photo_figures(encoder, data, products, gallery)
