"""Measures and pack sizes that a text states.

Numbers are found by one pattern; what stands between two of them says whether they are the ends of
a range, the sides of something ("120 x 60 cm"), feet and inches, or ages in a list, and the unit
of the last counts for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from math import inf
from typing import Final, NamedTuple

from engine import fold

from . import unit_lexicon
from .number_words import COUNTS, DENOMINATORS
from .query_measures import CONTENTS, COUNTED, LENGTHS, MASSES, TIMES
from .query_money import GLUED_LETTERS, UNITS
from .query_tokens import number_of
from .stated_measures import Measures, Sides, Stated, counted, stated
from .unit_lexicon import LEAST_APART, SIGN_UNITS

_GLUED: Final = {**GLUED_LETTERS, **SIGN_UNITS, "lt": "l"}
"""Units that are such only where they touch the number."""


def _any(words: frozenset[str]) -> str:
    return "|".join(sorted(map(re.escape, map(fold, words)), key=len, reverse=True))


# Gaps are bounded: a run of thousands of spaces or hyphens must not be tried from each of them.
_DIGITS = r"\d+(?:[.,]\d+)*"
_FRACTION = r"(?:\d{1,3}(?:-| ))?\d{1,2}[/\u2044]\d{1,2}(?![\w/])"
_NUMBER = re.compile(
    rf"(?:(?<![\w.,/#])|(?<=[\d'\"]x))({_FRACTION}|{_DIGITS})(?![\d/\u2044])(\+?)"
    r"(?:(?=(\s{0,3}-?\s{0,3}(?:er\b[\s-]{0,3})?)((?:fl\.?|fluid) {0,3})?"
    r"([^\W\d_]+(?!\d)|[\"”]|['′]{1,2}(?!\w))))?"
)
_BY = re.compile(
    rf"\.?[\s-]{{0,2}}(?:(?:{_any(unit_lexicon.EXTENTS)})\.?)?\s{{0,2}}(?:x|×|by|\*)\s{{0,2}}"
)
_TO = re.compile(r"\.?\s{0,2}(?:-|–|—|to|bis|a|tot)\s{0,2}")
_LIST = re.compile(r"\s{0,2}[,/&]?\s{0,2}(?:and|or|und|et|y)?\s{0,2}")
_BESIDE = re.compile(r"\.?[\s-]{0,2}")
_MORE = re.compile(r"\s?(?:\+|(?:and|&) (?:up|over|above|older)|or older|oder alter)")
_WARRANTY = re.compile(rf"[\s-]{{0,2}}(?:\w+ )?(?:{_any(unit_lexicon.WARRANTY)})")
_OLD = re.compile(r"[\s-]{0,2}olds?\b")
_AGED = re.compile(rf"\b(?:{_any(unit_lexicon.AGES)}):?\s?$")
_FOR = re.compile(rf"\b(?:{_any(unit_lexicon.CAPACITY)})(?: up to)?\s?$")
_SINCE = re.compile(rf"\b(?:{_any(unit_lexicon.SINCE)})\s?$")
_CONTENT = re.compile(rf"\s?({_any(CONTENTS)})\b")
_LETTERED = re.compile(rf"\b(?:{_any(unit_lexicon.LETTERED)})[\s-]?$")
_ENDS = re.compile(rf"\s{{0,2}}(?:\.|,|\)|$|(?:x|×|by|{_any(unit_lexicon.EXTENTS)})\b)")
_LOOK = 16
"""Characters before a number in which a word may say what it is of."""
_COUNT_WORDS = _any(COUNTED)
# Looked at from every word, for they overlap: "combo pack of two pairs".
_IN_WORDS = re.compile(
    rf"\b(?=({_COUNT_WORDS}) (?:{_any(unit_lexicon.OF)}) (\d+|[a-z]+)"
    rf"|({'|'.join(COUNTS)})[\s-]{{0,3}}({_COUNT_WORDS})\b"
    rf"|(?:{_any(unit_lexicon.CAPACITY)})(?: up to)? ([a-z]+)\b"
    r"|(tri|multi|combo|value) ?-?packs?\b)"
)
_JEWELLERY = re.compile(rf"\b(?:{_any(unit_lexicon.JEWELLERY)})\b")


class _Found(NamedTuple):
    """A number of a text with its unit (of a list of ages the last one's), from ``start`` to
    ``end``. ``of`` what, where a word says that; the noun of what is counted. ``led``: a word
    before it says so ("ages 3"), so that more may follow."""

    start: int
    end: int
    least: float
    most: float
    unit: str
    of: str = ""
    led: bool = False


@lru_cache(maxsize=65_536)
def measures_of(text: str) -> Measures:
    """What ``text`` states."""
    folded = fold(text)
    found: set[Stated | Sides] = set()
    chain: list[_Found] = []
    for number in _numbers(folded):
        between = folded[chain[-1].end : number.start] if chain else ""
        if chain and (merged := _merged(chain[-1], number, between)):
            chain[-1] = merged
        elif chain and _BY.fullmatch(between):
            chain.append(number)
        else:
            found.update(_stated(chain))
            chain = [number]
    found.update(_stated(chain))
    found.update(_in_words(folded))
    return frozenset(found)


def _numbers(folded: str) -> Iterator[_Found]:
    for match in _NUMBER.finditer(folded):
        digits, plus, *_, word = match.groups()
        value = _value(digits)
        if value is None:
            continue
        unit, of = _unit(folded, match, value) if word else ("", "")
        led = False
        end = match.end(5) if unit else match.end()
        before = folded[max(0, match.start() - _LOOK) : match.start()]
        if unit == "count" and value <= unit_lexicon.MOST_LETTERED and _LETTERED.search(before):
            unit, end = "", match.end()
        if unit in ("", *TIMES) and _AGED.search(before):
            unit, of, led = unit or "year", "age", not unit
        elif not unit and _FOR.search(before):
            unit, led = "person", True
        elif unit in TIMES:
            of = "warranty" if _WARRANTY.match(folded, end) else _age(folded, end)
        elif unit in MASSES and (content := _CONTENT.match(folded, end)):
            of = content.group(1)
        more = bool(plus and unit) or (unit in TIMES and bool(_SINCE.search(before)))
        if unit and not more and (further := _MORE.match(folded, end)):
            more, end = True, further.end()
        yield _Found(match.start(), end, value, inf if more else value, unit, of, led)


def _age(folded: str, end: int) -> str:
    return "age" if _OLD.match(folded, end) else ""


def _value(digits: str) -> float | None:
    """ "1-1/2" is 1.5; none of "24/7"."""
    *whole, fraction = digits.replace(" ", "-").replace("\u2044", "/").split("-")
    above, slash, below = fraction.partition("/")
    if not slash:
        return number_of(digits)
    if not 0 < int(above) < int(below) or int(below) not in DENOMINATORS:
        return None
    return (int(whole[0]) if whole else 0) + int(above) / int(below)


def _unit(folded: str, match: re.Match[str], value: float) -> tuple[str, str]:
    """What the word after a number is called as a unit, and what it counts."""
    gap, fluid, word = match.group(3), match.group(4), match.group(5)
    if fluid:
        return ("floz" if UNITS.get(word) == "oz" else ""), ""
    if word == "ct" and (value > unit_lexicon.MOST_KARATS or not _JEWELLERY.search(folded)):
        return "count", word
    if word in COUNTED and word != "ct":
        return "count", word
    if gap and word == "in":
        beside = match.start() and folded[: match.start()].rstrip()[-1:] in ("x", "×")
        return ("inch" if beside or _ENDS.match(folded, match.end(5)) else ""), ""
    if gap and word == "m" and _ENDS.match(folded, match.end(5)):
        return "m", ""
    name = UNITS.get(word)
    if name is None and (not gap or word == "l") and not (word == "g" and len(match.group(1)) == 1):
        name = _GLUED.get(word)  # but no "5g"
    if name is None and value >= LEAST_APART.get(word, inf):
        name = GLUED_LETTERS[word]
    return name or "", ""


def _merged(one: _Found, other: _Found, between: str) -> _Found | None:
    """Two numbers that are one statement."""
    joined = one._replace(end=other.end, unit=other.unit or one.unit, of=other.of or one.of)
    feet = one.unit == "ft" and other.unit == "inch" and other.most < 12
    if feet and _BESIDE.fullmatch(between):
        inches = one.least * 12 + other.least
        return joined._replace(least=inches, most=inches)
    units = {one.unit, other.unit}
    fits = not one.unit or one.unit == other.unit or units == TIMES or (one.led and not other.unit)
    ages = bool(units & TIMES) or units == {""}
    ranged = fits and _TO.fullmatch(between)
    listed = fits and ages and units != TIMES and _LIST.fullmatch(between)
    if not (ranged or listed):
        return None
    if units == {""}:
        return joined._replace(most=max(one.most, other.most)) if one.least < other.least else None
    least = one.least
    if units == TIMES:
        least *= 12 if one.unit == "year" else 1 / 12
    return joined._replace(least=least, most=other.most) if least <= other.most else None


def _stated(chain: list[_Found]) -> Iterator[Stated | Sides]:
    """What numbers state that "x" joins: sides, or so many of something; of all the unit that
    follows."""
    if len(chain) == 1 and not chain[0].unit:
        return
    units: list[str] = []
    unit = ""
    for number in reversed(chain):
        unit = number.unit or unit
        units.append(unit)
    units.reverse()
    lengths = bool(chain) and all(unit in LENGTHS for unit in units)
    if len(chain) > 1 and (lengths or not any(units)):
        yield Sides.of([(n.most, unit) for n, unit in zip(chain, units, strict=True)])
    for number, unit in zip(chain, units, strict=True):
        if number.unit == "count":
            yield counted(number.of, number.least, number.most)
        elif number.unit or (unit and lengths):
            yield from stated(unit, number.least, number.most, number.of)
        elif unit and number.least == number.most and not number.least % 1:
            yield counted("", number.least, number.most)  # "6 x 330 ml"


def _in_words(folded: str) -> Iterator[Stated]:
    for packs, of, number, noun, people, several in _IN_WORDS.findall(folded):
        if several:
            yield counted("pack", 3, 3) if several == "tri" else counted("pack", 2, inf)
        said = of or number or people
        count = float(said) if said.isdigit() else COUNTS.get(said)
        if count:
            yield Stated("person", count, count) if people else counted(packs or noun, count, count)
