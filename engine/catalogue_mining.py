"""Candidates for synonyms among a catalogue's own words, so that a shop that has no events yet
gets proposals, too. For a person to decide on; see :mod:`engine.mining` for those of shoppers.

What keeps the same company may mean the same, or the opposite: red and blue, left and right,
makers and models. Company alone is wrong nine times in ten (decision 0016). So
one more thing must speak for a pair (the encoder, its spelling, a description) and nothing against
it: titles that have both, titles told apart by nothing else, values of one field.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from typing import NamedTuple

import msgspec
import numpy as np

from .catalogue_words import CatalogueWords
from .locales import language_code
from .protocols import Encoder, ShopView, Vectors
from .schema import CATEGORY_SEPARATOR
from .synonyms import LONGEST_PHRASE, Synonym, key_of, make_id
from .term_contexts import BLOCK, Term, TermContexts
from .word_relations import LONGEST_SHORT, Endings, is_short_for

MAX_CANDIDATES = 50
"""Proposed at a time: what a person goes through in some minutes."""
SAME_MEANING = 0.82
"""Cosine of two terms by the text encoder from which their meaning may be the same: red and blue
have 0.73, small and large 0.78, men's and women's 0.80, sofa and couch 0.86. All numbers here were
chosen on one catalogue with the encoder that is shipped (decision 0016)."""
USUAL = 0.35
"""Mean cosine of two terms up to which cosines are taken as they are; the shipped encoder has 0.19
to 0.28, those trained with a low temperature 0.7 and more."""
NEAREST = 20
"""Terms looked at for each."""
SURE_MEANING = 0.9
"""Cosine from which titles that have both say nothing against two terms (where titles are stuffed
with words, "bike" stands beside "bicycle"), nor a field that spells a value in two ways."""
COMPANY_OF_MEANING, STRONG = 40, 0.96
"""By what the likeness of company is divided, and what it and the cosine must come to."""
COMPANY_OF_ONE, ONE_WORD = 5, 0.85
"""The same of one word written as two."""
COMPANY_OF_SHORT, SHORT_FORM = 10, 1.25
"""The same where one may be short for the other."""
UNITS, UNIT_MEANING, UNIT = 0.5, 0.45, 0.65
"""The same where both are units, as they stand behind a number in this share of their places and
have this cosine, or more."""
SHORTER = 2
"""Letters that a short form is shorter by, but of a unit ("lb", "lbs")."""
TOGETHER = 0.05
"""Share of the rarer term's titles that may have both: who writes both means both."""
CONTRASTS = 0.02
"""Share of the rarer term's titles that may differ from another one in these terms alone; one may
in any case."""
SPELT_ALIKE = 0.75
"""Likeness (:class:`difflib.SequenceMatcher`) of two spellings of a value, "gray" and "grey"."""
BATCH = 256
MAX_SHARED = 3


def from_catalogue(
    words: CatalogueWords, view: ShopView, others: Iterable[Synonym] = ()
) -> list[Synonym]:
    """At most :data:`MAX_CANDIDATES` of them, the surest first; none that the shop's synonyms or
    ``others`` have, whatever was decided on it."""
    known = _known([*view.synonyms.synonyms, *others])
    locale = language_code(view.locale)
    found: dict[frozenset[str], Synonym] = {}
    for pair, evidence in [*_described(words), *_Mining(words.contexts, view).best()]:
        key = frozenset(map(key_of, pair))
        if len(found) == MAX_CANDIDATES:
            break
        if len(key) == 2 and key not in known and max(map(len, pair)) <= LONGEST_PHRASE:
            a, b = sorted(pair)
            made = Synonym(make_id((a, b), locale), (a, b), locale=locale, status="candidate")
            found.setdefault(key, msgspec.structs.replace(made, evidence=evidence))
    return list(found.values())


class _Pair(NamedTuple):
    """Two terms by their numbers, and why they may mean the same: if their cosine and the likeness
    of their company divided by ``company`` come to ``least``."""

    a: int
    b: int
    why: str
    least: float
    company: float


