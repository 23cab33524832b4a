"""Query processor ``spelling``: typing errors in the words of a query, by the shop's own words.

A word that the shop writes is never touched, nor a common one, a short one, or one with a digit:
what is left and lies one or two typing errors from words of the shop becomes the likeliest of them
(:mod:`plugins.spelling_model`). Spaces are put right where both ways are the shop's:
"runningshoes", "back pack". See ``docs/spelling.md``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine import QueryPlan, QueryProcessor, Register, ShopView, Term, hookimpl, terms

from . import query_lexicon
from .gazetteer import COMMON, FUNCTION_WORDS
from .scripts import LATIN, script_of
from .spelling_model import SpellingModel
from .translators.languages import language_of
from .word_forms import LONGEST_WORD, SPELLINGS, form_of

SHORTEST = 3
"""Letters of a word that is corrected: of shorter ones too many others are one letter away."""
SHORTEST_JOINED = 6
"""Letters of two words that may be one."""
MAX_QUERY_WORDS = 32
"""Of a query that are looked at; longer ones are prose."""
KEY = "spelling"
"""How a shopper takes a correction back: ``ignore: ["spelling:<the word as typed>"]``."""
ALPHABETS = frozenset({LATIN, "cyrillic", "greek"})
ENGLISH = "en"
ENGLISH_WORDS = "english_words.txt"
"""The whole words of four letters or more of BERT's uncased vocabulary (Apache-2.0), 20,362: common
English, and many names."""
PREFIXES, SUFFIXES, SHORTEST_ROOT = ("un", "non"), ("ing", "ed", "er", "ers"), 3
# A vowel and one consonant, which is doubled before these suffixes: "run", "ship".
_CLOSED = re.compile("(^|[^aeiou])[aeiou][^aeiouwxy]$")


class Correction(NamedTuple):
    """``text[start:end]`` as it should be."""

    start: int
    end: int
    text: str


class Spelling:
    """Compiles the model where the lexicon is another than before."""

    def __init__(self) -> None:
        self._model: SpellingModel | None = None
        self._english = _read(ENGLISH_WORDS)
        self._grammar = _grammar_words()

    def process(self, plan: QueryPlan, shop: ShopView) -> QueryPlan:
        model = self._model_of(plan, shop)
        own = language_of(shop.locale)
        if not shop.lexicon.words or language_of(plan.locale) not in ("", own):
            return plan
        kept = {key.removeprefix(f"{KEY}:") for key in plan.ignored if key.startswith(f"{KEY}:")}
        common = self._english if own == ENGLISH else frozenset[str]()
        text, told = plan.text, list[str]()
        # A corrected word may be one with the next: what was corrected once would be again.
        while found := list(self._corrections(text, shop, model, kept, common)):
            told += [f"{text[c.start : c.end]} → {c.text}" for c in found]
            text = _put(text, found)
        if not told:
            return plan
        corrections = (*plan.corrections, *told)
        return msgspec.structs.replace(plan, text=text, corrections=corrections)

    def _model_of(self, plan: QueryPlan, shop: ShopView) -> SpellingModel:
        """Of this very lexicon where there is time (before its first search), else of the one
        before: what is new in it is known, if not yet corrected to."""
        model = self._model
        if model is None or (model.lexicon is not shop.lexicon and not plan.original):
            model = self._model = SpellingModel(shop.lexicon)
        return model

    def _corrections(
        self,
        text: str,
        shop: ShopView,
        model: SpellingModel,
        kept: Container[str],
        common: Container[str],
    ) -> Iterator[Correction]:
        found = list(terms(text))[:MAX_QUERY_WORDS]
        words = [term.word for term in found]
        known = [self._is_known(word, shop, model, common) for word in words]
        free = [
            not known[i] and _correctable(term, text) and not _taken_back(term, text, kept)
            for i, term in enumerate(found)
        ]
        i = 0
        while i < len(found):
            joined = _joined(found, i, known, text, model)
            if joined and not _taken_back(found[i], text, kept, found[i + 1].end):
                yield Correction(found[i].start, found[i + 1].end, joined)
                words[i + 1] = joined
                i += 2
                continue
            if free[i]:
                before = words[i - 1] if i else ""
                after = words[i + 1] if i + 1 < len(words) and known[i + 1] else ""
                if better := model.correct(words[i], before, after):
                    yield Correction(found[i].start, found[i].end, better)
                    words[i] = better.rpartition(" ")[2]
            i += 1

    def _is_known(
        self, word: str, shop: ShopView, model: SpellingModel, common: Container[str]
    ) -> bool:
        """Whether it is meant as typed."""
        if shop.lexicon.knows(word) or word in common or word in self._grammar:
            return True
        form = form_of(word)
        if model.knows_form(form) or form in COMMON or form in SPELLINGS:
            return True
        knows = shop.lexicon.knows
        return bool(common) and any(w in common or knows(w) for w in _roots(word, knows))


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


def _joined(
    found: Sequence[Term], i: int, known: Sequence[bool], text: str, model: SpellingModel
) -> str:
    """The word that the words ``i`` and ``i + 1`` are where the space between is too much."""
    if i + 1 >= len(found) or text[found[i].end : found[i + 1].start] != " ":
        return ""
    a, b = found[i].word, found[i + 1].word
    if not (a + b).isalpha() or len(a + b) < SHORTEST_JOINED:
        return ""
    return a + b if model.writes_together(a, b, sure=known[i] and known[i + 1]) else ""


def _correctable(term: Term, text: str) -> bool:
    """Whether it is a word in letters, long enough, and no part of a code, link or address."""
    if not SHORTEST <= len(term.word) <= LONGEST_WORD or not term.word.isalpha():
        return False
    before = text[: term.start].rpartition(" ")[2]
    after = text[term.end :].partition(" ")[0]
    glued = before[-1:] + after[:1]
    if any(c.isdigit() for c in before + after) or any(c in "/_.@#" for c in glued):
        return False
    return script_of(term.word) in ALPHABETS


def _taken_back(term: Term, text: str, kept: Container[str], end: int | None = None) -> bool:
    return text[term.start : end or term.end].casefold() in kept


def _put(text: str, found: Sequence[Correction]) -> str:
    for each in reversed(found):
        text = text[: each.start] + each.text + text[each.end :]
    return text


def _read(name: str) -> frozenset[str]:
    return frozenset(Path(__file__).with_name(name).read_text(encoding="utf-8").split())


def _grammar_words() -> frozenset[str]:
    """The words that the query grammar reads, in every language that it knows."""
    tables = (
        query_lexicon.BOUNDS,
        query_lexicon.JOINS,
        query_lexicon.CURRENCIES,
        query_lexicon.UNITS,
        query_lexicon.NEGATIONS,
        query_lexicon.SIZE_WORDS,
        query_lexicon.SPOKEN_SIZES,
        query_lexicon.NAMED_SIZES,
        query_lexicon.AGE_WORDS,
        query_lexicon.PEOPLE,
        FUNCTION_WORDS,
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


@hookimpl
def register_query_processors(register: Register[QueryProcessor]) -> None:
    register("spelling", lambda options: Spelling())
