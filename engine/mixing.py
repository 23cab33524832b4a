"""Several recommenders' lists as one.

``score = Σ weight / (k + rank)`` over the recommenders that name a product: weighted reciprocal
rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009), as for lanes, because their scores are of
different kinds. Where that names too few, fallbacks fill the list in their order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

from .recommenders import Recommended


class Mixed(Struct, frozen=True):
    """A product of the mix: its score (0: a fallback's), and for each recommender that named it, by
    name, the rank from 1 and what it said."""

    id: str
    score: float
    named: dict[str, tuple[int, Recommended]]


def mix(
    lists: Mapping[str, Sequence[Recommended]], weights: Mapping[str, float], k: int
) -> list[Mixed]:
    """The lists as one, best first, equal scores by id; a list of weight 0 counts for nothing."""
    named: dict[str, dict[str, tuple[int, Recommended]]] = {}
    for name, found in lists.items():
        if weights.get(name, 1.0) > 0:
            for rank, each in enumerate(found, start=1):
                named.setdefault(each.id, {})[name] = (rank, each)
    whole = [
        # fsum: the order of the lists must not decide between equal scores.
        Mixed(id, math.fsum(weights.get(n, 1.0) / (k + rank) for n, (rank, _) in by.items()), by)
        for id, by in named.items()
    ]
    return sorted(whole, key=lambda each: (-each.score, each.id))


def fill(mixed: Sequence[Mixed], lists: Mapping[str, Sequence[Recommended]]) -> list[Mixed]:
    """``mixed``, and behind it what ``lists`` name beyond it. That has no score beside the
    others': it is 0."""
    whole = {each.id: each for each in mixed}
    for name, found in lists.items():
        for rank, each in enumerate(found, start=1):
            whole.setdefault(each.id, Mixed(each.id, 0.0, {name: (rank, each)}))
    return list(whole.values())
