"""The grammar's rules for prices.

A number is a price only where a currency or a bounding word says so and nothing speaks against
it: "iphone 6", "air max 90", "under 18 months" and "kids under 5" have none.
"""

from __future__ import annotations

from functools import cache

import msgspec
from msgspec import Struct

from engine import fold

from . import query_lexicon as lexicon
from .query_money import SIZE_WORDS, UNITS, Amount, money_at
from .query_tokens import Phrases, Tokens, phrases_of
from .unit_lexicon import LEAST_APART, Bound

SPREAD = 0.2
""""Around 50" is 40 to 60: a fifth either way."""
SPELLED = 10
"""The least number that is a price as a word without a currency: "under one roof"."""
LEAST_OF_RANGE, WIDEST_STEP = 10, 1.5
"""Of a bare range at the end of a query ("jacket 50-100"): the least lower end, and how many times
that the upper end is at least. Sizes and ages are small or near one another ("8-10", "110-116")."""

YEARS = 1900, 2100
"""Numbers that are years after "from" and "for"."""


class Price(Struct, frozen=True):
    """A price range. ``currencies`` are the ISO codes that what was written can mean; empty
    where it names none. ``weight``: it can as well be a weight ("under 50 pounds"). ``bare``:
    nothing but its place says that it is one ("jacket 50-100", "vitamins over 50"), and it is
    none where titles have such numbers."""

    start: int
    end: int
    gte: float | None = None
    lte: float | None = None
    currencies: tuple[str, ...] = ()
    weight: bool = False
    bare: bool = False


class PriceWords:
    """The tables for one language, English in all of them. Other languages' words count where
    a currency stands beside the number."""

    def __init__(self, language: str) -> None:
        own = dict.fromkeys(name for name in ("en", language) if name in lexicon.BOUNDS)
        every = dict.fromkeys([*own, *lexicon.BOUNDS])
        bounds = {name: phrases_of(lexicon.BOUNDS[name]) for name in every}
        joins = {name: lexicon.JOINS[name].split(" | ") for name in every}
        self.bounds = Phrases(entry for name in own for entry in bounds[name])
        self.money_bounds = Phrases(
            [*phrases_of(lexicon.WITH_CURRENCY), *(e for name in every for e in bounds[name])]
        )
        self.joins = Phrases((phrase, None) for name in own for phrase in joins[name])
        self.money_joins = Phrases((phrase, None) for name in every for phrase in joins[name])


_LEADS = Phrases(phrases_of(lexicon.LEADS))
_TAILS = Phrases((phrase, None) for phrase in lexicon.TAILS.split(" | "))
_AFTER = Phrases(phrases_of(lexicon.AFTER))
_AFTER_BARE = Phrases(phrases_of(lexicon.AFTER_BARE))
_DASHES = "-", "–", "—", "to"
_FOR = "for", "fur", "pour", "para", "per", "voor"
_AFTER_AMOUNTS = lexicon.STOPS | lexicon.AND_OR | lexicon.ASKING
"""Words after which what was said before is none of a noun."""
_AGE_BOUNDS = frozenset(map(fold, lexicon.AGE_BOUNDS))


@cache
def price_words(language: str) -> PriceWords:
    """The tables, made once per language."""
    return PriceWords(language if language in lexicon.BOUNDS else "en")


