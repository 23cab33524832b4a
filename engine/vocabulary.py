"""The words of the live shop: the values of its fields, kept up with what is written."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

import msgspec

from .filters import Filter
from .protocols import Encoder, ShopView, VectorStore
from .schema import FieldKind, IndexSchema, field_values
from .types import Product

MAX_VALUES = 10_000
"""Values kept of a field, the most frequent ones."""
_NOT_WORDS = frozenset({"currency", "locale", "group_id"})
"""Keyword fields whose values no shopper types."""


class ShopViews:
    """The current :class:`ShopView` of a store, kept up with what is written."""

    def __init__(self, store: VectorStore, text_encoder: Encoder) -> None:
        spec = store.spec
        self._lock = threading.Lock()
        vocabulary = {name: _values(store, name) for name in _word_fields(spec.schema)}
        self._current = ShopView(spec.schema, vocabulary, text_encoder, spec.bm25_locale)

    @property
    def current(self) -> ShopView:
        return self._current

    def add(self, products: Iterable[Product]) -> None:
        """Take up the products' values; the view changes only where one of them is new."""
        with self._lock:
            vocabulary = self._current.vocabulary
            found = {name: Counter[str]() for name in vocabulary}
            for product in products:
                values = field_values(product, self._current.schema)
                for name, counter in found.items():
                    held = values.get(name, [])
                    counter.update([str(v) for v in (held if isinstance(held, list) else [held])])
            fresh = {n: c for n, c in found.items() if c.keys() - vocabulary[n].keys()}
            if fresh:
                merged = {n: dict(Counter(vocabulary[n]) + c) for n, c in fresh.items()}
                self._current = msgspec.structs.replace(
                    self._current, vocabulary={**vocabulary, **merged}
                )


def _word_fields(schema: IndexSchema) -> list[str]:
    return [
        name
        for name in schema.names()
        if schema.kind(name) is FieldKind.KEYWORD and name not in _NOT_WORDS
    ]


def _values(store: VectorStore, name: str) -> dict[str, int]:
    found = store.facet(name, Filter(), MAX_VALUES)
    return {str(value.value): value.count for value in found}
