"""Recommender ``newest``: the newest products, or any, for a shop that knows nothing else."""

from __future__ import annotations

from engine import Occasion, Recommended, SortBy


class Newest:
    def recommend(self, occasion: Occasion, n: int) -> list[Recommended]:
        ids = occasion.assortment.browse(n, SortBy("updated_at", "desc"))
        dated = occasion.assortment.columns(ids, ["updated_at"])["updated_at"]
        return [
            Recommended(id, -float(place), "any", "from the shop")
            if date is None
            else Recommended(id, -float(place), "new", "new in the shop")
            for place, (id, date) in enumerate(zip(ids, dated, strict=True))
        ]
