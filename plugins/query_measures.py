"""The grammar's rule for measures: amounts with a unit, ranges and bounds of them, the sides of
something, how many it is for, and ages."""

from __future__ import annotations

from math import inf
from typing import Literal

from msgspec import Struct

from engine import fold

from . import query_lexicon, unit_lexicon
from .number_words import amount, counted
from .query_money import GLUED_LETTERS, UNITS
from .query_prices import SPREAD
from .query_tokens import Phrases, Tokens, phrases_of
from .unit_lexicon import Bound

LENGTHS = frozenset({"mm", "cm", "m", "inch", "ft", "'", "yd"})
TIMES = frozenset({"month", "year"})
MASSES = frozenset({"mg", "g", "kg", "oz", "lb"})
_LANGUAGES = [entry for bounds in query_lexicon.BOUNDS.values() for entry in phrases_of(bounds)]
# English first; other languages' words count, too, for a unit stands beside the number.
_BOUNDS = Phrases([*_LANGUAGES, *phrases_of(unit_lexicon.MEASURE_BOUNDS)])
_AFTER = Phrases(phrases_of(unit_lexicon.MEASURE_AFTER))
_CLOSING = Phrases(phrases_of(unit_lexicon.MEASURE_CLOSING))
_ANDS = frozenset({"and", "&", "und", "et", "y", "e", "en"})
_JOINS = {fold(word) for joins in query_lexicon.JOINS.values() for word in joins.split(" | ")}
_TO = frozenset(_JOINS - _ANDS)
_AGES = frozenset(map(fold, unit_lexicon.AGES))
_OF_UNITS = UNITS.keys() | GLUED_LETTERS.keys()
CONTENTS = frozenset(map(fold, unit_lexicon.CONTENTS))
_WARRANTY = frozenset(map(fold, unit_lexicon.WARRANTY))
COUNTED = frozenset(map(fold, unit_lexicon.COUNTED))
_ARTICLE = frozenset({"l", "kg", "gal", "qt", "dozen"})
"""Units of which "a litre" is one; "a foot massager" has no length."""
MAX_SIDES = 3
MAX_BETWEEN = 2
"""Words between a measure and what bounds it: "16 gb ram or more"."""


class Measure(Struct, frozen=True):
    """A number with a unit: "32 inch"; from ``amount`` to ``most`` of it, where a range or a bound
    ("at least 32 inch", "24-32 inch") or "about" says so. ``unwanted``: "not 75 ml". ``of`` what,
    where that is said: of an "age" or a "warranty". ``sides``: the numbers with their units of
    "120 x 60 cm", the units empty in "8x10 rug"; ``amount`` and ``most`` are then the ends of
    them."""

    start: int
    end: int
    amount: float
    unit: str
    most: float
    unwanted: bool = False
    of: str = ""
    sides: tuple[tuple[float, str], ...] = ()


class _Amount(Struct, frozen=True):
    """A number, its unit, empty where none follows, and the token after it. ``led``: a word before
    it says what it is of ("ages 3"). ``more``: "3+ years"."""

    value: float
    unit: str
    end: int
    led: bool = False
    more: bool = False


