"""The grammar's rules for sizes, measures and quantities."""

from __future__ import annotations

from math import inf

from msgspec import Struct

from engine import fold

from . import query_lexicon, unit_lexicon
from .number_words import TOGETHER, amount, counted
from .query_money import GLUED_LETTERS, SIZE_WORDS, UNITS
from .query_prices import SPREAD
from .query_tokens import Phrases, Tokens, phrases_of

_COUNTED = frozenset(map(fold, unit_lexicon.COUNTED))
_BOUNDS = Phrases(
    [*phrases_of(query_lexicon.BOUNDS["en"]), *phrases_of(unit_lexicon.MEASURE_BOUNDS)]
)
_AFTER = Phrases(phrases_of(unit_lexicon.MEASURE_AFTER))
_DASHES = "-", "–", "—", "to"
_SIZE_NAMES = Phrases(phrases_of(unit_lexicon.SIZE_NAMES))
_LETTERS = unit_lexicon.LETTER_SIZES | unit_lexicon.SPOKEN_SIZES
_SAME_SIZE = {
    name: (letters, *names.split(" | "))
    for letters, names in unit_lexicon.SIZE_NAMES.items()
    for name in (letters, *names.split(" | "))
}
_ARTICLE = frozenset({"l", "kg", "gal", "qt", "dozen"})
"""Units of which "a litre" is one; "a foot massager" has no length."""
LARGEST_SIZE = 70
"""Clothes and shoes in all systems stay below."""
HALF_SIZES = 3, 16


class Measure(Struct, frozen=True):
    """A number with a unit: "32 inch"; from ``amount`` to ``most`` of it, where a range or a bound
    ("at least 32 inch", "24-32 inch") or "about" says so. ``unwanted``: "not 75 ml"."""

    start: int
    end: int
    amount: float
    unit: str
    most: float
    unwanted: bool = False


class Size(Struct, frozen=True):
    """A size as worn: "8", "xl", "queen"; ``system`` is "uk", "us", "eu" or empty. Not ``sure``
    where only a shop that has this size can tell ("10.5")."""

    start: int
    end: int
    size: str
    system: str = ""
    sure: bool = True


class Quantity(Struct, frozen=True):
    """How many come together: "pack of 2"; or more of them ("multipack"). ``unwanted``: "not a
    multipack"."""

    start: int
    end: int
    count: int
    or_more: bool = False
    unwanted: bool = False


def same_size(size: str) -> tuple[str, ...]:
    """Other names of a size in letters: "extra large" for "xl"."""
    return _SAME_SIZE.get(size, ())


