"""Measures and pack sizes that a text states, comparable with one another: "0.5 l" is "500 ml".

Conversions within the metric system and within the imperial one are exact. Between the two, shops
round ("10 inch" is sold as "25 cm", "3.4 oz" as "100 ml"), so there :data:`ROUNDED` may lie
between two that are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import inf
from typing import Final, NamedTuple

from engine import fold

from .number_words import COUNTS
from .query_money import GLUED_LETTERS, UNITS
from .query_tokens import number_of
from .unit_lexicon import LEAST_APART, SIGN_UNITS

ROUNDED: Final = 0.02
"""The share by which measures of two systems may differ: 25 cm are 1.6 % less than 10 inches."""


class Stated(NamedTuple):
    """From ``least`` to ``most`` base units of a dimension, mostly both the same; ("count", 3, 3)
    for a pack of three, ("time", 36, inf) for "3+ years"."""

    dimension: str
    least: float
    most: float
    imperial: bool = False


Measures = frozenset[Stated]

_BASE: Final[Mapping[str, tuple[str, float]]] = {
    **{"mm": ("length", 1.0), "cm": ("length", 10.0), "m": ("length", 1000.0)},
    **{"inch": ("length", 25.4), "ft": ("length", 304.8), "yd": ("length", 914.4)},
    **{"ml": ("volume", 1.0), "cl": ("volume", 10.0), "dl": ("volume", 100.0)},
    **{"l": ("volume", 1000.0), "floz": ("volume", 29.5735295625)},
    **{"qt": ("volume", 946.352946), "gal": ("volume", 3785.411784)},
    **{"mg": ("mass", 0.001), "g": ("mass", 1.0), "kg": ("mass", 1000.0)},
    **{"lb": ("mass", 453.59237), "oz": ("mass", 28.349523125)},
    **{"mb": ("bytes", 1e6), "gb": ("bytes", 1e9), "tb": ("bytes", 1e12)},
    **{"month": ("time", 1.0), "year": ("time", 12.0)},
}
"""Unit → dimension and what one of it is in base units."""
_IMPERIAL: Final = frozenset({"inch", "ft", "yd", "floz", "qt", "gal", "lb", "oz"})
_OTHERWISE: Final = {"oz": "floz"}
"""What a unit can mean besides: an ounce may be of mass or of volume."""
_GLUED: Final = {**GLUED_LETTERS, **SIGN_UNITS, "lt": "l"}
"""Units that are such only where they touch the number."""

# Gaps are bounded: a run of thousands of spaces or hyphens must not be tried from each of them.
_NUMBER = r"\d+(?:[.,]\d+)*"
_AMOUNT = re.compile(
    rf"(?<![\w.,/])({_NUMBER})(?: ?(?:-|–|to) ?({_NUMBER}))?(\+?)(\s{{0,3}}-?\s{{0,3}})"
    r"(?:(fl\.?|fluid) {0,3})?([^\W\d_]+|[\"”″])"
)
_PACK_OF = re.compile(r"\b(?:pack|set|box|pair|bundle|combo)s? of (\d+|[a-z]+)")
_PACKED = re.compile(
    r"(?<![\w.,])(\d+|[a-z]+)[\s-]{0,3}(?:er)?[\s-]{0,3}(?:packs?|pcs?|pieces?|pk|set|pairs)\b"
)
_SEVERAL = re.compile(r"\b(tri|multi|combo|value) ?-?packs?\b")
_FOR = re.compile(r"\b(?:sleeps|seats|serves)(?: up to)? (\d+|[a-z]+)\b")


@lru_cache(maxsize=65_536)
def measures_of(text: str) -> Measures:
    """What ``text`` states."""
    folded = fold(text)
    found = {
        measure
        for low, high, more, gap, fluid, unit in _AMOUNT.findall(folded)
        for measure in _measures(low, high, bool(more), gap, "floz" if fluid else unit)
    }
    for pattern, dimension in ((_PACK_OF, "count"), (_PACKED, "count"), (_FOR, "person")):
        for number in pattern.findall(folded):
            count = float(number) if number.isdigit() else COUNTS.get(number)
            if count:
                found.add(Stated(dimension, count, count))
    for several in _SEVERAL.findall(folded):
        found.add(Stated("count", 3, 3) if several == "tri" else Stated("count", 2, inf))
    return frozenset(found)


def _measures(low: str, high: str, more: bool, gap: str, unit: str) -> Iterator[Stated]:
    name = "floz" if unit == "floz" else UNITS.get(unit)
    if name is None and (not gap or unit == "l") and not (unit == "g" and len(low) == 1):  # "5g"
        name = _GLUED.get(unit)
    least, most = number_of(low), number_of(high or low)
    if name is None and (least or 0) >= LEAST_APART.get(unit, inf):
        name = GLUED_LETTERS[unit]
    if name is not None and least is not None and most is not None and least <= most:
        yield from stated(name, least, inf if more else most)


def stated(unit: str, least: float, most: float) -> Iterator[Stated]:
    """So much of a unit (:data:`plugins.unit_lexicon.UNITS`), whatever it can mean."""
    for name in filter(None, (unit, _OTHERWISE.get(unit))):
        dimension, factor = _BASE.get(name, (name, 1.0))
        imperial = name in _IMPERIAL
        yield Stated(dimension, round(least * factor, 3), round(most * factor, 3), imperial)


def agree(asked: Measures, held: Measures) -> bool:
    """Whether something that is held is as asked."""
    return any(_meet(one, other) for one in asked for other in held)


def contradict(asked: Measures, held: Measures) -> bool:
    """Whether something is stated of a dimension that was asked for, and nothing as asked."""
    dimensions = {one.dimension for one in asked}
    return any(one.dimension in dimensions for one in held) and not agree(asked, held)


def _meet(one: Stated, other: Stated) -> bool:
    if one.dimension != other.dimension:
        return False
    spare = ROUNDED if one.imperial != other.imperial else 1e-6
    return one.least * (1 - spare) <= other.most and other.least <= one.most * (1 + spare)
