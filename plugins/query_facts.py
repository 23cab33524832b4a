"""What there is to know about one query before its parts are put together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from engine import Lexicon, Span

from .gazetteer import Gazetteer, Link, Match
from .query_grammar import Reading
from .word_forms import Word, words_of

PRIOR = ("color", "department", "core_product_type", "material", "UoM", "occasion", "shape")
"""Which field a value of several is meant of, where no model says: the first of these."""


class Facts(Struct, frozen=True):
    """What there is to know about one query. ``readings`` are the grammar's, without prices,
    ``prices`` the spans of those; ``model`` is None without one. ``pictured``: a photo says what is
    wanted, and the words how it differs."""

    text: str
    readings: Sequence[Reading]
    prices: Sequence[Span]
    matches: Sequence[Match]
    model: Sequence[Span] | None
    gazetteer: Gazetteer
    lexicon: Lexicon = Lexicon()
    pictured: bool = False


@lru_cache(maxsize=16)
def words_in(text: str) -> tuple[Word, ...]:
    """The words of a query, which many rules ask for."""
    return tuple(words_of(text))


def word_before(text: str, at: int) -> Word | None:
    """The last word that ends at or before a place."""
    return next((word for word in reversed(words_in(text)) if word.end <= at), None)


def chosen(match: Match, facts: Facts) -> Link:
    """Of several fields the one that the model means, else by :data:`PRIOR`; of equal ones the
    finer (with more values), for "watches" is a type before it is a department."""
    model = model_span(match, facts)

    def order(link: Link) -> tuple[bool, int, int, str]:
        labels = facts.gazetteer.labels[link.field]
        meant = model is not None and model.label in labels
        rank = min((PRIOR.index(label) for label in labels if label in PRIOR), default=len(PRIOR))
        return not meant, rank, -len(facts.gazetteer.vocabulary[link.field]), link.field

    return min(match.links, key=order)


def model_span(match: Match, facts: Facts) -> Span | None:
    """What the model says of these words: one that agrees before others, else the span that
    covers most of them."""
    covering = [s for s in facts.model or () if s.start < match.end and match.start < s.end]
    known = {label for link in match.links for label in facts.gazetteer.labels[link.field]}

    def fit(span: Span) -> tuple[bool, int]:
        return span.label in known, min(span.end, match.end) - max(span.start, match.start)

    return max(covering, key=fit, default=None)
