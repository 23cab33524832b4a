"""The words that a shop writes: how many products have each, and which stand side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct, field

from .words import terms

MAX_WORDS = 200_000
"""Words kept, those of most products; likewise pairs."""
SHORTEST_PAIR_COUNT = 2
"""Products that a pair of neighbours must stand in: what stands together once says little, and
most pairs do."""
MAX_COUNTED = 1_000_000
"""Pairs counted at a time. Where there are more, those seen once so far are forgotten (lossy
counting: Manku and Motwani, VLDB 2002), which bounds the memory and can miss only rare ones."""


class Lexicon(Struct, frozen=True, eq=False):
    """``words`` maps the words of titles and of all fields that hold words (brands, categories,
    colours), folded (:func:`engine.words.terms`), to about how many products have them.
    ``pairs`` maps two neighbouring words of a title, "running shoes", to the same. Both are empty
    until the catalogue has been read, soon after it went live.
    """

    words: Mapping[str, int] = field(default_factory=dict)
    pairs: Mapping[str, int] = field(default_factory=dict)

    def knows(self, word: str) -> bool:
        """Whether the shop writes a word (folded)."""
        return word in self.words

    def together(self, a: str, b: str) -> int:
        """How many titles have the two words side by side, in either order: shoppers do not
        keep to the catalogue's."""
        return self.pairs.get(f"{a} {b}", 0) + self.pairs.get(f"{b} {a}", 0)

    def with_words(self, products: Iterable[tuple[str, Iterable[str]]]) -> Lexicon:
        """With the words of more products (title and values of each) that are new to it; this
        very lexicon where none is."""
        fresh: Counter[str] = Counter()
        for title, values in products:
            found = {term.word for text in (title, *values) for term in terms(text)}
            fresh.update(word for word in found if word not in self.words)
        return Lexicon({**self.words, **fresh}, self.pairs) if fresh else self


class LexiconReader:
    """Counts the words of a catalogue, some products at a time."""

    def __init__(self) -> None:
        self._words: Counter[str] = Counter()
        self._pairs: Counter[str] = Counter()
        self._values: dict[str, tuple[str, ...]] = {}

    def read(self, titles: Sequence[str | None], columns: Iterable[Sequence[Any]]) -> None:
        """Take up products by their titles and the columns of fields that hold words, each in
        the order of ``titles``; ``None`` where a product has none."""
        held = list(columns)
        for row, title in enumerate(titles):
            spelled = [term.word for term in terms(title or "")]
            words = set(spelled)
            self._pairs.update({f"{a} {b}" for a, b in pairwise(spelled)})
            for column in held:
                words.update(self._words_of(column[row]))
            self._words.update(words)
        if len(self._pairs) > MAX_COUNTED:
            self._pairs = Counter({pair: n for pair, n in self._pairs.items() if n > 1})

    def lexicon(self) -> Lexicon:
        pairs = {pair: n for pair, n in self._pairs.items() if n >= SHORTEST_PAIR_COUNT}
        return Lexicon(_most(self._words), _most(pairs))

    def _words_of(self, value: Any) -> Iterable[str]:
        """The words of one value or of a list of them; values repeat, so each is split once."""
        if isinstance(value, list):
            return [word for each in value for word in self._words_of(each)]
        if not isinstance(value, str):
            return ()
        known = self._values.get(value)
        if known is None:
            known = self._values[value] = tuple({term.word for term in terms(value)})
        return known


def _most(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(counts).most_common(MAX_WORDS)) if len(counts) > MAX_WORDS else dict(counts)
