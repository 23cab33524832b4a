"""The likeliest word that was meant: a noisy channel over the words of a shop.

After Kernighan, Church and Gale (COLING 1990): of all words near to what was typed, the one with
the greatest P(word) · P(typed | word). P(word) is how many products have it, and how often it
stands beside its neighbours in the query (Jelinek–Mercer interpolation of the pair's count with the
word's); P(typed | word) is :mod:`plugins.typo_costs`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from rapidfuzz import process
from rapidfuzz.distance import OSA

from engine import Lexicon

from .typo_costs import typo_cost
from .word_forms import LONGEST_WORD, form_of

TWO_TYPOS = 8
"""Letters of a word that may hold two errors, as in Algolia: a shorter one has too little left."""
MOST_NEAR = 20
"""Candidates that are weighed: nearest first, then those of most products."""
WITHOUT_PAIR = 0.3
"""Weight of a word's own count against its pairs with a neighbour (1 - weight)."""
COMMON_WORD = 5
"""Products of a word that is more than a name."""
SPACE = 4.0
"""Cost of a space left out: about that of a letter."""
SHORTEST_PART = 3
"""Letters of a part of a word that lacks a space."""
SHORT, SHORT_DOUBT = 3, 10.0
"""Letters of a word that has many neighbours, and how sure its correction must be: "mne" beside
"shirts" is "men"."""
FOUR, FOUR_DOUBT = 4, 14.0
"""The same of a word of so many letters that would become one of fewer than :data:`COMMON_WORD`
products: "asus" is rather a brand that the shop lacks than the "Smart Ass" of one shirt."""
PLURAL, SHORTEST_SINGULAR = "s", 4
RARER = math.log(2)
"""Cost of a plural that no title has, over its singular."""
DOUBT = 19.0
"""Cost above which what was typed stands: a word that nobody knows may be a name. In natural
logarithms, against the whole shop; tuned on the development halves of benchmarks/typos.py."""


class SpellingModel:
    """What was computed of one lexicon. Building it costs about a microsecond per word."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._total = max(1, sum(lexicon.words.values()))
        self._by_length: dict[int, list[str]] = defaultdict(list)
        forms = set()
        for word in lexicon.words:
            if len(word) <= LONGEST_WORD and word.isalpha():
                self._by_length[len(word)].append(word)
                forms.add(form_of(word))
        self._forms = frozenset(forms)

    def knows_form(self, form: str) -> bool:
        """Whether the shop has a word of this form: "dress" where it writes "dresses"."""
        return form in self._forms

    def writes_together(self, a: str, b: str, *, sure: bool) -> bool:
        """Whether two words are one in this shop, and not two; where they are both ``sure`` to be
        meant as typed, several products must have the one."""
        count = self.lexicon.words.get(a + b, 0)
        return count >= (COMMON_WORD if sure else 1) and not self.lexicon.together(a, b)

    def correct(self, typed: str, before: str, after: str) -> str:
        """The word, or two words, that ``typed`` stands for, beside these neighbours (folded,
        "" where there is none or it is not known); "" where nothing is likely enough."""
        ways = [(self._cost(typed, word, before, after), word) for word in self._near(typed)]
        ways += self._plurals(typed, before, after)
        ways += self._apart(typed, before, after)
        cost, best = min(ways, default=(math.inf, ""))
        return best if cost < self._doubt(typed, best) else ""

    def _doubt(self, typed: str, best: str) -> float:
        """Up to which cost ``typed`` becomes ``best``."""
        if len(typed) <= SHORT:
            return SHORT_DOUBT
        rare = self.lexicon.words.get(best, 0) < COMMON_WORD
        return FOUR_DOUBT if rare and len(typed) <= FOUR else DOUBT

    def _near(self, typed: str) -> list[str]:
        most = 2 if len(typed) >= TWO_TYPOS else 1
        found = [
            (distance, -self.lexicon.words[word], word)
            for length in range(len(typed) - most, len(typed) + most + 1)
            for word, distance, _ in process.extract(
                typed,
                self._by_length.get(length, ()),
                scorer=OSA.distance,
                score_cutoff=most,
                limit=None,
            )
        ]
        return [word for _, _, word in sorted(found)[:MOST_NEAR]]

    def _plurals(self, typed: str, before: str, after: str) -> Iterator[tuple[float, str]]:
        """Words that the shop writes in the singular alone: "shooes" where it sells a "shoe"."""
        stem = typed.removesuffix(PLURAL)
        if len(stem) < SHORTEST_SINGULAR or stem == typed or stem.endswith(PLURAL):
            return
        for word in self._near(stem):
            if not word.endswith(PLURAL) and word + PLURAL not in self.lexicon.words:
                yield RARER + self._cost(stem, word, before, after), word + PLURAL

    def _cost(self, typed: str, word: str, before: str, after: str) -> float:
        return typo_cost(typed, word) + self._rarity(word, before) + self._follows(word, after)

    def _apart(self, typed: str, before: str, after: str) -> Iterator[tuple[float, str]]:
        """Two words of titles that stand side by side there, and here without a space."""
        for cut in range(SHORTEST_PART, len(typed) - SHORTEST_PART + 1):
            a, b = typed[:cut], typed[cut:]
            if self.lexicon.pairs.get(f"{a} {b}"):
                cost = SPACE + self._rarity(a, before) + self._follows(b, after)
                yield cost + self._rarity(b, a), f"{a} {b}"

    def _rarity(self, word: str, beside: str) -> float:
        """-log P(word), beside another one where there is one."""
        alone = (self.lexicon.words.get(word, 0) + 0.5) / self._total
        others = self.lexicon.words.get(beside, 0)
        if not others:
            return -math.log(alone)
        pair = min(1.0, self.lexicon.together(beside, word) / others)
        return -math.log(WITHOUT_PAIR * alone + (1 - WITHOUT_PAIR) * pair)

    def _follows(self, word: str, after: str) -> float:
        """How much less likely the word after is beside ``word`` than anywhere, at most 0."""
        if not self.lexicon.words.get(after):
            return 0.0
        return min(0.0, self._rarity(after, word) - self._rarity(after, ""))
