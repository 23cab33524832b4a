"""Towers, resolutions and recipes compared on the development split, for the model card."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from .training import Recipe, train

VARIANTS: dict[str, dict[str, object]] = {
    "lite0, 128 px": {},
    "lite0, 160 px": {"size": 160},
    "lite2, 128 px": {"trunk": "tf_efficientnet_lite2"},
    "lite0, 128 px, no memory": {"memory": 0},
    "lite0, 128 px, titles alone, no memory": {"memory": 0, "kinds": 0.0},
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