class _Mining:
    """One look for candidates."""

    def __init__(self, contexts: TermContexts, view: ShopView) -> None:
        self._contexts = contexts
        self._names = contexts.names
        self._numbers = {term: number for number, term in enumerate(self._names)}
        self._vectors = _encoded(view.text_encoder, self._names)
        self._endings = Endings(word for term in self._names for word in term)
        self._fields = _fields_of(view.vocabulary)

    def best(self) -> list[tuple[tuple[str, str], str]]:
        """Pairs of terms that pass, the surest first, each with its evidence."""
        if not self._names:
            return []
        pairs = [*self._one_words(), *self._short_forms(), *self._meanings()]
        passed: dict[tuple[int, int], tuple[float, _Pair]] = {}
        for pair, likeness in zip(pairs, self._likeness(pairs), strict=True):
            said = self._cosine(pair.a, pair.b) + likeness / pair.company
            known = passed.get((pair.a, pair.b))
            if said >= pair.least and (known is None or said / pair.least > known[0]):
                passed[pair.a, pair.b] = said / pair.least, pair
        ordered = sorted(passed.values(), key=lambda each: (-each[0], each[1]))
        kinds: dict[str, list[_Pair]] = defaultdict(list)
        for _, pair in ordered:
            if not self._speaks_against(pair):
                kinds[pair.why].append(pair)
        turns = chain.from_iterable(zip_longest(*kinds.values()))
        return [
            ((self._name(pair.a), self._name(pair.b)), self._evidence(pair))
            for pair in turns
            if pair is not None
        ]

    def _one_words(self) -> Iterator[_Pair]:
        """Written as two words and as one."""
        for number, term in enumerate(self._names):
            other = self._numbers.get(("".join(term),), number)
            if other != number:
                a, b = sorted((number, other))
                yield _Pair(a, b, "one word or two", ONE_WORD, COMPANY_OF_ONE)

    def _short_forms(self) -> Iterator[_Pair]:
        """Where one may be short for the other."""
        initials: dict[str, list[int]] = defaultdict(list)
        for number, term in enumerate(self._names):
            initials[term[0][0]].append(number)
        for number, term in enumerate(self._names):
            if len(term) > 1 or len(term[0]) > LONGEST_SHORT:
                continue
            for other in initials[term[0][0]]:
                long = self._names[other]
                if not is_short_for(term[0], long) or self._overlap(number, other):
                    continue
                unit = self._are_units(number, other)
                if unit or sum(map(len, long)) >= len(term[0]) + SHORTER:
                    a, b = sorted((number, other))
                    least = UNIT if unit else SHORT_FORM
                    yield _Pair(a, b, "a short form", least, COMPANY_OF_SHORT)

    def _meanings(self) -> Iterator[_Pair]:
        """What the encoder holds for much the same, but forms of one word."""
        found: set[tuple[int, int]] = set()
        for start in range(0, len(self._names), BLOCK):
            near = self._vectors[start : start + BLOCK] @ self._vectors.T
            few = min(NEAREST, near.shape[1])
            best = np.argpartition(-near, few - 1, axis=1)[:, :few]
            for row, column in np.argwhere(np.take_along_axis(near, best, axis=1) >= SAME_MEANING):
                a, b = sorted((int(row) + start, int(best[row, column])))
                if a != b and not self._overlap(a, b):
                    found.add((a, b))
        for a, b in sorted(found):
            yield _Pair(a, b, "near in meaning", STRONG, COMPANY_OF_MEANING)

    def _likeness(self, pairs: Sequence[_Pair]) -> list[float]:
        """Of the company of each pair; the lower of its two sides."""
        wanted: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for i, pair in enumerate(pairs):
            wanted[pair.a].append((i, pair.b))
            wanted[pair.b].append((i, pair.a))
        found = [np.inf] * len(pairs)
        numbers = sorted(wanted)
        for start in range(0, len(numbers), BLOCK):
            block = numbers[start : start + BLOCK]
            for number, row in zip(block, self._contexts.likeness(block), strict=True):
                for i, other in wanted[number]:
                    found[i] = min(found[i], float(row[other]))
        return found

    def _speaks_against(self, pair: _Pair) -> bool:
        """Whether both are values of one field, or in titles where synonyms would not be."""
        a, b = self._name(pair.a), self._name(pair.b)
        sure = self._cosine(pair.a, pair.b) >= SURE_MEANING
        alike = difflib.SequenceMatcher(None, a, b).ratio() >= SPELT_ALIKE
        if a.replace(" ", "") == b.replace(" ", ""):
            return False
        if self._fields[_bare(a)] & self._fields[_bare(b)] and not (sure and alike):
            return True
        contexts, rarer = self._contexts, float(self._contexts.counts[[pair.a, pair.b]].min())
        if not sure and contexts.together(pair.a, pair.b) > TOGETHER * rarer:
            return True
        return contexts.contrasts(pair.a, pair.b) > max(1.0, CONTRASTS * rarer)

    def _are_units(self, a: int, b: int) -> bool:
        behind = float(self._contexts.after_numbers[[a, b]].min())
        return behind >= UNITS and self._cosine(a, b) >= UNIT_MEANING

    def _evidence(self, pair: _Pair) -> str:
        contexts = self._contexts
        both = contexts.together(pair.a, pair.b)
        numbers = sorted((pair.a, pair.b), key=self._name)  # as the candidate has them
        counts = " and ".join(f"{contexts.counts[number]:,}" for number in numbers)
        told = [f"in {counts} titles, {f'{both:,} of them in both' if both else 'never in one'}"]
        if shared := contexts.shared(pair.a, pair.b, MAX_SHARED):
            told.append(f"both beside: {', '.join(shared)}")
        told.append(f"{pair.why} (cosine {self._cosine(pair.a, pair.b):.2f})")
        return "; ".join(told)

    def _overlap(self, a: int, b: int) -> bool:
        """Whether two terms are the same in part: forms of a word, or one with another word
        written to it ("swan", "swanstone")."""
        first, second = self._names[a], self._names[b]
        short, long = sorted(("".join(first), "".join(second)), key=len)
        rest = long.removeprefix(short)
        added = rest != long and (not rest or (rest,) in self._numbers)
        return added or self._endings.overlap(first, second)

    def _cosine(self, a: int, b: int) -> float:
        return float(self._vectors[a] @ self._vectors[b])

    def _name(self, number: int) -> str:
        return " ".join(self._names[number])