class MeasureRules:
    """What measure begins at a token, and the token after it."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def measure(self, i: int) -> tuple[Measure, int] | None:
        """``32 inch``, ``32-inch``, ``32"``, ``500ml``, ``half a litre``, ``50 x 70 cm``, ``for 4
        people``, ``ages 3-6``; within bounds ``at least 100 ml``, ``24-32 inch``, ``20 litres or
        more``, ``zwischen 5 und 10 kg``."""
        tokens = self._tokens
        if tokens.after_word(i) and not self._multiplied(i):
            return None
        if sides := self._sides(i):
            return sides
        bound, at = self.bound(i)
        low = self.amount(at, bounded=at > i)
        if low is None:
            return None
        least = most = low.value
        unit, end = low.unit, low.end
        bound = "lower" if low.more else bound
        joined = tokens.among(end, _TO) or (bound == "range" and tokens.among(end, _ANDS))
        high = self.amount(end + 1, bounded=True) if joined else None
        if high is not None and (said := _common(low, high)):
            least, most = sorted((_within(least, unit or said, said), high.value))
            unit, end, bound = said, high.end, "range"
        elif bound == "range":
            bound = ""  # "from 20 litres"
        if not unit:
            return None
        if not bound or (high is not None and tokens.has(end, "+")):
            bound, end = self.bound_after(end, unit) or (bound, end)
        low_end = {"upper": 0.0, "around": least * (1 - SPREAD)}.get(bound, least)
        high_end = {"lower": inf, "around": most * (1 + SPREAD)}.get(bound, most)
        of = self._of(i, end, unit, low.led)
        return Measure(*tokens.places(i if bound else at, end), low_end, unit, high_end, of=of), end

    def bound(self, i: int) -> tuple[Bound | Literal[""], int]:
        """What bounds the measure after it, and the token after that; no "pepsi max 330 ml"."""
        tokens = self._tokens
        before = tokens.among(i - 1, query_lexicon.BEFORE_MAX) or tokens.among(i - 1, _OF_UNITS)
        if before and tokens.has(i, "max"):
            return "", i
        return _BOUNDS.at(tokens, i) or ("", i)

    def _multiplied(self, i: int) -> bool:
        """Whether it touches the sign after a number: the volume of "6x330ml"."""
        tokens = self._tokens
        return tokens.among(i - 1, unit_lexicon.TIMES) and tokens.is_kind(i - 2, "number")

    def _sides(self, i: int) -> tuple[Measure, int] | None:
        """``120 x 60 cm``, ``6in by 6in``, ``8x10``: of all of them the unit that follows."""
        tokens = self._tokens
        found = [self.amount(i, bounded=True)]
        while len(found) < MAX_SIDES and (last := found[-1]) is not None:
            at = last.end + tokens.among(last.end, unit_lexicon.EXTENTS)
            if not tokens.among(at, unit_lexicon.TIMES):
                break
            found.append(self.amount(at + 1, bounded=True))
        sides = [side for side in found if side is not None and not side.led]
        if len(sides) < 2 or (sides[-1].end < len(tokens) and self._counts(sides[-1].end)):
            return None
        unit, units = "", []
        for side in reversed(sides):
            unit = side.unit or unit
            units.append(unit)
        if not all(unit in LENGTHS for unit in units) and any(units):
            return None
        end = sides[-1].end
        values = sorted(side.value for side in sides)
        pairs = tuple((side.value, unit) for side, unit in zip(sides, reversed(units), strict=True))
        places = tokens.places(i, end)
        return Measure(*places, values[0], units[0], values[-1], sides=pairs), end

    def _counts(self, i: int) -> bool:
        tokens = self._tokens
        joined = tokens.glued(i) and tokens.is_kind(i, "word")
        return tokens.among(i, COUNTED) or tokens.has(i, "-", "/") or joined

    def bound_after(self, i: int, unit: str) -> tuple[Bound, int] | None:
        """What bounds the measure before a token, and the token after that; what stands a word
        later does not belong to the measure."""
        tokens = self._tokens
        if found := _AFTER.at(tokens, i):
            return found
        if found := _CLOSING.at(tokens, i):
            bound, end = found
            joined = tokens.has(i, "+") and tokens.glued(i)
            closes = end == len(tokens) or tokens.among(end, query_lexicon.STOPS)
            return (bound, end) if joined or (closes and unit != "v") else None
        for at in range(i, min(i + MAX_BETWEEN, len(tokens))):
            if not tokens.is_kind(at, "word"):
                return None
            if found := _AFTER.at(tokens, at + 1):
                return found[0], i
            if (found := _CLOSING.at(tokens, at + 1)) and found[1] == len(tokens) and unit != "v":
                return found[0], i
        return None

    def _of(self, i: int, end: int, unit: str, led: bool) -> str:
        """What a time is of, or a mass: "20 g protein". "Old" is left to who asks for whom."""
        tokens = self._tokens
        if unit in MASSES and tokens.among(end, CONTENTS):
            return tokens[end].text
        if unit not in TIMES:
            return ""
        if led or tokens.among(end + tokens.has(end, "-"), unit_lexicon.OLD):
            return "age"
        if tokens.among(end, _WARRANTY) or tokens.among(i - 1, _WARRANTY):
            return "warranty"
        return ""

    def amount(self, i: int, *, bounded: bool) -> _Amount | None:
        """What is measured at a token. What is ``bounded`` is no size ("longer than 3 m")."""
        tokens = self._tokens
        if tokens.among(i, unit_lexicon.CAPACITY) and (people := counted(tokens, i + 1)):
            return _Amount(people[0], "person", people[1], led=True)
        aged = tokens.among(i, _AGES)
        found = amount(tokens, i + aged)
        if found is None and tokens.has(i, "a", "an", "per"):
            unit = UNITS.get(tokens[i + 1].text) if i + 1 < len(tokens) else None
            return _Amount(1.0, unit, i + 2) if unit in _ARTICLE and unit else None
        if found is None:
            return None
        value, end = found
        more = tokens.has(end, "+") and tokens.glued(end)
        at = end + more
        at += tokens.has(at, "-") and tokens.glued(at)
        at += tokens.has(at, "fl", "fluid")
        unit = self._unit(at, value, at > end, bounded) if at < len(tokens) else None
        if aged and unit not in TIMES:
            return _Amount(value, "year", end + more, led=True, more=more)
        if not unit:
            return _Amount(value, "", end)
        at += 2 if tokens.has(at, "'", "′") and tokens.has(at + 1, "'", "′") else 1
        if unit in ("ft", "'") and (inches := self._inches(at)):
            return _Amount(value * 12 + inches[0], "inch", inches[1])
        return _Amount(value, unit, at, aged, more)

    def _inches(self, i: int) -> tuple[float, int] | None:
        """What comes to feet: ``5 ft 6 in``, ``5'6"``."""
        tokens = self._tokens
        i += tokens.has(i, ".") and tokens.glued(i)
        found = amount(tokens, i)
        if found is None or found[0] >= 12 or found[1] >= len(tokens):
            return None
        value, at = found
        inches = tokens[at].text == "in" or UNITS.get(tokens[at].text) == "inch"
        quoted = tokens.has(at, '"', "”", "′′")
        return (value, at + 1) if inches or quoted else None

    def _unit(self, at: int, value: float, joined: bool, bounded: bool) -> str | None:
        """What the unit at a token is called. A hyphen or "fl" before it is ``joined``."""
        tokens = self._tokens
        word, touching = tokens[at].text, tokens.glued(at)
        if tokens.has(at - 1, "fl", "fluid"):
            return "floz" if UNITS.get(word) == "oz" else None
        if word == "man":
            return "person" if joined else None
        if word == "in" and not touching:
            part = tokens.has(at - 2, "/")  # "3/8 in ratchet"
            return "inch" if part or self._ends_a_length(at + 1) else None
        unit = UNITS.get(word) or ("lb" if word in query_lexicon.WEIGHTS_TOO else None)
        if touching and not (word == "g" and 2 <= value <= 6):  # "5g phone"
            twice = tokens.has(at, "'", "′") and tokens.has(at + 1, "'", "′")
            sign = unit_lexicon.SIGN_UNITS.get(word + word if twice else word)
            sign = "'" if sign == "ft" else sign  # or inches, for shoppers mix up the signs
            unit = unit or sign or GLUED_LETTERS.get(word)
        elif word == "l" and value % 1:  # no size is "1.5 l"
            unit = "l"
        elif word in ("l", "m") and self._ends_a_length(at + 1):  # "milk 1 l", but no "2 l shirts"
            unit = word
        least = unit_lexicon.LEAST_APART.get(word, inf)
        if unit is None and least < inf and (bounded or value >= least):
            unit = GLUED_LETTERS[word]
        return unit

    def _ends_a_length(self, i: int) -> bool:
        """Whether "in" before a token is a unit ("desk 30 in", but no "size 30 in black"), and a
        letter after a space."""
        tokens = self._tokens
        return (
            i == len(tokens)
            or tokens.has(i, ".", ",")
            or tokens.among(i, unit_lexicon.TIMES)
            or tokens.among(i, unit_lexicon.EXTENTS)
        )


def _common(low: _Amount, high: _Amount) -> str:
    """The unit of the ends of a range; none where they are of two kinds."""
    if (low.led and low.unit == "person") or not high.unit:
        return low.unit if low.led else ""
    known = low.unit in ("", high.unit) or {low.unit, high.unit} <= TIMES
    return high.unit if known else ""


def _within(value: float, unit: str, other: str) -> float:
    """So much of a unit of time in the other one: 18 months are 1.5 years."""
    if unit == other or not {unit, other} <= TIMES:
        return value
    return value / 12 if unit == "month" else value * 12
