"""The grammar's rules for sizes and quantities."""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from engine import fold

from . import unit_lexicon
from .number_words import TOGETHER, counted
from .query_measures import COUNTED, LENGTHS, MeasureRules
from .query_money import SIZE_WORDS, UNITS
from .query_tokens import Phrases, Tokens, phrases_of

_OF = frozenset(map(fold, unit_lexicon.OF))
_SIZE_NAMES = Phrases(phrases_of(unit_lexicon.SIZE_NAMES))
_LETTERS = unit_lexicon.LETTER_SIZES | unit_lexicon.SPOKEN_SIZES
_SAME_SIZE = {
    name: (letters, *names.split(" | "))
    for letters, names in unit_lexicon.SIZE_NAMES.items()
    for name in (letters, *names.split(" | "))
}
LARGEST_SIZE = 70
"""Clothes and shoes in all systems stay below."""
HALF_SIZES = 3, 16


class Size(Struct, frozen=True):
    """A size as worn: "8", "xl", "queen"; ``system`` is "uk", "us", "eu" or empty. Not ``sure``
    where only a shop that has this size can tell ("10.5")."""

    start: int
    end: int
    size: str
    system: str = ""
    sure: bool = True


class Quantity(Struct, frozen=True):
    """How many come together: "pack of 2"; or more of them ("multipack", "over 500 pieces"), or
    fewer. ``unwanted``: "not a multipack". ``noun``: what is counted ("pack"), where a word says
    that."""

    start: int
    end: int
    count: int
    or_more: bool = False
    unwanted: bool = False
    noun: str = ""
    or_fewer: bool = False


def same_size(size: str) -> tuple[str, ...]:
    """Other names of a size in letters: "extra large" for "xl"."""
    return _SAME_SIZE.get(size, ())


class SizeRules:
    """What begins at a token; each rule gives the reading and the token after it."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._measures = MeasureRules(tokens)

    def quantity(self, i: int) -> tuple[Quantity, int] | None:
        """What :meth:`_quantity` says, within bounds: ``over 500 pieces``, ``1000+ pieces``."""
        tokens = self._tokens
        bound, at = self._measures.bound(i)
        found = self._quantity(at) if at < len(tokens) and (at == i or bound != "range") else None
        if found is None:
            return None
        counts, end = found
        if not bound and (after := self._measures.bound_after(end, "")):
            bound, end = after
        places = tokens.places(i, end)
        more, fewer = counts.or_more or bound == "lower", bound == "upper"
        named = replace(counts, start=places[0], end=places[1], or_more=more, or_fewer=fewer)
        return named, end

    def _quantity(self, i: int) -> tuple[Quantity, int] | None:
        """``2 pack``, ``12-count``, ``pack of two``, ``twin pack``, ``a dozen``, ``multipack``."""
        tokens = self._tokens
        more = False
        if tokens.has(i, "multipack", "multipacks"):
            return Quantity(*tokens.places(i, i + 1), 2, or_more=True), i + 1
        if tokens.has(i, "tripack"):
            return Quantity(*tokens.places(i, i + 1), 3), i + 1
        if tokens.has(i, "multi") and (at := self._counted_noun(i + 1)):
            return Quantity(*tokens.places(i, at), 2, or_more=True), at
        if tokens.among(i, COUNTED) and tokens.among(i + 1, _OF):
            found = counted(tokens, i + 2)
            end, noun = (found[1] if found else i), i
        elif times := self._times(i):
            found, end, noun = times, times[1], times[1]
        else:
            found = counted(tokens, i) or self._together(i)
            if found is None or tokens.after_word(i) or self._names(i, found):
                return None
            more = tokens.has(found[1], "+") and tokens.glued(found[1])
            alone = found[1] if self._dozen(found[1] - 1) else i
            end = self._counted_noun(found[1] + more) or alone
            noun = end - 1
        if found is None or end == i or found[0] % 1 or not 1 <= found[0] <= 100_000:
            return None
        named = tokens[noun].text if tokens.among(noun, COUNTED) else ""
        return Quantity(*tokens.places(i, end), int(found[0]), more, noun=named), end

    def _times(self, i: int) -> tuple[float, int] | None:
        """``6 x`` before a measure that is no length: "6 x 330 ml"."""
        tokens = self._tokens
        value = tokens.number(i)
        if value is None or tokens.after_word(i) or not tokens.among(i + 1, unit_lexicon.TIMES):
            return None
        of = self._measures.amount(i + 2, bounded=True)
        return (value, i + 2) if of and of.unit and of.unit not in LENGTHS else None

    def _names(self, i: int, found: tuple[float, int]) -> bool:
        """Whether a number is part of a name ("omega 3 capsules", "b 12 tablets"), or tells carats
        ("14 ct gold ring")."""
        tokens = self._tokens
        at = i - 1 - tokens.has(i - 1, "-")
        if tokens.among(at, unit_lexicon.LETTERED) and found[0] <= unit_lexicon.MOST_LETTERED:
            return True
        carats = found[0] <= unit_lexicon.MOST_KARATS and tokens.has(found[1], "ct")
        return carats and self._jewellery

    @cached_property
    def _jewellery(self) -> bool:
        tokens = self._tokens
        return any(tokens.among(k, unit_lexicon.JEWELLERY) for k in range(len(tokens)))

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
        return at + 1 if tokens.among(at, COUNTED) else None

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
        alone = not (
            tokens.glued(i + 1)
            or tokens.among(i + 1, UNITS)
            or tokens.among(i + 1, unit_lexicon.TIMES)
        )
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
