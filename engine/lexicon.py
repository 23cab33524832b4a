"""The words that a shop writes: how many products have each, and which stand together."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from .words import terms

MAX_WORDS = 200_000
"""Words kept, those of most products; likewise pairs."""
SHORTEST_PAIR_COUNT = 2
"""Products that a pair of neighbours must stand in: what stands together once says little, and
most pairs do."""
MAX_COUNTED = 1_000_000
"""Pairs counted at a time. Where there are more, those seen once so far are forgotten (lossy
counting: Manku and Motwani, VLDB 2002), which bounds the memory and can miss only rare ones."""
MAX_SAMPLED = 100_000
"""Products of which is kept which words each has: about 60 bytes of each. Of a larger catalogue
every second one, fourth one and so on, as many as this or half as many."""
_NO_ROWS = np.zeros(0, np.int32)
_NOTHING = np.zeros(1, np.int64)


class WordRows(Struct, frozen=True, eq=False):
    """Which of ``products`` products, a sample of the catalogue, have a word in common.

    The products that have the word ``i`` are ``rows[starts[i] : starts[i + 1]]``, ascending
    int32 from 0; ``ids`` are the words' numbers."""

    products: int = 0
    ids: Mapping[str, int] = field(default_factory=dict)
    starts: NDArray[np.int64] = _NOTHING
    rows: NDArray[np.int32] = _NO_ROWS

    def of(self, word: str) -> NDArray[np.int32]:
        """The products that have a word (folded); none where it is not known."""
        i = self.ids.get(word)
        return _NO_ROWS if i is None else self.rows[self.starts[i] : self.starts[i + 1]]


class Lexicon(Struct, frozen=True, eq=False):
    """``words`` maps the words of titles and of all fields that hold words (brands, categories,
    colours), folded (:func:`engine.words.terms`), to about how many products have them.
    ``pairs`` maps two neighbouring words of a title, "running shoes", to the same. ``sample`` tells
    which products have which words. All are empty until the catalogue has been read, soon after it
    went live.
    """

    words: Mapping[str, int] = field(default_factory=dict)
    pairs: Mapping[str, int] = field(default_factory=dict)
    sample: WordRows = WordRows()

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
        return Lexicon({**self.words, **fresh}, self.pairs, self.sample) if fresh else self


class LexiconReader:
    """Counts the words of a catalogue, some products at a time."""

    def __init__(self) -> None:
        self._words: Counter[str] = Counter()
        self._pairs: Counter[str] = Counter()
        self._values: dict[str, tuple[str, ...]] = {}
        self._sample = _Sample()

    def read(self, titles: Sequence[str | None], columns: Iterable[Sequence[Any]]) -> None:
        """Take up products by their titles and the columns of fields that hold words, each in
        the order of ``titles``; ``None`` where a product has none."""
        held = list(columns)
        for row, title in enumerate(titles):
            spelled = [term.word for term in terms(title or "")]
            words = dict.fromkeys(spelled)
            self._pairs.update({f"{a} {b}" for a, b in pairwise(spelled)})
            for column in held:
                words.update(dict.fromkeys(self._words_of(column[row])))
            self._words.update(words.keys())
            self._sample.add(words)
        if len(self._pairs) > MAX_COUNTED:
            self._pairs = Counter({pair: n for pair, n in self._pairs.items() if n > 1})

    def lexicon(self) -> Lexicon:
        words = _most(self._words)
        pairs = {pair: n for pair, n in self._pairs.items() if n >= SHORTEST_PAIR_COUNT}
        return Lexicon(words, _most(pairs), self._sample.rows())

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


class _Sample:
    """The words of every ``_step``-th product, by number."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._held: list[array[int]] = []
        self._step, self._seen = 1, 0

    def add(self, words: Iterable[str]) -> None:
        if self._seen % self._step == 0:
            ids = self._ids
            self._held.append(array("i", [ids.setdefault(word, len(ids)) for word in words]))
        self._seen += 1
        if len(self._held) > MAX_SAMPLED:
            self._held = self._held[::2]
            self._step *= 2

    def rows(self) -> WordRows:
        sizes = [len(each) for each in self._held]
        held = np.concatenate([*self._held, _NO_ROWS]).astype(np.int32)
        order = np.argsort(held, kind="stable")
        rows = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)[order]
        counts = np.bincount(held, minlength=len(self._ids))
        starts = np.concatenate([_NOTHING, np.cumsum(counts)])
        return WordRows(len(sizes), dict(self._ids), starts, rows)


def _most(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(counts).most_common(MAX_WORDS)) if len(counts) > MAX_WORDS else dict(counts)
