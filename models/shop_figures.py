"""What is held out of a shop's catalogue, and the figures on it, before and after.

- title → photo: the titles of held-out products, gallery all photos of the shop, any product
  with that very title counts. R@1, R@10, MRR.
- query → photo: judged queries that were not trained, any product judged relevant counts.
- photo → photo: P@10 by category for the photos of held-out products among those of other
  products (P@k where a category has only k < 10 others).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from engine import InvalidRequest, Product

from .evaluation import Figure, figure, first_ranks
from .shop import Pairs, Shop

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Values = dict[str, npt.NDArray[np.float64]]
"""A figure's value for each query."""
HELD_OUT_SHARE = 0.1
LIKELY = 0.84 / 1.96
"""From the half of a 95 % interval to the distance of a one-sided 80 % bound (normal)."""
MIN_HELD_OUT = 20
"""Products, or queries, below which an interval says nothing."""
TITLES, QUERIES = "title → photo", "query → photo"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """``products[i]`` says whether product ``i`` is never trained; ``queries`` never are."""

    products: Flags
    queries: list[str]


class Change(Struct, frozen=True):
    """One figure before and after, and the difference by query with its paired interval."""

    before: Figure
    after: Figure
    difference: Figure

    def __str__(self) -> str:
        low, high = self.difference.low, self.difference.high
        return (
            f"{self.before.value:.3f} → {self.after.value:.3f}   "
            f"{self.difference.value:+.3f} ({low:+.3f} to {high:+.3f}, n = {self.before.n:,})"
        )


def hold_out(shop: Shop, pairs: Pairs, seed: int) -> HeldOut:
    """A tenth of the products, at least :data:`MIN_HELD_OUT`, in whole families; a tenth of the
    queries likewise where there are enough, and those that only held-out products answer.

    Raises:
        InvalidRequest: fewer can be held out, for most products are of a few families.
    """
    rng = np.random.default_rng((seed, 2))
    products = np.zeros(len(shop.products), dtype=bool)
    groups = families(shop.products)
    goal = max(HELD_OUT_SHARE * len(products), MIN_HELD_OUT)
    for group in rng.permutation(len(groups)):
        # A family that is a large part of the shop would leave little to train on.
        if products.sum() < goal and len(groups[group]) * 5 <= len(products):
            products[groups[group]] = True
    if products.sum() < MIN_HELD_OUT:
        raise InvalidRequest(
            f"{int(products.sum())} products can be held out, {MIN_HELD_OUT} are needed: most of "
            "the catalogue shares a few titles or variant families",
            field="catalogue",
        )
    place = {product.id: i for i, product in enumerate(shop.products)}
    asked = {q: [place[id] for id in ids if id in place] for q, ids in pairs.queries.items()}
    known = sorted(query for query, answers in asked.items() if answers)
    drawn: set[str] = set()
    if len(known) >= 2 * MIN_HELD_OUT:
        count = int(max(HELD_OUT_SHARE * len(known), MIN_HELD_OUT))
        drawn = {known[i] for i in rng.choice(len(known), count, replace=False)}
    queries = [q for q in known if q in drawn or all(products[i] for i in asked[q])]
    return HeldOut(products, queries)


def families(products: Sequence[Product]) -> list[list[int]]:
    """Products joined by title (in lower case) or by ``group_id``, also through others."""
    parents: dict[str, str] = {}

    def root(key: str) -> str:
        while parents.setdefault(key, key) != key:
            key = parents[key]
        return key

    titles = [f"title {product.title.lower()}" for product in products]
    for product, title in zip(products, titles, strict=True):
        if product.group_id:
            parents[root(title)] = root(f"group {product.group_id}")
    found: dict[str, list[int]] = {}
    for i, title in enumerate(titles):
        found.setdefault(root(title), []).append(i)
    return list(found.values())


def title_values(shop: Shop, held: HeldOut, titles: Floats, photos: Floats) -> Values:
    """``titles`` are the embedded titles of all products ``[n, d]``, ``photos`` of all photos."""
    named = np.asarray([product.title.lower() for product in shop.products])
    asked = {named[i]: i for i in np.flatnonzero(held.products)}.values()
    right = [named[shop.owner] == named[i] for i in asked]
    return _ranks(TITLES, titles[list(asked)] @ photos.T, right)


def query_values(
    shop: Shop, held: HeldOut, pairs: Pairs, queries: Floats, photos: Floats
) -> Values:
    """``queries`` are the embedded ``held.queries``; empty where there are none."""
    if not held.queries:
        return {}
    ids = np.asarray([product.id for product in shop.products])[shop.owner]
    right = [np.isin(ids, list(pairs.queries[query])) for query in held.queries]
    return _ranks(QUERIES, queries @ photos.T, right)


def photo_values(shop: Shop, held: HeldOut, photos: Floats) -> Values:
    """Empty where no held-out product shares its category with another product."""
    kinds = np.asarray(["\n".join(product.category) for product in shop.products])[shop.owner]
    found: list[float] = []
    for j in np.flatnonzero(held.products[shop.owner]):
        others = shop.owner != shop.owner[j]
        same = (kinds == kinds[j])[others]
        k = min(10, int(same.sum()))
        if kinds[j] and k:
            nearest = np.argsort(-(photos[others] @ photos[j]), kind="stable")[:k]
            found.append(float(same[nearest].mean()))
    return {"photo → photo P@10 by category": np.asarray(found)} if found else {}


def _ranks(name: str, scores: Floats, right: Sequence[Flags]) -> Values:
    ranks = first_ranks(scores, np.asarray(right))
    return {
        f"{name} R@1": (ranks <= 1).astype(np.float64),
        f"{name} R@10": (ranks <= 10).astype(np.float64),
        f"{name} MRR": 1.0 / ranks,
    }


def compare(before: Values, after: Values) -> dict[str, Change]:
    """The bootstrap of the differences draws queries, so each stays with itself (paired)."""
    return {
        name: Change(
            figure(before[name]),
            figure(after[name]),
            figure(after[name].astype(float) - before[name].astype(float)),
        )
        for name in before
    }


def main_figure(changes: dict[str, Change]) -> str:
    """What decides: the MRR of judged queries where there are enough of them, else of titles."""
    asked = changes.get(f"{QUERIES} MRR")
    enough = asked is not None and asked.before.n >= MIN_HELD_OUT
    return f"{QUERIES if enough else TITLES} MRR"


def refusal(changes: dict[str, Change]) -> str:
    """Why the new model may not replace the old one; empty where it may.

    The main figure must be better with a probability of four in five, for a tenth of a small
    shop rarely proves more (:func:`proven` says whether it did); no other figure may be worse
    beyond chance: its 95 % interval must not lie below 0.
    """
    main = main_figure(changes)
    difference = changes[main].difference
    if not difference.value - LIKELY * (difference.value - difference.low) > 0:  # NaN too
        return f"{main} is not likely to be better: {changes[main]}"
    worse = [name for name, change in changes.items() if change.difference.high < 0]
    return f"{worse[0]} is worse: {changes[worse[0]]}" if worse else ""


def proven(changes: dict[str, Change]) -> bool:
    """Whether the main figure's gain is beyond chance: its 95 % interval lies above 0."""
    return changes[main_figure(changes)].difference.low > 0


def moved_floor(before: Floats, after: Floats, floor: float) -> float:
    """The noise floor that lets as many pairs pass as ``floor`` did before: ``before`` and
    ``after`` are the cosines of the same query-photo pairs."""
    return round(float(np.quantile(after, float((before < floor).mean()))), 4)
