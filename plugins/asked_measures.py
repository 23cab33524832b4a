"""The measures and pack sizes that a query asks for, to be compared with those of titles."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import inf

from .query_grammar import Reading, read
from .query_measures import Measure
from .query_sizes import Quantity
from .stated_measures import Measures, Sides, counted, stated


@lru_cache(maxsize=4096)
def asked_in(text: str) -> tuple[Measures, Measures]:
    """What a query asks for (with "at least 100 ml" all from there up), and what it does not want
    ("not a multipack")."""
    readings = read(text)
    unwanted = [r for r in readings if isinstance(r, Measure | Quantity) and r.unwanted]
    return _of(r for r in readings if r not in unwanted), _of(unwanted)


def _of(readings: Iterable[Reading]) -> Measures:
    return frozenset(measure for reading in readings for measure in asked_by(reading))


def asked_by(reading: Reading) -> Measures:
    """What one reading asks for; nothing where it is no measure."""
    if isinstance(reading, Measure) and reading.sides:
        return frozenset({Sides.of(reading.sides)})
    if isinstance(reading, Measure):
        return frozenset(stated(reading.unit, reading.amount, reading.most, reading.of))
    if isinstance(reading, Quantity):
        least = 0 if reading.or_fewer else reading.count
        most = inf if reading.or_more else reading.count
        return frozenset({counted(reading.noun, least, most)})
    return frozenset()
