"""Recommenders ``bought_together`` and ``viewed_together``: products that shoppers take an interest
in within one visit.

Two products that a shopper bought or put into the cart (viewed in any way) in one session, at most
:data:`REACH` other products apart, are a pair of that shopper. Over all shoppers, how surprising a
pair's frequency is: the log-likelihood ratio of Dunning ("Accurate Methods for the Statistics of
Surprise and Coincidence", Computational Linguistics 19(1), 1993), on the table of shoppers who have
both products, the one, the other, neither. It damps pairs of few shoppers, where lift does not. A
shopper counts once in it, so that no single one makes a pair, however often they come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from engine import INTERACTIONS, Interactions, Occasion, Recommended

REACH = 10
"""Products of a visit that count as neighbours of one; it bounds the pairs that are counted."""
SHOPPERS = 2
"""Who must have a pair: what a single shopper bought is nobody else's business."""
SURPRISE = 3.84
"""The least log-likelihood ratio: the 95 % point of χ² with one degree of freedom."""
NEIGHBOURS = 50
"""Kept of each product."""

Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class _Neighbours:
    """What goes with each product, as rows of one table: ``start[i]`` to ``start[i + 1]`` are those
    of product ``i``, best first."""

    def __init__(self, products: Sequence[str], left: Longs, right: Longs, score: Floats) -> None:
        order = np.lexsort((right, -score, left))
        left, right, score = left[order], right[order], score[order]
        start = np.searchsorted(left, np.arange(len(products) + 1))
        kept = np.arange(len(left)) - start[left] < NEIGHBOURS
        # Only products that have a neighbour are named: bounded by what is kept.
        self._right, self._score = right[kept], score[kept]
        self._names = {int(i): products[i] for i in np.unique(left[kept])}
        self._number = {name: number for number, name in self._names.items()}
        self._start = np.searchsorted(left[kept], np.arange(len(products) + 1))

    def of(self, product: str) -> list[tuple[str, float]]:
        number = self._number.get(product)
        if number is None:
            return []
        rows = slice(self._start[number], self._start[number + 1])
        pairs = zip(self._right[rows].tolist(), self._score[rows].tolist(), strict=True)
        return [(self._names[other], score) for other, score in pairs]


class _Together:
    """The sum over the seeds of weight × √ratio: the square root, like a normal deviate, keeps one
    very frequent pair from drowning the other seeds."""

    types: ClassVar[tuple[str, ...]]
    kind: ClassVar[str]
    text: ClassVar[str]

    def __init__(self) -> None:
        self._neighbours: _Neighbours | None = None

    def learn(self, seen: Interactions) -> None:
        numbers = [INTERACTIONS.index(name) for name in self.types]
        self._neighbours = _neighbours(seen.take(np.isin(seen.type, numbers)))

    def recommend(self, occasion: Occasion, n: int) -> list[Recommended]:
        table = self._neighbours
        if table is None:
            return []
        sums: dict[str, float] = {}
        best: dict[str, tuple[float, str]] = {}
        for seed, weight in zip(occasion.seeds, occasion.weights.tolist(), strict=True):
            for other, ratio in table.of(seed):
                share = weight * ratio**0.5
                sums[other] = sums.get(other, 0.0) + share
                best[other] = max(best.get(other, (0.0, "")), (share, seed))
        ranked = sorted(sums, key=lambda id: (-sums[id], id))
        return [
            Recommended(id, sums[id], self.kind, self.text, best[id][1])
            for id in occasion.assortment.admitted(ranked, n)
        ]


class BoughtTogether(_Together):
    types = ("cart", "purchase")
    kind = "bought_together"
    text = "often bought with"


class ViewedTogether(_Together):
    types = INTERACTIONS
    kind = "viewed_together"
    text = "often looked at with"


def _neighbours(seen: Interactions) -> _Neighbours | None:
    if not len(seen):
        return None
    width = len(seen.products)
    product, shopper, session = (
        column.astype(np.int64) for column in (seen.product, seen.shopper, seen.session)
    )
    # Each product of a visit once, at its first place.
    _, first = np.unique(session * width + product, return_index=True)
    visits = first[np.lexsort((first, session[first]))]
    keys = _pairs(product[visits], shopper[visits], session[visits], width)
    pair, count = np.unique(keys, return_counts=True)
    enough = count >= SHOPPERS
    pair, both = pair[enough], np.asarray(count[enough], dtype=np.float64)
    left, right = pair // width, pair % width
    people = int(shopper.max()) + 1
    owners = np.unique(product * people + shopper) // people
    fans = np.asarray(np.bincount(owners, minlength=width), dtype=np.float64)
    ratio = log_likelihood(both, fans[left], fans[right], float(len(np.unique(shopper))))
    strong = ratio >= SURPRISE
    left, right, ratio = left[strong], right[strong], ratio[strong]
    if not len(ratio):
        return None
    return _Neighbours(
        seen.products,
        np.concatenate([left, right]),
        np.concatenate([right, left]),
        np.concatenate([ratio, ratio]),
    )


def _pairs(product: Longs, shopper: Longs, session: Longs, width: int) -> Longs:
    """Every pair, ``smaller product × width + larger``, once for each shopper who has it."""
    keys: list[Longs] = []
    people: list[Longs] = []
    for gap in range(1, REACH + 1):
        same = session[gap:] == session[:-gap]
        one, other = product[:-gap][same], product[gap:][same]
        keys.append(np.minimum(one, other) * width + np.maximum(one, other))
        people.append(shopper[gap:][same])
    key, who = np.concatenate(keys), np.concatenate(people)
    order = np.lexsort((who, key))
    key, who = key[order], who[order]
    fresh = np.ones(len(key), dtype=bool)
    fresh[1:] = (key[1:] != key[:-1]) | (who[1:] != who[:-1])
    return key[fresh]


def log_likelihood(both: Floats, one: Floats, other: Floats, everybody: float) -> Floats:
    """Dunning's ratio for pairs of products, ``[n]``, ≥ 0: ``both``, ``one`` and ``other`` count
    the shoppers of both and of each product. 0 for pairs less frequent than chance would have it.
    """
    table = (both, one - both, other - both, everybody - one - other + both)
    rows = _entropy(table[0] + table[1], table[2] + table[3])
    columns = _entropy(table[0] + table[2], table[1] + table[3])
    ratio = 2.0 * (rows + columns - _entropy(*table))
    return np.where(both * everybody > one * other, np.maximum(ratio, 0.0), 0.0)


def _entropy(*counts: Floats) -> Floats:
    """Unnormalized Shannon entropy: Σ −x · ln(x / total)."""
    total = sum(counts)
    return _xlogx(np.asarray(total)) - sum((_xlogx(count) for count in counts), np.float64(0.0))


def _xlogx(values: Floats) -> Floats:
    return values * np.log(np.where(values > 0, values, 1.0))
