"""Judged windows that are made up, and models trained on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from plugins.ltr import booster, features, training
from plugins.ltr.examples import Example
from plugins.ltr.models import FOLDER, Figures, Manifest, Versions
from plugins.ltr.training import Recipe

SCORE = features.NAMES.index("score")
TELLS, LIES = "query_in_title_idf", "popularity"
SMALL = {"min_data_in_leaf": 5, "lambda_l2": 0.0}
FIGURES = Figures(20, 5, 0.8, 0.7, 0.05, 0.15)


def examples(
    queries: int = 40, candidates: int = 12, *, rule: str = TELLS, seed: int = 0
) -> list[Example]:
    """Windows in which what is relevant is told by one feature, and not by the order."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(queries):
        values = rng.random((candidates, len(features.NAMES))).astype(np.float32)
        values[:, SCORE] = np.sort(rng.random(candidates))[::-1] / 20
        gains = np.round(2 * values[:, features.NAMES.index(rule)]).astype(np.float64)
        gains[rng.random(candidates) < 0.25] = np.nan
        judged = tuple(gains[~np.isnan(gains)].tolist())
        made.append(Example(f"query {seed} {i}", values, gains, judged))
    return made


def trees(count: int = 30, *, rule: str = TELLS, seed: int = 0) -> booster.Trees:
    recipe = Recipe(seed=seed, parameters=SMALL)
    return training.fit(examples(rule=rule), count, recipe)


def manifest(**changes: object) -> Manifest:
    given = {
        "features_version": features.VERSION,
        "features": features.NAMES,
        "source": "judgments",
        "trees": 30,
        "seed": 0,
        "trained_at": "2026-01-01T00:00:00+00:00",
        "lightgbm": booster.version(),
        "figures": FIGURES,
    }
    return Manifest(**{**given, **changes})  # type: ignore[arg-type]


def live_model(data_dir: Path, *, rule: str = TELLS, popularity: str = "") -> Versions:
    """A shop's data folder with one version, which is live."""
    versions = Versions(data_dir / FOLDER)
    fitted = trees(rule=rule)
    made = manifest(popularity=popularity, importances=fitted.importances())
    versions.promote(versions.add(made, fitted))
    return versions
