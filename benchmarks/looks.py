"""Looks of products: clusters of what can be measured in a photo without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


def photo_statistics(products: Sequence[Mapping[str, Any]], folder: Path) -> Floats:
    """float64 ``[n, 10]`` of each photo, standardized: of what is not the white ground the share,
    mean colour, contrast, height over width, place, and edges along and across."""
    found = np.zeros((len(products), 10))
    for number, row in enumerate(products):
        with Image.open(folder / row["image"]) as photo:
            photo.draft("RGB", (64, 64))
            pixels = np.asarray(photo.convert("RGB").resize((32, 32)), dtype=np.float64) / 255
        grey = pixels.mean(axis=2)
        ground = grey > 0.92
        shape = ~ground if (~ground).any() else np.ones_like(ground)
        down, across = np.nonzero(shape)
        colour = pixels[shape].mean(axis=0)
        found[number] = (
            shape.mean(),
            *colour,
            grey[shape].std(),
            np.log((np.ptp(down) + 1) / (np.ptp(across) + 1)),
            down.mean() / 32,
            np.ptp(colour),
            np.abs(np.diff(grey, axis=0)).mean(),
            np.abs(np.diff(grey, axis=1)).mean(),
        )
    return np.asarray((found - found.mean(axis=0)) / found.std(axis=0))


def clusters(points: Floats, count: int, rng: np.random.Generator) -> Rows:
    """The cluster of each point: Lloyd's k-means, 25 rounds."""
    own = np.zeros(len(points), dtype=np.intp)
    centres = points[rng.choice(len(points), count, replace=False)]
    for _ in range(25):
        distances = (centres**2).sum(axis=1) - 2 * points @ centres.T
        own = np.argmin(distances, axis=1)
        centres = np.stack(
            [
                points[own == c].mean(axis=0) if (own == c).any() else centres[c]
                for c in range(count)
            ]
        )
    return own
