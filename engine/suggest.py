"""Completes what a shopper types: prefixes of words, with one typing error where nothing else fits.

A suggestion has all the words typed, in any order, the last of them as a prefix. The index is an
inverted one: suggestions are numbered from the best, so that the smallest numbers of a list are its
best, and lists of neighbouring words lie side by side, so that a prefix is one slice.
"""

from __future__ import annotations

import html
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from .words import fold, terms

Kind = Literal["query", "category", "brand", "product"]
Rows = npt.NDArray[np.int32]

MAX_TYPED = 200
"""Characters of what was typed that are read, and :data:`MAX_WORDS` words of them."""
MAX_WORDS = 8
SHORTEST_TYPO, LONGEST_TYPO = 4, 30
"""Letters of a word or prefix that may hold a typing error; four are Algolia's default, too."""
MAX_SPELLINGS = 8
"""Other spellings of a mistyped word that are looked up, those of most suggestions."""
LAST = "\U0010ffff"
"""Sorts after every letter."""
PRODUCTS_SHARE = 0.4
"""Of the places, for products, where there are enough of both."""
_NONE: Rows = np.zeros(0, dtype=np.int32)


class Suggestion(Struct, frozen=True, omit_defaults=True):
    """``text`` to search for. ``highlight`` is it HTML-escaped, with what was typed in ``<mark>``.
    ``id`` is a product's; ``value`` is what a category ("Shoes > Boots") or brand is filtered
    by."""

    text: str
    kind: Kind
    highlight: str
    id: str = ""
    value: str = ""


class Entry(NamedTuple):
    """Something to suggest; ``ref`` is its product id or its value as a filter."""

    text: str
    kind: Kind
    ref: str = ""


class _Token(NamedTuple):
    """A word as typed, folded; ``whole``: it is no prefix."""

    word: str
    whole: bool


