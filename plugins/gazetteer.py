"""Finds what the shop sells in the words of a query: brands, colours, categories, any value.

Compiled from :attr:`engine.ShopView.vocabulary`, so a brand that came with the last product is
known with the next query. Longest phrase first; spelling as :mod:`plugins.word_forms` forgives
it, a typo in a word of five letters, and missing or additional spaces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Self

from .color_kin import colors_in, kinship
from .field_labels import labels_of
from .kind_names import LONGEST, other_names
from .stated_measures import Measures, agree
from .title_measures import measures_of
from .value_aliases import MAX_SHADES, MAX_WORDS, Values, aliases_of, named_by_synonyms
from .word_forms import (
    AND,
    LONGEST_WORD,
    SPELLINGS,
    Speller,
    Word,
    form_of,
    forms,
    key_of,
    words_of,
)

MAX_QUERY_WORDS = 128
"""Of a query that are looked up."""
NO_WORDS = forms("na none other unknown misc null yes no true false new all")
"""Values that say nothing."""
FUNCTION_WORDS = forms(
    "a an the of for with without in on at by to from and or not no is it my your our we you i "
    "only just very so this that these those "
    "please pls plz thanks hello hi me need want looking"
)
SHORTEST_PAIR = 7
"""Letters of two words written as one."""
COMMON = forms(Path(__file__).with_name("common_words.txt").read_text(encoding="utf-8"))
"""Words of at least five letters that stand in three or more of QueryNER's training queries (MIT
licence): they are meant as typed, not typos of what a shop sells ("short", "Sports")."""
ALIAS, TYPO, SPLIT = 0.9, 0.85, 0.8
"""How much a find counts that took a related word, a corrected typo, a missing space."""
ALIKE = 0.3
"""How near another kind is that shares a name with the one meant: as two shades of one family."""

NONE: Mapping[str, Sequence[str]] = MappingProxyType({})


class Link(NamedTuple):
    """Values of one field that a phrase can mean; ``products`` have them, about."""

    field: str
    values: tuple[str, ...]
    products: int


class Match(NamedTuple):
    """A phrase of the query, ``text[start:end]`` of so many words, and what it can mean."""

    start: int
    end: int
    words: int
    links: tuple[Link, ...]
    score: float


class Gazetteer:
    """The vocabulary of one shop, to be looked up. Immutable but for what it caches."""

    def __init__(
        self,
        vocabulary: Mapping[str, Mapping[str, int]],
        labels: dict[str, tuple[str, ...]],
        phrases: dict[str, Values],
        words: Counter[str],
        longest: int,
        synonyms: Mapping[str, Sequence[str]],
    ) -> None:
        self.vocabulary = vocabulary
        self.labels = labels
        self._phrases = phrases
        self._words = words
        self._longest = max([longest, LONGEST, *(len(phrase.split()) for phrase in synonyms)])
        named = dict(named_by_synonyms(synonyms, phrases))
        self._aliases = {**aliases_of(vocabulary, labels, phrases), **named}
        others = {o: words[form] for form, os in SPELLINGS.items() if form in words for o in os}
        self._speller = Speller({**words, **others})
        self._kinds: dict[str, list[tuple[str, frozenset[str]]]] = {}
        self._kin: dict[tuple[str, frozenset[str]], dict[str, float]] = {}
        self._measures: dict[str, list[tuple[str, Measures]]] = {}
        self._alike: dict[Link, dict[str, float]] = {}

    @classmethod
    def compile(
        cls,
        vocabulary: Mapping[str, Mapping[str, int]],
        before: Self | None = None,
        synonyms: Mapping[str, Sequence[str]] = NONE,
    ) -> Self:
        """``before`` is that of an earlier view of the shop: where values were only added, it
        is extended by them. What ``synonyms`` a value has (:meth:`engine.SynonymSet.of`) name it,
        unless they are values themselves."""
        old: Mapping[str, Mapping[str, int]] = before.vocabulary if before else {}
        if before is not None and _grew(old, vocabulary):
            phrases, words, longest = dict(before._phrases), Counter(before._words), before._longest
            labels = before.labels
        else:
            old, phrases, words, longest = {}, {}, Counter(), 1
            labels = {field: labels_of(field, values) for field, values in vocabulary.items()}
        for field, values in vocabulary.items():
            known = old.get(field, {})
            for value in () if known is values else [v for v in values if v not in known]:
                if spelled := _phrase(value):
                    key = key_of(spelled)
                    phrases[key] = (*phrases.get(key, ()), (field, value))
                    longest = max(longest, len(spelled))
                    for word in spelled:
                        words[word.form] += values[value]
                    if len(spelled) > 1 and len(key) <= LONGEST_WORD:
                        words[key] += 1
        return cls(vocabulary, labels, phrases, words, longest, synonyms)

    def find(self, text: str, as_typed: Container[str] = ()) -> list[Match]:
        """The phrases in ``text`` that the shop has a value for, from left to right, none over
        another, longer ones first. Words of
        ``as_typed`` (casefolded) are no typos."""
        typed = words_of(text)[:MAX_QUERY_WORDS]
        words, corrected = self._spelled(typed, text, as_typed)
        free = [True] * len(words)
        found: list[Match] = []
        for size in range(min(self._longest + 1, len(words)), 0, -1):
            for i in range(len(words) - size + 1):
                if all(free[i : i + size]) and (
                    match := self._match(words[i : i + size], corrected[i : i + size])
                ):
                    found.append(match)
                    free[i : i + size] = [False] * size
        for word, unknown in zip(typed, free, strict=True):
            if unknown and word.form not in self._words:
                found += self._split(word, text[word.start : word.end])
        return sorted(found)

    def exactly(self, text: str, fields: Iterable[str]) -> tuple[Link, ...]:
        """What the whole of ``text`` means in some fields, a number as well ("8" in sizes)."""
        key = key_of(words_of(text))
        held = self._phrases.get(key, ())
        return _links([pair for pair in held if pair[0] in set(fields)], self.vocabulary)

    def kinds(self, field: str) -> list[tuple[str, frozenset[str]]]:
        """The field's values with the forms of their words."""
        known = self._kinds.get(field)
        if known is None:
            values = islice(self.vocabulary[field], MAX_SHADES)
            known = self._kinds[field] = [(value, forms(value)) for value in values]
        return known

    def kin(self, field: str, colors: frozenset[str]) -> dict[str, float]:
        """The field's values that are akin to these colours, with how near they are."""
        known = self._kin.get((field, colors))
        if known is None:
            near = {value: kinship(colors, colors_in(has)) for value, has in self.kinds(field)}
            known = self._kin[field, colors] = {value: n for value, n in near.items() if n}
        return known

    def alike(self, link: Link) -> dict[str, float]:
        """Values of the field that are sold under a name that one of the link's values has, too,
        with how near they are: backpacks for "rucksack" where the shop has both."""
        known = self._alike.get(link)
        if known is None:
            names = {name for value in link.values for name in other_names(leaf(value))}
            pairs = [
                pair for name in names for pair in self._phrases.get(key_of(words_of(name)), ())
            ]
            near = [v for field, v in pairs if field == link.field and v not in link.values]
            known = self._alike[link] = dict.fromkeys(sorted(near), ALIKE)
        return known

    def measured(self, asked: Measures, fields: Iterable[str]) -> Link | None:
        """The values of the first of ``fields`` that state what was ``asked`` for, in whatever
        unit."""
        for field in fields:
            known = self._measures.get(field)
            if known is None:
                stated = [(value, measures_of(value)) for value, _ in self.kinds(field)]
                known = self._measures[field] = [(v, held) for v, held in stated if held]
            if same := tuple(value for value, held in known if agree(asked, held)):
                return Link(field, same, 0)
        return None

    def _spelled(
        self, typed: Sequence[Word], text: str, as_typed: Container[str]
    ) -> tuple[list[Word], list[bool]]:
        words: list[Word] = []
        corrected: list[bool] = []
        for word in typed:
            form = word.form
            known = form in self._words or form in self._phrases or form in self._aliases
            known = known or text[word.start : word.end].casefold() in as_typed
            better = None
            if not known and form not in COMMON and word.end - word.start >= 5:
                better = self._speller.correct(form)
            words.append(word._replace(form=form_of(better)) if better else word)
            corrected.append(better is not None)
        return words, corrected

    def _match(self, words: Sequence[Word], corrected: Sequence[bool]) -> Match | None:
        if words[0].form == AND or words[-1].form == AND:
            return None
        key = key_of(words)
        pairs, score = self._phrases.get(key, ()), 1.0
        if not pairs:
            pairs, score = self._aliases.get(key, ()), ALIAS
        if not pairs or not _says_something(words, key):
            return None
        score *= TYPO ** sum(corrected)
        links = _links(pairs, self.vocabulary)
        return Match(words[0].start, words[-1].end, len(words), links, score)

    def _split(self, word: Word, typed: str) -> list[Match]:
        """``blackshoes`` as two phrases, the second one as long as can be."""
        if not SHORTEST_PAIR <= len(typed) <= LONGEST_WORD or not typed.isalpha():
            return []
        for cut in range(3, len(typed) - 2):
            first, second = self._held(typed[:cut]), self._held(typed[cut:])
            if first and second:
                places = (word.start, word.start + cut, word.end)
                return [
                    Match(*places[:2], 1, _links(first, self.vocabulary), SPLIT),
                    Match(*places[1:], 1, _links(second, self.vocabulary), SPLIT),
                ]
        return []

    def _held(self, word: str) -> Values:
        form = form_of(word)
        return self._phrases.get(form) or self._aliases.get(form, ())


