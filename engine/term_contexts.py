"""The terms of a catalogue's titles, and how alike the company is that two of them keep.

A term is a word, or two words that belong together ("stainless steel"). Its contexts are the word
before it, the word after it, and the other words and field values of its products, weighed by
positive pointwise mutual information with smoothed contexts (Levy, Goldberg and Dagan, TACL 2015).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .protocols import Vectors
from .words import terms

FEWEST_PRODUCTS = 3
"""Titles that a term must stand in."""
MAX_TERMS = 8000
"""Terms compared, those of most products: what bounds memory (some 300 MB while they are weighed)
and time."""
MAX_CONTEXTS = 800
MAX_VALUES = 500
"""Words, and field values, that count as contexts: those of most products."""
WINDOW = 12
"""Words to each side that are the company of a term."""
TOGETHER = 0.5
"""Normalised pointwise mutual information (Bouma, GSCL 2009) from which two neighbouring words
are a term: "stainless steel" has it, "steel sink" does not."""
SMOOTHING = 0.75
BEFORE, AFTER, BESIDE = 0.25, 0.25, 0.5
"""What the three kinds of context weigh in a likeness. Our choice."""
NUMBER = "#"
"""The context that all words with a digit are."""
BLOCK = 512
Ints = npt.NDArray[np.int64]
Term = tuple[str, ...]


class TermReader:
    """Takes up the titles of a catalogue, a product at a time, as numbers of words."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._tokens = array("i", [-1])
        self._values: dict[tuple[str, str], int] = {}
        self._held = array("i")
        self._holders = array("i")
        self.titles = 0

    def read(self, title: str, values: Iterable[tuple[str, str]]) -> None:
        """A product by its title and by its values, each with the field it is of."""
        for term in terms(title):
            self._tokens.append(self._ids.setdefault(term.word, len(self._ids)))
        self._tokens.append(-1)  # between titles
        for value in values:
            self._held.append(self._values.setdefault(value, len(self._values)))
            self._holders.append(self.titles)
        self.titles += 1

    def contexts(self) -> TermContexts:
        """The terms of what was read."""
        tokens = np.frombuffer(self._tokens, np.int32).astype(np.int64)
        held = np.frombuffer(self._held, np.int32).astype(np.int64)
        holders = np.frombuffer(self._holders, np.int32).astype(np.int64)
        titles = np.maximum(np.cumsum(tokens < 0) - 1, 0)
        found = _Text(tokens, titles, list(self._ids), held, holders)
        return TermContexts(found)


class _Text(NamedTuple):
    """Titles one after the other: the word at each place (-1 before, between and after them) and
    the title it is in; ``values`` of products, and whose they are."""

    tokens: Ints
    titles: Ints
    words: Sequence[str]
    values: Ints
    holders: Ints


