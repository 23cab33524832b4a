"""The grammar's rules for prices.

A number is a price only where a currency or a bounding word says so and nothing speaks against
it: "iphone 6", "air max 90", "under 18 months" and "kids under 5" have none.
"""

from __future__ import annotations

from functools import cache

from msgspec import Struct

from engine import fold

from . import query_lexicon as lexicon
from .query_lexicon import Bound
from .query_tokens import Phrases, Tokens, phrases_of

SPREAD = 0.2
""""Around 50" is 40 to 60: a fifth either way."""
MAX_PRICE = 1e9
SPELLED = 10
"""The least number that is a price as a word without a currency: "under one roof"."""
LEAST_OF_RANGE, WIDEST_STEP = 10, 1.5
"""Of a bare range at the end of a query ("jacket 50-100"): the least lower end, and how many times
that the upper end is at least. Sizes and ages are small or near one another ("8-10", "110-116")."""

CURRENCIES = {fold(word): codes for word, codes in lexicon.CURRENCIES.items()}
UNITS = {fold(word): unit for unit, words in lexicon.UNITS.items() for word in words.split()}
SIZE_WORDS = frozenset(map(fold, lexicon.SIZE_WORDS))
_BEFORE = frozenset(w for w in CURRENCIES if w in lexicon.BEFORE or not w.isalpha())


class Price(Struct, frozen=True):
    """A price range. ``currencies`` are the ISO codes that what was written can mean; empty
    where it names none. ``weight``: it can as well be a weight ("under 50 pounds")."""

    start: int
    end: int
    gte: float | None = None
    lte: float | None = None
    currencies: tuple[str, ...] = ()
    weight: bool = False


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


_AFTER = Phrases(phrases_of(lexicon.AFTER))
_AFTER_BARE = Phrases(phrases_of(lexicon.AFTER_BARE))
_DASHES = "-", "–", "—", "to"


@cache
def price_words(language: str) -> PriceWords:
    """The tables, made once per language."""
    return PriceWords(language if language in lexicon.BOUNDS else "en")


class _Amount(Struct, frozen=True):
    """``number`` is the token of the number, ``next`` the first one after all of it."""

    value: float
    currencies: tuple[str, ...]
    number: int
    next: int
    weight: bool = False


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
                rule = self._range if bound == "range" else self._single
                if found := rule(i, after, bound, bare or self._closes(i, after)):
                    return found
        return None

    def _closes(self, i: int, after: int) -> bool:
        """Whether a bound that is also part of names ends the query: ``jacket max 100``, but no
        ``air max 90`` nor ``max 90 shoes``."""
        tokens = self._tokens
        if not (i and tokens.among(i, lexicon.CLOSING) and after + 1 == len(tokens)):
            return False
        before = tokens[i - 1]
        return before.text not in lexicon.NUMBERED and before.text not in lexicon.BEFORE_MAX

    def money(self, i: int) -> tuple[Price, int] | None:
        """``$60``, ``20-40 €``, ``60 euros or less``, ``60 or less``."""
        low = self._amount(i)
        if low is None:
            return None
        if join := self._words.money_joins.at(self._tokens, low.next):
            high = self._amount(join[1])
            if high and (low.currencies or high.currencies) and low.value < high.value:
                return self._between(i, low, high), high.next
        said = (_AFTER if low.currencies else _AFTER_BARE).at(self._tokens, low.next)
        if said and (low.currencies or self._may_be_price(i, low, said[0], said[1])):
            return self._price(i, said[1], said[0], low), said[1]
        if not low.currencies and (high := self._closing_range(i, low)):
            return self._between(i, low, high), high.next
        if not low.currencies or low.weight:
            return None
        return self._price(i, low.next, "around", low), low.next

    def _closing_range(self, i: int, low: _Amount) -> _Amount | None:
        """The upper end of a range of bare numbers after which the query ends, where they are
        digits that look like prices: tens, and well apart."""
        tokens = self._tokens
        if not i or tokens.glued(i) or not tokens.has(low.next, *_DASHES):
            return None
        high = self._amount(low.next + 1)
        if high is None or high.next != len(tokens) or tokens[i - 1].text in lexicon.RANGED:
            return None
        tens = not (low.value % 10 or high.value % 10) and tokens.is_kind(i, "number")
        apart = low.value >= LEAST_OF_RANGE and low.value * WIDEST_STEP <= high.value
        return high if tens and apart and self._may_be_price(i, high, "range") else None

    def _single(self, i: int, after: int, bound: Bound, bare: bool) -> tuple[Price, int] | None:
        amount = self._amount(after)
        if amount is None:
            return None
        if not amount.currencies and not (bare and self._may_be_price(i, amount, bound)):
            return None
        return self._price(i, amount.next, bound, amount), amount.next

    def _range(self, i: int, after: int, bound: Bound, bare: bool) -> tuple[Price, int] | None:
        low = self._amount(after)
        joins = self._words.joins if bare else self._words.money_joins
        if low is None or not (join := joins.at(self._tokens, low.next)):
            return None
        high = self._amount(join[1])
        if high is None:
            return None
        named = low.currencies or high.currencies
        if not named and not (bare and self._may_be_price(i, high, bound)):
            return None
        return self._between(i, low, high), high.next

    def _amount(self, i: int) -> _Amount | None:
        """A number with what says it is money, before or after it."""
        tokens = self._tokens
        currencies: tuple[str, ...] = ()
        if tokens.has(i, "us", "a", "c", "r") and tokens.has(i + 1, "$") and tokens.glued(i + 1):
            i += 1
        if tokens.among(i, _BEFORE):
            currencies = CURRENCIES[tokens[i].text]
            i += 2 if tokens.has(i + 1, ".") and tokens.glued(i + 1) else 1
        counted, number = tokens.counted(i), i
        if counted is None or (tokens.after_word(i) and not currencies):
            return None
        value, i = counted
        if tokens.has(i, "k") and tokens.glued(i):
            value, i = value * 1000, i + 1
        weight = False
        if not currencies and tokens.among(i, CURRENCIES):
            of_the_next = tokens.glued(i + 1) and tokens.is_kind(i + 1, "number")
            if not (of_the_next and tokens.is_kind(i, "sign")):
                currencies = CURRENCIES[tokens[i].text]
                weight = tokens[i].text in lexicon.WEIGHTS_TOO
                i += 1
        return _Amount(value, currencies, number, i, weight) if value <= MAX_PRICE else None

    def _may_be_price(self, i: int, amount: _Amount, bound: Bound, end: int | None = None) -> bool:
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
        return not (tokens.among(after, UNITS) or tokens.among(after, lexicon.NOT_MONEY))

    def _price(self, first: int, end: int, bound: Bound, amount: _Amount) -> Price:
        value = amount.value
        gte = {"lower": value, "around": round(value * (1 - SPREAD), 2)}.get(bound)
        lte = {"upper": value, "around": round(value * (1 + SPREAD), 2)}.get(bound)
        places = self._tokens.places(first, end)
        return Price(*places, gte, lte, amount.currencies, amount.weight)

    def _between(self, first: int, low: _Amount, high: _Amount) -> Price:
        lower, upper = sorted((low.value, high.value))
        places = self._tokens.places(first, high.next)
        named = low.currencies or high.currencies
        return Price(*places, lower, upper, named, low.weight or high.weight)
