"""Field values of every product, in memory, beside an embedded shard.

Reading a payload is what makes a vector search slow (measured at 18k products: three lanes
to depth 1,000 take 5 ms without payload, 14 ms with one key of it). One process holds a
shard, so this copy is always true; search, columns, facets, sorting and counts read it.
It costs about 800 bytes per product of ten fields (measured; values are interned, titles not).
"""

from __future__ import annotations

import heapq
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from engine.filters import Filter, Range, Terms
from engine.types import FacetValue, SortBy

from .qdrant_common import sort_ids

PointId = int | UUID | str
"""A number; in a shard that a Qdrant server wrote, or an earlier version, a UUID. The vendor also
has strings, in UUID form."""
Fields = dict[str, Any]
_NONE: Fields = {}


class DocValues:
    """Not locked: a change is one dict operation, and a read works on a copy of the outer
    dict, made in one step. Reads make no container per product, which would wake the garbage
    collector again and again (measured: a sort in 180 ms instead of 9)."""

    def __init__(self) -> None:
        self._fields: dict[str, Fields] = {}
        self._titles: dict[str, str] = {}
        self._points: dict[str, PointId] = {}
        self._ids: dict[PointId, str] = {}
        self._last = 0
        self._reserved: dict[str, PointId] = {}
        self._holders: Counter[str] = Counter()

    def put(self, product_id: str, point: PointId, title: str, fields: Mapping[str, Any]) -> None:
        self._count(product_id, -1)
        self._fields[product_id] = {
            sys.intern(name): _intern(value) for name, value in fields.items()
        }
        self._count(product_id, 1)
        self._titles[product_id] = title
        self._points[product_id] = point
        self._reserved.pop(product_id, None)
        self._ids[point] = product_id
        if isinstance(point, int):
            self._last = max(self._last, point)

    def drop(self, product_id: str) -> None:
        self._count(product_id, -1)
        self._fields.pop(product_id, None)
        self._titles.pop(product_id, None)
        self._ids.pop(self._points.pop(product_id, 0), None)
        self._reserved.pop(product_id, None)

    def points(self, ids: Iterable[str]) -> list[PointId]:
        """The points of those products that there are."""
        return [point for id in ids if (point := self._points.get(id)) is not None]

    def number(self, ids: Sequence[str]) -> list[PointId]:
        """The points to write products to. One that is not there yet gets a number that stays its
        own: a write that failed may have reached the shard, and must not be found beside its
        repetition."""
        return [self._points.get(id) or self._reserve(id) for id in ids]

    def _reserve(self, product_id: str) -> PointId:
        if product_id not in self._reserved:
            self._last += 1
            self._reserved[product_id] = self._last
        return self._reserved[product_id]

    def written(self, ids: Iterable[str]) -> list[PointId]:
        """The points of those products that there are, or that may be in the shard since a write
        failed."""
        held = (self._points.get(id) or self._reserved.get(id) for id in ids)
        return [point for point in held if point is not None]

    def product(self, point: PointId) -> str | None:
        """Whose point it is."""
        return self._ids.get(point)

    def rows_of(self, hits: Iterable[Any]) -> list[tuple[float, str]]:
        """(negated score, product id) of a search's hits; a point that another thread is just
        deleting is left out. One flat loop: a request passes 3,000 hits through it."""
        known = self._ids.get
        return [(-hit.score, id) for hit in hits if (id := known(hit.id)) is not None]

    def columns(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, list[Any]]:
        """Each field's values ("title" is one), ``None`` where absent."""
        docs = [self._fields.get(id, _NONE) for id in ids]
        found = {field: [doc.get(field) for doc in docs] for field in fields}
        if "title" in found:
            found["title"] = [self._titles.get(id) for id in ids]
        return found

    def plainer(self, filter: Filter) -> Filter:
        """``filter`` without asking for products that lack a field where none does: to look
        whether a field is empty is slow (0.35 ms of a search of 18,318 products)."""
        if not any(isinstance(c, Terms) and None in c.values for c in filter.conditions):
            return filter
        return msgspec.structs.replace(
            filter, conditions=tuple(map(self._plainer, filter.conditions))
        )

    def _plainer(self, condition: Terms | Range) -> Terms | Range:
        if isinstance(condition, Range) or self._holders[condition.field] < len(self._fields):
            return condition
        values = tuple(value for value in condition.values if value is not None)
        return msgspec.structs.replace(condition, values=values)

    def _count(self, product_id: str, change: int) -> None:
        """Count a product that comes or goes among those that have its fields."""
        for name in self._fields.get(product_id, _NONE):
            self._holders[name] += change

    def facet(self, field: str, filter: Filter, limit: int) -> list[FacetValue]:
        """Exact counts of strings and flags; a list counts once under each of its values."""
        ids, docs = self._matching(filter)
        counts: Counter[Any] = Counter()
        for id in ids:
            value = docs[id].get(field)
            if isinstance(value, list):
                counts.update(set(value))
            elif isinstance(value, str | bool):
                counts[value] += 1
        best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
        return [FacetValue(value, count) for value, count in best]

    def scroll(self, filter: Filter, limit: int, offset: int, sort: SortBy | None) -> list[str]:
        ids, docs = self._matching(filter)
        if sort is None:
            return heapq.nsmallest(offset + limit, ids)[offset:]
        values = {id: docs[id].get(sort.field) for id in ids}
        return sort_ids(ids, values, sort.order)[offset : offset + limit]

    def count(self, filter: Filter) -> int:
        return len(self._matching(filter)[0]) if filter != Filter() else len(self._fields)

    def _matching(self, filter: Filter) -> tuple[list[str], dict[str, Fields]]:
        """The products under ``filter``, as :func:`engine.filters.matches` means it, and the
        fields of all of them."""
        docs = self._fields.copy()
        named = docs if filter.ids is None else dict.fromkeys(filter.ids)
        ids = _under([id for id in named if id in docs], docs, filter.conditions)
        excluded = set(filter.exclude_ids)
        for group in filter.exclude:
            excluded.update(_under(ids, docs, group))
        return [id for id in ids if id not in excluded] if excluded else ids, docs


