"""Words, numbers and signs of a query with their places, and tables of phrases to find in them."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import Generic, Literal, NamedTuple, TypeVar

from engine import fold

T = TypeVar("T")

# No alternative can begin where another one ends, so the scan is linear in the text.
_TOKEN = re.compile(r"(\d+(?:[.,]\d+)*)|([^\W\d_]+(?:['’`´][^\W\d_]+)*)|([^\w\s]|_)")
_LONGEST_NUMBER = 15
_ONES = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: float(n) for n, word in enumerate(_ONES.split(), start=1)}
_ROUND = {word: 10.0 * n for n, word in enumerate(_TENS.split(), start=2)}


class Token(NamedTuple):
    """``text`` is folded; ``start`` and ``end`` are places in the query as typed."""

    start: int
    end: int
    text: str
    kind: Literal["number", "word", "sign"]


class Tokens:
    """The tokens of a query: "non-leather 10.5" is ``non``, ``-``, ``leather``, ``10.5``.
    What is asked about a token that does not exist is answered with no."""

    def __init__(self, text: str) -> None:
        self._tokens: list[Token] = []
        for found in _TOKEN.finditer(text):
            number, word, _ = found.groups()
            kind: Literal["number", "word", "sign"]
            kind = "number" if number else "word" if word else "sign"
            self._tokens.append(Token(found.start(), found.end(), fold(found.group()), kind))

    def __len__(self) -> int:
        return len(self._tokens)

    def __getitem__(self, i: int) -> Token:
        return self._tokens[i]

    def has(self, i: int, *texts: str) -> bool:
        """Whether token ``i`` is one of ``texts``."""
        return 0 <= i < len(self._tokens) and self._tokens[i].text in texts

    def among(self, i: int, texts: Container[str]) -> bool:
        """Whether token ``i`` is in ``texts``, a set or mapping."""
        return 0 <= i < len(self._tokens) and self._tokens[i].text in texts

    def is_kind(self, i: int, kind: Literal["number", "word", "sign"]) -> bool:
        return 0 <= i < len(self._tokens) and self._tokens[i].kind == kind

    def glued(self, i: int) -> bool:
        """Whether token ``i`` touches the one before it."""
        return 0 < i < len(self._tokens) and self._tokens[i].start == self._tokens[i - 1].end

    def after_word(self, i: int) -> bool:
        """Whether token ``i`` touches a word before it ("h2")."""
        return self.glued(i) and self._tokens[i - 1].kind == "word"

    def places(self, first: int, end: int) -> tuple[int, int]:
        """Where tokens ``first`` to ``end`` (without it) stand in the text."""
        return self._tokens[first].start, self._tokens[end - 1].end

    def number(self, i: int) -> float | None:
        """What token ``i`` counts."""
        return number_of(self._tokens[i].text) if self.is_kind(i, "number") else None

    def counted(self, i: int) -> tuple[float, int] | None:
        """What stands at token ``i`` counts, and the token after it: digits or English words
        ("fifty", "twenty-five", "a hundred", "two hundred and fifty")."""
        value = self.number(i)
        if value is not None:
            return value, i + 1
        if self.has(i, "a") and self.has(i + 1, "thousand"):
            found: tuple[float, int] | None = (1.0, i + 1)
        else:
            found = self._below_thousand(i)
        if found is None or not self.has(found[1], "thousand"):
            return found
        value, at = found[0] * 1000, found[1] + 1
        rest = self._below_thousand(at + self.has(at, "and"))
        return (value + rest[0], rest[1]) if rest else (value, at)

    def _below_thousand(self, i: int) -> tuple[float, int] | None:
        if self.has(i, "a") and self.has(i + 1, "hundred"):
            found: tuple[float, int] | None = (1.0, i + 1)
        else:
            found = self._below_hundred(i)
        if found is None or not self.has(found[1], "hundred"):
            return found
        value, at = found[0] * 100, found[1] + 1
        rest = self._below_hundred(at + self.has(at, "and"))
        return (value + rest[0], rest[1]) if rest else (value, at)

    def _below_hundred(self, i: int) -> tuple[float, int] | None:
        if self.among(i, _SMALL):
            return _SMALL[self._tokens[i].text], i + 1
        if not self.among(i, _ROUND):
            return None
        value, at = _ROUND[self._tokens[i].text], i + 1
        ones = at + (self.has(at, "-") and self.glued(at))
        if self.among(ones, _SMALL) and _SMALL[self._tokens[ones].text] < 10:
            return value + _SMALL[self._tokens[ones].text], ones + 1
        return value, at


def number_of(text: str) -> float | None:
    """What digits with marks between them count: "1,299.50" and "1.299,50" are the same, "9,99" is
    9.99; none of what is no number ("1.2.3")."""
    if len(text) > _LONGEST_NUMBER:
        return None
    last = max(text.rfind("."), text.rfind(","))
    if last < 0:
        return float(text)
    mark, fraction = text[last], text[last + 1 :]
    first, *groups = text[:last].replace(".", ",").split(",")
    if any(len(group) != 3 for group in groups):
        return None
    if len({c for c in text if c in ".,"}) == 1 and (groups or mark == ","):
        # One kind of mark, several times or a comma: "1,299" and "1.299.000" are whole numbers.
        if len(fraction) == 3 and len(first) <= 3 and first != "0":
            return float("".join([first, *groups, fraction]))
        if groups:
            return None
    return float(f"{first}{''.join(groups)}.{fraction}")


class Phrases(Generic[T]):
    """Phrases with what they mean, found by their tokens, the longest first; of equal ones the
    first given counts."""

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        table: dict[str, list[tuple[tuple[str, ...], T]]] = {}
        for phrase, meaning in entries:
            tokens = Tokens(phrase)
            words = tuple(tokens[i].text for i in range(len(tokens)))
            table.setdefault(words[0], []).append((words, meaning))
        for same in table.values():
            same.sort(key=lambda entry: -len(entry[0]))
        self._table = table

    def at(self, tokens: Tokens, i: int) -> tuple[T, int] | None:
        """The meaning of the longest phrase that begins at token ``i``, and where it ends."""
        if i >= len(tokens):
            return None
        for words, meaning in self._table.get(tokens[i].text, ()):
            if all(tokens.has(i + k, word) for k, word in enumerate(words)):
                return meaning, i + len(words)
        return None


def phrases_of(table: Mapping[T, str]) -> list[tuple[str, T]]:
    """``{meaning: "one | other"}`` as pairs of a phrase and its meaning."""
    return [(phrase, meaning) for meaning, text in table.items() for phrase in text.split(" | ")]
