"""The grammar's rules for sizes, measures and quantities."""

from __future__ import annotations

from msgspec import Struct

from engine import fold

from . import query_lexicon as lexicon
from .query_prices import SIZE_WORDS, UNITS
from .query_tokens import Tokens

_GLUED_UNITS = {letters: unit for unit, letters in lexicon.GLUED_UNITS.items()}
_COUNTED = frozenset(map(fold, lexicon.COUNTED))
LARGEST_SIZE = 70
"""Clothes and shoes in all systems stay below."""
HALF_SIZES = 3, 16


class Measure(Struct, frozen=True):
    """A number with a unit: "32 inch"."""

    start: int
    end: int
    amount: float
    unit: str


class Size(Struct, frozen=True):
    """A size as worn: "8", "xl", "queen"; ``system`` is "uk", "us", "eu" or empty. Not ``sure``
    where only a shop that has this size can tell ("10.5")."""

    start: int
    end: int
    size: str
    system: str = ""
    sure: bool = True


class Quantity(Struct, frozen=True):
    """How many come together: "pack of 2"."""

    start: int
    end: int
    count: int


class SizeRules:
    """What begins at a token; each rule gives the reading and the token after it."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def quantity(self, i: int) -> tuple[Quantity, int] | None:
        """``2 pack``, ``12-count``, ``pack of 2``."""
        tokens = self._tokens
        if tokens.among(i, _COUNTED) and tokens.has(i + 1, "of"):
            count, end = tokens.number(i + 2), i + 3
        else:
            count = tokens.number(i)
            end = i + 3 if tokens.has(i + 1, "-", "er") else i + 2
            if not tokens.among(end - 1, _COUNTED):
                return None
        if count is None or count % 1 or not 1 <= count <= 100_000:
            return None
        return Quantity(*tokens.places(i, end), int(count)), end

    def size(self, i: int) -> tuple[Size, int] | None:
        """``size 8``, ``uk 9``, ``9 uk``, ``xl``, ``2xl``, ``queen size``, ``10.5``."""
        tokens = self._tokens
        if tokens.is_kind(i, "number"):
            return None if tokens.after_word(i) else self._of_number(i)
        if tokens.among(i, SIZE_WORDS):
            return self._named(i)
        if tokens.among(i, lexicon.SIZE_SYSTEMS):
            return self._worn(i, i + 1, i + 2, tokens[i].text)
        if tokens.among(i, lexicon.LETTER_SIZES) and not tokens.glued(i):
            return self._size(i, i + 1, tokens[i].text)
        if tokens.among(i, lexicon.NAMED_SIZES):
            at = i + 2 if tokens.has(i + 1, "-") else i + 1
            if tokens.has(at, "size", "sized"):
                return self._size(i, at + 1, tokens[i].text)
        return None

    def measure(self, i: int) -> tuple[Measure, int] | None:
        """``32 inch``, ``32-inch``, ``32"``, ``500ml``."""
        tokens = self._tokens
        amount = None if tokens.after_word(i) else tokens.number(i)
        if amount is None:
            return None
        at = i + 2 if tokens.has(i + 1, "-") and tokens.glued(i + 1) else i + 1
        if at >= len(tokens):
            return None
        word, touching = tokens[at].text, tokens.glued(at)
        unit = UNITS.get(word) or ("lb" if word in lexicon.WEIGHTS_TOO else None)
        if touching and not (word == "g" and 2 <= amount <= 6):  # "5g phone"
            unit = unit or lexicon.SIGN_UNITS.get(word) or _GLUED_UNITS.get(word)
        elif word == "l" and amount % 1:  # no size is "1.5 l"
            unit = "l"
        return (Measure(*tokens.places(i, at + 1), amount, unit), at + 1) if unit else None

    def _named(self, i: int) -> tuple[Size, int] | None:
        """What follows a word for size."""
        tokens = self._tokens
        system = tokens[i + 1].text if tokens.among(i + 1, lexicon.SIZE_SYSTEMS) else ""
        at = i + 2 if system else i + 1
        if tokens.is_kind(at, "number"):
            if tokens.has(at + 1, "xl", "x") and tokens.glued(at + 1):
                return self._size(i, at + 2, tokens[at].text + tokens[at + 1].text)
            return self._worn(i, at, at + 1, system)
        if tokens.among(at, lexicon.LETTER_SIZES | lexicon.SPOKEN_SIZES) and not system:
            return self._size(i, at + 1, tokens[at].text)
        return None

    def _of_number(self, i: int) -> tuple[Size, int] | None:
        tokens = self._tokens
        if tokens.has(i + 1, "xl", "xxl") and tokens.glued(i + 1):
            return self._size(i, i + 2, tokens[i].text + tokens[i + 1].text)
        if tokens.among(i + 1, lexicon.SIZE_SYSTEMS):
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