def _under(
    ids: list[str], docs: dict[str, Fields], conditions: Sequence[Terms | Range]
) -> list[str]:
    for condition in conditions:
        if isinstance(condition, Terms):
            ids = _with_terms(ids, docs, condition)
        else:
            ids = _in_range(ids, docs, condition)
    return ids


def _with_terms(ids: list[str], docs: dict[str, Fields], condition: Terms) -> list[str]:
    field, wanted, negate = condition.field, frozenset(condition.values), condition.negate
    kept = []
    for id in ids:
        value = docs[id].get(field)
        held = not wanted.isdisjoint(value) if isinstance(value, list) else value in wanted
        if held != negate:
            kept.append(id)
    return kept


def _in_range(ids: list[str], docs: dict[str, Fields], condition: Range) -> list[str]:
    field, above, below = condition.field, _lower(condition), _upper(condition)
    kept = []
    for id in ids:
        value = docs[id].get(field)
        if isinstance(value, int | float) and above(value) and below(value):
            kept.append(id)
    return kept


def _lower(condition: Range) -> Callable[[float], bool]:
    gt = -math.inf if condition.gt is None else condition.gt
    gte = -math.inf if condition.gte is None else condition.gte
    return (lambda value: value > gt) if gt >= gte else (lambda value: value >= gte)


def _upper(condition: Range) -> Callable[[float], bool]:
    lt = math.inf if condition.lt is None else condition.lt
    lte = math.inf if condition.lte is None else condition.lte
    return (lambda value: value < lt) if lt <= lte else (lambda value: value <= lte)


def _intern(value: Any) -> Any:
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, list):
        return [sys.intern(item) for item in value]
    return value
