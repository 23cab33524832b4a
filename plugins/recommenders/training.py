"""Fits the factors of ``collaborative`` with the package implicit, and measures them.

implicit (Ben Frederickson, MIT licence) is the usual library for this; wheels for every Python
that Entrepot runs on. Imported when a model is trained alone: serving one is NumPy.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, NamedTuple

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

Floats = npt.NDArray[np.float64]


REGULARIZATIONS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Tried one after the other: which is best depends on how much is known of a product, and decides
more than all else (Rendle and others, "Revisiting the Performance of iALS on Item Recommendation
Benchmarks", RecSys 2022)."""


class Recipe(Struct, frozen=True):
    """How to fit; ``alpha`` as in the paper of Hu and others. ``least`` shoppers must have taken an
    interest in a product: its factors would tell of fewer ones' tastes."""

    factors: int = 64
    alpha: float = 10.0
    regularization: float = 100.0
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
    # Its own threads and those of BLAS would wait for one another.
    with _vendor("threadpoolctl").threadpool_limits(1, "blas"):
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


def choose(seen: Interactions, recipe: Recipe) -> tuple[Recipe, Figures]:
    """The recipe with the best of :data:`REGULARIZATIONS`, and how good it is: each is fitted to
    the older part of what happened and asked about the newer one. The choice is made by every
    other shopper, the figures are those of the others.

    Raises:
        InvalidRequest: nobody came back.
    """
    split = _Split(seen)
    if len(split.questions) < 2:
        raise InvalidRequest(
            "events: no two shoppers came back for other products; train when more has happened",
            field="events",
        )
    found = []
    for value in REGULARIZATIONS:
        tried = structs.replace(recipe, regularization=value)
        hits = split.hits(fit(split.before, tried))
        found.append((float(hits[::2].mean()), -value, tried, hits))
    _, _, best, hits = max(found, key=lambda each: each[:2])
    ours, theirs = hits[1::2], split.popular()[1::2]
    low, high = bootstrap_interval(ours - theirs)
    return best, Figures(len(ours), float(ours.mean()), float(theirs.mean()), low, high)


class _Question(NamedTuple):
    """Products of a shopper, the newest first, and those that came later."""

    past: list[int]
    wanted: set[int]


class _Split:
    """What happened until some moment, and what is asked of it: for each shopper with a past, what
    they went for later that was new to them; and for their first visit after that moment, what
    else they looked at in it, given its first product. The one alone would be answered best by
    popularity, the other by what is like the product; a model has to serve for both.
    ``questions`` are by shopper."""

    def __init__(self, seen: Interactions) -> None:
        at = int(len(seen) * (1 - HELD_BACK))
        self.before, after = seen.take(np.arange(at)), seen.take(np.arange(at, len(seen)))
        earlier, later = _products_of(self.before, "shopper"), _products_of(after, "shopper")
        visits = _products_of(after, "session")
        first: dict[int, int] = {}
        for shopper, session in zip(after.shopper.tolist(), after.session.tolist(), strict=True):
            first.setdefault(shopper, session)
        self.questions: list[list[_Question]] = []
        for shopper, wanted in later.items():
            past, visit = earlier.get(shopper, []), visits[first[shopper]][::-1]
            asked = [
                _Question(past, set(wanted) - set(past)),
                _Question(visit[:1], set(visit[1:])),
            ]
            if asked := [each for each in asked if each.past and each.wanted]:
                self.questions.append(asked)

    def hits(self, factors: Factors) -> Floats:
        """By shopper, the share of their questions that one of the first :data:`TOP` products that
        the model names answers."""
        rows = [factors.row.get(id, -1) for id in self.before.products]
        named = {row: product for product, row in enumerate(rows) if row >= 0}

        def names(past: Sequence[int]) -> Iterator[int]:
            seeds = np.asarray([rows[p] for p in past[:SEEDS] if rows[p] >= 0], dtype=np.intp)
            if len(seeds):
                taste = fold_in(factors, seeds, np.full(len(seeds), STRENGTH / 2, dtype=np.float32))
                order = np.argsort(-(factors.products @ taste), kind="stable")
                yield from (named[row] for row in order[: TOP + len(past)].tolist())

        return self._answered(names)

    def popular(self) -> Floats:
        """The same of the most popular products."""
        moment = structs.replace(self.before, now=int(self.before.time[-1]))
        order = np.argsort(-decayed(moment, HALF_LIFE_DAYS), kind="stable").tolist()
        return self._answered(lambda past: order)

    def _answered(self, names: Callable[[Sequence[int]], Iterable[int]]) -> Floats:
        return np.asarray(
            [np.mean([_hit(names(each.past), each) for each in asked]) for asked in self.questions]
        )


def _hit(named: Iterable[int], asked: _Question) -> float:
    had = set(asked.past)
    return float(not asked.wanted.isdisjoint(islice((p for p in named if p not in had), TOP)))


def _products_of(seen: Interactions, owner: Literal["shopper", "session"]) -> dict[int, list[int]]:
    """By shopper or session: the products, the newest first, each once."""
    found: dict[int, dict[int, None]] = {}
    owners: list[int] = getattr(seen, owner)[::-1].tolist()
    for each, product in zip(owners, seen.product[::-1].tolist(), strict=True):
        found.setdefault(each, {})[product] = None
    return {each: list(products) for each, products in found.items()}


def version() -> str:
    """implicit's."""
    return str(_vendor("implicit").__version__)


def _vendor(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PluginError("implicit is not installed: pip install 'entrepot[recommend]'") from error
