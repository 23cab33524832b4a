"""One form for the spellings of a word, so that the shop's words and the shopper's can meet.

Case, accents, apostrophes and the English plural go ("Women's" and "womens", "dresses" and
"dress"); a few words for departments are one ("ladies" and "women"). Both sides go through the
same function, so a form need not be a word: "cookies" and "cookie" are both ``cooky``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from engine import fold

# Digits belong to words here: "501", "2xl", "h2o". Linear, as no alternative overlaps.
_WORD = re.compile(r"[^\W_]+(?:['’`´][^\W_]+)*")
AND = "and"
"""Left out of phrases: "M&S", "M and S"."""

_SAME = {
    "man": "men mens male males gent gents gentleman gentlemen him",
    "woman": "women womens female females lady ladies her hers",
    "boy": "boys",
    "girl": "girls",
    "kid": "kids child children childrens",
    "baby": "babies infant infants newborn",
    "toddler": "toddlers",
    "grey": "gray",
    "multi": "multicolor multicolored multicolour multicoloured",
    "gold": "golden",
    "silver": "silvery",
    "jewelry": "jewellery",
    "pajama": "pajamas pyjama pyjamas",
    "sock": "sox",
    **{"armor": "armour", "color": "colour colours", "flavor": "flavour flavours"},
    **{"fiber": "fibre fibres", "aluminium": "aluminum", "mold": "mould moulds", "mom": "mum mums"},
    AND: "und et",
}
_SINGULAR = {
    **{"scarves": "scarf", "shelves": "shelf", "knives": "knife", "loaves": "loaf"},
    **{"leaves": "leaf", "wolves": "wolf", "halves": "half", "calves": "calf"},
    **{"feet": "foot", "teeth": "tooth", "mice": "mouse", "lenses": "lens", "buses": "bus"},
    **{other: word for word, others in _SAME.items() for other in others.split()},
}
_KEPT = {
    *("shorts", "tights", "flats", "goods", "news"),
    *("lens", "bus", "gas", "yes", "his", "this", "us"),
}
"""Words whose plural is another thing than the singular ("short", "glass"), and no plurals."""
SPELLINGS = {form: others.split() for form, others in _SAME.items() if form != AND}
"""Other words that have the same form, each of which can be mistyped."""
LONGEST_WORD = 30


class Word(NamedTuple):
    """A word at its place in the text, in its form."""

    start: int
    end: int
    form: str


def words_of(text: str) -> list[Word]:
    """The words of ``text``; hyphens and signs stand between them."""
    return [Word(*found.span(), form_of(found.group())) for found in _WORD.finditer(text)]


def next_word(text: str, at: int) -> Word | None:
    """The first word of ``text`` at or after a place."""
    found = _WORD.search(text, at)
    return Word(*found.span(), form_of(found.group())) if found else None


@lru_cache(maxsize=65_536)
def form_of(word: str) -> str:
    """The form of one word."""
    folded = fold(word).replace("'", "")
    return _SINGULAR.get(folded) or _singular(folded)


def _singular(word: str) -> str:
    if word in _KEPT or len(word) < 4 or not word.isalpha():
        return word
    if word.endswith("glasses"):  # not those of glass
        return word[:-1]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("ie"):
        return word[:-2] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zzes")) or (
        word.endswith("oes") and len(word) > 5
    ):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def forms(text: str) -> frozenset[str]:
    """The forms of the words in ``text``, for a table."""
    return frozenset(word.form for word in words_of(text))


def key_of(words: Iterable[Word]) -> str:
    """What a phrase is found by. Spaces do not count: "T-Shirts", "t shirt" and "tshirt"."""
    return "".join(word.form for word in words if word.form != AND)


class Speller:
    """Corrects one typo in a word: a letter missing, one too many, another, or two swapped.

    Symmetric deletion (Garbe's SymSpell): words and typos meet where each lacks one letter.
    The first letter counts as typed. The deletions of an initial's words are made when a word
    with that initial is first looked up, so that building costs next to nothing.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts
        self._initials: dict[str, list[str]] = defaultdict(list)
        for word in counts:
            if 4 <= len(word) <= LONGEST_WORD:
                self._initials[word[0]].append(word)
        self._shortened: dict[str, dict[str, list[str]]] = {}

    def correct(self, form: str) -> str | None:
        """The most frequent word one typo away. In a word of four letters only two swapped
        ones count, for too many other words are one letter away."""
        if not 4 <= len(form) <= LONGEST_WORD or form[0] not in self._initials:
            return None
        known = self._shortened.get(form[0])
        if known is None:
            known = self._shortened[form[0]] = self._deletions(form[0])
        found = {
            word
            for short in (form, *_shorter(form))
            for word in known.get(short, ())
            if (_one_typo(form, word) if len(form) > 4 else _swapped(form, word))
        }
        return min(found, key=lambda word: (-self._counts[word], word), default=None)

    def _deletions(self, initial: str) -> dict[str, list[str]]:
        made: dict[str, list[str]] = defaultdict(list)
        for word in self._initials[initial]:
            for short in {word, *_shorter(word)}:
                made[short].append(word)
        return made


def _shorter(word: str) -> list[str]:
    return [word[:i] + word[i + 1 :] for i in range(1, len(word))]


def _swapped(a: str, b: str) -> bool:
    """Whether two neighbouring letters changed places."""
    if len(a) != len(b):
        return False
    differ = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    return (
        len(differ) == 2
        and differ[1] == differ[0] + 1
        and a[differ[0]] == b[differ[1]]
        and a[differ[1]] == b[differ[0]]
    )


def _one_typo(a: str, b: str) -> bool:
    if len(a) == len(b):
        return sum(x != y for x, y in zip(a, b, strict=True)) == 1 or _swapped(a, b)
    if len(a) > len(b):
        a, b = b, a
    return len(b) - len(a) == 1 and any(b[:i] + b[i + 1 :] == a for i in range(len(b)))
