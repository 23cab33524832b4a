"""A product as the texts and the point that the lanes index. One home, so that the indexer,
live writes and journal replay embed the same text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .protocols import Point, Vectors
from .schema import IndexSchema, field_values
from .types import Product

DESCRIPTION_CHARS = 1000
"""Dense encoders read at most 128 tokens or so; the rest of a description only costs time."""


def dense_text(product: Product) -> str:
    """What the text encoder embeds: title, brand, category, attribute values, description."""
    parts = [product.title, product.brand, " ".join(product.category), *_attribute_words(product)]
    parts.append(product.description[:DESCRIPTION_CHARS])
    return ". ".join(part for part in parts if part)


def keyword_text(product: Product) -> str:
    """What BM25 indexes: every text of the product, translations included."""
    parts = [product.title, product.brand, *product.category, *_attribute_words(product)]
    parts.append(product.description)
    for translation in product.translations.values():
        parts += [translation.title, translation.description]
    return "\n".join(part for part in parts if part)


def make_point(product: Product, text: Vectors, images: Vectors, schema: IndexSchema) -> Point:
    """Join a product with its vectors: ``text`` ``[d]``, ``images`` ``[n, d]`` (n ≥ 0)."""
    return Point(
        product=product,
        text=np.ascontiguousarray(text, dtype=np.float32),
        images=np.ascontiguousarray(images, dtype=np.float32),
        bm25=keyword_text(product),
        fields=field_values(product, schema),
    )


def _attribute_words(product: Product) -> Iterator[str]:
    """Attribute values that are words; numbers, flags and addresses say little."""
    for value in product.attributes.values():
        if isinstance(value, str) and "://" not in value:
            yield value
        elif isinstance(value, list):
            yield " ".join(value)
