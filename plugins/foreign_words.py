"""Words by which a query in another language than the catalogue's shows, where nobody says so."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from rapidfuzz.distance import OSA

from engine import terms

from .translators.glossary import SHOP_WORDS
from .translators.word_endings import SKIPPED, SPECIAL

SHORTEST, SHORTEST_NAME = 2, 3
"""Letters of a function word, and of a name of something, that say which language it is."""
AMBIGUOUS = {
    *("an", "as", "con", "de", "del", "die", "do", "du", "en", "la", "le"),
    *("in", "met", "no", "on", "per", "um", "van"),
}
"""Function words that are English as well, or parts of names."""


@cache
def function_words(own: str) -> frozenset[str]:
    """The articles and prepositions of the languages that the translators know, but of ``own``
    (ISO 639-1): "un" is Italian as well as French, and tells an Italian shop nothing."""
    found = {w for language, words in SKIPPED.items() if language != own for w in _words(words)}
    return frozenset(w for w in found - AMBIGUOUS - own_words(own) if len(w) >= SHORTEST)


@cache
def own_words(own: str) -> frozenset[str]:
    """The articles and prepositions of ``own`` (ISO 639-1)."""
    return frozenset(_words(SKIPPED.get(own, ())))


@cache
def trade_words(own: str) -> frozenset[str]:
    """What things, colours and people are called in those languages and not in ``own``, but for
    what one typing error makes of the English word: "bleu"."""
    tables = tomllib.loads(SHOP_WORDS.read_text(encoding="utf-8"))
    held = [*tables.items(), *SPECIAL.items()]
    found = {w for language, table in held if language != own for w in _names(table)}
    return frozenset(found - {w for lang, table in held if lang == own for w in _words(table)})


def _names(meanings: Mapping[str, str]) -> Iterator[str]:
    for phrase, meaning in meanings.items():
        english = list(_words([meaning]))
        for word in _words([phrase]):
            if len(word) >= SHORTEST_NAME and all(OSA.distance(word, e) > 1 for e in english):
                yield word


def _words(texts: Iterable[str]) -> Iterator[str]:
    return (term.word for text in texts for term in terms(text))
