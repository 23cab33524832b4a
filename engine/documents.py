"""A product as the texts and the point that the lanes index. One home, so that the indexer,
live writes and journal replay embed the same text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from .codes import product_codes
from .protocols import FieldText, Point, Vectors
from .schema import IndexSchema, field_values
from .types import Product

DESCRIPTION_CHARS = 1000
"""Dense encoders read at most 128 tokens or so; the rest of a description only costs time."""

FIELD_WEIGHTS: Mapping[str, float] = {
    "title": 1.0,
    "brand": 1.0,
    "category": 0.8,
    "attributes": 0.8,
    "description": 0.4,
}
"""BM25F (Robertson, Zaragoza and Taylor, CIKM 2004): how many occurrences in a title one in each
field is worth. A title names the thing; a description names much that the thing is not."""


def dense_text(product: Product) -> str:
    """What the text encoder embeds: title, brand, category, attribute values, description."""
    parts = [product.title, product.brand, " ".join(product.category), *_attribute_words(product)]
    parts.append(product.description[:DESCRIPTION_CHARS])
    return ". ".join(part for part in parts if part)


def keyword_fields(product: Product) -> tuple[FieldText, ...]:
    """What the keyword lanes index: every text of the product by field, translations included,
    and its identifiers."""
    own = product.locale
    parts = [
        FieldText("title", product.title, own),
        FieldText("brand", product.brand),
        FieldText("category", "\n".join(product.category)),
        FieldText("attributes", "\n".join(_attribute_words(product))),
        FieldText("description", product.description, own),
    ]
    for locale, translation in product.translations.items():
        parts.append(FieldText("title", translation.title, locale))
        parts.append(FieldText("description", translation.description, locale))
    parts.append(FieldText("codes", " ".join(product_codes(product))))
    return tuple(part for part in parts if part.text)


def make_point(product: Product, text: Vectors, images: Vectors, schema: IndexSchema) -> Point:
    """Join a product with its vectors: ``text`` ``[d]``, ``images`` ``[n, d]`` (n ≥ 0)."""
    return Point(
        product=product,
        text=np.ascontiguousarray(text, dtype=np.float32),
        images=np.ascontiguousarray(images, dtype=np.float32),
        bm25=keyword_fields(product),
        fields=field_values(product, schema),
    )


def _attribute_words(product: Product) -> Iterator[str]:
    """Attribute values that are words; numbers, flags and addresses say little."""
    for value in product.attributes.values():
        if isinstance(value, str) and "://" not in value:
            yield value
        elif isinstance(value, list):
            yield " ".join(value)