class SizeRules:
    """What begins at a token; each rule gives the reading and the token after it."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def quantity(self, i: int) -> tuple[Quantity, int] | None:
        """``2 pack``, ``12-count``, ``pack of two``, ``twin pack``, ``a dozen``, ``multipack``."""
        tokens = self._tokens
        if tokens.has(i, "multipack", "multipacks"):
            return Quantity(*tokens.places(i, i + 1), 2, or_more=True), i + 1
        if tokens.has(i, "tripack"):
            return Quantity(*tokens.places(i, i + 1), 3), i + 1
        if tokens.has(i, "multi") and (at := self._counted_noun(i + 1)):
            return Quantity(*tokens.places(i, at), 2, or_more=True), at
        if tokens.among(i, _COUNTED) and tokens.has(i + 1, "of"):
            found = counted(tokens, i + 2)
            end = found[1] if found else i
        else:
            found = counted(tokens, i) or self._together(i)
            if found is None or tokens.after_word(i):
                return None
            end = self._counted_noun(found[1]) or (i if not self._dozen(found[1] - 1) else found[1])
        if found is None or end == i or found[0] % 1 or not 1 <= found[0] <= 100_000:
            return None
        return Quantity(*tokens.places(i, end), int(found[0])), end

    def _together(self, i: int) -> tuple[float, int] | None:
        tokens = self._tokens
        return (TOGETHER[tokens[i].text], i + 1) if tokens.among(i, TOGETHER) else None

    def _dozen(self, i: int) -> bool:
        """Whether a word counts without a noun: "a dozen eggs", "trio of palettes"."""
        return self._tokens.has(i, "dozen") or (
            self._tokens.has(i, "trio", "duo") and self._tokens.has(i + 1, "of")
        )

    def _counted_noun(self, i: int) -> int | None:
        """The token after "pack", which a hyphen or "er" may join to its number."""
        tokens = self._tokens
        at = i + tokens.has(i, "-", "er")
        return at + 1 if tokens.among(at, _COUNTED) else None

    def size(self, i: int) -> tuple[Size, int] | None:
        """``size 8``, ``uk 9``, ``9 uk``, ``xl``, ``2xl``, ``queen size``, ``10.5``."""
        tokens = self._tokens
        if tokens.is_kind(i, "number"):
            return None if tokens.after_word(i) else self._of_number(i)
        if tokens.among(i, SIZE_WORDS):
            return self._named(i)
        if tokens.among(i, unit_lexicon.SIZE_SYSTEMS):
            return self._worn(i, i + 1, i + 2, tokens[i].text)
        if (named := _SIZE_NAMES.at(tokens, i)) and not tokens.glued(i):
            size, end = named
            sure = end > i + 1 or tokens.among(i, unit_lexicon.LETTER_SIZES)
            end += tokens.has(end, "size", "sized")
            return Size(*tokens.places(i, end), size, sure=sure), end
        if tokens.among(i, unit_lexicon.LETTER_SIZES) and not tokens.glued(i):
            return self._size(i, i + 1, tokens[i].text)
        if tokens.among(i, unit_lexicon.NAMED_SIZES):
            at = i + 2 if tokens.has(i + 1, "-") else i + 1
            if tokens.has(at, "size", "sized"):
                return self._size(i, at + 1, tokens[i].text)
        return None

    def measure(self, i: int) -> tuple[Measure, int] | None:
        """``32 inch``, ``32-inch``, ``32"``, ``500ml``, ``half a litre``, ``50 x 70 cm``, ``for 4
        people``; within bounds ``at least 100 ml``, ``24-32 inch``, ``20 litres or more``."""
        bound, at = _BOUNDS.at(self._tokens, i) or ("", i)
        low = self._measured(at, bounded=at > i)
        if low is None or (at == i and self._tokens.after_word(i)):
            return None
        least = most = low[0]
        unit, end = low[1], low[2]
        joined = self._tokens.has(end, *_DASHES, *(("and", "&") if bound == "range" else ()))
        if joined and (high := self._measured(end + 1, bounded=True)):
            if not high[1] or unit not in ("", high[1]):
                return None
            unit, end, bound = high[1], high[2], "range"
            least, most = sorted((least, high[0]))
        elif not unit:
            return None
        elif not bound and (after := _AFTER.at(self._tokens, end)):
            bound, end = after
        if bound == "range" and least == most:
            bound = ""  # "from 20 litres"
        low_end = {"upper": 0.0, "around": least * (1 - SPREAD)}.get(bound, least)
        high_end = {"lower": inf, "around": most * (1 + SPREAD)}.get(bound, most)
        return Measure(*self._tokens.places(i, end), low_end, unit, high_end), end

    def _measured(self, i: int, *, bounded: bool) -> tuple[float, str, int] | None:
        """A number, its unit, empty where none follows, and the token after it. What is ``bounded``
        is no size ("longer than 3 m")."""
        tokens = self._tokens
        if tokens.among(i, unit_lexicon.CAPACITY) and (people := counted(tokens, i + 1)):
            return people[0], "person", people[1]
        found = amount(tokens, i)
        if found is None and tokens.has(i, "a", "an", "per"):
            unit = UNITS.get(tokens[i + 1].text) if i + 1 < len(tokens) else None
            return (1.0, unit, i + 2) if unit in _ARTICLE else None
        if found is None:
            return None
        value, end = found
        at = end + 1 if tokens.has(end, "-") and tokens.glued(end) else end
        at += tokens.has(at, "fl", "fluid")
        if at >= len(tokens):
            return value, "", end
        unit = self._unit(at, value, at > end, bounded)
        return (value, unit, at + 1) if unit else (value, "", end)

    def _unit(self, at: int, value: float, joined: bool, bounded: bool) -> str | None:
        """What the unit at a token is called. A hyphen or "fl" before it is ``joined``."""
        tokens = self._tokens
        word, touching = tokens[at].text, tokens.glued(at)
        if tokens.has(at - 1, "fl", "fluid"):
            return "floz" if UNITS.get(word) == "oz" else None
        if word == "man":
            return "person" if joined else None
        unit = UNITS.get(word) or ("lb" if word in query_lexicon.WEIGHTS_TOO else None)
        if touching and not (word == "g" and 2 <= value <= 6):  # "5g phone"
            unit = unit or unit_lexicon.SIGN_UNITS.get(word) or GLUED_LETTERS.get(word)
        elif word == "l" and value % 1:  # no size is "1.5 l"
            unit = "l"
        least = unit_lexicon.LEAST_APART.get(word, inf)
        if unit is None and least < inf and (bounded or value >= least):
            unit = GLUED_LETTERS[word]
        return unit

    def _named(self, i: int) -> tuple[Size, int] | None:
        """What follows a word for size."""
        tokens = self._tokens
        system = tokens[i + 1].text if tokens.among(i + 1, unit_lexicon.SIZE_SYSTEMS) else ""
        at = i + 2 if system else i + 1
        if tokens.is_kind(at, "word") and (said := counted(tokens, at)) and said[0] <= LARGEST_SIZE:
            return self._size(i, said[1], f"{said[0]:g}")
        if tokens.is_kind(at, "number"):
            if tokens.has(at + 1, "xl", "x") and tokens.glued(at + 1):
                return self._size(i, at + 2, tokens[at].text + tokens[at + 1].text)
            return self._worn(i, at, at + 1, system)
        if system:
            return None
        if named := _SIZE_NAMES.at(tokens, at):
            return self._size(i, named[1], named[0])
        if tokens.among(at, _LETTERS):
            return self._size(i, at + 1, tokens[at].text)
        return None

    def _of_number(self, i: int) -> tuple[Size, int] | None:
        tokens = self._tokens
        if tokens.has(i + 1, "xl", "xxl") and tokens.glued(i + 1):
            return self._size(i, i + 2, tokens[i].text + tokens[i + 1].text)
        if tokens.among(i + 1, unit_lexicon.SIZE_SYSTEMS):
            return self._worn(i, i, i + 2, tokens[i + 1].text)
        value = tokens.number(i)
        alone = not (tokens.glued(i + 1) or tokens.among(i + 1, UNITS))
        low, high = HALF_SIZES
        if value is not None and value % 1 == 0.5 and low <= value <= high and alone:
            return Size(*tokens.places(i, i + 1), f"{value:g}", sure=False), i + 1
        return None

    def _worn(self, i: int, number: int, end: int, system: str) -> tuple[Size, int] | None:
        value = self._tokens.number(number)
        if value is None or value > LARGEST_SIZE:
            return None
        return Size(*self._tokens.places(i, end), f"{value:g}", system), end

    def _size(self, i: int, end: int, size: str) -> tuple[Size, int]:
        return Size(*self._tokens.places(i, end), size), end
