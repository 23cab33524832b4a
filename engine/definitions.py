"""Names that descriptions give for one thing: "garbanzo beans, also known as chickpeas", and
"polyvinyl chloride (PVC)"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container
from itertools import pairwise

from .word_relations import is_short_for
from .words import fold, terms

LONGEST = 3
"""Words of a name."""
MAX_TEXT = 5000
"""Characters of a description that are read."""
NEARBY = 400
"""Characters to each side that are read, so that names are never cut."""
MAX_KEPT = 10_000
_ALSO = (
    r"(?:also|sometimes|commonly|often|otherwise|formerly) (?:known|referred to|sold) as"
    r"|(?:also|sometimes|commonly|often|otherwise) called|a\.? ?k\.? ?a\.?|a/k/a"
    r"|auch bekannt als|auch genannt|aussi appelee?s?|tambien conocid[oa]s? como"
    r"|noto anche come|ook bekend als"
)
_DEFINED = re.compile(rf"[\s,(;–—-]+(?:{_ALSO})\s+")
_SHORT = re.compile(r"\(\s*([^\W\d_]{2,5})s?\s*\)")
_NAME_ENDS = re.compile(r"[^\w\s'’-]|[–—]")
_SAYS_LITTLE = frozenset(
    {
        *("a", "an", "the", "is", "are", "was", "or", "and", "of", "in", "to", "for", "with"),
        *("this", "that", "these", "those", "it", "its", "as", "by", "from", "on", "at", "which"),
        *("our", "your", "their", "has", "have", "can", "will", "der", "die", "das", "ist", "und"),
        *("le", "la", "les", "est", "et", "el", "los", "las", "es", "y", "il", "e", "de", "het"),
    }
)
"""Words that end a name; of the languages of the patterns."""
Pair = tuple[str, str]


class DefinitionReader:
    """Looks for names in descriptions, one at a time."""

    def __init__(self) -> None:
        self._also: Counter[Pair] = Counter()
        self._short: Counter[Pair] = Counter()

    def read(self, description: str) -> None:
        text = fold(description[:MAX_TEXT])
        if len(self._also) + len(self._short) > MAX_KEPT:
            return
        self._also.update(set(_defined(text)))
        self._short.update(set(_shortened(text)))

    def names(self, known: Container[str]) -> dict[Pair, int]:
        """What the same thing is called and how many descriptions say so. One of the names is
        ``known``, as a phrase of the catalogue; of what stands before "also known as" the longest
        such end is taken for the name."""
        found: Counter[Pair] = Counter(self._short)
        for (before, after), n in self._also.items():
            words = before.split(" ")
            ends = [" ".join(words[i:]) for i in range(len(words))]
            if name := next((end for end in ends if end in known), ""):
                found[name, after] += n
        return {(a, b): n for (a, b), n in found.items() if a != b and (a in known or b in known)}


def _defined(text: str) -> list[Pair]:
    """The words before and after "also known as"."""
    found = []
    for told in _DEFINED.finditer(text):
        left = text[max(told.start() - NEARBY, 0) : told.start()]
        right = text[told.end() : told.end() + NEARBY]
        before = _run(_NAME_ENDS.split(left)[-1])[-LONGEST:]
        after = _run(_NAME_ENDS.split(right)[0], first=True)
        if before and 0 < len(after) <= LONGEST:
            found.append((" ".join(before), " ".join(after)))
    return found


def _shortened(text: str) -> list[Pair]:
    """Abbreviations in brackets, with the words before that they stand for."""
    found = []
    for told in _SHORT.finditer(text):
        words = [term.word for term in terms(text[max(told.start() - NEARBY, 0) : told.start()])]
        for size in range(1, LONGEST + 1):
            long = tuple(words[-size:])
            if len(long) == size and is_short_for(told[1], long):
                found.append((" ".join(long), told[1]))
                break
    return found


def _run(text: str, first: bool = False) -> list[str]:
    """The last (or ``first``) words of a text that may be a name."""
    words = [term.word for term in terms(text)]
    if first:
        while words and words[0] in _SAYS_LITTLE:
            words = words[1:]
    cuts = [-1, *(i for i, word in enumerate(words) if word in _SAYS_LITTLE), len(words)]
    runs = [words[a + 1 : b] for a, b in pairwise(cuts)]
    return runs[0] if first else runs[-1]
