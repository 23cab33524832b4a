"""Ranker ``understood``: lifts products that have what the shopper named.

Works on what ``understand`` linked: a span with the effect ``boost`` says that words stand for
values of a field. Scores are sums of reciprocal ranks, which know nothing of a product's colour;
a product with everything that was named is lifted by ``strength`` times the best score, one with
some of it by its share. Words that nobody understood count among what was named and are had by
none, so that the lanes keep their say about them.

Strength and :data:`TYPE_WEIGHT` were chosen on queries made of type, colour and department of
products that no figure is told of (``benchmarks/understanding.py``). Weighing a value by how
rare it is in the window made them worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from engine import Query, QueryPlan, Ranker, RankingBatch, Register, Vectors, hookimpl

from .gazetteer import FUNCTION_WORDS
from .word_forms import words_of

TYPE = "core_product_type"
_SETTLED = frozenset({"price", "negation", "size", "quantity", "UoM"})
"""Labels of the grammar: its words are dealt with, or not in any field."""


TYPE_WEIGHT = 2.0
"""What a thing is counts so much more than what it is like."""


class UnderstoodOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``strength`` is the lift of a product that has all that was named, as a share of the best
    score; 0 leaves the order as it is."""

    strength: Annotated[float, Meta(ge=0, le=10)] = 1.0


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
                weight = span.confidence * (TYPE_WEIGHT if span.label == TYPE else 1.0)
                wanted.setdefault(span.field, set()).update(span.values)
                weights[span.field] = max(weights.get(span.field, 0.0), weight)
        if not any(weights.values()) or not len(batch.scores):
            return batch.scores
        has = np.zeros(len(batch.scores), dtype=np.float64)
        for field, values in wanted.items():
            has += weights[field] * having(batch.columns[field], values)
        whole = sum(weights.values()) + _not_understood(batch.plan)
        strength = self._strength * _share_of_words(batch.request.query)
        lift = strength * float(batch.scores.max()) * has / whole
        return (batch.scores + lift).astype(np.float32)


def _share_of_words(query: Query | None) -> float:
    """What the words count beside a picture: as much as their lanes do."""
    if query is None or (query.image is None and not query.like):
        return 1.0
    return 1.0 - query.image_weight


def _not_understood(plan: QueryPlan) -> int:
    """How many words that say something stand for nothing the shop has."""
    understood = [(s.start, s.end) for s in plan.spans if s.field or s.label in _SETTLED]
    return sum(
        word.form not in FUNCTION_WORDS
        and not any(start < word.end and word.start < end for start, end in understood)
        for word in words_of(plan.read)
    )


def having(column: Sequence[Any], values: set[str]) -> npt.NDArray[np.bool_]:
    """Which products have one of ``values``; a product may have several, or none."""
    held = (value if isinstance(value, list) else [value] for value in column)
    return np.asarray([not values.isdisjoint(h for h in hs if h is not None) for hs in held], bool)


@hookimpl
def register_rankers(register: Register[Ranker]) -> None:
    register("understood", Understood, UnderstoodOptions)
