"""How likely a word is beside the other words of a query: the language model of the shop.

A mixture (Jelinek and Mercer, 1980) of three estimates of P(word): how many products have it; how
often titles have it side by side with the word before or after, in either order; and how often
products have it that have another word of the query, wherever it stands.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine import Lexicon

from .gazetteer import FUNCTION_WORDS
from .word_forms import form_of

ALONE, BESIDE, WITHIN = 0.2, 0.3, 0.5
"""Weights of the three. Any near these do as well (docs/spelling.md)."""
FEW = 2
"""Added to the products of a word, so that what one or two of them have says little."""
SUPPORT = 2
"""Products that have two words, so that one speaks for the other."""
MOST_CONTEXT = 8
"""Words of a query that are looked at, one bit of a byte for each."""


class Words:
    """The words of a lexicon by their form, and what products of each form."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.total = max(1, sum(lexicon.words.values()))
        self.length = max(1.0, len(lexicon.sample.rows) / max(1, lexicon.sample.products))
        spelled: dict[str, list[str]] = defaultdict(list)
        for word in lexicon.words:
            spelled[form_of(word)].append(word)
        self._spelled = dict(spelled)

    def has_form(self, form: str) -> bool:
        """Whether the shop has a word of this form: "dress" where it writes "dresses"."""
        return form in self._spelled

    def rows(self, form: str) -> NDArray[np.int32]:
        """The sampled products that have a word of this form; those of two such, twice."""
        held = [self.lexicon.sample.of(word) for word in self._spelled.get(form, ())]
        return held[0] if len(held) == 1 else np.concatenate([*held, np.zeros(0, np.int32)])

    def alone(self, word: str) -> float:
        """P(word), above 0."""
        return (self.lexicon.words.get(word, 0) + 0.5) / self.total

    def beside(self, word: str, other: str) -> float:
        """P(word) next to another one in any of its forms; 0 where there is none."""
        forms = self._spelled.get(form_of(other), ())
        count = sum(self.lexicon.words[each] for each in forms)
        both = sum(self.lexicon.together(each, word) for each in forms)
        return min(1.0, both / count) if count else 0.0


class Context:
    """The words of a query around the one at ``at``."""

    def __init__(self, words: Words, query: Sequence[str], at: int) -> None:
        self._words = words
        self._before = query[at - 1] if at else ""
        self._after = query[at + 1] if at + 1 < len(query) else ""
        own = form_of(query[at])
        around = dict.fromkeys(map(form_of, query))
        self._around = [
            form
            for form in around
            if form != own and form not in FUNCTION_WORDS and words.has_form(form)
        ][:MOST_CONTEXT]
        self._bits: NDArray[np.uint8] | None = None
        self._counts: list[int] = []

    def cost(self, word: str) -> float:
        """-log P(word | the others)."""
        found = self.common(word)
        within = sum(n / (all + FEW) for n, all in zip(found, self._counts, strict=True))
        within /= max(1, len(found)) * self._words.length
        return -math.log(self._near(word) + WITHIN * within)

    def cost_apart(self, word: str) -> float:
        """The same, but for the words that do not stand beside it: at least as much, and quick."""
        return -math.log(self._near(word))

    def _near(self, word: str) -> float:
        words = self._words
        beside = max(words.beside(word, self._before), words.beside(word, self._after))
        return ALONE * words.alone(word) + BESIDE * beside

    def supports(self, word: str) -> bool:
        """Whether ``word`` is likelier beside the others than anywhere, by several products."""
        likelier = self.cost(word) < -math.log(self._words.alone(word))
        return likelier and max(self.common(word), default=0) >= SUPPORT

    def common(self, word: str) -> list[int]:
        """How many sampled products have ``word`` and each of the other words, by word."""
        if not self._around:
            return []
        held = self._read() if self._bits is None else self._bits
        bits = held[self._words.rows(form_of(word))]
        return [int(np.count_nonzero(bits & (1 << k))) for k in range(len(self._around))]

    def _read(self) -> NDArray[np.uint8]:
        """Which of the other words each sampled product has, one bit for each."""
        bits = np.zeros(self._words.lexicon.sample.products, np.uint8)
        for k, form in enumerate(self._around):
            rows = self._words.rows(form)
            bits[rows] |= 1 << k
            self._counts.append(len(rows))
        self._bits = bits
        return bits
