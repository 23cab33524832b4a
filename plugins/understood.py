"""Ranker ``understood``: lifts products that have what the shopper named, and sinks those that
have what was not wanted.

Works on what ``understand`` linked: a span with the effect ``boost`` says that words stand for
values of a field, or for values akin to them (maroon for "red"), which count by how near they
are. A product that says nothing of the field is judged by its title. Scores of the lanes
know nothing of a product's colour. One of the kind that was named is lifted by ``strength`` times
the best score for everything else that was named, or by its share of that. One of another kind,
or where no kind is known, by that much of its own score: what is red is no purse for that. Words
that nobody understood count among what was named and are had by none, so that the lanes keep
their say about them.

Where the words do not name the kind ("something to hang coats on"), a product rises by how likely
its kind is to be meant (:mod:`plugins.likely_kinds`), as far as the query consists of words that
nobody understood, and as far as the lanes do not agree on the best product: one that all find is
rather what was meant than its kind. A wrong guess is tempered by its probability, and kinds that
are all alike likely lift next to nothing.

What is not wanted and no field knows ("not printed") is looked for in titles: such products keep
:data:`SUNK` of their score. A product whose title states another measure than the one asked for
("75 ml" for "100 ml") keeps :data:`CONTRADICTED` of it. Beside a photo, words that only titles
know say how what is wanted differs ("but from adidas" in a shop without a field of brands): who
lacks them sinks, where somebody has them all.

Strength and :data:`TYPE_WEIGHT` were chosen on queries made of type, colour and department of
products that no figure is told of (``benchmarks/understanding.py``). Weighing a value by how
rare it is in the window made them worse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from engine import Query, QueryPlan, Ranker, RankingBatch, Register, Span, Vectors, hookimpl

from .asked_measures import asked_in
from .color_kin import colors_in, kin_words
from .field_labels import TYPE
from .gazetteer import FUNCTION_WORDS
from .kind_names import other_names
from .likely_kinds import likely_kinds
from .query_filters import POINTING
from .title_measures import agree, contradict, measures_of
from .title_words import TitleTest, any_phrase, every_word, graded_words, says
from .word_forms import forms, words_of

COLOR = "color"
_IN_TITLES = frozenset({COLOR, "creator"})
"""Labels of what is looked for in titles where no field of the shop has it."""
_SETTLED = frozenset({"price", "negation", "size", "quantity", "UoM", "reference"})
"""Labels of the grammar: its words are dealt with, or not in any field."""
TYPE_WEIGHT = 2.0
"""What a thing is counts so much more than what it is like."""
SUNK, CONTRADICTED = 1e-3, 0.5
"""What is left of the score of a product that is not wanted, and of one of another measure."""

Shares = npt.NDArray[np.float64]


class UnderstoodOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``strength`` is the lift of a product that has all that was named, as a share of the best
    score; 0 lifts nothing for that. ``kinds`` is the same for a product whose kind is surely meant
    where the words do not name it; 0 guesses no kind."""

    strength: Annotated[float, Meta(ge=0, le=10)] = 1.0
    kinds: Annotated[float, Meta(ge=0, le=10)] = 1.0


class _Wish(Struct):
    """What was named of one field ("": of none that the shop has, by the label): values with how
    near they come, and how to judge a title where a product has none. It counts as much as its
    surest span."""

    field: str
    grades: dict[str, float]
    titles: list[TitleTest]
    cause: str
    weight: float = 0.0
    is_kind: bool = False


