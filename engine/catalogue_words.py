"""Reads what mining needs of a catalogue: the terms of its titles, and what descriptions define."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .definitions import DefinitionReader
from .filters import Filter
from .locales import language_code
from .protocols import VectorStore
from .schema import field_values, word_fields
from .term_contexts import TermContexts, TermReader
from .types import AttributeValue

MAX_PRODUCTS = 100_000
"""Read of a catalogue; of a larger one every so many-th."""
CHUNK = 250


class CatalogueWords(NamedTuple):
    """What was read of a catalogue."""

    contexts: TermContexts
    described: dict[tuple[str, str], int]


def read_words(store: VectorStore) -> CatalogueWords:
    """The terms of a store's products in its own language, and what descriptions say of them.
    Takes seconds. Raises StoreError."""
    found, definitions = TermReader(), DefinitionReader()
    schema, language = store.spec.schema, language_code(store.spec.bm25_locale)
    fields = word_fields(schema)
    ids = store.scroll(Filter(), store.count(Filter()))
    ids = ids[:: -(-len(ids) // MAX_PRODUCTS) or 1]
    for start in range(0, len(ids), CHUNK):
        for product in store.get(ids[start : start + CHUNK]):
            if product is not None and language_code(product.locale) == language:
                values = field_values(product, schema)
                found.read(product.title, _words_of((name, values.get(name)) for name in fields))
                definitions.read(product.description)
    contexts = found.contexts()
    known = {" ".join(term) for term in contexts.names}
    return CatalogueWords(contexts, definitions.names(known))


def _words_of(values: Iterable[tuple[str, AttributeValue | None]]) -> Iterator[tuple[str, str]]:
    for field, value in values:
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                yield field, each
