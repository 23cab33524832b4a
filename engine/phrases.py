"""The phrases that titles are made of, for completing what a shopper types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from .words import Term, terms

LONGEST = 3
"""Words of a phrase."""
FEWEST_PRODUCTS = 2
"""What stands in one title alone is that product's name."""
MAX_COUNTED = 500_000
"""Phrases counted at a time; see :data:`engine.lexicon.MAX_COUNTED`."""
MAX_PHRASES = 50_000
ENDS_TITLES = 0.02
"""Share of a word's titles that it must end to end a phrase: "navy" of "navy blue shirt" never
ends one, "shirt" does. Our choice; it needs no list of words for any language."""
BEGINS_TITLES = 0.2
"""Share of a word's titles that it must begin to be a phrase by itself: makers' names do."""
PART_OF = 0.9
"""Share of a phrase's titles from which a longer phrase stands for it: "ralph" of "ralph lauren"
(closed sequences: Yan, Han and Afshar, SDM 2003)."""
_JOINERS = frozenset(
    {
        *("a", "an", "and", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"),
        *("von", "und", "mit", "fur", "der", "die", "das", "de", "et", "pour", "avec", "la", "le"),
        *("les", "du", "y", "con", "para", "el", "los", "e", "da", "per", "di", "van", "voor"),
    }
)
"""Words that begin no phrase."""


class PhraseReader:
    """Counts the phrases of titles, some titles at a time."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._surface: dict[str, str] = {}
        self._words: Counter[str] = Counter()
        self._first: Counter[str] = Counter()
        self._last: Counter[str] = Counter()

    def read(self, titles: Iterable[str | None]) -> None:
        for title in titles:
            found = list(terms(title or ""))
            if not found:
                continue
            self._words.update({term.word for term in found})
            self._first[found[0].word] += 1
            self._last[found[-1].word] += 1
            self._counts.update(self._phrases(title or "", found))
        if len(self._counts) > MAX_COUNTED:
            self._counts = Counter({key: n for key, n in self._counts.items() if n > 1})
            self._surface = {k: s for k, s in self._surface.items() if k in self._counts}

    def phrases(self) -> dict[str, int]:
        """Phrases as they are written, in lower case, with about how many titles have them; those
        of most titles."""
        kept = {
            key: n
            for key, n in self._counts.items()
            if n >= FEWEST_PRODUCTS and self._is_whole(key.split(" "))
        }
        whole = {
            part
            for key, n in self._counts.items()
            if n >= FEWEST_PRODUCTS
            for part in _parts(key)
            if n >= PART_OF * kept.get(part, n * 2)
        }
        best = Counter({key: n for key, n in kept.items() if key not in whole})
        return {self._surface.get(key, key): n for key, n in best.most_common(MAX_PHRASES)}

    def _phrases(self, title: str, found: list[Term]) -> set[str]:
        keys: set[str] = set()
        for i, first in enumerate(found):
            for last in found[i : i + LONGEST]:
                words = [term.word for term in found[i : found.index(last, i) + 1]]
                key = " ".join(words)
                keys.add(key)
                surface = title[first.start : last.end].lower()
                if surface != key and key not in self._surface:
                    self._surface[key] = surface
        return keys

    def _is_whole(self, words: list[str]) -> bool:
        """Whether it begins and ends as a phrase does."""
        if words[0] in _JOINERS or len(words[-1]) < 2 or words[-1] in _JOINERS:
            return False
        if not any(char.isalpha() for word in words for char in word):
            return False
        if len(words) == 1 and self._first[words[0]] >= BEGINS_TITLES * self._words[words[0]]:
            return True
        return self._last[words[-1]] >= ENDS_TITLES * self._words[words[-1]]


def _parts(key: str) -> Iterator[str]:
    """A phrase without its first, and without its last word."""
    if " " in key:
        yield key.partition(" ")[2]
        yield key.rpartition(" ")[0]
