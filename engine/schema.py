"""Which fields of a shop's products can be filtered, faceted and sorted.

A schema is inferred while the catalogue is read (settings may overrule it), stored with
the generation it describes, and used to refuse unknown fields with a helpful error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from .prices import price_of
from .types import AttributeValue, Product

CATEGORY_SEPARATOR = " > "


class FieldKind(StrEnum):
    """How a field is compared: as an exact string, a float, or true/false."""

    KEYWORD = "keyword"
    NUMBER = "number"
    BOOLEAN = "boolean"


CORE_FIELDS: Mapping[str, FieldKind] = {
    "brand": FieldKind.KEYWORD,
    "category": FieldKind.KEYWORD,
    "price": FieldKind.NUMBER,
    "currency": FieldKind.KEYWORD,
    "in_stock": FieldKind.BOOLEAN,
    "locale": FieldKind.KEYWORD,
    "group_id": FieldKind.KEYWORD,
    "updated_at": FieldKind.NUMBER,
}
"""Fields every shop has; ``updated_at`` is seconds since the epoch."""


class IndexSchema(Struct, frozen=True, omit_defaults=True):
    """Declared fields by name, core fields first.

    ``prices`` are the keys of :mod:`engine.prices` that products have prices by, beside the one
    ``currency`` that all of ``price`` are in ("" where there are several, or it is not named), and
    ``stock`` the markets that say for themselves what can be had. Each is a field of its own
    ("price:EUR", "in_stock:at"), for every product that has a value by ``rates`` or otherwise.
    """

    attributes: dict[str, FieldKind] = field(default_factory=dict)
    prices: tuple[str, ...] = ()
    currency: str = ""
    rates: dict[str, float] = field(default_factory=dict)
    stock: tuple[str, ...] = ()

    def kind(self, name: str) -> FieldKind | None:
        return CORE_FIELDS.get(name) or self.attributes.get(name) or self._by_market().get(name)

    def names(self) -> list[str]:
        return [*CORE_FIELDS, *self.attributes, *self._by_market()]

    def _by_market(self) -> dict[str, FieldKind]:
        prices = {price_field(key): FieldKind.NUMBER for key in self.prices}
        return prices | {stock_field(market): FieldKind.BOOLEAN for market in self.stock}


def price_field(key: str) -> str:
    """The field that holds the prices by a key."""
    return f"price:{key}"


def stock_field(market: str) -> str:
    """The field that says what can be had in a market."""
    return f"in_stock:{market}"


def category_prefixes(path: Iterable[str]) -> list[str]:
    """``("A", "B")`` → ``["A", "A > B"]``, so that a filter on "A" finds all below it."""
    parts = list(path)
    return [CATEGORY_SEPARATOR.join(parts[: i + 1]) for i in range(len(parts))]


_NOT_WORDS = frozenset({"currency", "group_id", "locale"})
"""Keyword fields whose values say nothing by themselves."""


def word_fields(schema: IndexSchema) -> list[str]:
    """The declared fields whose values are words that shoppers type and like."""
    return [
        name
        for name in schema.names()
        if schema.kind(name) is FieldKind.KEYWORD and name not in _NOT_WORDS
    ]


def field_values(product: Product, schema: IndexSchema) -> dict[str, AttributeValue]:
    """The product's declared fields as the store indexes them; absent ones are left out."""
    values: dict[str, AttributeValue] = {"in_stock": product.in_stock, "locale": product.locale}
    if product.category:
        values["category"] = category_prefixes(product.category)
    for name in ("brand", "currency", "group_id"):
        if text := getattr(product, name):
            values[name] = text
    if product.price is not None:
        values["price"] = float(product.price)
    if product.updated_at:
        values["updated_at"] = _seconds(product.updated_at)
    for key in schema.prices:
        if (price := price_of(product, key, schema.rates)) is not None:
            values[price_field(key)] = price.amount
    for market in schema.stock:
        values[stock_field(market)] = product.stock.get(market, product.in_stock)
    for name, kind in schema.attributes.items():
        if (value := coerce(product.attributes.get(name), kind)) is not None:
            values[name] = value
    return values


def coerce(value: Any, kind: FieldKind) -> AttributeValue | None:
    """``value`` as ``kind`` stores it, or ``None`` where it cannot be."""
    if value is None or value == "" or value == []:
        return None
    if kind is FieldKind.KEYWORD:
        return [str(v) for v in value] if isinstance(value, list) else _keyword(value)
    if kind is FieldKind.BOOLEAN:
        return value if isinstance(value, bool) else None
    if isinstance(value, bool | list):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _keyword(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _seconds(moment: str) -> float:
    """Seconds since the epoch; a moment without an offset is in UTC."""
    at = datetime.fromisoformat(moment)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
