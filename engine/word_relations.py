"""What spelling says of two terms: written as one word or two, one short for the other, or two
forms of one word."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

LONGEST_SHORT = 5
"""Letters of an abbreviation."""
STEM = 3
"""Letters that two forms of a word begin with, at least."""
LONGEST_ENDING = 4
OFTEN = 5
"""Stems that two endings must change places after to be endings: "-ed" and "-ing" do, "-r" and
"-ur" ("color", "colour") do not."""
SURE_STEM = 4
"""Letters of a word that is the beginning of another one with at most three more: "steel" and
"steels" are forms of one, however small the catalogue."""
Term = tuple[str, ...]


def is_short_for(short: str, long: Term) -> bool:
    """Whether ``short`` has the first letter of each word of ``long`` and, if more, letters of it
    in its order: "tv" and "television", "ss" and "stainless steel", "cfl" and "compact
    fluorescent" (the rule of Schwartz and Hearst, PSB 2003, to whole words)."""
    if not 2 <= len(short) <= LONGEST_SHORT or len(short) >= sum(map(len, long)):
        return False
    return short[0] == long[0][0] and _goes_on(short, 1, long, 0, 1)


def _goes_on(short: str, at: int, long: Term, word: int, place: int) -> bool:
    """Whether ``short[at:]`` is found in ``long`` from a place in a word on, with the initials of
    all words that follow. In a word the first place of a letter will do: the more is left of it."""
    if at == len(short):
        return word == len(long) - 1
    here = long[word].find(short[at], place)
    if here >= 0 and _goes_on(short, at + 1, long, word, here + 1):
        return True
    following = word + 1 < len(long) and long[word + 1][0] == short[at]
    return following and _goes_on(short, at + 1, long, word + 1, 1)


class Endings:
    """The endings that change places in a catalogue's words, learned of them alone, so that it
    goes for any language that inflects at the end."""

    def __init__(self, words: Iterable[str]) -> None:
        by_stem: dict[str, list[str]] = defaultdict(list)
        for word in set(words):
            by_stem[word[:STEM]].append(word)
        self._changes: Counter[tuple[str, str]] = Counter()
        for stem, others in by_stem.items():
            if len(stem) == STEM:
                self._changes.update(_changes(others))

    def same_word(self, a: str, b: str) -> bool:
        """Whether two words are likely forms of one, which stemming sees to."""
        if a == b:
            return True
        change = _change(a, b)
        if change is None:
            return False
        if self._changes[change] >= OFTEN:
            return True
        short, long = change
        return not short and len(long) < LONGEST_ENDING and min(len(a), len(b)) >= SURE_STEM

    def overlap(self, a: Term, b: Term) -> bool:
        """Whether two terms have forms of one word in common."""
        return any(self.same_word(x, y) for x in a for y in b)


def _changes(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    for i, a in enumerate(words):
        for b in words[:i]:
            if (change := _change(a, b)) is not None:
                yield change


def _change(a: str, b: str) -> tuple[str, str] | None:
    """The two endings after what both begin with, the shorter first; ``None`` where too little
    is the same or too much is not."""
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    if same < STEM or max(len(a), len(b)) - same > LONGEST_ENDING:
        return None
    short, long = sorted((a[same:], b[same:]), key=lambda ending: (len(ending), ending))
    return short, long
