"""Whether a title has some words, however they are inflected: "check" in "checked" and "checks"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from .gazetteer import FUNCTION_WORDS
from .word_forms import form_of, words_of

TitleTest = Callable[[str], float]
"""How much a title in lower case fits, 0 to 1."""
SHORTEST_STEM = 4
"""Letters of a stem that may go on; a shorter word must stand as it is, or in the plural."""
_WORD = re.compile(r"\w+")
_ENDING = re.compile(r"(?:(?<=\w{4})(?:ed|ing)|(?<=\w{4})[sey]|(?<=\w{4})ies)$")


@lru_cache(maxsize=4096)
def every_word(phrase: str) -> TitleTest:
    """1 for a title with all words of ``phrase`` that say something, else 0."""
    # Most titles have not even the stem, which is quicker to see.
    tests = [(stem(word), re.compile(_pattern(word)).search) for word in _telling(phrase)]

    def test(title: str) -> float:
        return float(all(bare in title and found(title) for bare, found in tests))

    return test if tests else lambda title: 0.0


def any_phrase(phrases: Iterable[str]) -> TitleTest:
    """1 for a title with :func:`every_word` of one of ``phrases``, else 0."""
    tests = [(stem(said[0]), every_word(p)) for p in phrases if (said := _telling(p))]

    def test(title: str) -> float:
        for bare, whole in tests:  # a loop, for there are many phrases and titles
            if bare in title and whole(title):
                return 1.0
        return 0.0

    return test


def _telling(phrase: str) -> list[str]:
    """The words of a phrase in lower case that say something; all where none does."""
    words = [phrase[word.start : word.end].lower() for word in words_of(phrase)]
    return [word for word in words if word not in FUNCTION_WORDS] or words


def says(title: str, phrase: str) -> bool:
    """Whether a title has the words of ``phrase`` side by side, both in lower case; hyphens stand
    for spaces."""
    return f" {' '.join(_WORD.findall(phrase))} " in f" {' '.join(_WORD.findall(title))} "


@lru_cache(maxsize=4096)
def has_name(*names: str) -> TitleTest:
    """1 for a title with one of the names, however it is joined: "rayban", "Ray-Ban", "Levi's";
    else 0."""
    spelled = ("".join(map(_letters, _telling(name))).removesuffix("s") for name in names)
    tests = [
        (letters, re.compile(r"(?<!\w)" + r"[\W_]*".join(letters) + r"(?:['’`]?s)?(?!\w)").search)
        for letters in dict.fromkeys(filter(None, spelled))
    ]

    def test(title: str) -> float:
        bare = _letters(title)
        for letters, found in tests:  # a loop, as in any_phrase
            if letters in bare and found(title):
                return 1.0
        return 0.0

    return test


@lru_cache(maxsize=65_536)
def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def graded_words(grades: Mapping[str, float]) -> TitleTest:
    """The grade of the best of the words in a title, all in their forms; 0 where it has none."""

    def test(title: str) -> float:
        return max((grades.get(word, 0.0) for word in _words(title)), default=0.0)

    return test


@lru_cache(maxsize=65_536)
def _words(title: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(form_of, _WORD.findall(title))))


def stem(word: str) -> str:
    """A word in lower case without an ending of inflection: "print" of "printed"."""
    bare = _ENDING.sub("", word)
    if bare == word and len(word) <= SHORTEST_STEM and word.startswith(form_of(word)):
        return form_of(word)  # "lips"
    if len(bare) >= 2 and bare != word and bare[-1] == bare[-2] and bare[-1] not in "ls":
        bare = bare[:-1]  # "dotted": "dot"
    return bare


def _pattern(word: str) -> str:
    bare = stem(word)
    if len(bare) < SHORTEST_STEM:
        single = form_of(word) if word.startswith(form_of(word)) else word
        return rf"\b{re.escape(single)}(?:s|es)?\b"
    return rf"\b{re.escape(bare)}(?:e|s|es|ed|d|ing|y|ies|er|ers)?\b"
