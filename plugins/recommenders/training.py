"""Fits the factors of ``collaborative`` with the package implicit, and measures them.

implicit (Ben Frederickson, MIT licence) is the usual library for this; wheels for every Python
that Entrepot runs on. Imported when a model is trained alone: serving one is NumPy.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct, structs

from engine import Interactions, InvalidRequest, PluginError, bootstrap_interval

from .collaborative import STRENGTH, fold_in
from .models import Factors, Figures
from .popularity import decayed, shoppers_of

HELD_BACK = 0.2
"""The share of the interactions, the newest, that a model is measured on."""
TOP = 10
SEEDS = 20
"""A shopper's newest products, as when they ask."""
HALF_LIFE_DAYS = 7.0
"""Of the popularity that a model is measured against, as shops have it by default."""

Rows = npt.NDArray[np.intp]


class Recipe(Struct, frozen=True):
    """How to fit. ``least`` shoppers must have taken an interest in a product: its factors would
    tell of fewer ones' tastes."""

    factors: int = 64
    alpha: float = 10.0
    regularization: float = 0.05
    iterations: int = 15
    least: int = 10
    seed: int = 0
    threads: int = 1


def fit(seen: Interactions, recipe: Recipe) -> Factors:
    """The products' factors; the shoppers' are dropped.

    Raises:
        InvalidRequest: too little happened. PluginError: implicit is not installed.
    """
    known = np.flatnonzero(shoppers_of(seen) >= recipe.least)
    inside = seen.take(np.isin(seen.product, known))
    if len(known) <= 1 or not len(inside):
        raise InvalidRequest(
            f"events: {len(known)} products had {recipe.least} shoppers (events.anonymity) or "
            "more; train when more has happened",
            field="events",
        )
    als, sparse = _vendor("implicit.als"), _vendor("scipy.sparse")
    rows = np.searchsorted(known, inside.product)
    people, shopper = np.unique(inside.shopper, return_inverse=True)
    matrix = sparse.coo_matrix(
        (inside.weights, (shopper, rows)), shape=(len(people), len(known))
    ).tocsr()  # equal cells are summed
    matrix.data = (1.0 + recipe.alpha * np.minimum(matrix.data, STRENGTH)).astype(np.float32)
    model = als.AlternatingLeastSquares(
        factors=recipe.factors,
        regularization=recipe.regularization,
        iterations=recipe.iterations,
        num_threads=recipe.threads,
        random_state=recipe.seed,
        use_gpu=False,
    )
    model.fit(matrix, show_progress=False)
    products = np.asarray(model.item_factors, dtype=np.float32)
    ids = tuple(seen.products[i] for i in known)
    return Factors(ids, products, recipe.alpha, recipe.regularization)


def measure(seen: Interactions, recipe: Recipe) -> Figures:
    """Fit on the older part, and name each shopper's later products from their earlier ones.

    Raises:
        InvalidRequest: nobody came back for something else.
    """
    at = int(len(seen) * (1 - HELD_BACK))
    before, after = seen.take(np.arange(at)), seen.take(np.arange(at, len(seen)))
    factors = fit(before, recipe)
    row_of = np.asarray([factors.row.get(id, -1) for id in seen.products])
    moment = int(before.time[-1])
    popular = np.argsort(-decayed(_as_of(before, moment), HALF_LIFE_DAYS), kind="stable")
    earlier, later = _by_shopper(before), _by_shopper(after)
    model_hits, popular_hits = [], []
    for shopper, wanted in later.items():
        past = earlier.get(shopper)
        fresh = set(wanted.tolist()) - set(past.tolist()) if past is not None else set()
        if past is None or not fresh:
            continue
        known = set(past.tolist())
        named = _named(factors, row_of, past)
        model_hits.append(not fresh.isdisjoint([p for p in named if p not in known][:TOP]))
        first = [p for p in popular[: TOP + len(known)].tolist() if p not in known][:TOP]
        popular_hits.append(not fresh.isdisjoint(first))
    if not model_hits:
        raise InvalidRequest(
            "events: no shopper came back for another product; train when more has happened",
            field="events",
        )
    ours, theirs = np.asarray(model_hits, dtype=float), np.asarray(popular_hits, dtype=float)
    low, high = bootstrap_interval(ours - theirs)
    return Figures(len(ours), float(ours.mean()), float(theirs.mean()), low, high)


def version() -> str:
    """implicit's."""
    return str(_vendor("implicit").__version__)


def _as_of(seen: Interactions, moment: int) -> Interactions:
    return structs.replace(seen, now=moment)


def _by_shopper(seen: Interactions) -> dict[int, Rows]:
    """Each shopper's products, the newest first, each once."""
    found: dict[int, dict[int, None]] = {}
    rows = zip(seen.shopper[::-1].tolist(), seen.product[::-1].tolist(), strict=True)
    for shopper, product in rows:
        found.setdefault(shopper, {})[product] = None
    return {shopper: np.asarray(list(products)) for shopper, products in found.items()}


def _named(factors: Factors, row_of: Rows, past: Rows) -> list[int]:
    """Products (indices of all) that the model names, best first."""
    rows = row_of[past[:SEEDS]]
    rows = rows[rows >= 0]
    if not len(rows):
        return []
    taste = fold_in(factors, rows, np.ones(len(rows), dtype=np.float32))
    scores = factors.products @ taste
    order = np.argsort(-scores, kind="stable")[: TOP + len(past)]
    back = np.full(len(factors.ids), -1)
    back[row_of[row_of >= 0]] = np.flatnonzero(row_of >= 0)
    return [int(p) for p in back[order]]


def _vendor(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PluginError("implicit is not installed: pip install 'entrepot[recommend]'") from error