class Understood:
    """Several values of one field are alternatives ("red or blue")."""

    required_fields: Sequence[str] = ("title",)
    required_vectors: Sequence[str] = ()

    def __init__(self, options: UnderstoodOptions) -> None:
        self._strength = options.strength
        self._kinds = options.kinds

    def rank(self, batch: RankingBatch) -> Vectors:
        scores = batch.scores.astype(np.float64)
        for _, change in self._changes(batch):
            scores = scores + change
        return scores.astype(np.float32)

    def explain(
        self, batch: RankingBatch, rows: npt.NDArray[np.intp]
    ) -> list[Mapping[str, float | str]]:
        """What each thing that was named brought, or cost."""
        changes = self._changes(batch)
        return [
            {cause: float(change[row]) for cause, change in changes if change[row]}
            for row in rows.tolist()
        ]

    def _changes(self, batch: RankingBatch) -> list[tuple[str, Shares]]:
        """Causes and what each changes of every product's score, one after the other."""
        plan = batch.plan
        if not plan.read or not len(batch.scores):
            return []
        titles = [title.lower() if title else "" for title in batch.columns["title"]]
        changes = self._lifts(batch, titles)
        scores = batch.scores + sum(change for _, change in changes)
        for cause, keep, rows in _faults(batch, titles):
            change = np.zeros(len(titles))
            change[rows] = scores[rows] * (keep - 1)
            scores = scores + change
            changes.append((cause, change))
        return changes

    def _lifts(self, batch: RankingBatch, titles: Sequence[str]) -> list[tuple[str, Shares]]:
        plan = batch.plan
        wishes = _wishes(plan, batch.columns)
        asked = asked_in(plan.read)
        kind = np.zeros(len(titles))
        had: list[tuple[str, Shares]] = []
        for wish in wishes:
            granted = _granted(wish, batch.columns.get(wish.field), titles)
            had.append((wish.cause, wish.weight * granted))
            if wish.is_kind:
                kind = np.maximum(kind, granted)
        if asked:
            stated = np.asarray([agree(asked, measures_of(title)) for title in titles], float)
            had.append(("measure", stated))
        unclear = _not_understood(plan)
        whole = sum(wish.weight for wish in wishes) + bool(asked) + unclear
        words = _share_of_words(batch.request.query, plan)
        own = batch.scores.astype(np.float64)
        base = np.maximum(own, kind * own.max())
        base *= self._strength * words
        lifts = [(cause, base * share / whole) for cause, share in had if share.any()]
        if self._kinds and plan.kind_field in batch.columns and (plan.pictured or unclear):
            # Beside a photo the words say what is different; its own finds say what it is.
            unsaid = 1.0 if plan.pictured else words * _discord(own) * unclear / whole
            kinds, named = batch.columns[plan.kind_field], {} if plan.pictured else plan.categories
            chances = likely_kinds(kinds, batch.scores, named)
            lifts.append((f"likely {plan.kind_field}", self._kinds * own.max() * unsaid * chances))
        return lifts


def _wishes(plan: QueryPlan, columns: Mapping[str, Any]) -> list[_Wish]:
    wishes: dict[str, _Wish] = {}
    for span in plan.spans:
        if span.field and (span.field not in columns or span.effect not in ("boost", "filter")):
            continue
        if not span.field and not _in_titles(span):
            continue
        if not (span.values or span.near or not span.field):
            continue  # a price
        cause = f"{span.field or span.label}: {span.value}"
        key = span.field or f"label {span.label}"
        wish = wishes.setdefault(key, _Wish(span.field, {}, [], cause))
        for value, grade in (*span.near.items(), *((value, 1.0) for value in span.values)):
            wish.grades[value] = max(grade, wish.grades.get(value, 0.0))
        wish.titles.append(_title_test(span))
        weight = span.confidence * (TYPE_WEIGHT if span.label == TYPE else 1.0)
        wish.weight = max(wish.weight, weight)
        wish.is_kind = wish.is_kind or span.label == TYPE
    return list(wishes.values())


def _in_titles(span: Span) -> bool:
    """Whether titles can tell what no field does: a colour, a brand, a kind by any of its names."""
    by_name = span.label == TYPE and bool(other_names(span.value))
    return span.effect == "note" and (span.label in _IN_TITLES or by_name)


def _title_test(span: Span) -> TitleTest:
    """A title has what was named if it has its words; or, of a colour, one akin to it, of a kind,
    another name of it."""
    if span.label == COLOR and (named := colors_in(forms(span.value))):
        return _colored(named)
    names = other_names(span.value)
    return _any_name((span.value, *names)) if names else every_word(span.value)


