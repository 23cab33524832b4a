"""Filters as the API takes them, checked against the schema and turned into a small AST.

Stores compile the AST to their own language; :func:`matches` is its reference meaning,
against which the compilers are property-tested.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from .errors import InvalidFilter, did_you_mean
from .plan import Selection
from .schema import FieldKind, IndexSchema
from .types import AttributeValue

Scalar = str | float | bool
_BOUNDS = ("gt", "gte", "lt", "lte")
MAX_VALUES = 1000


class Terms(Struct, frozen=True):
    """The field holds any of ``values`` (``negate``: none of them). ``None`` among them is had by
    products where the field is absent or an empty list."""

    field: str
    values: tuple[Scalar | None, ...]
    negate: bool = False


class Range(Struct, frozen=True):
    """The number field lies within the given bounds; absent fields do not match."""

    field: str
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None


Condition = Terms | Range


class Filter(Struct, frozen=True):
    """A conjunction of conditions, minus the products named in ``exclude_ids`` and those that
    all conditions of a group in ``exclude`` hold for. No group is empty. ``ids`` admits these
    products alone."""

    conditions: tuple[Condition, ...] = ()
    exclude_ids: tuple[str, ...] = ()
    exclude: tuple[tuple[Condition, ...], ...] = ()
    ids: tuple[str, ...] | None = None

    @property
    def fields(self) -> list[str]:
        """The fields that it asks about."""
        groups = (self.conditions, *self.exclude)
        return list(dict.fromkeys(condition.field for group in groups for condition in group))


def parse_filters(raw: Mapping[str, Any], schema: IndexSchema) -> Filter:
    """Check ``raw`` against ``schema``.

    Raises:
        InvalidFilter: unknown field, operator or value type; the message names the remedy.
    """
    return Filter(tuple(c for name, spec in raw.items() for c in _conditions(name, spec, schema)))


def conditions_of(raw: Mapping[str, Any]) -> tuple[Condition, ...]:
    """The conditions of filters that :func:`parse_filters` has let pass, without the schema."""
    found: list[Condition] = []
    for name, spec in raw.items():
        if not isinstance(spec, Mapping):
            found.append(Terms(name, _items(spec)))
            continue
        if "not" in spec:
            found.append(Terms(name, _items(spec["not"]), negate=True))
        if bounds := {op: spec[op] for op in _BOUNDS if op in spec}:
            found.append(Range(name, **bounds))
    return tuple(found)


def require_field(name: str, schema: IndexSchema, *, use: str) -> FieldKind:
    """The kind of a declared field, or an error that lists the declared ones."""
    if kind := schema.kind(name):
        return kind
    hint = did_you_mean(name, schema.names()) or "."
    declared = ", ".join(sorted(schema.names()))
    raise InvalidFilter(
        f"{use}: unknown field {name!r}{hint} Declared fields: {declared}", field=f"{use}.{name}"
    )


def _conditions(name: str, spec: Any, schema: IndexSchema) -> list[Condition]:
    kind = require_field(name, schema, use="filters")
    if not isinstance(spec, Mapping):
        return [Terms(name, _values(name, spec, kind))]
    unknown = set(spec) - {*_BOUNDS, "not"}
    if unknown or not spec:
        raise InvalidFilter(
            f"filters.{name}: give a value, a list, a range {{gt, gte, lt, lte}} or {{not}}, "
            f"not {dict(spec)!r}",
            field=f"filters.{name}",
        )
    found: list[Condition] = []
    if "not" in spec:
        found.append(Terms(name, _values(name, spec["not"], kind), negate=True))
    if bounds := {op: spec[op] for op in _BOUNDS if op in spec}:
        if kind is not FieldKind.NUMBER:
            raise InvalidFilter(
                f"filters.{name}: a range needs a number field, {name!r} is a {kind} field",
                field=f"filters.{name}",
            )
        found.append(Range(name, **{op: _number(name, v) for op, v in bounds.items()}))
    return found


def _values(name: str, spec: Any, kind: FieldKind) -> tuple[Scalar | None, ...]:
    items = _items(spec)
    if not 1 <= len(items) <= MAX_VALUES:
        raise InvalidFilter(
            f"filters.{name}: give 1 to {MAX_VALUES} values, not {len(items)}",
            field=f"filters.{name}",
        )
    if isinstance(spec, list | tuple):
        return tuple(None if item is None else _value(name, item, kind) for item in items)
    return (_value(name, spec, kind),)  # null alone is rather a mistake than meant


def _items(spec: Any) -> tuple[Any, ...]:
    return tuple(spec) if isinstance(spec, list | tuple) else (spec,)


def _value(name: str, item: Any, kind: FieldKind) -> Scalar:
    if kind is FieldKind.NUMBER:
        return _number(name, item)
    if kind is FieldKind.BOOLEAN and isinstance(item, bool):
        return item
    if kind is FieldKind.KEYWORD and isinstance(item, str):
        return item
    raise InvalidFilter(
        f"filters.{name}: {name!r} is a {kind} field, {item!r} is not a {kind}",
        field=f"filters.{name}",
    )


def _number(name: str, item: Any) -> float:
    try:
        if not isinstance(item, bool | str) and math.isfinite(number := float(item)):
            return number
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidFilter(f"filters.{name}: {item!r} is not a finite number", field=f"filters.{name}")


def matches(filter: Filter, product_id: str, values: Mapping[str, AttributeValue | None]) -> bool:
    """Whether a product with these field values passes ``filter``: the reference meaning."""
    return (
        product_id not in filter.exclude_ids
        and (filter.ids is None or product_id in filter.ids)
        and holds(filter.conditions, values)
        and not any(holds(group, values) for group in filter.exclude)
    )


def holds(conditions: Sequence[Condition], values: Mapping[str, AttributeValue | None]) -> bool:
    """Whether all of ``conditions`` are true of a product with these field values."""
    return all(_matches(c, values.get(c.field)) for c in conditions)


def selector(selection: Selection) -> Callable[[str, Mapping[str, Any]], bool]:
    """Whether a product, by its id and field values, is among those of a checked selection."""
    ids, conditions = frozenset(selection.ids), conditions_of(selection.filters)

    def selects(product_id: str, values: Mapping[str, Any]) -> bool:
        return product_id in ids or (bool(conditions) and holds(conditions, values))

    return selects


def _matches(condition: Condition, value: AttributeValue | None) -> bool:
    if isinstance(condition, Terms):
        held: Sequence[Any] = (value or [None]) if isinstance(value, list) else [value]
        return any(v in condition.values for v in held) != condition.negate
    if not isinstance(value, int | float):
        return False
    c = condition
    return (
        (c.gt is None or value > c.gt)
        and (c.gte is None or value >= c.gte)
        and (c.lt is None or value < c.lt)
        and (c.lte is None or value <= c.lte)
    )
