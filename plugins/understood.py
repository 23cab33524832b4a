"""Ranker ``understood``: lifts products that have what the shopper named.

Works on what ``understand`` linked: a span with the effect ``boost`` says that words stand for
values of a field. Scores are sums of reciprocal ranks, which know nothing of a product's colour;
a product with everything that was named is lifted by ``strength`` times the best score, one with
some of it by its share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from engine import Ranker, RankingBatch, Register, Vectors, hookimpl


class UnderstoodOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``strength`` is the lift of a product that has all that was named, as a share of the best
    score; 0 leaves the order as it is."""

    strength: Annotated[float, Meta(ge=0, le=10)] = 0.5


class Understood:
    """Each field counts as much as its surest span; a product that has any of the values that
    were named of it has it."""

    required_fields: Sequence[str] = ()
    required_vectors: Sequence[str] = ()

    def __init__(self, options: UnderstoodOptions) -> None:
        self._strength = options.strength

    def rank(self, batch: RankingBatch) -> Vectors:
        wanted: dict[str, set[str]] = {}
        weights: dict[str, float] = {}
        for span in batch.plan.spans:
            if span.effect == "boost" and span.field in batch.columns:
                wanted.setdefault(span.field, set()).update(span.values)
                weights[span.field] = max(weights.get(span.field, 0.0), span.confidence)
        whole = sum(weights.values())
        if not whole or not len(batch.scores):
            return batch.scores
        has = np.zeros(len(batch.scores), dtype=np.float64)
        for field, values in wanted.items():
            has += weights[field] * _having(batch.columns[field], values)
        lift = self._strength * float(batch.scores.max()) * has / whole
        return (batch.scores + lift).astype(np.float32)


def _having(column: Sequence[Any], values: set[str]) -> npt.NDArray[np.bool_]:
    """Which products have one of ``values``; a product may have several, or none."""
    held = (value if isinstance(value, list) else [value] for value in column)
    return np.asarray([not values.isdisjoint(h for h in hs if h is not None) for hs in held], bool)


@hookimpl
def register_rankers(register: Register[Ranker]) -> None:
    register("understood", Understood, UnderstoodOptions)