class SuggestionIndex:
    """Immutable. ``entries`` come best first."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self._entries = tuple(entries)
        places: dict[str, list[int]] = {}
        first: list[str] = []
        for row, entry in enumerate(self._entries):
            words = [term.word for term in terms(entry.text)]
            first.append(words[0] if words else "")
            for word in dict.fromkeys(words):
                places.setdefault(word, []).append(row)
        self._words = sorted(places)
        lengths = [len(places[word]) for word in self._words]
        self._starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        flat = [row for word in self._words for row in places[word]]
        self._rows: Rows = np.asarray(flat, dtype=np.int32)
        numbers = {word: n for n, word in enumerate(self._words)}
        self._first: Rows = np.asarray([numbers.get(w, -1) for w in first], dtype=np.int32)
        products = [entry.kind == "product" for entry in self._entries]
        self._is_product = np.asarray(products, dtype=np.bool_)
        self._letters = sorted({c for word in self._words for c in word if c.isalpha()})[:64]

    def __len__(self) -> int:
        return len(self._entries)

    def suggest(self, typed: str, limit: int) -> list[Suggestion]:
        """The best completions of ``typed``; of nothing, the best suggestions."""
        typed = typed[:MAX_TYPED]
        words = [term.word for term in terms(typed)][:MAX_WORDS]
        if not words:
            rows = np.arange(len(self._entries), dtype=np.int32)[: 10 * limit]
            best = [] if typed.strip() else [int(r) for r in rows if not self._is_product[r]]
            return [self._made(row, ()) for row in best[:limit]]
        ended = not typed[-1:].isalnum()
        tokens = [_Token(word, ended or i < len(words) - 1) for i, word in enumerate(words)]
        spans = [[self._span(token)] for token in tokens]
        rows = self._having(spans)
        if not len(rows):
            spans = self._forgiven(tokens, spans)
            rows = self._having(spans)
        return [self._made(row, tokens) for row in self._best(rows, spans[0], limit)]

    def _span(self, token: _Token) -> tuple[int, int]:
        """The words that fit, as ``[low, high)`` of all words."""
        low = bisect_left(self._words, token.word)
        if low == len(self._words) or not self._words[low].startswith(token.word):
            return low, low
        if token.whole:
            return low, low + (self._words[low] == token.word)
        return low, bisect_left(self._words, token.word + LAST, low)

    def _having(self, spans: Sequence[Sequence[tuple[int, int]]]) -> Rows:
        """The suggestions that have a word of every token's spans, best first."""
        found: Rows | None = None
        for ways in spans:
            slices = [self._rows[self._starts[a] : self._starts[b]] for a, b in ways if a < b]
            single = len(slices) == 1 and ways[0][1] - ways[0][0] == 1
            rows = slices[0] if single else np.unique(np.concatenate([_NONE, *slices]))
            found = rows if found is None else np.intersect1d(found, rows, assume_unique=True)
            if not len(found):
                return _NONE
        return _NONE if found is None else found

    def _forgiven(
        self, tokens: Sequence[_Token], spans: Sequence[list[tuple[int, int]]]
    ) -> list[list[tuple[int, int]]]:
        """The spans, with those of words one error away where a word has none; where all have
        some, but no suggestion has them together, the last word's."""
        unknown = [i for i, ((low, high),) in enumerate(spans) if low == high]
        forgiven = list(spans)
        for i in unknown or [len(tokens) - 1]:
            token = tokens[i]
            if SHORTEST_TYPO <= len(token.word) <= LONGEST_TYPO:
                near = {self._span(_Token(word, token.whole)) for word in self._near(token.word)}
                some = [(a, b) for a, b in near if a < b]
                some.sort(key=lambda span: (self._starts[span[0]] - self._starts[span[1]], span))
                forgiven[i] = some[:MAX_SPELLINGS]
        return forgiven

    def _near(self, word: str) -> Iterator[str]:
        """All that one error makes of a word (Norvig's edits)."""
        for i in range(len(word) + 1):
            head, tail = word[:i], word[i:]
            if tail:
                yield head + tail[1:]
            if len(tail) > 1:
                yield head + tail[1] + tail[0] + tail[2:]
            for letter in self._letters:
                yield head + letter + tail
                if tail:
                    yield head + letter + tail[1:]

    def _best(self, rows: Rows, spans: Sequence[tuple[int, int]], limit: int) -> list[int]:
        """Those that begin with the first word typed before others; some products after the
        rest."""
        first = self._first[rows]
        begins = np.zeros(len(rows), dtype=np.bool_)
        for low, high in spans:
            begins |= (first >= low) & (first < high)
        product = self._is_product[rows]
        found: dict[bool, list[int]] = {}
        for kind in (False, True):
            groups = [rows[(product == kind) & (begins == b)][:limit] for b in (True, False)]
            found[kind] = [int(row) for row in np.concatenate(groups)[:limit]]
        reserved = min(len(found[True]), max(1, int(limit * PRODUCTS_SHARE))) if limit > 1 else 0
        texts = found[False][: limit - reserved]
        return texts + found[True][: limit - len(texts)]

    def _made(self, row: int, tokens: Sequence[_Token]) -> Suggestion:
        text, kind, ref = self._entries[row]
        marked = highlighted(text, tokens)
        if kind == "product":
            return Suggestion(text, kind, marked, id=ref)
        return Suggestion(text, kind, marked, value=ref)


def highlighted(text: str, tokens: Iterable[_Token]) -> str:
    """``text`` for HTML, what was typed of its words in ``<mark>``."""
    made, at = [], 0
    for term in terms(text):
        raw = text[term.start : term.end]
        fits = [token.word for token in tokens if _fits(term.word, token)]
        if fits:
            length = _letters_of(raw, max(map(len, fits)))
            end = term.start + length
            made.append(html.escape(text[at : term.start]))
            made.append(f"<mark>{html.escape(text[term.start : end])}</mark>")
            at = end
    return "".join([*made, html.escape(text[at:])])


def _fits(word: str, token: _Token) -> bool:
    return word == token.word if token.whole else word.startswith(token.word)


def _letters_of(raw: str, folded: int) -> int:
    """How many characters of ``raw`` make so many folded ones."""
    for end in range(1, len(raw) + 1):
        if len(fold(raw[:end]).replace("'", "")) >= folded:
            return end
    return len(raw)
