"""The likeliest word that was meant: a noisy channel over the words of a shop.

After Kernighan, Church and Gale (COLING 1990): of all words near to what was typed, the one with
the greatest P(word) · P(typed | word). P(word) is :mod:`plugins.spelling_context`, P(typed | word)
is :mod:`plugins.typo_costs`. Costs are negated natural logarithms.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from engine import Lexicon

from .spelling_context import Context, Words
from .typo_costs import typo_cost
from .word_forms import LONGEST_WORD, form_of

TWO_TYPOS = 8
"""Letters of a word that may hold two errors, as in Algolia: a shorter one has too little left."""
SHORTEST = 2
"""Letters of a word that is corrected to."""
SHORTEST_MAYBE = 4
"""Letters of a word that is searched for as typed and as corrected."""
MOST_NEAR = 20
"""Candidates that are weighed: nearest first, then those of most products."""
COMMON_WORD = 5
"""Products of a word that is more than a name."""
SPACE = 4.0
"""Cost of a space left out: about that of a letter."""
SHORTEST_PART = 3
"""Letters of a part of a word that lacks a space."""
PLURAL, SHORTEST_SINGULAR = "s", 4
RARER = math.log(2)
"""Cost of a plural that no title has, over its singular."""
DOUBT, SHORT_DOUBTS = 20.0, {2: 10.5, 3: 13.0, 4: 17.0}
"""Cost above which what was typed stands, and that of short words by their letters: a word that
nobody knows may be a name, and a short one has many neighbours. These and all below were chosen on
the development halves of benchmarks/typos.py."""
BARE_DOUBTS = {2: 0.0, 3: 11.5, 4: 13.0}
"""The same where nothing beside the word speaks for the correction: "acer" is rather a brand that
the shop lacks than a racer. Of four letters and more, both are searched for."""
RARE_DOUBT = 14.0
"""The same of a correction that fewer than :data:`COMMON_WORD` products have: "fendi" is rather
another brand than a fendy; "asus" is surely no "Smart Ass", which is one shirt."""
COMMON_DOUBT, COMMON_MAYBE = 10.5, 14.0
"""Cost up to which a common word that the shop lacks becomes one that stands with the others, and
may be one: "ball beating" is a bearing."""
SURPRISING = 8.0
"""Cost of a word of the shop that is rare, and has no business beside the others."""
MARGIN = 2.0
"""How much less must cost what it may be instead."""


class Guess(NamedTuple):
    """What a word stands for; where it is not ``sure``, both are worth a search. ``supported``:
    other words of the query speak for it."""

    text: str = ""
    sure: bool = True
    supported: bool = True


class SpellingModel:
    """What was computed of one lexicon."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._words = Words(lexicon)
        self._by_length = _by_length(lexicon.words)

    def knows_form(self, form: str) -> bool:
        """Whether the shop has a word of this form: "dress" where it writes "dresses"."""
        return self._words.has_form(form)

    def writes_together(self, a: str, b: str, *, sure: bool) -> bool:
        """Whether two words are one in this shop, and not two; where they are both ``sure`` to be
        meant as typed, several products must have the one."""
        count = self.lexicon.words.get(a + b, 0)
        return count >= (COMMON_WORD if sure else 1) and not self.lexicon.together(a, b)

    def correct(self, query: Sequence[str], at: int) -> Guess:
        """The word, or two words, that the unknown word ``query[at]`` stands for beside the others
        (folded, "" for those that are not known); "" where nothing is likely enough."""
        typed, context = query[at], Context(self._words, query, at)
        ways = [(self._cost(typed, word, context), word) for word in self._near(typed)]
        ways += self._plurals(typed, context)
        ways += self._apart(typed, context)
        cost, best = min(ways, default=(math.inf, ""))
        return self._judged(typed, best, cost, context)

    def mistaken(self, query: Sequence[str], at: int) -> Guess:
        """What the common word ``query[at]``, which the shop lacks, stands for where the others
        say so."""
        cost, best = self._supported(query, at, Context(self._words, query, at))
        return Guess(best, cost < COMMON_DOUBT) if cost < COMMON_MAYBE else Guess()

    def instead(self, query: Sequence[str], at: int) -> Guess:
        """What the word ``query[at]`` of the shop may be an error for, never surely."""
        context = Context(self._words, query, at)
        if context.cost_apart(query[at]) < SURPRISING:
            return Guess()
        own = context.cost(query[at])
        if own < SURPRISING:
            return Guess()
        cost, best = self._supported(query, at, context)
        return Guess(best, sure=False) if cost < own - MARGIN else Guess()

    def _supported(self, query: Sequence[str], at: int, context: Context) -> tuple[float, str]:
        """The likeliest word near to one that may be meant as typed."""
        typed = query[at]
        form = form_of(typed)
        ways = [(self._cost(typed, w, context), w) for w in self._near(typed) if form_of(w) != form]
        cost, best = min(ways, default=(math.inf, ""))
        return (cost, best) if context.supports(best) else (math.inf, "")

    def _judged(self, typed: str, best: str, cost: float, context: Context) -> Guess:
        """What becomes of an unknown word whose likeliest correction is ``best``."""
        letters = len(typed)
        count = self.lexicon.words.get
        rare = cost >= RARE_DOUBT and count(best, count(best[:-1], 0)) < COMMON_WORD
        if cost >= SHORT_DOUBTS.get(letters, DOUBT) or (rare and letters in SHORT_DOUBTS):
            return Guess()
        if " " in best or context.supports(best):
            return Guess(best)
        bare = not rare and cost < BARE_DOUBTS.get(letters, DOUBT)
        sure = bare or letters >= TWO_TYPOS
        return Guess(best, sure, supported=False) if sure or letters >= SHORTEST_MAYBE else Guess()

    def _near(self, typed: str) -> list[str]:
        most = 2 if len(typed) >= TWO_TYPOS else 1
        found = [
            (distance, -self.lexicon.words[word], word)
            for length in range(max(SHORTEST, len(typed) - most), len(typed) + most + 1)
            if length in self._by_length
            for word, distance, _ in process.extract(
                typed,
                self._by_length[length].alike(typed, most),
                scorer=OSA.distance,
                score_cutoff=most,
                limit=None,
            )
            if distance
        ]
        return [word for _, _, word in sorted(found)[:MOST_NEAR]]

    def _plurals(self, typed: str, context: Context) -> Iterator[tuple[float, str]]:
        """Words that the shop writes in the singular alone: "shooes" where it sells a "shoe"."""
        stem = typed.removesuffix(PLURAL)
        if len(stem) < SHORTEST_SINGULAR or stem == typed or stem.endswith(PLURAL):
            return
        for word in self._near(stem):
            # Of another form than the word itself it would be unknown: corrected for ever.
            if form_of(word + PLURAL) == form_of(word) and word + PLURAL not in self.lexicon.words:
                yield RARER + self._cost(stem, word, context), word + PLURAL

    def _cost(self, typed: str, word: str, context: Context) -> float:
        return typo_cost(typed, word) + context.cost(word)

    def _apart(self, typed: str, context: Context) -> Iterator[tuple[float, str]]:
        """Two words of titles that stand side by side there, and here without a space."""
        for cut in range(SHORTEST_PART, len(typed) - SHORTEST_PART + 1):
            a, b = typed[:cut], typed[cut:]
            if self.lexicon.pairs.get(f"{a} {b}") and self.lexicon.knows(a):
                cost = SPACE + context.cost(a) - math.log(self._words.beside(b, a))
                yield cost, f"{a} {b}"


class _Alike(NamedTuple):
    """Words of one length, and the letters of each as bits."""

    words: list[str]
    letters: NDArray[np.uint64]

    def alike(self, typed: str, most: int) -> list[str]:
        """Those that may be ``most`` errors from ``typed``: an error changes two letters, one that
        goes and one that comes. A tenth of the words remain, in a hundredth of the time."""
        different = np.bitwise_count(self.letters ^ np.uint64(_letters(typed)))
        return [self.words[i] for i in np.flatnonzero(different <= 2 * most)]


def _by_length(words: Iterable[str]) -> dict[int, _Alike]:
    found: dict[int, list[str]] = defaultdict(list)
    for word in words:
        if len(word) <= LONGEST_WORD and word.isalpha():
            found[len(word)].append(word)
    return {
        length: _Alike(held, np.array([_letters(word) for word in held], np.uint64))
        for length, held in found.items()
    }


def _letters(word: str) -> int:
    bits = 0
    for char in word:
        bits |= 1 << (ord(char) & 63)
    return bits
