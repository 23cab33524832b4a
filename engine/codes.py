"""Identifiers: what names one product exactly, in a catalogue and in what shoppers type.

A product's codes are its id, the values of attributes that hold identifiers, and the words of its
title that look like model numbers. Both sides are compared without case, hyphens and other signs:
"DG3-1290", "dg3 1290" and "DG31290" are one code.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from .schema import FieldKind, coerce
from .types import AttributeValue, Product

IDENTIFIERS = frozenset(
    [
        "articlenumber",
        "asin",
        "barcode",
        "ean",
        "gtin",
        "gtin8",
        "gtin12",
        "gtin13",
        "gtin14",
        "isbn",
        "isbn10",
        "isbn13",
        "itemno",
        "itemnumber",
        "manufacturerpartnumber",
        "model",
        "modelcode",
        "modelno",
        "modelnumber",
        "mpn",
        "partno",
        "partnumber",
        "productcode",
        "reference",
        "sku",
        "skuid",
        "stylecode",
        "stylenumber",
        "upc",
        "variantsku",
    ]
)
"""Attributes whose values are codes, by their names without case and signs; those of schema.org,
Google's product data and Shopify, and the usual words of shops."""
MAX_CODE_CHARS = 64
MAX_QUERY_WORDS = 4
"""A longer query is a sentence, not an identifier with spaces in it."""
_LEAST = 4
_LEAST_DIGITS = 5
# A number and a unit ("500ml", "18v") or dimensions ("10x12"), which no one product has.
_MEASURE = re.compile(r"\d+[a-z]{1,6}|\d+(?:x\d+)+[a-z]{0,2}")


def code_of(text: str) -> str:
    """``text`` as codes are compared: letters and digits alone, without case."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def product_codes(product: Product) -> list[str]:
    """What identifies ``product``, each once."""
    found = [code_of(product.id)]
    for name, value in product.attributes.items():
        if code_of(name) in IDENTIFIERS:
            found += map(code_of, _texts(value))
    found += _codes_among(product.title)
    return [code for code in dict.fromkeys(found) if 0 < len(code) <= MAX_CODE_CHARS]


def query_codes(text: str) -> list[str]:
    """What of a query may be a code: all of it, and those of its words that look like one."""
    words = text.split()
    whole = code_of(text)
    found = []
    if len(words) == 1 or (len(words) <= MAX_QUERY_WORDS and any(c.isdigit() for c in whole)):
        found.append(whole)
    found += _codes_among(text)
    return [code for code in dict.fromkeys(found) if 0 < len(code) <= MAX_CODE_CHARS]


def _texts(value: AttributeValue) -> list[str]:
    held = coerce(value, FieldKind.KEYWORD)
    return held if isinstance(held, list) else [str(held)]


def _codes_among(text: str) -> Iterator[str]:
    """The words that look like model numbers: letters and digits together, or many digits."""
    for word in text.split():
        code = code_of(word)
        if not any(c.isdigit() for c in code):
            continue
        least = _LEAST_DIGITS if code.isdigit() else _LEAST
        if len(code) >= least and not _MEASURE.fullmatch(code):
            yield code
