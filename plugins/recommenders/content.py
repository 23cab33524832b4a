"""Recommender ``content``: products whose texts and photos are like those of the seeds.

The stored vectors of each of the first :data:`SEEDS` seeds search the index, texts and photos in
lanes of their own, and the lists are fused by reciprocal ranks. It needs no event, so that it knows
a product from the moment it is indexed, and a visitor from the first click.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from engine import LaneQuery, Occasion, Recommended, unit

SEEDS = 4
"""Searched for; two lanes each. An average of unlike products would be like none of them."""
K = 60
Using = Literal["text", "image"]
TOLD: dict[Using, tuple[str, str]] = {
    "text": ("similar", "similar to"),
    "image": ("looks_like", "looks like"),
}
"""By the vectors that found it: why a product is recommended."""


class Content:
    def recommend(self, occasion: Occasion, n: int) -> list[Recommended]:
        lanes = list(_lanes(occasion))
        if not lanes:
            return []
        found = occasion.assortment.search([lane for lane, *_ in lanes], n)
        sums: dict[str, float] = {}
        best: dict[str, tuple[float, str, Using]] = {}
        for (_, using, seed, weight), hits in zip(lanes, found, strict=True):
            for rank, hit in enumerate(hits, start=1):
                share = weight / (K + rank)
                sums[hit.id] = sums.get(hit.id, 0.0) + share
                best[hit.id] = max(best.get(hit.id, (0.0, "", "text")), (share, seed, using))
        ranked = sorted(sums, key=lambda id: (-sums[id], id))[:n]
        return [Recommended(id, sums[id], *TOLD[best[id][2]], best[id][1]) for id in ranked]


def _lanes(occasion: Occasion) -> Iterator[tuple[LaneQuery, Using, str, float]]:
    """Each question with its vectors, its seed and what it weighs."""
    seeds = occasion.seeds[:SEEDS]
    if not seeds:
        return
    for using in TOLD:
        rows = occasion.assortment.vectors(seeds, using)
        for seed, own, weight in zip(seeds, rows, occasion.weights.tolist(), strict=False):
            if len(own):
                lane = LaneQuery(f"{using}:{seed}", using, unit(own.mean(axis=0)))
                yield lane, using, seed, weight
