"""Recommenders ``popularity`` and ``trending``: what many shoppers take an interest in.

``popularity`` is the sum of :data:`engine.EVENT_WEIGHTS`, each halved once per half-life since.
``trending`` compares a short half-life with a long one: with ``s`` and ``l`` the sums by either,
scaled to events per day, the score is ``(s + PRIOR) / (l + PRIOR)``, a rate ratio shrunk towards 1,
for products that more than one shopper looked at and whose score is :data:`RISE` at least. Both are
the usual exponential decay (Ding and Li, CIKM 2005); the figures are ours, untuned.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from engine import Interactions, Occasion, Recommended

DAY = 86_400e6
MOST = 1000
"""Products kept, for filters to choose from."""
PRIOR = 5.0
"""A day's clicks: below that, a rise is hardly told from chance."""
RISE = 1.25
Days = Annotated[float, Meta(gt=0)]
Floats = npt.NDArray[np.float64]


class PopularityOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """When an event counts half."""

    half_life_days: Days = 7.0


class TrendingOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """The half-lives whose rates are compared."""

    short_days: Days = 1.0
    long_days: Days = 14.0


class _Ranked:
    """Products in an order that is the same for everybody."""

    kind = text = ""

    def __init__(self) -> None:
        self._ranked: list[tuple[str, float]] = []

    def learn(self, seen: Interactions) -> None:
        scores = self.scores(seen)
        order = np.argsort(-scores, kind="stable")[:MOST]
        self._ranked = [(seen.products[i], float(scores[i])) for i in order if scores[i] > 0]

    def scores(self, seen: Interactions) -> Floats:
        """By product, ``[products]``; those of 0 or less are left out."""
        raise NotImplementedError

    def recommend(self, occasion: Occasion, n: int) -> list[Recommended]:
        ranked = dict(self._ranked)
        found = occasion.assortment.admitted(list(ranked), n)
        return [Recommended(id, ranked[id], self.kind, self.text) for id in found]


class Popularity(_Ranked):
    kind, text = "popular", "popular in the shop"

    def __init__(self, options: PopularityOptions) -> None:
        super().__init__()
        self._half_life = options.half_life_days

    def scores(self, seen: Interactions) -> Floats:
        return decayed(seen, self._half_life)


class Trending(_Ranked):
    kind, text = "trending", "in demand at the moment"

    def __init__(self, options: TrendingOptions) -> None:
        super().__init__()
        self._short, self._long = options.short_days, options.long_days

    def scores(self, seen: Interactions) -> Floats:
        # A sum of decayed weights divided by half-life / ln 2 is a rate per day.
        short, long = (decayed(seen, days) * np.log(2) / days for days in (self._short, self._long))
        ratio = (short + PRIOR) / (long + PRIOR)
        return np.where((ratio >= RISE) & (shoppers_of(seen) > 1), ratio, 0.0)


def decayed(seen: Interactions, half_life_days: float) -> Floats:
    """The decayed weight of each product, ``[products]``."""
    age = np.maximum(seen.now - seen.time, 0) / (half_life_days * DAY)
    gains = seen.weights * 0.5**age
    sums = np.bincount(seen.product, weights=gains, minlength=len(seen.products))
    return np.asarray(sums, dtype=np.float64)


def shoppers_of(seen: Interactions) -> Floats:
    """How many shoppers each product had, ``[products]``."""
    width = len(seen.products) or 1
    pairs = np.unique(seen.shopper.astype(np.int64) * width + seen.product)
    counts = np.bincount(pairs % width, minlength=len(seen.products))
    return np.asarray(counts, dtype=np.float64)