def value_keys(vocabulary: Mapping[str, Mapping[str, int]]) -> frozenset[str]:
    """The keys (:func:`plugins.word_forms.key_of`) of all values that are found by words. For who
    asks only whether something is sold: it takes a ninth of the time of :meth:`Gazetteer.compile`,
    as long as extending one does."""
    found = (_phrase(value) for values in vocabulary.values() for value in values)
    return frozenset(key_of(words) for words in found if words)


def leaf(value: str) -> str:
    """The last name of a category path, "A > B"; another value itself."""
    return value.rpartition(" > ")[2]


def _phrase(value: str) -> list[Word]:
    """The words by which a value is found; empty where it is not to be found by words."""
    if len(value) > 200:
        return []
    spelled = words_of(leaf(value))
    if not spelled or len(spelled) > MAX_WORDS or key_of(spelled) in NO_WORDS:
        return []
    return spelled


def _says_something(words: Sequence[Word], key: str) -> bool:
    """A number or a letter alone is no value, nor is "for" or "the"."""
    if len(key) < 2 or not any(char.isalpha() for char in key):
        return False
    return any(word.form not in FUNCTION_WORDS for word in words)


def _grew(old: Mapping[str, Mapping[str, int]], new: Mapping[str, Mapping[str, int]]) -> bool:
    return old.keys() == new.keys() and all(
        old[field] is new[field] or old[field].keys() <= new[field].keys() for field in old
    )


def _links(
    pairs: Iterable[tuple[str, str]], vocabulary: Mapping[str, Mapping[str, int]]
) -> tuple[Link, ...]:
    by_field: dict[str, list[str]] = {}
    for field, value in pairs:
        by_field.setdefault(field, []).append(value)
    return tuple(
        Link(field, tuple(values), sum(vocabulary[field].get(value, 0) for value in values))
        for field, values in by_field.items()
    )
