"""Query processor ``synonyms``: the query once more, with the shop's synonyms in place.

The lane ``bm25:synonyms`` searches for that beside the words as typed, and weighs less: what a
synonym finds is added, and a bad one cannot drown the rest. Values of the shop that a synonym
names are linked by ``understand``, which knows the synonyms as well. See ``docs/synonyms.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from engine import QueryPlan, QueryProcessor, Register, ShopView, SynonymSet, hookimpl, terms

from .translators.languages import language_of
from .word_forms import form_of

KEY = "synonym"
"""How a shopper takes one back: ``ignore: ["synonym:<the phrase as typed>"]``."""
MAX_QUERY_WORDS = 32
MAX_ALTERNATIVES = 8
"""Of one phrase that are searched for, in the order of the file."""
Meanings = Mapping[tuple[str, ...], tuple[str, ...]]
"""Phrases by the forms of their words, and what else each means."""


class _Found(NamedTuple):
    """``text[start:end]`` and what else it means."""

    start: int
    end: int
    others: tuple[str, ...]


class Synonyms:
    """Compiles the synonyms of a language once for as long as they are the same."""

    prompt = True

    def __init__(self) -> None:
        self._compiled: tuple[SynonymSet, dict[str, Meanings]] | None = None

    def process(self, plan: QueryPlan, shop: ShopView) -> QueryPlan:
        if not shop.synonyms.synonyms or not plan.text:
            return plan
        own = language_of(shop.locale)
        texts = {language_of(plan.locale) or own: plan.expansion or plan.text}
        if own in plan.translations:
            texts.setdefault(own, plan.translations[own])
        kept = [key for key in plan.ignored if key.startswith(f"{KEY}:")]
        made = [
            expanded
            for language, text in texts.items()
            if (expanded := self._expanded(text, self._meanings(shop.synonyms, language), kept))
        ]
        return msgspec.structs.replace(plan, expansion=" ".join(made)) if made else plan

    def _meanings(self, synonyms: SynonymSet, language: str) -> Meanings:
        compiled = self._compiled  # another search may meet other synonyms at this moment
        if compiled is None or compiled[0] is not synonyms:
            compiled = self._compiled = (synonyms, {})
        by_language = compiled[1]
        if language not in by_language:
            by_language[language] = {
                tuple(map(form_of, phrase.split())): others
                for phrase, others in synonyms.of(language).items()
            }
        return by_language[language]

    def _expanded(self, text: str, meanings: Meanings, kept: Sequence[str]) -> str:
        """``text`` with what its phrases also mean in their place; "" where none means more."""
        found = [
            each
            for each in _phrases(text, meanings)
            if f"{KEY}:{text[each.start : each.end].casefold()}" not in kept
        ]
        if not found:
            return ""
        parts, at = [], 0
        for start, end, others in found:
            parts += [text[at:start], " ".join(others[:MAX_ALTERNATIVES])]
            at = end
        return "".join([*parts, text[at:]])


def _phrases(text: str, meanings: Meanings) -> Iterator[_Found]:
    """Phrases of ``meanings`` in ``text``, from left to right, the longest at each place."""
    words = list(terms(text))[:MAX_QUERY_WORDS]
    forms = [form_of(term.word) for term in words]
    longest = max(map(len, meanings), default=0)
    i = 0
    while i < len(words):
        for size in range(min(longest, len(words) - i), 0, -1):
            if others := meanings.get(tuple(forms[i : i + size])):
                yield _Found(words[i].start, words[i + size - 1].end, others)
                i += size
                break
        else:
            i += 1


@hookimpl
def register_query_processors(register: Register[QueryProcessor]) -> None:
    register("synonyms", lambda options: Synonyms())
