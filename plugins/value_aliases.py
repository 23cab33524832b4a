"""Words that a shop has no value of, and the values that stand for them: shades and groups of
colours, for whom things are, other names of a kind, the shop's synonyms.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, product

from .color_kin import FAMILIES, ishes
from .field_labels import (
    COLOR_FAMILIES,
    COLOR_GROUPS,
    COLOR_NOUNS,
    COLORS,
    COUPLES,
    DEPARTMENT_FAMILIES,
    FOR_WHOM,
    RELATIVES,
    TWO,
    TYPE,
)
from .kind_names import GROUPS
from .word_forms import key_of, words_of

MAX_WORDS = 6
"""Of a value that can be found; longer ones are prose."""
MAX_SHADES = 1000
"""Values of a field of colours or materials that are looked into, the most frequent ones."""

Values = tuple[tuple[str, str], ...]
"""(field, value) pairs."""


def aliases_of(
    vocabulary: Mapping[str, Mapping[str, int]],
    labels: Mapping[str, tuple[str, ...]],
    phrases: Mapping[str, Values],
) -> dict[str, Values]:
    """By key (:func:`plugins.word_forms.key_of`) the values that stand for words which are no value
    of the field. ``phrases`` are the keys of values."""
    made: dict[str, list[tuple[str, str]]] = {}
    for field, values in vocabulary.items():
        names = _Names(field, phrases)
        found: list[tuple[str, Values]] = []
        if "color" in labels[field]:
            found += [*_words_of_colors(values, names), *_color_groups(names)]
            found += _shades(names, {key for key, _ in found} | made.keys())
            found += _nearly_of_a_color(names)
        if "department" in labels[field]:
            found += _departments(names)
        if TYPE in labels[field] or not labels[field]:
            found += _kinds(names)
        for key, pairs in found:
            made.setdefault(key, []).extend(pairs)
    return {key: tuple(dict.fromkeys(pairs)) for key, pairs in made.items()}


class _Names:
    """The values of one field by the names they have."""

    def __init__(self, field: str, phrases: Mapping[str, Values]) -> None:
        self.field = field
        self._phrases = phrases

    def held(self, name: str) -> Values:
        """The field's values of this name."""
        return tuple(p for p in self._phrases.get(_key(name), ()) if p[0] == self.field)

    def any_of(self, names: Iterable[str]) -> Values:
        return tuple(pair for name in names for pair in self.held(name))

    def sold(self, name: str) -> bool:
        """Whether any field has a value of this name."""
        return _key(name) in self._phrases


@lru_cache(maxsize=4096)
def _key(name: str) -> str:
    return key_of(words_of(name))


def _words_of_colors(values: Iterable[str], names: _Names) -> Iterator[tuple[str, Values]]:
    """ "Blue" for "Navy Blue", where there is no blue."""
    for value in islice(values, MAX_SHADES):
        for word in words_of(value)[:MAX_WORDS]:
            if word.form in COLORS and not names.held(word.form):
                yield word.form, ((names.field, value),)


def _color_groups(names: _Names) -> Iterator[tuple[str, Values]]:
    for group, members in COLOR_GROUPS.items():
        if together := names.any_of(members.split()):
            for noun in COLOR_NOUNS:
                yield _key(f"{group} {noun}"), together


def _shades(names: _Names, known: Container[str]) -> Iterator[tuple[str, Values]]:
    """The first of its family that the shop has stands for a shade."""
    for shade, family in COLOR_FAMILIES.items():
        stand_in = next(filter(None, map(names.held, family)), ())
        if stand_in and not names.held(shade) and _key(shade) not in known:
            yield _key(shade), stand_in


def _nearly_of_a_color(names: _Names) -> Iterator[tuple[str, Values]]:
    """ "Purplish", "reddish", "greyish"."""
    for family in FAMILIES:
        if held := names.held(family):
            yield from ((_key(name), held) for name in ishes(family))


def _departments(names: _Names) -> Iterator[tuple[str, Values]]:
    for name, codes in DEPARTMENT_FAMILIES.items():
        if not names.held(name) and (coded := names.any_of(codes)):
            yield _key(name), coded
    for name, relatives in RELATIVES.items():
        held = names.held(name) or names.any_of(DEPARTMENT_FAMILIES.get(name, ()))
        for before, relative in product(FOR_WHOM, relatives.split() if held else ()):
            yield _key(f"{before} {relative}"), held
    both = [names.held(name) or names.any_of(DEPARTMENT_FAMILIES[name]) for name in TWO]
    if all(both):
        yield from ((_key(phrase), both[0] + both[1]) for phrase in COUPLES)


def _kinds(names: _Names) -> Iterator[tuple[str, Values]]:
    for group in GROUPS:
        if held := names.any_of(group):
            for name in group:
                if not names.sold(name):
                    yield _key(name), held


def named_by_synonyms(
    synonyms: Mapping[str, Sequence[str]], phrases: Mapping[str, Values]
) -> Iterator[tuple[str, Values]]:
    """Phrases that the shop has no value of, and the values that have them as synonyms."""
    for phrase, others in synonyms.items():
        key = key_of(words_of(phrase))
        pairs = [pair for other in others for pair in phrases.get(key_of(words_of(other)), ())]
        if pairs and key not in phrases:
            yield key, tuple(dict.fromkeys(pairs))
