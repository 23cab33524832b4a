"""Which words of a query are meant as typed, as far as the words themselves say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from pathlib import Path

from engine import ShopView, Term, terms

from . import query_lexicon, unit_lexicon
from .foreign_words import function_words, own_words, trade_words
from .gazetteer import COMMON, FUNCTION_WORDS
from .kind_names import GROUPS
from .number_words import COUNTS
from .translators.languages import language_of
from .word_forms import SPELLINGS, form_of

ENGLISH = "en"
ENGLISH_WORDS = "english_words.txt"
"""The whole words of three letters or more of BERT's uncased vocabulary (Apache-2.0), 21,358:
common English, and many names."""
PREFIXES, SUFFIXES, SHORTEST_ROOT = ("un", "non"), ("ing", "ed", "er", "ers"), 3
# A vowel and one consonant, which is doubled before these suffixes: "run", "ship".
_CLOSED = re.compile("(^|[^aeiou])[aeiou][^aeiouwxy]$")


class Meant(Enum):
    """Whether a word is meant as typed: surely; maybe, as a word that the shop writes or as a
    common one that it lacks; or nobody knows it."""

    SURELY = auto()
    SOLD = auto()
    COMMON = auto()
    UNKNOWN = auto()


class KnownWords:
    """The words of every shop, and of every query."""

    def __init__(self) -> None:
        self._english = frozenset(
            Path(__file__).with_name(ENGLISH_WORDS).read_text(encoding="utf-8").split()
        )
        self._grammar = _grammar_words()

    def meant(self, word: str, shop: ShopView, has_form: Callable[[str], bool]) -> Meant:
        """Whether a word (folded) is; ``has_form`` tells whether the shop has one of a form."""
        language = language_of(shop.locale)
        if word in self._grammar or word in own_words(language):
            return Meant.SURELY
        knows = shop.lexicon.knows
        if knows(word):
            return Meant.SOLD
        form = form_of(word)
        if has_form(form):
            return Meant.SURELY
        if form in COMMON or form in SPELLINGS:
            return Meant.COMMON
        english = self._english if language == ENGLISH else frozenset[str]()
        common = word in english or (
            bool(english) and any(w in english or knows(w) for w in _roots(word, knows))
        )
        return Meant.COMMON if common else Meant.UNKNOWN

    def foreign(
        self, text: str, found: Sequence[Term], meant: Sequence[Meant], shop: ShopView
    ) -> bool:
        """Whether a word of the query ``text`` is of another language than the catalogue's: an
        article or preposition, the name of a thing or colour, or in letters that it has not."""
        own = language_of(shop.locale)
        # Read here and not when a word asks for it: a warm-up has none.
        functions, names = function_words(own), trade_words(own)
        for term, known in zip(found, meant, strict=True):
            if term.word in functions and not shop.lexicon.knows(term.word):
                return True
            if known is Meant.UNKNOWN and (
                term.word in names or (own == ENGLISH and _has_accents(text[term.start : term.end]))
            ):
                return True
        return False


def _has_accents(word: str) -> bool:
    return any(char.isalpha() and not char.isascii() for char in word)


def _roots(word: str, sold: Callable[[str], bool]) -> Iterator[str]:
    """English words that ``word`` may be made of, by the rules of spelling: "padding" of "pad",
    "grating" of "grate", "unframed" of "framed"; but not "runing" where "running" is ``sold``."""
    for prefix in PREFIXES:
        if word.startswith(prefix) and len(word) - len(prefix) >= SHORTEST_ROOT:
            yield word.removeprefix(prefix)
    for suffix in SUFFIXES:
        stem = word.removesuffix(suffix)
        if stem == word or len(stem) < SHORTEST_ROOT or sold(f"{stem}{stem[-1]}{suffix}"):
            continue
        yield stem + "e"
        if stem[-1] == stem[-2] and _CLOSED.search(stem[:-1]):
            yield stem[:-1]
        if not (len(stem) <= SHORTEST_ROOT + 1 and _CLOSED.search(stem)):
            yield stem


def _grammar_words() -> frozenset[str]:
    """The words that the query grammar reads, in every language that it knows, and what things are
    called that a shop may call otherwise: "soya" is no sofa."""
    tables = (
        query_lexicon.BOUNDS,
        query_lexicon.JOINS,
        query_lexicon.CURRENCIES,
        unit_lexicon.UNITS,
        query_lexicon.NEGATIONS,
        unit_lexicon.SIZE_WORDS,
        unit_lexicon.SPOKEN_SIZES,
        unit_lexicon.NAMED_SIZES,
        query_lexicon.AGE_WORDS,
        query_lexicon.PEOPLE,
        query_lexicon.ASKING,
        query_lexicon.NEUTRAL,
        FUNCTION_WORDS,
        COUNTS,
        frozenset(name for group in GROUPS for name in group),
    )
    return frozenset(
        term.word for table in tables for text in _texts(table) for term in terms(text)
    )


def _texts(table: object) -> Iterator[str]:
    if isinstance(table, str):
        yield table
    elif isinstance(table, dict):
        for key, value in table.items():
            yield from (*_texts(key), *_texts(value))
    elif isinstance(table, frozenset | tuple):
        for item in table:
            yield from _texts(item)
