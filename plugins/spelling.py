"""Query processor ``spelling``: typing errors in the words of a query, by the shop's own words.

A word that the shop writes is never touched, nor one with a digit. A word that nobody knows, and
that lies one or two typing errors from words of the shop, becomes the likeliest of them
(:mod:`plugins.spelling_model`); a common word that the shop lacks does so where the other words
leave no doubt. Where another word is likely but not sure, or likelier than one of the shop, both
are searched for: ``plan.expansion`` has the other. Spaces are put right where both ways are the
shop's: "runningshoes", "back pack". See ``docs/spelling.md``.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

import msgspec

from engine import QueryPlan, QueryProcessor, Register, ShopView, Term, hookimpl, terms

from .known_words import KnownWords, Meant
from .scripts import LATIN, script_of
from .spelling_model import Guess, SpellingModel
from .translators.languages import language_of
from .word_forms import LONGEST_WORD

SHORTEST = 2
"""Letters of a word that is corrected."""
TELLING = 4
"""Letters of a word that nobody knows, and that is more than a slip."""
SHORTEST_JOINED = 6
"""Letters of two words that may be one."""
MAX_QUERY_WORDS = 32
"""Of a query that are looked at; longer ones are prose."""
KEY = "spelling"
"""How a shopper takes a correction back: ``ignore: ["spelling:<the word as typed>"]``."""
ALPHABETS = frozenset({LATIN, "cyrillic", "greek"})


class Correction(NamedTuple):
    """``text[start:end]`` as ``guess`` says that it should be, or may be."""

    start: int
    end: int
    guess: Guess


class Spelling:
    """Compiles the model where the lexicon is another than before."""

    def __init__(self) -> None:
        self._model: SpellingModel | None = None
        self._words = KnownWords()

    def process(self, plan: QueryPlan, shop: ShopView) -> QueryPlan:
        model = self._model_of(plan, shop)
        own = language_of(shop.locale)
        if not shop.lexicon.words or language_of(plan.locale) not in ("", own):
            return plan
        kept = {key.removeprefix(f"{KEY}:") for key in plan.ignored if key.startswith(f"{KEY}:")}
        text, told = plan.text, list[str]()
        # A corrected word may be one with the next: what was corrected once would be again.
        while True:
            found = self._corrections(text, shop, model, kept)
            sure = [each for each in found if each.guess.sure]
            if not sure:
                break
            told += [f"{text[c.start : c.end]} → {c.guess.text}" for c in sure]
            text = _put(text, sure)
        if not told and not found:
            return plan
        return msgspec.structs.replace(
            plan,
            text=text,
            corrections=(*plan.corrections, *told),
            expansion=_put(text, found) if found else "",
        )

    def _model_of(self, plan: QueryPlan, shop: ShopView) -> SpellingModel:
        """Of this very lexicon where there is time (before its first search), else of the one
        before: what is new in it is known, if not yet corrected to."""
        model = self._model
        if model is None or (model.lexicon is not shop.lexicon and not plan.original):
            model = self._model = SpellingModel(shop.lexicon)
        return model

    def _corrections(
        self, text: str, shop: ShopView, model: SpellingModel, kept: Container[str]
    ) -> list[Correction]:
        found = list(terms(text))[:MAX_QUERY_WORDS]
        meant = [self._words.meant(term.word, shop, model.knows_form) for term in found]
        if self._words.foreign(text, found, meant, shop):
            return []
        free = [
            known is not Meant.SURELY
            and _correctable(term, text)
            and not _taken_back(term, text, kept)
            for term, known in zip(found, meant, strict=True)
        ]
        made = dict(_guesses(found, meant, free, text, model, kept))
        # Beside a word that nobody knows, another may be of the same language or name.
        stays = any(
            free[i] and known is Meant.UNKNOWN and i not in made and len(term.word) >= TELLING
            for i, (term, known) in enumerate(zip(found, meant, strict=True))
        )
        return [_doubted(each) if stays else each for each in made.values()]


def _doubted(made: Correction) -> Correction:
    """One that is sure only if other words of the query speak for it."""
    sure = made.guess.sure and made.guess.supported
    return made._replace(guess=made.guess._replace(sure=sure))


def _guesses(
    found: Sequence[Term],
    meant: Sequence[Meant],
    free: Sequence[bool],
    text: str,
    model: SpellingModel,
    kept: Container[str],
) -> Iterator[tuple[int, Correction]]:
    """By the place of their word, from left to right: what is put right helps with what follows."""
    words = [term.word for term in found]
    i = 0
    while i < len(found):
        joined = _joined(found, i, meant, text, model)
        if joined and not _taken_back(found[i], text, kept, found[i + 1].end):
            yield i, Correction(found[i].start, found[i + 1].end, Guess(joined))
            words[i + 1] = joined
            i += 2
            continue
        if free[i] and (guess := _guess(words, i, meant[i], model)).text:
            yield i, Correction(found[i].start, found[i].end, guess)
            if guess.sure:
                words[i] = guess.text.rpartition(" ")[2]
        i += 1


def _guess(words: Sequence[str], i: int, meant: Meant, model: SpellingModel) -> Guess:
    if meant is Meant.UNKNOWN:
        return model.correct(words, i)
    return model.mistaken(words, i) if meant is Meant.COMMON else model.instead(words, i)


def _joined(
    found: Sequence[Term], i: int, meant: Sequence[Meant], text: str, model: SpellingModel
) -> str:
    """The word that the words ``i`` and ``i + 1`` are where the space between is too much."""
    if i + 1 >= len(found) or text[found[i].end : found[i + 1].start] != " ":
        return ""
    a, b = found[i].word, found[i + 1].word
    if not (a + b).isalpha() or len(a + b) < SHORTEST_JOINED:
        return ""
    sure = Meant.UNKNOWN not in meant[i : i + 2]
    return a + b if model.writes_together(a, b, sure=sure) else ""


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
        text = text[: each.start] + each.guess.text + text[each.end :]
    return text


@hookimpl
def register_query_processors(register: Register[QueryProcessor]) -> None:
    register("spelling", lambda options: Spelling())