def _described(words: CatalogueWords) -> Iterator[tuple[tuple[str, str], str]]:
    """What descriptions say, by how many do."""
    for pair, n in sorted(words.described.items(), key=lambda item: (-item[1], item[0])):
        plural = "s say" if n > 1 else " says"
        yield pair, f"{n:,} description{plural} that both name the same"


def _encoded(encoder: Encoder, names: Sequence[Term]) -> Vectors:
    """Unit rows ``[len(names), d]``. An encoder that holds all terms for near is read by how they
    differ from their mean (Mu and Viswanath, ICLR 2018)."""
    texts = [" ".join(term) for term in names]
    if not texts:
        return np.empty((0, 1), dtype=np.float32)
    starts = range(0, len(texts), BATCH)
    rows = np.vstack([encoder.encode_texts(texts[at : at + BATCH], "query") for at in starts])
    mean = rows.mean(axis=0)
    if float(mean @ mean) > USUAL:
        rows = rows - mean
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-3)
    return rows


def _known(synonyms: Iterable[Synonym]) -> set[frozenset[str]]:
    """The pairs that were decided on, or wait for it."""
    return {
        frozenset((key_of(phrase), key_of(other)))
        for synonym in synonyms
        for phrase, others in synonym.pairs()
        for other in others
    }


def _fields_of(vocabulary: Mapping[str, Mapping[str, int]]) -> dict[str, set[str]]:
    """The fields that have a value of some name."""
    found: dict[str, set[str]] = defaultdict(set)
    for field, values in vocabulary.items():
        for value in values:
            found[_bare(key_of(value.rpartition(CATEGORY_SEPARATOR)[2]))].add(field)
    return found


def _bare(name: str) -> str:
    """Without spaces and the plural, as values are often written: "T-Shirts" and "tshirt"."""
    return name.replace(" ", "").removesuffix("s")
