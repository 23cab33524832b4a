"""Occasions to try recommenders on: a toy assortment, and what shoppers did in its shop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np

from engine.events import Event, EventProduct, EventType
from engine.interactions import Interactions, read_interactions
from engine.protocols import LaneQuery, Scored, Vectors
from engine.recommenders import Occasion, even_weights
from engine.schema import CORE_FIELDS, IndexSchema
from engine.settings import Place
from engine.types import SortBy

from .windows import VECTOR_DIM, a_profile

PRODUCTS = tuple(f"p{n:03}" for n in range(40))
GONE = "gone"
"""A product that events name and the shop has no longer."""
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class ToyAssortment:
    """Forty products, or those of ``stocked``, less ``without``; vectors follow from the ids."""

    schema = IndexSchema()

    def __init__(
        self, without: Sequence[str] = (), stocked: Sequence[str] = PRODUCTS, vectors: bool = True
    ) -> None:
        self._stocked = {id: n for n, id in enumerate(PRODUCTS) if id in stocked}
        self._without = frozenset(without)
        rows = np.random.default_rng(2).standard_normal((len(PRODUCTS), VECTOR_DIM))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        self._rows: Vectors = rows.astype(np.float32)[:, : VECTOR_DIM * vectors]

    def admitted(self, ids: Sequence[str], most: int) -> list[str]:
        return [id for id in ids if id in self._stocked and id not in self._without][:most]

    def search(self, lanes: Sequence[LaneQuery], n: int) -> list[list[Scored]]:
        return [self._best(lane, n) for lane in lanes]

    def browse(self, n: int, sort: SortBy | None = None) -> list[str]:
        return self.admitted(PRODUCTS, n)

    def vectors(self, ids: Sequence[str], using: Literal["text", "image"]) -> list[Vectors]:
        none = np.zeros((0, VECTOR_DIM), dtype=np.float32)
        known = self._rows.size > 0
        return [
            self._rows[self._stocked[id]][None] if known and id in self._stocked else none
            for id in ids
        ]

    def columns(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, list[Any]]:
        core: dict[str, Any] = dict.fromkeys(CORE_FIELDS) | {"locale": "en"}
        core |= {"in_stock": True, "category": ["A"], "price": 10.0}
        return {
            field: [core.get(field) if id in self._stocked else None for id in ids]
            for field in fields
        }

    def _best(self, lane: LaneQuery, n: int) -> list[Scored]:
        ids = self.admitted(PRODUCTS, len(PRODUCTS))
        if lane.vector is None or not self._rows.size:
            return [Scored(id, 1.0) for id in ids[:n]]
        scores = self._rows[[self._stocked[id] for id in ids]] @ lane.vector
        ranked = sorted(zip(-scores, ids, strict=True))
        return [Scored(id, float(-score)) for score, id in ranked[:n]]


def an_occasion(
    place: Place = "product",
    seeds: Sequence[str] = PRODUCTS[:1],
    *,
    stocked: Sequence[str] = PRODUCTS,
    vectors: bool = True,
    known: bool = False,
) -> Occasion:
    """An occasion in the toy shop, whose seeds are not to be recommended; ``known``: of a shopper
    with a profile."""
    assortment = ToyAssortment(seeds, stocked, vectors)
    profile = a_profile(VECTOR_DIM) if known else None
    return Occasion(place, tuple(seeds), even_weights(len(seeds)), assortment, profile)


def occasions() -> dict[str, Occasion]:
    """By what is special about each, one of every kind."""
    return {
        "a product": an_occasion(),
        "a cart": an_occasion("cart", PRODUCTS[1:5]),
        "a shopper": an_occasion("user", PRODUCTS[2:14], known=True),
        "a shopper nobody knows": an_occasion("user", ()),
        "a product that nobody looked at": an_occasion(seeds=PRODUCTS[-1:]),
        "a product that is not there": an_occasion(seeds=("no such",)),
        "products without vectors": an_occasion("cart", PRODUCTS[:3], vectors=False),
        "a shop with one other product": an_occasion(stocked=PRODUCTS[:2]),
        "a shop with nothing else": an_occasion(stocked=PRODUCTS[:1]),
    }


def some_events(shoppers: int = 60, products: Sequence[str] = PRODUCTS[:30]) -> list[Event]:
    """What shoppers of the toy shop did within three weeks: each looks at five neighbouring
    products and buys two of them."""
    rng = np.random.default_rng(5)
    events: list[Event] = []
    for shopper in range(shoppers):
        start = NOW - timedelta(minutes=float(rng.uniform(5, 30_000)))
        first = int(rng.integers(0, len(products) - 4))
        viewed = [products[first + int(step)] for step in rng.permutation(5)]
        done: list[tuple[EventType, list[str]]] = [("view", [id]) for id in viewed]
        done += [("impression", viewed), ("cart", viewed[:1]), ("purchase", [*viewed[:2], GONE])]
        for n, (type, ids) in enumerate(done):
            events.append(
                Event(
                    id=f"{shopper}-{n}",
                    type=type,
                    time=start + timedelta(seconds=20 * n),
                    user_id=f"u{shopper}" if n > 2 else None,
                    session_id=f"s{shopper}",
                    products=tuple(EventProduct(id) for id in ids),
                )
            )
    return sorted(events, key=lambda event: event.time or NOW)


def some_interactions(shoppers: int = 60, products: Sequence[str] = PRODUCTS[:30]) -> Interactions:
    """:func:`some_events` as recommenders get them."""
    return read_interactions([some_events(shoppers, products)], NOW)
