"""Measures comparable with one another: "0.5 l" is "500 ml".

Conversions within the metric system and within the imperial one are exact. Between the two, shops
round ("10 inch" is sold as "25 cm", "3.4 oz" as "100 ml"), so there :data:`ROUNDED` may lie
between two that are the same; and :data:`BINARY` between bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from engine import fold

from .unit_lexicon import PACKS, PORTIONS

ROUNDED: Final = 0.02
"""The share by which measures of two systems may differ: 25 cm are 1.6 % less than 10 inches."""
BINARY: Final = 0.025
"""The share by which bytes may: 1024 are a thousand to some."""
EXACT: Final = 1e-6

_PACKS = frozenset(map(fold, PACKS))
_PORTIONS = frozenset(map(fold, PORTIONS))


class Stated(NamedTuple):
    """From ``least`` to ``most`` base units of a dimension, mostly both the same; ("count", 3, 3)
    for a pack of three, ("time", 36, inf) for "3+ years". ``of`` what, where that is known: a
    count of "packs" or "portions", a time of an "age" or a "warranty"."""

    dimension: str
    least: float
    most: float
    imperial: bool = False
    of: str = ""


class Sides(NamedTuple):
    """How long the sides of something are, sorted: ``numbers`` as written, and ``lengths`` in mm,
    empty where no unit is known."""

    numbers: tuple[float, ...]
    lengths: tuple[float, ...]
    imperial: bool = False

    @classmethod
    def of(cls, sides: Sequence[tuple[float, str]]) -> Sides:
        """From numbers and their units, all of which or none are empty."""
        numbers = tuple(sorted(value for value, _ in sides))
        if not all(unit for _, unit in sides):
            return cls(numbers, ())
        lengths = tuple(sorted(round(value * _BASE[unit][1], 3) for value, unit in sides))
        return cls(numbers, lengths, any(unit in _IMPERIAL for _, unit in sides))


Measures = frozenset[Stated | Sides]

_BASE: Final[Mapping[str, tuple[str, float]]] = {
    **{"mm": ("length", 1.0), "cm": ("length", 10.0), "m": ("length", 1000.0)},
    **{
        "inch": ("length", 25.4),
        "ft": ("length", 304.8),
        "'": ("length", 304.8),
        "yd": ("length", 914.4),
    },
    **{"ml": ("volume", 1.0), "cl": ("volume", 10.0), "dl": ("volume", 100.0)},
    **{"l": ("volume", 1000.0), "floz": ("volume", 29.5735295625)},
    **{"qt": ("volume", 946.352946), "gal": ("volume", 3785.411784)},
    **{"mg": ("mass", 0.001), "g": ("mass", 1.0), "kg": ("mass", 1000.0)},
    **{"lb": ("mass", 453.59237), "oz": ("mass", 28.349523125)},
    **{"mb": ("bytes", 1e6), "gb": ("bytes", 1e9), "tb": ("bytes", 1e12)},
    **{"month": ("time", 1.0), "year": ("time", 12.0)},
}
"""Unit → dimension and what one of it is in base units."""
_IMPERIAL: Final = frozenset({"inch", "ft", "'", "yd", "floz", "qt", "gal", "lb", "oz"})
_OTHERWISE: Final = {"oz": "floz", "'": "inch"}
"""What a unit can mean besides: an ounce may be of mass or of volume, and shoppers mix up the signs
of feet and inches."""


def stated(unit: str, least: float, most: float, of: str = "") -> Iterator[Stated]:
    """So much of a unit (:data:`plugins.unit_lexicon.UNITS`), whatever it can mean."""
    for name in filter(None, (unit, _OTHERWISE.get(unit))):
        dimension, factor = _BASE.get(name, (name, 1.0))
        imperial = name in _IMPERIAL
        yield Stated(dimension, round(least * factor, 3), round(most * factor, 3), imperial, of)


def counted(noun: str, least: float, most: float) -> Stated:
    """So many of what a noun says."""
    of = "packs" if noun in _PACKS else "portions" if noun in _PORTIONS else ""
    return Stated("count", least, most, of=of)


def agree(asked: Measures, held: Measures) -> bool:
    """Whether something that is held is as asked."""
    return any(_meet(one, other) for one in asked for other in held)


def contradict(asked: Measures, held: Measures) -> bool:
    """Whether something is stated of what was asked for, and nothing as asked."""
    return any(_opposed(one, other) for one in asked for other in held) and not agree(asked, held)


def _opposed(one: Stated | Sides, other: Stated | Sides) -> bool:
    """Whether the second speaks of the same as the first. A count of one says nothing ("8 count
    (pack of 1)"), and sides without a unit are nominal: a rug called "5x8" is 5'3" by 7'6"."""
    if isinstance(one, Sides) or isinstance(other, Sides):
        if isinstance(one, Sides) and isinstance(other, Sides):
            return bool(one.lengths and other.lengths)
        return False
    if one.dimension != other.dimension or (other.dimension == "count" and other.most <= 1):
        return False
    if one.dimension == "mass":  # 20 g of protein say nothing of what a bar weighs
        return one.of == other.of
    return one.of == other.of or not (one.of and other.of)


def _meet(one: Stated | Sides, other: Stated | Sides) -> bool:
    if isinstance(one, Sides) or isinstance(other, Sides):
        return isinstance(one, Sides) and isinstance(other, Sides) and _fit(one, other)
    if one.dimension != other.dimension or {one.of, other.of} == {"age", "warranty"}:
        return False
    spare = _spare(one.imperial != other.imperial, one.dimension)
    return one.least * (1 - spare) <= other.most and other.least <= one.most * (1 + spare)


def _spare(two_systems: bool, dimension: str = "") -> float:
    return ROUNDED if two_systems else BINARY if dimension == "bytes" else EXACT


def _fit(one: Sides, other: Sides) -> bool:
    """Whether all sides of one that tells fewer are among those of the other."""
    known = bool(one.lengths and other.lengths)
    spare = _spare(known and one.imperial != other.imperial)
    few, many = (one.lengths, other.lengths) if known else (one.numbers, other.numbers)
    if len(few) > len(many):
        few, many = many, few
    left = list(many)
    for side in few:
        near = next((held for held in left if abs(held - side) <= spare * max(held, side)), None)
        if near is None:
            return False
        left.remove(near)
    return True
