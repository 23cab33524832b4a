"""Ranker ``nearby-stock``: what lies in a warehouse near the shopper arrives sooner, and rises.

A shop that delivers from several warehouses lists, for each market (``market`` of a search), the
warehouses that are near it; products carry the warehouses they lie in, in a keyword attribute::

    [profiles.default]
    rankers = ["understood", "personal", "availability", "rules", "nearby-stock"]

    [plugins.options.nearby-stock]
    field = "warehouses"
    lift = 0.3
    near = { FR = ["lyon", "lille"], DE = ["leipzig"] }
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from engine import Ranker, RankingBatch, Register, Vectors, hookimpl

ENTREPOT_API = 1
"""The version of the plugin interface that this module is written for."""


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """What ``[plugins.options.nearby-stock]`` may say.

    ``near`` maps a market to its warehouses; ``field`` is the attribute that lists a product's;
    ``lift`` is the share of its score that a product gains.
    """

    near: dict[str, tuple[str, ...]]
    field: Annotated[str, Meta(min_length=1)] = "warehouses"
    lift: Annotated[float, Meta(gt=0, le=10)] = 0.3

    def __post_init__(self) -> None:
        if empty := [market for market, warehouses in self.near.items() if not warehouses]:
            raise ValueError(f"near: no warehouse is given for {', '.join(empty)}")


class NearbyStock:
    required_vectors: Sequence[str] = ()

    def __init__(self, options: Options) -> None:
        self.required_fields: Sequence[str] = (options.field,)
        self._field = options.field
        self._lift = options.lift
        self._near = options.near

    def rank(self, batch: RankingBatch) -> Vectors:
        """A factor on each score: relevance keeps its say, and other rankers' work counts."""
        near = np.array([bool(warehouse) for warehouse in self._nearest(batch)], dtype=np.float32)
        return (batch.scores * (1 + self._lift * near)).astype(np.float32)

    def explain(
        self, batch: RankingBatch, rows: npt.NDArray[np.intp]
    ) -> list[dict[str, float | str]]:
        """The warehouse that lifted a product, and by how much."""
        warehouses = self._nearest(batch)
        return [
            {f"in stock at {warehouses[row]}": float(self._lift * batch.scores[row])}
            if warehouses[row]
            else {}
            for row in rows
        ]

    def _nearest(self, batch: RankingBatch) -> list[str]:
        """For each product the first of the market's warehouses that has it, or ""."""
        wanted = self._near.get(batch.request.market or "", ())
        held = [_as_set(value) for value in batch.columns[self._field]]
        return [next((each for each in wanted if each in has), "") for has in held]


def _as_set(value: Any) -> frozenset[str]:
    """A keyword attribute is one text, a list of texts, or ``None`` where there is none."""
    if value is None:
        return frozenset()
    return frozenset([value] if isinstance(value, str) else value)


@hookimpl
def register_rankers(register: Register[Ranker]) -> None:
    register("nearby-stock", NearbyStock, Options)
