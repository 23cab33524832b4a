"""How a title tells whether a product has what was named, where no field of the shop does."""

from __future__ import annotations

from functools import lru_cache

from engine import Span

from .color_kin import colors_in, kin_words
from .field_labels import TYPE, color_group
from .kind_names import other_names
from .title_words import TitleTest, any_phrase, every_word, graded_words, has_name
from .word_forms import forms, key_of, words_of

COLOR, BRAND = "color", "creator"
SHORTEST_JOINED = 6
"""Letters of a kind's name that titles may join otherwise ("T-shirt", "tshirt"); a shorter one is
soon made of the ends of two words."""
_IN_TITLES = frozenset({COLOR, BRAND})
"""Labels of what is looked for in titles where no field of the shop has it."""


def in_titles(span: Span) -> bool:
    """Whether titles can tell what no field does: a colour, a brand, a kind by any of its names."""
    by_name = span.label == TYPE and bool(other_names(span.value))
    return span.effect == "note" and (span.label in _IN_TITLES or by_name)


def title_test(span: Span) -> TitleTest:
    """A title has what was named if it has its words; or, of a colour, one akin to it, of a kind,
    another name of it."""
    if span.label == COLOR and (named := colors_named(span.value)):
        return _colored(named)
    if span.label == BRAND:
        return _either(every_word(span.value), has_name(span.value))
    return _any_name((span.value, *other_names(span.value)))


def _either(one: TitleTest, other: TitleTest) -> TitleTest:
    return lambda title: one(title) or other(title)


@lru_cache(maxsize=1024)
def _any_name(names: tuple[str, ...]) -> TitleTest:
    """Singular where that is the beginning of the plural: titles may go on, but not stop short."""
    bare = {name: " ".join(word.form for word in words_of(name)) for name in names}
    said = [form if name.startswith(form) else name for name, form in bare.items()]
    joined = [name for name in names if len(key_of(words_of(name))) >= SHORTEST_JOINED]
    return _either(any_phrase(dict.fromkeys(said)), has_name(*joined))


@lru_cache(maxsize=1024)
def _colored(named: frozenset[str]) -> TitleTest:
    return graded_words({**kin_words(named), **dict.fromkeys(named, 1.0)})


def colors_named(phrase: str) -> frozenset[str]:
    """The colours of a phrase: of "dark red" red, of "warm colours" those that are."""
    return color_group(phrase) or colors_in(forms(phrase))
