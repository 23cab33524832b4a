"""Facets: which fields help to narrow a result, and how many products each value would leave.

A field's own selection does not narrow its own counts (*disjunctive* faceting): each count says
how many results there are with that value under all *other* filters, so a second colour can be
added to the first. Where the answer shows one product per family, counts are of families, and so
equal the ``total`` after the value is selected.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any

import msgspec

from .filters import Filter, Scalar, Terms
from .protocols import VectorStore
from .schema import CORE_FIELDS, FieldKind, IndexSchema
from .types import FacetResult, FacetValue

AUTO = "*"
"""Among the fields asked for: let the engine add the most useful ones."""
MOST_FIELDS = 10
"""Fields that :data:`AUTO` adds."""
SAMPLE = 1000
"""Products of a browse that usefulness is judged by, the first ones."""
ENOUGH_BITS = 3.0
"""Values that tell eight products apart are as many as a list of choices needs."""
SPOKEN_OF = 1.5
"""How much more useful a field is that the words speak of."""
_SAYS_NOTHING = frozenset({"currency", "group_id", "locale", "updated_at"})
_ALL = 10_000
"""Values of a field that are looked through for the selected ones."""

Families = Sequence[Hashable]
"""A family per product; products alike in it count once."""
Ids = Callable[[Filter], list[str]]
"""The result set as it would be under another filter."""


class FacetQuestion(msgspec.Struct, frozen=True):
    """What is to be counted: the declared fields ``names`` (or :data:`AUTO`) of the products under
    ``filter``. ``selected`` are fields that the shopper filters by, ``spoken`` those that the
    words speak of; ``most`` values a field, and the selected ones. ``group_by`` counts families.
    All are stored fields; ``meant`` are those that others stand for (the shopper's price)."""

    names: tuple[str, ...]
    filter: Filter
    schema: IndexSchema
    selected: frozenset[str] = frozenset()
    spoken: tuple[str, ...] = ()
    most: int = 50
    group_by: str = ""
    meant: Mapping[str, str] = {}


def facets_of(
    asked: FacetQuestion, ids: Sequence[str], store: VectorStore, again: Ids
) -> dict[str, FacetResult]:
    """Counts over the result set ``ids``; ``again`` is asked for that of fields which the
    shopper filters by."""
    found: dict[str, FacetResult] = {}
    for name in _chosen(asked, ids, store):
        kind = _kind(asked, name)
        members: Sequence[str] = ids
        if name in asked.selected:
            members = again(without(asked.filter, name))
        wanted = [name, asked.group_by] if asked.group_by else [name]
        columns = store.columns(members, wanted)
        families = families_of(members, columns[asked.group_by]) if asked.group_by else None
        values = chosen_values(asked.filter, name) if name in asked.selected else ()
        found[name] = facet(kind, columns[name], asked.most, values, families)
    return found


def browse_facets(asked: FacetQuestion, store: VectorStore) -> dict[str, FacetResult]:
    """Counts over every product under the filter, however many."""
    if not asked.names:
        return {}

    def under(filter: Filter) -> list[str]:
        return store.scroll(filter, store.count(filter))

    if asked.group_by:
        return facets_of(asked, under(asked.filter), store, under)
    sample = store.scroll(asked.filter, SAMPLE) if AUTO in asked.names else ()
    found: dict[str, FacetResult] = {}
    for name in _chosen(asked, sample, store):
        own = name in asked.selected
        filter = without(asked.filter, name) if own else asked.filter
        if _kind(asked, name) is FieldKind.NUMBER:
            found[name] = facet(
                FieldKind.NUMBER, store.columns(under(filter), [name])[name], asked.most
            )
            continue
        chosen = chosen_values(asked.filter, name) if own else ()
        counts = store.facet(name, filter, _ALL if chosen else asked.most)
        found[name] = FacetResult(_shown(counts, asked.most, chosen))
    return found


def facet(
    kind: FieldKind,
    column: Sequence[Any],
    most: int,
    chosen: Collection[Scalar] = (),
    families: Families | None = None,
) -> FacetResult:
    """One field's values with their counts, or its range; ``chosen`` values are always told."""
    if kind is FieldKind.NUMBER:
        numbers = [value for value in column if value is not None]
        return FacetResult(min=min(numbers), max=max(numbers)) if numbers else FacetResult()
    counts = _counts(column) if families is None else _family_counts(column, families)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return FacetResult(_shown([FacetValue(v, count) for v, count in ordered], most, chosen))


def _shown(
    counts: Sequence[FacetValue], most: int, chosen: Collection[Scalar]
) -> tuple[FacetValue, ...]:
    """The largest, and behind them the chosen ones that are not among those."""
    shown = list(counts[:most])
    missing = [value for value in dict.fromkeys(chosen) if value not in {v.value for v in shown}]
    if missing:
        known = {value.value: value for value in counts[most:]}
        shown += [known.get(v) or FacetValue(v, 0) for v in missing if isinstance(v, str | bool)]
    return tuple(shown)


def _counts(column: Sequence[Any]) -> Counter[str | bool]:
    # Whole values first, for Counter is quick and few of them are distinct.
    whole = Counter(tuple(value) if isinstance(value, list) else (value,) for value in column)
    counts: Counter[str | bool] = Counter()
    for values, count in whole.items():
        for value in dict.fromkeys(values):
            if value is not None:
                counts[value] += count
    return counts


def _family_counts(column: Sequence[Any], families: Families) -> Counter[str | bool]:
    held: set[tuple[Any, Hashable]] = set()
    for value, family in zip(column, families, strict=True):
        held.update((one, family) for one in (value if isinstance(value, list) else (value,)))
    return Counter(value for value, _ in held if value is not None)


def families_of(ids: Sequence[str], column: Sequence[Any]) -> list[Hashable]:
    """Each product's family; one without is its own, and no family has its name."""
    return [
        (tuple(value) if isinstance(value, list) else value,) if value is not None else id
        for id, value in zip(ids, column, strict=True)
    ]


def without(filter: Filter, name: str) -> Filter:
    """``filter`` without its conditions on one field."""
    kept = tuple(c for c in filter.conditions if c.field != name)
    return msgspec.structs.replace(filter, conditions=kept)


def chosen_values(filter: Filter, name: str) -> tuple[Scalar, ...]:
    """The values of a field that ``filter`` asks for."""
    return tuple(
        value
        for condition in filter.conditions
        if isinstance(condition, Terms) and condition.field == name and not condition.negate
        for value in condition.values
        if value is not None
    )


def _kind(asked: FacetQuestion, name: str) -> FieldKind:
    # Names are checked as they were asked for; not declared is a price that no product has, in the
    # shopper's currency.
    return asked.schema.kind(name) or FieldKind.NUMBER


def _chosen(asked: FacetQuestion, ids: Sequence[str], store: VectorStore) -> list[str]:
    """The fields to count: those named, the selected ones and the most useful ones for
    :data:`AUTO`."""
    if AUTO not in asked.names:
        return list(dict.fromkeys(asked.names))
    declared = [*CORE_FIELDS, *asked.schema.attributes]
    names = [asked.meant.get(name, name) for name in declared if name not in _SAYS_NOTHING]
    columns = store.columns(ids, names)
    scores = {
        name: usefulness(columns[name]) * (SPOKEN_OF if name in asked.spoken else 1.0)
        for name in names
    }
    best = sorted((n for n in names if scores[n] > 0), key=lambda n: (-scores[n], n))
    named = [name for name in asked.names if name != AUTO]
    kept = [name for name in asked.schema.names() if name in asked.selected]
    return list(dict.fromkeys([*named, *kept, *best[:MOST_FIELDS]]))


def usefulness(column: Sequence[Any]) -> float:
    """How well a field narrows a result, 0 to 1: the share of products that have it × how many
    bits its values tell (up to :data:`ENOUGH_BITS`) × the share of products that are not the only
    ones with their value, for a number on every product is no choice. 0 where there is nothing to
    choose."""
    held = [tuple(v) if isinstance(v, list) else v for v in column if v is not None]
    counts = Counter(held)
    if len(counts) < 2:
        return 0.0
    covered = len(held) / len(column)
    if isinstance(held[0], float):  # a range is one choice, whatever its values
        return covered / ENOUGH_BITS
    bits = -sum(n / len(held) * math.log2(n / len(held)) for n in counts.values())
    repeated = 1.0 - len(counts) / len(held)
    return covered * min(1.0, bits / ENOUGH_BITS) * repeated


def counts_without(
    filter: Filter, selected: Collection[str], store: VectorStore
) -> Mapping[str, int]:
    """For a result that is empty: how many products there would be without each selected field's
    filter, where that is more than none."""
    counts = {name: store.count(without(filter, name)) for name in sorted(selected)}
    return {name: count for name, count in counts.items() if count}
