"""Variants of one family as one result: the best-placed one stands for all that match.

What is grouped is the whole result set, not a window of it, so every page, ``total`` and the facet
counts speak of families, and no family shows twice. Algolia calls it *distinct*, Elasticsearch
*collapse*, Typesense *group_by*.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from .facets import families_of
from .protocols import VectorStore
from .types import Variants

NAMED = 20
"""Of the other variants that a hit names."""


class Groups:
    """The families of a result set."""

    def __init__(self, ids: Sequence[str], field: str, store: VectorStore) -> None:
        families = families_of(ids, store.columns(ids, [field])[field])
        self._family: dict[str, Hashable] = dict(zip(ids, families, strict=True))
        self._members: dict[Hashable, list[str]] = {}
        for id, family in self._family.items():
            self._members.setdefault(family, []).append(id)

    def __len__(self) -> int:
        return len(self._members)

    def leading(self, order: Iterable[str]) -> list[str]:
        """The first of each family; ``order`` holds ids of the result set, best first."""
        seen: set[Hashable] = set()
        first: list[str] = []
        for id in order:
            if (family := self._family[id]) not in seen:
                seen.add(family)
                first.append(id)
        return first

    def variants(self, id: str) -> Variants | None:
        """The others that ``id`` stands for, in the order of the result set; None where it
        stands for itself alone."""
        family = self._family.get(id)
        others = [other for other in self._members.get(family, ()) if other != id]
        return Variants(len(others), tuple(others[:NAMED])) if others else None