class TermContexts:
    """``names`` are the terms, those of most products first, ``counts`` how many titles have
    each, and ``after_numbers`` the share of its places that a number stands before, as it does
    before units. All else goes by the terms' numbers."""

    def __init__(self, text: _Text) -> None:
        self._text = text
        self._ends = np.flatnonzero(text.tokens < 0)
        spread = int(text.titles[-1]) + 1
        counts = _count(text.tokens, text.titles, len(text.words))
        pairs, of_pairs = _pairs(text, counts, spread)
        self.names, self.counts, words, keys = _choose(text.words, counts, pairs, of_pairs)
        places, of, long = _occurrences(text, words, keys)
        order = np.argsort(of, kind="stable")
        self._places, self._of, self._long = places[order], of[order], long[order]
        self._starts = np.searchsorted(self._of, np.arange(len(self.names) + 1))
        shown = np.unique(self._of * spread + text.titles[self._places])
        self._shown = np.split(shown % spread, np.searchsorted(shown // spread, self._bounds))
        self._contexts = _contexts(text.words, counts)
        self._rarity = self._contexts.rarity(counts, spread)
        self.rows = self._weigh(shown // spread, shown % spread)
        self.after_numbers = self._after_numbers()

    @property
    def _bounds(self) -> Ints:
        return np.arange(1, max(len(self.names), 1))

    def together(self, a: int, b: int) -> int:
        """Titles that have both."""
        return len(np.intersect1d(self._shown[a], self._shown[b], assume_unique=True))

    def likeness(self, those: Sequence[int]) -> Vectors:
        """How alike the company of each of ``those`` is to that of every term: cosines, as
        standard scores among its own (so that rare terms, of which little is known, are not held
        against frequent ones), ``[len(those), len(names)]``."""
        found = self.rows[list(those)] @ self.rows.T
        others = np.ones(found.shape, dtype=bool)
        others[np.arange(len(those)), list(those)] = False  # a term is like itself
        size = max(len(self.names) - 1, 1)
        mean = np.sum(found, axis=1, keepdims=True, where=others) / size
        square = np.sum((found - mean) ** 2, axis=1, keepdims=True, where=others) / size
        return np.asarray((found - mean) / np.maximum(square**0.5, 1e-6), dtype=np.float32)

    def contrasts(self, a: int, b: int) -> int:
        """Titles that are the same but for one having ``a`` where the other has ``b``: how shops
        tell variants apart, red from blue and left from right."""
        return len(self._frames(a) & self._frames(b))

    def shared(self, a: int, b: int, limit: int) -> list[str]:
        """The words that say most for the likeness of two terms, best first."""
        size = len(self._contexts.words)
        alike = (self.rows[a] * self.rows[b])[: 3 * size].reshape(3, size).sum(axis=0)
        weights = alike * self._rarity
        best = np.argsort(-weights, kind="stable")[:limit]
        return [self._contexts.words[i] for i in best if weights[i] > 0]

    def _frames(self, a: int) -> set[bytes]:
        """The titles that have a term, without it."""
        tokens, found = self._text.tokens, set()
        size = len(self.names[a])
        for place in self._places[self._starts[a] : self._starts[a + 1]]:
            at = int(np.searchsorted(self._ends, place))
            kept = tokens[self._ends[at - 1] : place], tokens[place + size : self._ends[at]]
            found.add(b"|".join(part.astype(np.int32).tobytes() for part in kept))
        return found

    def _after_numbers(self) -> Vectors:
        number = self._contexts.of(self._text.tokens[self._places - 1]) == self._contexts.number
        size = max(len(self.names), 1)
        behind = np.bincount(self._of[number], minlength=size)
        return (behind / np.maximum(np.bincount(self._of, minlength=size), 1)).astype(np.float32)

    def _weigh(self, of: Ints, titles: Ints) -> Vectors:
        """Unit rows ``[terms, contexts]`` whose products are the likeness."""
        tokens, known, size = self._text.tokens, self._contexts, len(self.names)
        before = known.of(tokens[self._places - 1])
        after = known.of(tokens[np.minimum(self._places + self._long, len(tokens) - 1)])
        beside = np.zeros((size, len(known.words)), dtype=np.float32)
        for step in range(1, WINDOW + 1):
            for places in (self._places - step, self._places + self._long - 1 + step):
                near = np.clip(places, 0, len(tokens) - 1)
                same = self._text.titles[near] == self._text.titles[self._places]
                beside += _table(self._of[same], known.of(tokens[near[same]]), beside.shape)
        values = self._values(of, titles)
        parts = [
            (BEFORE, _table(self._of, before, beside.shape)),
            (AFTER, _table(self._of, after, beside.shape)),
            (BESIDE, np.hstack([beside, values])),
        ]
        for weight, part in parts:
            _weigh_counts(part)
            part *= np.float32(weight**0.5)
        return np.hstack([part for _, part in parts])

    def _values(self, of: Ints, titles: Ints) -> Vectors:
        """How many products of each term have each of the most frequent values."""
        counts = np.bincount(self._text.values, minlength=1)
        best = np.argsort(-counts, kind="stable")[:MAX_VALUES]
        column = np.full(len(counts), -1)
        column[best] = np.arange(len(best))
        made = np.zeros((len(self.names), len(best)), dtype=np.float32)
        order = np.argsort(self._text.holders, kind="stable")
        holders, held = self._text.holders[order], column[self._text.values[order]]
        start = np.searchsorted(holders, titles)
        stop = np.searchsorted(holders, titles, side="right")
        for step in range(int((stop - start).max(initial=0))):
            has = start + step < stop
            made += _table(of[has], held[start[has] + step], made.shape)
        return made


class _Contexts(NamedTuple):
    """The words that count as contexts; ``columns`` maps each word of the titles to its own, or
    -1, and ``number`` is that of all numbers."""

    words: list[str]
    columns: Ints
    number: int

    def of(self, tokens: Ints) -> Ints:
        return np.where(tokens < 0, -1, self.columns[tokens])

    def rarity(self, counts: Ints, titles: int) -> Vectors:
        """How much each says to a person: the logarithm of titles per title that has it (Spärck
        Jones, Journal of Documentation 1972), nothing of numbers and very short words."""
        found = np.zeros(len(self.words), dtype=np.float32)
        told = np.flatnonzero((counts > 0) & (self.columns[: len(counts)] > self.number))
        found[self.columns[told]] = np.log(titles / counts[told])
        found[[len(word) < 3 for word in self.words]] = 0
        return found


def _contexts(words: Sequence[str], counts: Ints) -> _Contexts:
    columns = np.full(max(len(words), 1), -1)
    names = [NUMBER]
    for i in np.argsort(-counts, kind="stable").tolist():
        if any(char.isdigit() for char in words[i]):
            columns[i] = 0
        elif len(names) < MAX_CONTEXTS:
            columns[i] = len(names)
            names.append(words[i])
    return _Contexts(names, columns, 0)


def _count(tokens: Ints, titles: Ints, size: int) -> Ints:
    """In how many titles each word stands."""
    told = tokens >= 0
    once = np.unique(titles[told] * size + tokens[told])
    return np.bincount(once % size if size else once, minlength=size)


def _pairs(text: _Text, counts: Ints, spread: int) -> tuple[Ints, Ints]:
    """Neighbouring words of enough titles, as ``first * words + second``, and how many."""
    first, second = text.tokens[:-1], text.tokens[1:]
    size = max(len(text.words), 1)
    enough = np.append(counts >= FEWEST_PRODUCTS, False)  # the last one is that of -1
    told = enough[first] & enough[second]
    keys, titles = (first * size + second)[told], text.titles[:-1][told]
    known, numbers = np.unique(keys, return_inverse=True)
    once = np.unique(numbers * spread + titles)
    found = np.bincount(once // spread, minlength=len(known))
    kept = found >= FEWEST_PRODUCTS
    chance = counts[known[kept] // size] * counts[known[kept] % size] / spread
    mutual = np.log(np.maximum(found[kept] / np.maximum(chance, 1e-12), 1e-12))
    bound = mutual / np.maximum(-np.log(found[kept] / spread), 1e-12)
    # Of those that do not belong together only what is also written as one word is wanted.
    names = {word for word, n in zip(text.words, counts, strict=True) if n >= FEWEST_PRODUCTS}
    chosen = [
        at
        for at, (key, tie) in enumerate(zip(known[kept].tolist(), bound.tolist(), strict=True))
        if tie >= TOGETHER or text.words[key // size] + text.words[key % size] in names
    ]
    return known[kept][chosen], found[kept][chosen]


def _choose(
    words: Sequence[str], counts: Ints, pairs: Ints, of_pairs: Ints
) -> tuple[list[Term], Ints, Ints, Ints]:
    """The terms of most products with their counts; the number of each word's term, or -1; and
    the keys of pairs by the number of theirs, or -1."""
    size = max(len(words), 1)
    told: list[tuple[int, Term, int]] = []
    for i in np.flatnonzero(counts >= FEWEST_PRODUCTS).tolist():
        if len(words[i]) > 1 and words[i].isalpha():
            told.append((-int(counts[i]), (words[i],), i))
    for key, n in zip(pairs.tolist(), of_pairs.tolist(), strict=True):
        first, second = words[key // size], words[key % size]
        if first.isalpha() and second.isalpha() and len(first + second) > 3:
            told.append((-n, (first, second), key))
    joined = {"".join(term) for _, term, _ in told if len(term) > 1}
    both = joined & {term[0] for _, term, _ in told if len(term) == 1}
    # What is written in both ways is sure to be wanted, however rare it is.
    told.sort(key=lambda each: ("".join(each[1]) not in both, each))
    told = sorted(told[:MAX_TERMS])
    numbers, keys = np.full(size, -1), np.full(len(told), -1)
    for number, (_, term, key) in enumerate(told):
        if len(term) == 1:
            numbers[key] = number
        else:
            keys[number] = key
    names = [term for _, term, _ in told]
    return names, np.asarray([-n for n, _, _ in told], dtype=np.int64), numbers, keys


def _occurrences(text: _Text, words: Ints, keys: Ints) -> tuple[Ints, Ints, Ints]:
    """Every place of a term: where, of which, and how many words it has."""
    places = np.flatnonzero(text.tokens >= 0)
    of = words[text.tokens[places]]
    single = of >= 0
    size = max(len(text.words), 1)
    starts = places[text.tokens[np.minimum(places + 1, len(text.tokens) - 1)] >= 0]
    here = text.tokens[starts] * size + text.tokens[np.minimum(starts + 1, len(text.tokens) - 1)]
    order = np.argsort(keys, kind="stable")
    at = np.clip(np.searchsorted(keys[order], here), 0, max(len(keys) - 1, 0))
    double = keys[order][at] == here if len(keys) else np.zeros(len(here), dtype=bool)
    found = np.concatenate([places[single], starts[double]])
    numbers = np.concatenate([of[single], order[at[double]] if len(keys) else of[:0]])
    sizes = np.concatenate([np.ones(single.sum(), np.int64), np.full(double.sum(), 2)])
    return found, numbers, sizes


def _table(rows: Ints, columns: Ints, shape: tuple[int, ...]) -> Vectors:
    """How often each row meets each column; a column of -1 is none."""
    told = columns >= 0
    flat = np.bincount(rows[told] * shape[1] + columns[told], minlength=shape[0] * shape[1])
    return flat.reshape(shape).astype(np.float32)


def _weigh_counts(table: Vectors) -> None:
    """Make counts positive pointwise mutual information, in unit rows, in their place: the tables
    are large."""
    rows = np.maximum(table.sum(axis=1, keepdims=True), 1)
    columns = table.sum(axis=0, keepdims=True) ** SMOOTHING
    table /= rows
    table /= np.maximum(columns / max(float(columns.sum()), 1e-12), 1e-12)
    with np.errstate(divide="ignore"):
        np.log(table, out=table)
    np.maximum(table, 0, out=table)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
