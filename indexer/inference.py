"""What the attributes of a catalogue are, learnt in one pass over all products.

All flags: boolean. All numbers: number. Words: keyword. Long texts, and texts that hardly
ever repeat, are not declared: nobody filters by them, and an index of them is large.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field, structs

from engine.locales import language_code
from engine.schema import FieldKind, IndexSchema
from engine.types import AttributeValue, Product

from .values import parse_flag

MAX_FIELDS = 100
"""Declared attributes: each costs an index in the store. The most filled ones win."""
MAX_PLACES = 100
"""Currencies and markets with prices of their own, and markets that say what is in stock: each is
a field, too."""
MAX_TRACKED = 1000
"""Attribute names looked at: a catalogue with a new name per row must not fill the memory."""
_LONG = 80
"""Mean characters above which a text is prose."""
_SAMPLE = 2000
_UNIQUE_SHARE, _UNIQUE_MIN, _UNIQUE_LENGTH = 0.8, 20, 30
"""Texts of which that share, and more than that number, are distinct and that are that long
on average are descriptions or links. Short unique ones (part numbers) stay keywords."""
_NUMBER = re.compile(r"[-+]?(0|[1-9]\d{0,14})(\.\d{1,9})?")
"""A number in a text cell; a leading zero makes it a code."""


class _Column(Struct):
    """What one attribute's values were like; ``sample`` holds hashes of the first texts."""

    seen: int = 0
    flags: int = 0
    numbers: int = 0
    texts: int = 0
    characters: int = 0
    sampled: int = 0
    sample: set[int] = field(default_factory=set)

    def add(self, value: AttributeValue) -> None:
        self.seen += 1
        if isinstance(value, bool):
            self.flags += 1
        elif isinstance(value, float):
            self.numbers += 1
        elif isinstance(value, str):
            self._add_text(value)

    def _add_text(self, value: str) -> None:
        self.texts += 1
        self.characters += len(value)
        if len(value) <= 26 and _NUMBER.fullmatch(value):
            self.numbers += 1
        elif len(value) <= 5 and parse_flag(value) is not None:
            self.flags += 1
        if self.sampled < _SAMPLE:
            self.sampled += 1
            self.sample.add(hash(value))

    def kind(self) -> FieldKind | None:
        """``None``: free text."""
        if self.flags == self.seen:
            return FieldKind.BOOLEAN
        if self.numbers == self.seen:
            return FieldKind.NUMBER
        mean = self.characters / max(1, self.texts)
        unique = len(self.sample) > max(_UNIQUE_MIN, _UNIQUE_SHARE * self.sampled)
        free = mean > _LONG or (unique and mean > _UNIQUE_LENGTH)
        return None if free else FieldKind.KEYWORD


class SchemaInference:
    """Collects the attributes of products, then says what they are."""

    def __init__(
        self, overrides: Mapping[str, FieldKind], rates: Mapping[str, float] | None = None
    ) -> None:
        self._overrides = overrides
        self._rates = dict(rates or {})
        self._columns: dict[str, _Column] = {}
        self._currencies: set[str] = set()
        self._prices: set[str] = set()
        self._markets: set[str] = set()
        self.languages: set[str] = set()
        """Of all texts that products have."""

    def add(self, product: Product) -> None:
        if product.price is not None:
            self._currencies.add(product.currency)
        if product.prices and len(self._prices) < MAX_PLACES:
            self._prices.update(product.prices)
        if product.stock and len(self._markets) < MAX_PLACES:
            self._markets.update(product.stock)
        self.languages.update(map(language_code, (product.locale, *product.translations)))
        for name, value in product.attributes.items():
            column = self._columns.get(name)
            if column is None:
                if len(self._columns) >= MAX_TRACKED:
                    continue
                column = self._columns[name] = _Column()
            column.add(value)

    def schema(self) -> tuple[IndexSchema, dict[str, str]]:
        """The schema, and why each undeclared attribute is not in it."""
        kinds = {name: column.kind() for name, column in self._columns.items()} | dict(
            self._overrides
        )
        undeclared = {name: "free text" for name, kind in kinds.items() if kind is None}
        declared = {name: kind for name, kind in kinds.items() if kind is not None}
        by_use = sorted(declared, key=lambda name: (name not in self._overrides, -self._seen(name)))
        undeclared |= dict.fromkeys(by_use[MAX_FIELDS:], f"more than {MAX_FIELDS} attributes")
        chosen = {name: declared[name] for name in sorted(by_use[:MAX_FIELDS])}
        return IndexSchema(chosen, *self._sold()), undeclared

    def _sold(self) -> tuple[tuple[str, ...], str, dict[str, float], tuple[str, ...]]:
        """Price keys, the one currency, rates and markets of :class:`IndexSchema`."""
        own = self._currencies - {""}
        stock = tuple(sorted(self._markets)[:MAX_PLACES])
        if not self._prices and not self._rates and len(self._currencies) <= 1:
            return (), "".join(own), {}, stock
        rated = self._rates.keys() if own | self._prices else set()
        keys = sorted(own | self._prices | rated, key=lambda key: ("/" in key, key))
        one = "".join(own) if len(self._currencies) == 1 else ""
        return tuple(keys[:MAX_PLACES]), one, self._rates, stock

    def _seen(self, name: str) -> int:
        return self._columns[name].seen if name in self._columns else 0


def conform(product: Product, schema: IndexSchema) -> Product:
    """The product with its attributes typed as the schema declares them: a CSV's "12" becomes
    12.0 where the field is a number, "yes" becomes true where it is a flag."""
    changed: dict[str, Any] = {}
    for name, value in product.attributes.items():
        if isinstance(value, str):
            kind = schema.attributes.get(name)
            if kind is FieldKind.BOOLEAN and (flag := parse_flag(value)) is not None:
                changed[name] = flag
            elif kind is FieldKind.NUMBER and _NUMBER.fullmatch(value):
                changed[name] = float(value)
    if not changed:
        return product
    return structs.replace(product, attributes={**product.attributes, **changed})
