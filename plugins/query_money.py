"""Numbers that may be amounts of money, with what says that they are: "$60", "1,299.50 euros",
"2k", "a grand", "1 000"."""

from __future__ import annotations

from msgspec import Struct

from engine import fold

from . import query_lexicon as lexicon
from . import unit_lexicon
from .number_words import TENS, counted
from .query_tokens import Tokens

MAX_PRICE = 1e9

CURRENCIES = {fold(word): codes for word, codes in lexicon.CURRENCIES.items()}
UNITS = {fold(word): unit for unit, words in unit_lexicon.UNITS.items() for word in words.split()}
GLUED_LETTERS = {letters: unit for unit, letters in unit_lexicon.GLUED_UNITS.items()}
SIZE_WORDS = frozenset(map(fold, unit_lexicon.SIZE_WORDS))
_BEFORE = frozenset(w for w in CURRENCIES if w in lexicon.BEFORE or not w.isalpha())


class Amount(Struct, frozen=True):
    """``number`` is the token of the number, ``next`` the first one after all of it."""

    value: float
    currencies: tuple[str, ...]
    number: int
    next: int
    weight: bool = False


def money_at(tokens: Tokens, i: int) -> Amount | None:
    """A number with what says it is money, before or after it."""
    currencies: tuple[str, ...] = ()
    if tokens.has(i, "us", "a", "c", "r") and tokens.has(i + 1, "$") and tokens.glued(i + 1):
        i += 1
    if tokens.among(i, _BEFORE):
        currencies = CURRENCIES[tokens[i].text]
        i += 2 if tokens.has(i + 1, ".") and tokens.glued(i + 1) else 1
    said, number = _spoken(tokens, i), i
    if said is None or (tokens.after_word(i) and not currencies):
        return None
    value, i = said
    if tokens.has(i, "grand") or (tokens.has(i, "k") and tokens.glued(i)):
        value, i = value * 1000, i + 1
    elif _thousands(tokens, number, i):  # "1 000"
        value, i = value * 1000 + float(tokens[i].text), i + 1
    elif tokens.has(i - 1, "fiver", "tenner"):
        currencies = ("GBP",)
    weight = False
    if not currencies and tokens.among(i, CURRENCIES):
        of_the_next = tokens.glued(i + 1) and tokens.is_kind(i + 1, "number")
        if not (of_the_next and tokens.is_kind(i, "sign")):
            currencies = CURRENCIES[tokens[i].text]
            weight = tokens[i].text in lexicon.WEIGHTS_TOO
            i += 1
    return Amount(value, currencies, number, i, weight) if value <= MAX_PRICE else None


def _spoken(tokens: Tokens, i: int) -> tuple[float, int] | None:
    """A number, or what is said of money alone: ``a grand``, ``a tenner``, ``a twenty``."""
    at = i + tokens.has(i, "a", "one")
    if tokens.has(at, "fiver", "tenner"):
        return (5.0 if tokens.has(at, "fiver") else 10.0), at + 1
    if tokens.has(i, "a") and tokens.has(i + 1, "grand"):
        return 1.0, i + 1
    if tokens.has(i, "a") and tokens.among(i + 1, TENS):
        return TENS[tokens[i + 1].text], i + 2
    return counted(tokens, i)


def _thousands(tokens: Tokens, number: int, i: int) -> bool:
    """Whether three digits that belong to the number before follow it after a space: they end
    in 0, and count nothing themselves ("under 20 500 ml")."""
    if number + 1 != i or not (tokens.is_kind(number, "number") and tokens.is_kind(i, "number")):
        return False
    first, rest = tokens[number].text, tokens[i].text
    if tokens.glued(i) or tokens.glued(i + 1) or len(rest) != 3 or not rest.endswith("0"):
        return False
    of_more = tokens.among(i + 1, UNITS) or tokens.among(i + 1, lexicon.NOT_MONEY)
    return rest.isdigit() and first.isdigit() and len(first) <= 3 and not of_more
