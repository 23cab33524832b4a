"""Reads prices, sizes, measures, quantities and negations out of a query, by rules.

Pure functions, one pass from left to right, each rule looking at a bounded number of tokens:
time is linear in the text, whatever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import zip_longest

import msgspec
from msgspec import Struct

from . import query_lexicon as lexicon
from .query_measures import Measure, MeasureRules
from .query_prices import Price, PriceRules, price_words
from .query_sizes import Quantity, Size, SizeRules
from .query_tokens import Phrases, Tokens, phrases_of

MAX_NEGATED = 4
"""Words after a negation that it can turn round."""


class Negation(Struct, frozen=True):
    """``body`` to ``end`` is what may be unwanted, up to a word that ends it; what of it is, the
    shop's vocabulary must know. ``always``: it is, even if the shop has no word for it
    ("without timer"). ``describes``: only what tells how a thing is can be unwanted, for "no
    tie laces" are laces. ``valued``: only what a field has a value for, for "without a cause" is
    part of a title and "without the heel" is not. ``free``: no brand can be unwanted, for "cruelty
    free from lush" wants it. ``number``: it begins with one ("no 5")."""

    start: int
    end: int
    body: int
    always: bool = False
    describes: bool = False
    valued: bool = False
    free: bool = False
    number: bool = False


Reading = Price | Measure | Size | Quantity | Negation


def read(text: str, locale: str = "en") -> list[Reading]:
    """The readings in ``text``, from left to right, none over another."""
    tokens, language = Tokens(text), locale[:2].lower()
    prices, sizes = PriceRules(tokens, price_words(language)), SizeRules(tokens)
    negations = _NegationRule(tokens, _negations(language))
    rules: tuple[Callable[[int], tuple[Reading, int] | None], ...] = (
        *(prices.bounded, prices.money, prices.led),
        *(sizes.quantity, sizes.size, MeasureRules(tokens).measure),
        negations.at,
    )
    readings: list[Reading] = []
    i = 0
    while i < len(tokens):
        found = next(filter(None, (rule(i) for rule in rules)), None)
        if found is None or _unsure_of(found[0], readings):
            i += 1
        else:
            reading, i = found
            readings.append(reading)
    return list(_apart(readings))


def _unsure_of(reading: Reading, before: list[Reading]) -> bool:
    """Whether it may be a size, but stands in a negation: "not too small"."""
    if not isinstance(reading, Size) or reading.sure or not before:
        return False
    last = before[-1]
    return isinstance(last, Negation) and reading.start < last.end


def _apart(readings: list[Reading]) -> Iterator[Reading]:
    """Negations end where the next reading begins; a measure right after one is unwanted, any other
    number says nothing of what is."""
    unwanted = False
    for reading, after in zip_longest(readings, readings[1:]):
        if isinstance(reading, Negation) and after is not None and after.start < reading.end:
            unwanted = after.start <= reading.body
            if not unwanted:
                yield msgspec.structs.replace(reading, end=after.start)
        elif isinstance(reading, Negation) and reading.number:
            continue
        elif unwanted and isinstance(reading, Measure | Quantity):
            yield msgspec.structs.replace(reading, unwanted=True)
            unwanted = False
        else:
            yield reading
            unwanted = False


@cache
def _negations(language: str) -> Phrases[str]:
    own = dict.fromkeys(name for name in ("en", language) if name in lexicon.NEGATIONS)
    return Phrases(entry for name in own for entry in phrases_of(lexicon.NEGATIONS[name]))


class _NegationRule:
    def __init__(self, tokens: Tokens, cues: Phrases[str]) -> None:
        self._tokens = tokens
        self._cues = cues

    def at(self, i: int) -> tuple[Negation, int] | None:
        """``not black``, ``without sugar``, ``non-leather``, ``-black``; the token to go on with
        is the first negated one, for a size or a price may stand there."""
        tokens = self._tokens
        found = self._minus(i) if tokens.has(i, "-") else self._every(i) or self._cue(i)
        if found is None:
            return None
        cue, body = found
        fillers = {"any"} if cue == "without" else lexicon.FILLERS
        while tokens.among(body, fillers):
            body += 1
        valued = cue == "without" and tokens.among(body, lexicon.ARTICLES)
        body += valued
        end, negated = body, 0
        while negated < MAX_NEGATED and self._goes_on(body, end):
            negated += not (tokens.is_kind(end, "sign") or tokens.among(end, lexicon.AND_OR))
            end += 1
        if end == body and not tokens.is_kind(body, "number"):
            return None
        end = max(end, body + 1)
        sure = cue in ("without", "instead")
        always = sure and not valued and tokens[body].text not in lexicon.TITLES
        places = tokens.places(i, end)
        start, free = tokens[body].start, cue == "free"
        number = tokens.is_kind(body, "number")
        return Negation(*places, start, always, cue == "no", valued, free, number), body

    def _minus(self, i: int) -> tuple[str, int] | None:
        """A minus before a word, and no hyphen within one ("t -shirt")."""
        tokens = self._tokens
        if tokens.glued(i) or not (tokens.glued(i + 1) and tokens.is_kind(i + 1, "word")):
            return None
        return None if i and len(tokens[i - 1].text) == 1 else ("not", i + 1)

    def _every(self, i: int) -> tuple[str, int] | None:
        """``in any colour but``, ``any brand except``: with the words that say nothing; or the
        "but" of ``any lipstick but the red one``."""
        tokens = self._tokens
        if tokens.has(i, "but"):
            before = range(max(0, i - MAX_NEGATED), i)
            return ("not", i + 1) if any(tokens.among(k, lexicon.EVERY) for k in before) else None
        at = i + tokens.among(i, lexicon.IN_ANY)
        if not tokens.among(at, lexicon.EVERY):
            return None
        end = at + 1
        while end - at <= MAX_NEGATED and tokens.among(end, lexicon.NEUTRAL):
            end += 1
        end += tokens.has(end, ",")
        return self._cue(end) or (("not", end + 1) if tokens.has(end, "but") else None)

    def _cue(self, i: int) -> tuple[str, int] | None:
        tokens = self._tokens
        found = self._cues.at(tokens, i)
        if found is None or (tokens.glued(i) and tokens.has(i - 1, "-")):
            return None
        cue, body = found
        return cue, body + (tokens.has(body, "-") and tokens.glued(body))

    def _goes_on(self, body: int, i: int) -> bool:
        tokens = self._tokens
        if i >= len(tokens) or tokens.is_kind(i, "number"):
            return False
        if tokens.is_kind(i, "sign"):
            return i > body and tokens.has(i, *"-&,'+/") and i + 1 < len(tokens)
        ends = lexicon.STOPS if i > body else lexicon.STOPS - lexicon.PLACES
        return self._cues.at(tokens, i) is None and tokens[i].text not in ends
