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
        """What the digits of token ``i`` count; words: :mod:`plugins.number_words`."""
        return number_of(self._tokens[i].text) if self.is_kind(i, "number") else None


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
        self._single: dict[str, T] = {}
        # By their first two words, for many begin with the same one ("not more than").
        self._longer: dict[str, dict[str, list[tuple[tuple[str, ...], T]]]] = {}
        for phrase, meaning in entries:
            tokens = Tokens(phrase)
            first, *rest = (tokens[i].text for i in range(len(tokens)))
            if not rest:
                self._single.setdefault(first, meaning)
                continue
            same = self._longer.setdefault(first, {}).setdefault(rest[0], [])
            same.append((tuple(rest), meaning))
            same.sort(key=lambda entry: -len(entry[0]))

    def at(self, tokens: Tokens, i: int) -> tuple[T, int] | None:
        """The meaning of the longest phrase that begins at token ``i``, and where it ends."""
        if i >= len(tokens):
            return None
        first = tokens[i].text
        longer = self._longer.get(first)
        if longer is not None and i + 1 < len(tokens):
            for rest, meaning in longer.get(tokens[i + 1].text, ()):
                if all(tokens.has(i + k, word) for k, word in enumerate(rest, start=1)):
                    return meaning, i + 1 + len(rest)
        return (self._single[first], i + 1) if first in self._single else None


def phrases_of(table: Mapping[T, str]) -> list[tuple[str, T]]:
    """``{meaning: "one | other"}`` as pairs of a phrase and its meaning."""
    return [(phrase, meaning) for meaning, text in table.items() for phrase in text.split(" | ")]
