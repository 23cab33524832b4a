"""Fits a ranking model and says what it is worth: cross-fitted by query, against the order before.

Every query's figure comes from trees that never saw it. How many trees there are is chosen within
each training fold, never on the fold that is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from engine import InvalidRequest, bootstrap_interval

from . import booster, features
from .booster import Floats, Rows, Trees
from .examples import Example, score
from .models import Figures

TREES = (50, 100, 200, 400)
"""Sizes of the ensemble that are compared."""
UNJUDGED = 40
"""Products per query that nobody judged, drawn as irrelevant ones. Without them a model that is
trained on what an earlier ranking chose misplaces what it did not choose (measured on home_depot,
1,000 candidates: condensed nDCG@10 of the first 200 is 0.80 without and 0.84 with them)."""
INNER = 3
"""Parts of a training fold, each of which is ranked by the others to choose the number of trees.
One part alone chose by chance: 50 to 200 trees in the folds of home_depot."""
LEAST_QUERIES = 10
Progress = Callable[[str], None]


class Recipe(Struct, frozen=True):
    """``condensed`` measures only what was judged; ``cut`` looks at so many of the window;
    ``parameters`` overrule :data:`plugins.ltr.booster.PARAMETERS`."""

    folds: int = 5
    seed: int = 0
    threads: int = 1
    condensed: bool = False
    cut: int | None = None
    parameters: Mapping[str, Any] = {}
    columns: tuple[str, ...] = features.NAMES


class Outcome(Struct, frozen=True, eq=False):
    """Per query: nDCG@10 of the model and of the order before it; ``trees`` chosen per fold."""

    model: Floats
    baseline: Floats
    trees: tuple[int, ...]

    def figures(self, seed: int = 0) -> Figures:
        change = self.model - self.baseline
        means = float(self.model.mean()), float(self.baseline.mean())
        return Figures(len(change), len(self.trees), *means, *bootstrap_interval(change, seed=seed))


def measurable(examples: Sequence[Example], recipe: Recipe) -> list[Example]:
    """The examples with something relevant to find; raises InvalidRequest for too few of them."""
    kept = [example for example in examples if max(example.judged, default=0.0) > 0]
    least = max(LEAST_QUERIES, 2 * recipe.folds)
    if len({example.text for example in kept}) < least:
        raise InvalidRequest(
            f"{len(kept)} queries have a product judged relevant; {least} are the least to train "
            "and measure a model with",
            field="queries",
        )
    return kept


def cross_validate(
    examples: Sequence[Example], recipe: Recipe, progress: Progress = lambda line: None
) -> Outcome:
    """Measure the recipe on every query by models of the other folds."""
    fold = folds(examples, recipe.folds, recipe.seed)
    found = np.zeros(len(examples))
    counts = []
    for k in range(recipe.folds):
        own, others = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        training = _at(examples, others)
        count = choose_trees(training, recipe)
        trees = fit(training, count, recipe)
        found[own] = [_score(trees, example, recipe) for example in _at(examples, own)]
        counts.append(count)
        progress(f"fold {k + 1} of {recipe.folds}: {count} trees")
    before = [_before(example, recipe) for example in examples]
    return Outcome(found, np.asarray(before), tuple(counts))


def choose_trees(examples: Sequence[Example], recipe: Recipe) -> int:
    """The best of :data:`TREES` by cross-validation in ``examples``, the fewest of equal ones."""
    part = folds(examples, INNER, recipe.seed + 1)
    found: list[list[float]] = []
    for k in range(INNER):
        trees = fit(_at(examples, np.flatnonzero(part != k)), max(TREES), recipe)
        held = _at(examples, np.flatnonzero(part == k))
        found += ([_score(trees, example, recipe, n) for n in TREES] for example in held)
    return TREES[int(np.argmax(np.round(np.mean(found, axis=0), 4)))]


def fit(examples: Sequence[Example], trees: int, recipe: Recipe) -> Trees:
    """One model of all ``examples``."""
    rows = training_rows(examples, recipe)
    return booster.fit(
        rows,
        recipe.columns,
        trees=trees,
        seed=recipe.seed,
        threads=recipe.threads,
        parameters=recipe.parameters,
    )


def training_rows(examples: Sequence[Example], recipe: Recipe) -> Rows:
    """All that was judged and up to :data:`UNJUDGED` others of each window."""
    rng = np.random.default_rng(recipe.seed)
    columns = [features.NAMES.index(name) for name in recipe.columns]
    values, gains, sizes = [], [], []
    for example in examples:
        known = np.flatnonzero(~np.isnan(example.gains))
        others = np.flatnonzero(np.isnan(example.gains))
        drawn = rng.choice(others, min(UNJUDGED, len(others)), replace=False)
        rows = np.sort(np.concatenate([known, drawn]))
        # Queries whose rows are all alike have nothing to say about an order.
        if len(rows) > 1 and np.ptp(np.nan_to_num(example.gains[rows])) > 0:
            values.append(example.values[rows][:, columns])
            gains.append(np.nan_to_num(example.gains[rows]))
            sizes.append(len(rows))
    if not sizes:
        raise InvalidRequest("no query finds a product judged relevant", field="queries")
    return Rows(np.concatenate(values), np.concatenate(gains), np.asarray(sizes))


def folds(examples: Sequence[Example], count: int, seed: int) -> npt.NDArray[np.intp]:
    """The fold of each example ``[n]``; a query's text is in one fold only."""
    texts = sorted({example.text for example in examples})
    order = np.random.default_rng(seed).permutation(len(texts))
    place = {texts[i]: rank % count for rank, i in enumerate(order)}
    return np.asarray([place[example.text] for example in examples], dtype=np.intp)


def _at(examples: Sequence[Example], places: npt.NDArray[np.intp]) -> list[Example]:
    return [examples[i] for i in places.tolist()]


def _score(trees: Trees, example: Example, recipe: Recipe, count: int | None = None) -> float:
    columns = [features.NAMES.index(name) for name in recipe.columns]
    margins = trees.margins(example.values[:, columns], count, recipe.threads)
    return score(example, margins, condensed=recipe.condensed, cut=recipe.cut)


def _before(example: Example, recipe: Recipe) -> float:
    return score(example, example.before, condensed=recipe.condensed, cut=recipe.cut)