class PriceRules:
    """What prices begin at a token; each rule gives the price and the token after it."""

    def __init__(self, tokens: Tokens, words: PriceWords) -> None:
        self._tokens = tokens
        self._words = words

    def bounded(self, i: int) -> tuple[Price, int] | None:
        """``under 60``, ``between 20 and 40 euros``, ``< $50``."""
        if self._tokens.glued(i) and not self._tokens.is_kind(i, "sign"):
            return None
        for table, bare in ((self._words.bounds, True), (self._words.money_bounds, False)):
            if known := table.at(self._tokens, i):
                bound, after = known
                after += self._tokens.has(after, ".") and self._tokens.glued(after)  # "max. 20"
                rule = self._range if bound == "range" else self._single
                if found := rule(i, after, bound, bare or self._closes(i, after)):
                    return found
        return None

    def led(self, i: int) -> tuple[Price, int] | None:
        """``for less than 20``, ``price 10-20``, ``in the 10 to 20 range``: with the words that
        only lead to a price."""
        tokens = self._tokens
        lead = None if tokens.glued(i) else _LEADS.at(tokens, i)
        if lead is None:
            return self._within(i)
        said, at = lead
        if more := _LEADS.at(tokens, at):
            said, at = said or more[0], more[1]
        found = self.bounded(at) or self.money(at)
        if found is None and said:
            found = self._range(i, at, "range", bare=True) or self._single(
                i, at, "around", bare=True
            )
        if found is None or (found[0].bare and not said):
            return None
        return msgspec.structs.replace(found[0], start=tokens[i].start, bare=False), found[1]

    def _within(self, i: int) -> tuple[Price, int] | None:
        """``in the 10 to 20 range``"""
        tokens = self._tokens
        if not (tokens.has(i, "in") and tokens.has(i + 1, "the")):
            return None
        found = self._range(i, i + 2, "range", bare=True)
        if found is None or not tokens.has(found[1], "range"):
            return None
        end = found[1] + 1
        return msgspec.structs.replace(found[0], end=tokens[end - 1].end), end

    def _closes(self, i: int, after: int) -> bool:
        """Whether a bound that is also part of names ends the query, or another bound follows:
        ``jacket max 100``, ``min 10 max 20``, but no ``air max 90`` nor ``max 90 shoes``."""
        tokens = self._tokens
        least = lexicon.CLOSING.get(tokens[i].text)
        found = money_at(self._tokens, after) if i and least is not None else None
        if found is None or least is None or found.value < least:
            return False
        if least > 1 and YEARS[0] <= found.value < YEARS[1]:
            return False
        if found.next < len(tokens) and not tokens.among(found.next, lexicon.CLOSING):
            return False
        before = tokens[i - 1]
        return before.text not in lexicon.NUMBERED and before.text not in lexicon.BEFORE_MAX

    def money(self, i: int) -> tuple[Price, int] | None:
        """``$60``, ``20-40 €``, ``60 euros or less``, ``60 or less``."""
        low = money_at(self._tokens, i)
        if low is None:
            return None
        if join := self._words.money_joins.at(self._tokens, low.next):
            high = money_at(self._tokens, join[1])
            if high and (low.currencies or high.currencies) and low.value < high.value:
                return self._between(i, low, high), high.next
        said = (_AFTER if low.currencies else _AFTER_BARE).at(self._tokens, low.next)
        if said and (low.currencies or self._bounded_after(i, low, *said)):
            return self._price(i, said[1], said[0], low), said[1]
        if low.currencies:
            return None if low.weight else (self._price(i, low.next, "around", low), low.next)
        if high := self._closing_range(i, low):
            found = self._between(i, low, high)
            return msgspec.structs.replace(found, bare=True), high.next
        return self._closed(i, low)

    def _bounded_after(self, i: int, low: Amount, bound: Bound, end: int) -> bool:
        """Whether a bare number with a bound behind it may be a price."""
        aged = bound == "lower" and low.value <= lexicon.OLDEST_CHILD
        return not aged and self._may_be_price(i, low, bound, end)

    def _closed(self, i: int, low: Amount) -> tuple[Price, int] | None:
        """``jacket 100 max``, but no ``iphone 15 max``."""
        tokens, end = self._tokens, low.next + 1
        if not (i and tokens.among(low.next, lexicon.AFTER_CLOSING) and end == len(tokens)):
            return None
        if (
            low.value < LEAST_OF_RANGE
            or low.value % 5
            or not self._may_be_price(i, low, "upper", end)
        ):
            return None
        return self._price(i, end, "upper", low), end

    def _closing_range(self, i: int, low: Amount) -> Amount | None:
        """The upper end of a range of bare numbers after which the query ends, where they are
        digits that look like prices: tens, and well apart."""
        tokens = self._tokens
        if not i or tokens.glued(i) or not tokens.has(low.next, *_DASHES):
            return None
        high = money_at(self._tokens, low.next + 1)
        if high is None or high.next != len(tokens) or tokens[i - 1].text in lexicon.RANGED:
            return None
        tens = not (low.value % 10 or high.value % 10) and tokens.is_kind(i, "number")
        apart = low.value >= LEAST_OF_RANGE and low.value * WIDEST_STEP <= high.value
        return high if tens and apart and self._may_be_price(i, high, "range") else None

    def _single(self, i: int, after: int, bound: Bound, bare: bool) -> tuple[Price, int] | None:
        amount = money_at(self._tokens, after)
        if amount is None:
            return None
        if not amount.currencies and not (bare and self._may_be_price(i, amount, bound)):
            return None
        end = self._tail(amount.next)
        found = self._price(i, end, bound, amount)
        if not self._maybe_age(i, amount, end):
            return found, end
        if self._is_age(i, amount, end):
            return None
        return msgspec.structs.replace(found, bare=True), end

    def _maybe_age(self, i: int, amount: Amount, end: int) -> bool:
        """Whether it may be about people of an age: ``vitamins over 50``, but no ``over 50 and
        under 100``."""
        tokens = self._tokens
        sure = bool(amount.currencies) or tokens.among(i - 1, lexicon.PRICE_WORDS)
        further = end + tokens.among(end, lexicon.AND_OR)
        sure = sure or self._words.bounds.at(tokens, further) is not None
        return not sure and amount.value <= lexicon.OLDEST and tokens.among(i, _AGE_BOUNDS)

    def _is_age(self, i: int, amount: Amount, end: int) -> bool:
        """Whether what may be an age is no price: ``for over 50``, ``over 40 vitamins``, which
        stands before what is wanted, and ``spiel ab 3``, which is a child's."""
        tokens = self._tokens
        childs = amount.value <= lexicon.OLDEST_CHILD and bool(amount.value % 5)
        before = tokens.is_kind(end, "word") and not tokens.among(end, _AFTER_AMOUNTS)
        return childs or before or tokens.has(i - 1, *_FOR)

    def _range(self, i: int, after: int, bound: Bound, bare: bool) -> tuple[Price, int] | None:
        low = money_at(self._tokens, after)
        joins = self._words.joins if bare else self._words.money_joins
        if low is None or not (join := joins.at(self._tokens, low.next)):
            return None
        high = money_at(self._tokens, join[1])
        if high is None:
            return None
        named = low.currencies or high.currencies
        if not named and not (bare and self._may_be_price(i, high, bound)):
            return None
        end = self._tail(high.next)
        found = self._between(i, low, high)
        childs = high.value <= lexicon.OLDEST_CHILD and bool(low.value % 5 or high.value % 5)
        aged = childs and not named  # "toys between 3 and 6"
        return msgspec.structs.replace(found, end=self._tokens[end - 1].end, bare=aged), end

    def _tail(self, i: int) -> int:
        """The token after what may follow a bounded price: ``around 70ish``."""
        known = _TAILS.at(self._tokens, i)
        return known[1] if known else i

    def _may_be_price(self, i: int, amount: Amount, bound: Bound, end: int | None = None) -> bool:
        """Whether nothing speaks against a bare number's being a price, which with what belongs to
        it goes to token ``end``."""
        tokens, after = self._tokens, end or amount.next
        before = tokens[i - 1].text if i else ""
        typed, spelled = tokens[amount.number].text, tokens.is_kind(amount.number, "word")
        if spelled and amount.value < SPELLED:
            return False
        if before in lexicon.NUMBERED or before in SIZE_WORDS:
            return False
        if before in lexicon.AGE_WORDS and amount.value <= lexicon.OLDEST_CHILD:
            return False
        if before in lexicon.PEOPLE and bound == "lower":
            return False
        if amount.value < 1 or (len(typed) > 7 and not spelled) or typed.startswith("0"):
            return False
        if after < len(tokens) and tokens.glued(after):
            if tokens.is_kind(after, "word") or tokens.has(after, *lexicon.NO_PRICE_SIGNS):
                return False
            after += tokens.has(after, "-")
        if tokens.has(after, "x", "×"):
            return False
        if tokens.among(after, UNITS) or tokens.among(after, lexicon.NOT_MONEY):
            return False
        letter = tokens.among(after, LEAST_APART)  # "at least 20 l"
        return not (letter or (tokens.has(after, "in") and after + 1 == len(tokens)))

    def _price(self, first: int, end: int, bound: Bound, amount: Amount) -> Price:
        value = amount.value
        gte = {"lower": value, "around": round(value * (1 - SPREAD), 2)}.get(bound)
        lte = {"upper": value, "around": round(value * (1 + SPREAD), 2)}.get(bound)
        places = self._tokens.places(first, end)
        return Price(*places, gte, lte, amount.currencies, amount.weight)

    def _between(self, first: int, low: Amount, high: Amount) -> Price:
        lower, upper = sorted((low.value, high.value))
        places = self._tokens.places(first, high.next)
        named = low.currencies or high.currencies
        return Price(*places, lower, upper, named, low.weight or high.weight)
