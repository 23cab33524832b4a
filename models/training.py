"""The whole recipe: features → heads → model, with a development split for choices."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from open_clip.model import CustomTextCLIP

from .data import Photo, training_photos
from .features import Floats, embed_photos, embed_texts
from .heads import Recipe, TrainingSet, train_heads
from .onnx_export import round_to_served
from .towers import build_clip

VIEWS = 2
"""The whole picture and one random crop of it."""
DEV_SHARE = 0.05


def load_training_set(
    model: CustomTextCLIP, data: Path, work: Path, views: int = VIEWS
) -> tuple[list[Photo], TrainingSet]:
    """All training photos and their features, computed or from the cache in ``work``."""
    photos = training_photos(data)
    paths = [photo.path for photo in photos]
    images = [embed_photos(model, paths, view, work) for view in range(views)]
    texts = sorted({caption for photo in photos for caption in photo.captions})
    index = {text: i for i, text in enumerate(texts)}
    captions = [[index[caption] for caption in photo.captions] for photo in photos]
    return photos, TrainingSet(images, embed_texts(model, texts, work), captions)


def split(photos: Sequence[Photo], seed: int = 0) -> tuple[list[int], list[int]]:
    """Training and development rows; a product's pictures, and fashion products of one title,
    fall on the same side."""
    groups = [
        photo.captions[0].lower() if photo.product.startswith("fashion-") else photo.product
        for photo in photos
    ]
    names = sorted(set(groups))
    rng = np.random.default_rng(seed)
    held_out = set(rng.choice(names, int(len(names) * DEV_SHARE), replace=False))
    dev = [i for i, group in enumerate(groups) if group in held_out]
    train = [i for i, group in enumerate(groups) if group not in held_out]
    return train, dev


def dev_recall(model: CustomTextCLIP, data: TrainingSet, rows: Sequence[int]) -> float:
    """Recall@10 of titles to photos among the development photos: what choices are made by."""
    with torch.inference_mode():
        x = _unit(model.visual.head(torch.from_numpy(data.images[0][list(rows)])).numpy())
        first = np.asarray([data.captions[i][0] for i in rows])
        y = _unit(model.text.proj(torch.from_numpy(data.texts[first])).numpy())
    top = np.argsort(-(y @ x.T), axis=1)[:, :10]
    return float((first[top] == first[:, None]).any(axis=1).mean())


def ablation(data: Path, work: Path) -> list[tuple[str, Recipe, float]]:
    """Development recall of image heads and a few recipes, best first."""
    photos, everything = load_training_set(build_clip(), data, work)
    train, dev = split(photos)
    subset = everything.take(np.asarray(train))
    found = []
    for head, dropout, decay in itertools.product(("linear", "mlp"), (0.0, 0.2), (0.05, 0.5)):
        recipe = Recipe(dropout=dropout, weight_decay=decay)
        candidate = build_clip(head)
        train_heads(candidate, subset, recipe)
        found.append((head, recipe, dev_recall(candidate, everything, dev)))
    return sorted(found, key=lambda row: -row[2])


def train(data: Path, work: Path, image_head: str, recipe: Recipe) -> CustomTextCLIP:
    """The model with heads trained on all training photos."""
    model = build_clip(image_head)
    _, everything = load_training_set(model, data, work)
    train_heads(model, everything, recipe)
    round_to_served(model)
    return model


def _unit(rows: Floats) -> Floats:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