@lru_cache(maxsize=1024)
def _any_name(names: tuple[str, ...]) -> TitleTest:
    """Singular where that is the beginning of the plural: titles may go on, but not stop short."""
    bare = {name: " ".join(word.form for word in words_of(name)) for name in names}
    said = [form if name.startswith(form) else name for name, form in bare.items()]
    return any_phrase(dict.fromkeys(said))


@lru_cache(maxsize=1024)
def _colored(named: frozenset[str]) -> TitleTest:
    return graded_words({**kin_words(named), **dict.fromkeys(named, 1.0)})


def _granted(wish: _Wish, column: Sequence[Any] | None, titles: Sequence[str]) -> Shares:
    """How much of a wish each product has, 0 to 1."""
    if column is None:
        column = [None] * len(titles)
    grades, tests = wish.grades, wish.titles
    granted = []
    for value, title in zip(column, titles, strict=True):
        if value is None:
            granted.append(max([test(title) for test in tests]))
        elif isinstance(value, list):
            granted.append(max([grades.get(one, 0.0) for one in value], default=0.0))
        else:
            granted.append(grades.get(value, 0.0))
    return np.asarray(granted)


def _faults(batch: RankingBatch, titles: Sequence[str]) -> Iterator[tuple[str, float, list[int]]]:
    """What is wrong with products, the share of their score that they keep, and which rows they
    are: those whose title has what was not wanted (where a field knows it, only those that have
    nothing there, for the others are filtered) and does not say itself that it lacks it ("non-stick
    pan"), and those that state another measure."""
    unwanted: set[int] = set()
    for span in batch.plan.spans:
        if span.effect not in ("avoid", "exclude"):
            continue
        tests = [every_word(value) for value in span.values]
        column = batch.columns.get(span.field) if span.field else None
        typed = span.value.lower()
        for row, title in enumerate(titles):
            unsaid = column is None or column[row] is None
            if unsaid and any(test(title) for test in tests) and not says(title, typed):
                unwanted.add(row)
    if unwanted:
        yield "not wanted", SUNK, sorted(unwanted)
    if lacking := _lacking(batch.plan, titles):
        yield "not as the words say", SUNK, lacking
    if asked := asked_in(batch.plan.read):
        others = [n for n, title in enumerate(titles) if contradict(asked, measures_of(title))]
        if others:
            yield "another measure", CONTRADICTED, others


def _lacking(plan: QueryPlan, titles: Sequence[str]) -> list[int]:
    """Beside a photo, the rows whose title lacks words that say how what is wanted differs; none
    where the words say what it is, or where no title has all of them."""
    words = [word.form for word in words_of(plan.text) if word.form not in POINTING]
    if (
        not plan.pictured
        or not words
        or any(span.label == TYPE and span.field for span in plan.spans)
    ):
        return []
    test = every_word(" ".join(words))
    lacking = [row for row, title in enumerate(titles) if not test(title)]
    return lacking if len(lacking) < len(titles) else []


def _share_of_words(query: Query | None, plan: QueryPlan) -> float:
    """What the words count beside a picture: as much as their lanes do; all, where all of them
    say how what is wanted differs from it."""
    if query is None or not plan.text or (query.image is None and not query.like):
        return 1.0
    return 1.0 - query.image_weight


def _discord(scores: Shares) -> float:
    """What the best fused score lacks of 1, which it has where it is the best of every lane."""
    return max(0.0, 1.0 - float(scores.max()))


def _not_understood(plan: QueryPlan) -> int:
    """How many words that say something stand for nothing the shop has."""
    understood = [
        (s.start, s.end) for s in plan.spans if s.field or s.label in _SETTLED or _in_titles(s)
    ]
    return sum(
        word.form not in FUNCTION_WORDS
        and not any(start < word.end and word.start < end for start, end in understood)
        for word in words_of(plan.read)
    )


@hookimpl
def register_rankers(register: Register[Ranker]) -> None:
    register("understood", Understood, UnderstoodOptions)
