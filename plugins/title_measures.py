"""Measures and pack sizes that a text states, comparable with one another: "0.5 l" is "500 ml".

Only exact conversions: within the metric system and within the imperial one, and between the two
by their definitions (an inch is 25.4 mm), so that "10 inch" is "25.4 cm" and never "25 cm".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from engine import fold

from .query_prices import UNITS
from .query_tokens import number_of

Measures = frozenset[tuple[str, float]]
"""(dimension, amount in its base unit); ("count", 3.0) for a pack of three."""

_BASE: Final[Mapping[str, tuple[str, float]]] = {
    **{"mm": ("length", 1.0), "cm": ("length", 10.0), "m": ("length", 1000.0)},
    **{"inch": ("length", 25.4), "ft": ("length", 304.8), "yd": ("length", 914.4)},
    **{"ml": ("volume", 1.0), "cl": ("volume", 10.0), "l": ("volume", 1000.0)},
    **{"qt": ("volume", 946.352946), "gal": ("volume", 3785.411784)},
    **{"mg": ("mass", 0.001), "g": ("mass", 1.0), "kg": ("mass", 1000.0)},
    **{"lb": ("mass", 453.59237), "oz": ("ounces", 1.0)},
    **{"mb": ("bytes", 1e6), "gb": ("bytes", 1e9), "tb": ("bytes", 1e12)},
    **{"month": ("time", 1.0), "year": ("time", 12.0)},
}
"""Unit → dimension and what one of it is in base units. An ounce may be of mass or of volume."""
_GLUED: Final = {"l": "l", "lt": "l", "in": "inch", '"': "inch", "”": "inch", "″": "inch", "g": "g"}
"""Units that are such only where they touch the number, or stand for themselves."""
_NUMBERS: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBER_WORDS: Final = {word: float(n) for n, word in enumerate(_NUMBERS, start=1)}
_AMOUNT = re.compile(r"(?<![\w.,])(\d+(?:[.,]\d+)*)(\s*-?\s*)([^\W\d_]+|[\"”″])")
_PACK_OF = re.compile(r"\b(?:pack|set|box|pair)s? of (\d+|[a-z]+)")
_PACKED = re.compile(
    r"(?<![\w.,])(\d+|[a-z]+)[\s-]*(?:er)?[\s-]*(?:packs?|pcs?|pieces?|pk|set|pairs)\b"
)


@lru_cache(maxsize=65_536)
def measures_of(text: str) -> Measures:
    """What ``text`` states."""
    folded = fold(text)
    found = {
        measure
        for amount, gap, unit in _AMOUNT.findall(folded)
        if (measure := _measure(amount, gap, unit))
    }
    for pattern in (_PACK_OF, _PACKED):
        for number in pattern.findall(folded):
            count = float(number) if number.isdigit() else _NUMBER_WORDS.get(number)
            if count:
                found.add(("count", count))
    return frozenset(found)


def _measure(amount: str, gap: str, unit: str) -> tuple[str, float] | None:
    name = UNITS.get(unit)
    if name is None and (not gap or unit == "l" or (unit == "g" and len(amount) > 1)):
        name = _GLUED.get(unit)
    value = number_of(amount)
    if name is None or value is None:
        return None
    dimension, factor = _BASE.get(name, (name, 1.0))
    return dimension, round(value * factor, 3)


def contradict(asked: Measures, held: Measures) -> bool:
    """Whether something is stated of a dimension that was asked for, and nothing as asked."""
    dimensions = {dimension for dimension, _ in asked}
    return not asked & held and any(dimension in dimensions for dimension, _ in held)
