"""Words of queries and titles as numbers, so that a window of titles is compared in one go.

A word is the CRC-32 of its form (:func:`plugins.word_forms.form_of`: no case, accents or English
plurals; units in one spelling). Two words of one window share a number by chance less than once in
a million windows, and no table of words has to be kept or stored with a model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice, pairwise
from typing import NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from ..gazetteer import FUNCTION_WORDS
from ..query_money import GLUED_LETTERS, UNITS
from ..word_forms import form_of

Words = npt.NDArray[np.uint32]

MAX_WORDS = 64
"""Words looked at in a title or query; none that a shopper reads is longer."""
CACHED_TITLES = 32_768
"""About 1.5 kB each."""
CACHED_WORDS = 65_536
# A number with its fraction, or letters; "36in" is two words, as is "sc-141". Linear: no
# alternative can begin where another one ends.
_WORD = re.compile(r"\d+(?:[.,/]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*|[\"”″]")
_CODE = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_UNITS = {**UNITS, **GLUED_LETTERS, "in": "inch"}
_UNIT_FORMS = frozenset(_UNITS.values())
_SIGNS = {'"': "inch", "”": "inch", "″": "inch"}
_HEAD_ENDS = frozenset({"in", "with", "for", "w"})
"""What follows the name of a thing in a title: "Faucet Trim Kit in Chrome"."""
_GRAM = 3


class Text(NamedTuple):
    """One title or query.

    ``words`` ``[n]``; ``numbers`` and ``content`` ``[n]`` mark numbers and words that mean
    something by themselves; ``grams`` ``[m]`` are the distinct character trigrams of each word
    (its ends marked) and ``gram_word`` ``[m]`` the place of the word, rising; ``codes`` are
    letters and then digits ("dw735", "sc-141"), without hyphens; ``measures`` are units with their
    numbers; ``number_set`` has the distinct ``words`` that are numbers; ``gram_kinds`` counts
    distinct ``grams``; ``head`` is the place of the word that says what it is, −1 without words;
    ``joined`` has the forms between spaces, ``solid`` without any.
    """

    words: Words
    numbers: npt.NDArray[np.bool_]
    content: npt.NDArray[np.bool_]
    grams: Words
    gram_word: npt.NDArray[np.int32]
    codes: frozenset[str]
    measures: frozenset[tuple[str, str]]
    number_set: frozenset[int]
    gram_kinds: int
    head: int
    joined: str
    solid: str


@lru_cache(maxsize=CACHED_TITLES)
def title_text(title: str) -> Text:
    """A title, kept for the next search that finds its product. Its head is the last word
    before a preposition, comma or bracket."""
    return _read(title, MAX_WORDS, _title_head(title))


def query_text(query: str, most: int) -> Text:
    """The first ``most`` words of a query; its head is taken to be its last word, as in English
    names of things."""
    return _read(query, most, len(query))


def _read(text: str, most: int, head_end: int) -> Text:
    found = list(islice(_WORD.finditer(text), most))
    forms = _forms([match.group() for match in found])
    kept = [i for i, form in enumerate(forms) if form]
    words = [forms[i] for i in kept]
    before = [k for k, i in enumerate(kept) if found[i].start() < head_end]
    known = [_known(word) for word in words]
    grams = [word.grams for word in known]
    joined = f" {' '.join(words)} "
    hashes = np.asarray([word.number for word in known], dtype=np.uint32)
    numbers = np.asarray([word[0].isdigit() for word in words], dtype=bool)
    return Text(
        words=hashes,
        numbers=numbers,
        content=np.asarray([word not in FUNCTION_WORDS for word in words], dtype=bool),
        grams=np.asarray([gram for group in grams for gram in group], dtype=np.uint32),
        gram_word=np.repeat(np.arange(len(words), dtype=np.int32), [len(g) for g in grams]),
        codes=_codes(text),
        measures=_measures(words),
        number_set=frozenset(hashes[numbers].tolist()),
        gram_kinds=len({gram for group in grams for gram in group}),
        head=before[-1] if before else len(words) - 1,
        joined=joined,
        solid=joined.replace(" ", ""),
    )


def _forms(words: Sequence[str]) -> list[str]:
    """Units count as such only after a number, where alone "in" is one."""
    forms: list[str] = []
    for word in words:
        after_number = bool(forms) and forms[-1][:1].isdigit()
        if word in _SIGNS:
            forms.append(_SIGNS[word] if after_number else "")
            continue
        folded = word.lower()
        unit = _UNITS.get(folded) if after_number else None
        forms.append(unit or _number(folded) or form_of(word))
    return forms


def _number(word: str) -> str:
    """ "1,500" is "1500", "05" and "5.0" are "5"; empty for what is no number."""
    if not word[0].isdigit():
        return ""
    plain = word.replace(",", "")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return plain.lstrip("0") or "0"


def _title_head(title: str) -> int:
    """Where the first words of a title, its name, end."""
    for match in re.finditer(r"[,(]| - |[^\W\d_]+", title):
        if match.start() and (match.group().lower() in _HEAD_ENDS or not match.group().isalpha()):
            if match.group().lower() == "in" and title[match.end() : match.end() + 1] == ".":
                continue  # "36 in. Vanity"
            return match.start()
    return len(title)


class _Word(NamedTuple):
    number: int
    grams: tuple[int, ...]


@lru_cache(maxsize=CACHED_WORDS)
def _known(form: str) -> _Word:
    """A form and its distinct trigrams as numbers."""
    marked = f"^{form}$"
    grams = {marked[i : i + _GRAM] for i in range(max(1, len(marked) - _GRAM + 1))}
    return _Word(_hash(form), tuple(sorted(map(_hash, grams))))


def _codes(text: str) -> frozenset[str]:
    found = (match.group().replace("-", "").lower() for match in _CODE.finditer(text))
    return frozenset(
        code
        for code in found
        if len(code) > 2 and code[0].isalpha() and any(c.isdigit() for c in code)
    )


def _measures(words: Sequence[str]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (unit, amount)
        for amount, unit in pairwise(words)
        if unit in _UNIT_FORMS and amount[0].isdigit()
    )


def _hash(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))
