"""The words of the live shop: the values of its fields, kept up with what is written."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from .filters import Filter, Range
from .lexicon import Lexicon
from .prices import currency_of
from .protocols import Encoder, ShopView, VectorStore
from .rules import NO_RULES, RuleSet
from .schema import field_values, price_field, word_fields
from .synonyms import NO_SYNONYMS, SynonymSet
from .types import AttributeValue, Product

MAX_VALUES = 10_000
"""Values kept of a field, the most frequent ones."""


class ShopViews:
    """The current :class:`ShopView` of a store, kept up with what is written and with the rules
    and synonyms in force."""

    def __init__(
        self,
        store: VectorStore,
        text_encoder: Encoder,
        rules: Callable[[], RuleSet] = lambda: NO_RULES,
        synonyms: Callable[[], SynonymSet] = lambda: NO_SYNONYMS,
    ) -> None:
        spec = store.spec
        vocabulary = {name: _values(store, name) for name in word_fields(spec.schema)}
        prices = _prices(store)
        self._lock = threading.Lock()
        self._rules = rules
        self._synonyms = synonyms
        self._current = ShopView(
            spec.schema,
            vocabulary,
            text_encoder,
            prices,
            spec.bm25_locale,
            rules(),
            synonyms=synonyms(),
        )

    @property
    def current(self) -> ShopView:
        rules, synonyms = self._rules(), self._synonyms()
        if rules is not self._current.rules or synonyms is not self._current.synonyms:
            with self._lock:
                edited = {"rules": rules, "synonyms": synonyms}
                self._current = msgspec.structs.replace(self._current, **edited)
        return self._current

    def learn(self, lexicon: Lexicon) -> None:
        """Take a lexicon that was read of this store."""
        with self._lock:
            self._current = msgspec.structs.replace(self._current, lexicon=lexicon)

    def add(self, products: Sequence[Product]) -> None:
        """Take up the products' values and words; the view changes only where one is new."""
        with self._lock:
            vocabulary, prices = self._current.vocabulary, self._current.prices
            fields = [field_values(product, self._current.schema) for product in products]
            found = {name: Counter(_held(fields, name)) for name in vocabulary}
            fresh = {n: c for n, c in found.items() if c.keys() - vocabulary[n].keys()}
            priced = Counter(p.currency for p in products if p.price is not None)
            if fresh or priced.keys() - prices.keys():
                merged = {n: dict(Counter(vocabulary[n]) + c) for n, c in fresh.items()}
                self._current = msgspec.structs.replace(
                    self._current,
                    vocabulary={**vocabulary, **merged},
                    prices=dict(Counter(prices) + priced),
                )
            self._spell(products, fields)

    def _spell(
        self, products: Sequence[Product], fields: Sequence[Mapping[str, AttributeValue]]
    ) -> None:
        """Words of a lexicon that was read before; into one that comes later they are read."""
        before = self._current.lexicon
        if not before.words:
            return
        held = [[v for n in self._current.vocabulary for v in _held([f], n)] for f in fields]
        titles = [product.title for product in products]
        lexicon = before.with_words(zip(titles, held, strict=True))
        if lexicon is not before:
            self._current = msgspec.structs.replace(self._current, lexicon=lexicon)


def _held(fields: Iterable[Mapping[str, AttributeValue]], name: str) -> Iterator[str]:
    for values in fields:
        held = values.get(name, [])
        yield from held if isinstance(held, list) else [str(held)]


def _values(store: VectorStore, name: str) -> dict[str, int]:
    found = store.facet(name, Filter(), MAX_VALUES)
    return {str(value.value): value.count for value in found}


def _prices(store: VectorStore) -> dict[str, int]:
    priced = Filter((Range("price", gte=0.0),))
    named = {str(v.value): v.count for v in store.facet("currency", priced, MAX_VALUES)}
    unnamed = store.count(priced) - sum(named.values())
    # Where products have prices in several currencies, more of them than are their own.
    for key in store.spec.schema.prices:
        if key == currency_of(key):
            named[key] = store.count(Filter((Range(price_field(key), gte=0.0),)))
    return named | ({"": unnamed} if unnamed else {})
