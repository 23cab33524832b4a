"""Numbers as shoppers write them: in digits ("1,299.50"), in words ("twenty-five", "a dozen") and
as fractions ("half a", "1/2", "one and a half")."""

from __future__ import annotations

from typing import Final

from .query_tokens import Tokens

_ONES = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
ONES: Final = {word: float(n) for n, word in enumerate(_ONES.split(), start=1)}
TENS: Final = {word: 10.0 * n for n, word in enumerate(_TENS.split(), start=2)}
TOGETHER: Final = {
    **{"twin": 2.0, "double": 2.0, "duo": 2.0, "triple": 3.0, "tri": 3.0, "trio": 3.0},
    **{"quad": 4.0, "dozen": 12.0},
}
"""Words for how many come together, before "pack" or by themselves."""
COUNTS: Final = {**ONES, **TENS, **TOGETHER}
"""What one word can count."""
DENOMINATORS: Final = frozenset(
    {2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 16.0, 32.0, 64.0}
)
"""Of fractions: "32/34" are a waist and a length."""


def counted(tokens: Tokens, i: int) -> tuple[float, int] | None:
    """What stands at token ``i`` counts, and the token after it: digits or English words ("fifty",
    "twenty-five", "a hundred", "two hundred and fifty", "half a dozen")."""
    value = tokens.number(i)
    if value is not None:
        return value, i + 1
    if tokens.has(i, "half") and tokens.has(i + 1, "a") and tokens.has(i + 2, "dozen"):
        return 6.0, i + 3
    if tokens.has(i, "a") and tokens.has(i + 1, "dozen"):
        return 12.0, i + 2
    if tokens.has(i, "a") and tokens.has(i + 1, "thousand"):
        found: tuple[float, int] | None = (1.0, i + 1)
    else:
        found = _below_thousand(tokens, i)
    if found is None or not tokens.has(found[1], "thousand"):
        return found
    value, at = found[0] * 1000, found[1] + 1
    rest = _below_thousand(tokens, at + tokens.has(at, "and"))
    return (value + rest[0], rest[1]) if rest else (value, at)


def amount(tokens: Tokens, i: int) -> tuple[float, int] | None:
    """What is measured at token ``i``, in whole numbers or in parts: ``counted``, "half a",
    "1/2", "three quarters of a", "one and a half", "2-1/2"."""
    part = _fraction(tokens, i)
    if part is not None:
        return part
    whole = counted(tokens, i)
    if whole is None:
        return None
    value, end = whole
    joined = tokens.has(end, "-") and tokens.glued(end) and tokens.glued(end + 1)  # "2-1/2"
    more = _fraction(tokens, end + (joined or tokens.has(end, "and")))
    return (value + more[0], more[1]) if more else whole


def _fraction(tokens: Tokens, i: int) -> tuple[float, int] | None:
    above, below = tokens.number(i), tokens.number(i + 2)
    if above and below and tokens.has(i + 1, "/") and tokens.glued(i + 1) and tokens.glued(i + 2):
        proper = above < below in DENOMINATORS
        return (above / below, _of_a(tokens, i + 3)) if proper else None
    if tokens.has(i, "three", "3") and tokens.has(i + 1, "quarter", "quarters"):
        return 0.75, _of_a(tokens, i + 2)
    at = i + tokens.has(i, "a")
    if tokens.has(at, "half", "quarter"):
        return (0.5 if tokens.has(at, "half") else 0.25), _of_a(tokens, at + 1)
    return None


def _of_a(tokens: Tokens, i: int) -> int:
    i += tokens.has(i, "of")
    return i + tokens.has(i, "a", "an")


def _below_thousand(tokens: Tokens, i: int) -> tuple[float, int] | None:
    if tokens.has(i, "a") and tokens.has(i + 1, "hundred"):
        found: tuple[float, int] | None = (1.0, i + 1)
    else:
        found = _below_hundred(tokens, i)
    if found is None or not tokens.has(found[1], "hundred"):
        return found
    value, at = found[0] * 100, found[1] + 1
    rest = _below_hundred(tokens, at + tokens.has(at, "and"))
    return (value + rest[0], rest[1]) if rest else (value, at)


def _below_hundred(tokens: Tokens, i: int) -> tuple[float, int] | None:
    if tokens.among(i, ONES):
        return ONES[tokens[i].text], i + 1
    if not tokens.among(i, TENS):
        return None
    value, at = TENS[tokens[i].text], i + 1
    ones = at + (tokens.has(at, "-") and tokens.glued(at))
    if tokens.among(ones, ONES) and ONES[tokens[ones].text] < 10:
        return value + ONES[tokens[ones].text], ones + 1
    return value, at
