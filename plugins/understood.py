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

Where the words describe a need by what things are for (``plan.described``), what serves it rises by
:data:`NEED` times the best score, as likely as that is, and as surely as there is a need; a kind
that they name is then not what is wanted ("my trousers keep slipping down").

What speaks against a product, by its title (:mod:`plugins.faults`), takes most of its score.

Strength and :data:`TYPE_WEIGHT` were chosen on queries made of type, colour and department of
products that no figure is told of (``benchmarks/understanding.py``). Weighing a value by how
rare it is in the window made them worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from engine import Query, QueryPlan, Ranker, RankingBatch, Register, Vectors, hookimpl

from .asked_measures import asked_in
from .faults import faults
from .field_labels import TYPE
from .gazetteer import FUNCTION_WORDS
from .likely_kinds import likely_kinds, serving
from .stated_measures import agree
from .title_measures import measures_of
from .title_words import TitleTest
from .wished_titles import in_titles, title_test
from .word_forms import words_of

_SETTLED = frozenset({"price", "negation", "size", "quantity", "UoM", "reference"})
"""Labels of the grammar: its words are dealt with, or not in any field."""
TYPE_WEIGHT = 2.0
"""What a thing is counts so much more than what it is like."""
NEED = 5.0
"""How much more than a kind that is likely counts one that serves what is described."""

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

    prompt = True
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
        for cause, keep, rows in faults(batch, titles):
            change = np.zeros(len(titles))
            change[rows] = scores[rows] * (keep - 1)
            scores = scores + change
            changes.append((cause, change))
        return changes

    def _lifts(self, batch: RankingBatch, titles: Sequence[str]) -> list[tuple[str, Shares]]:
        plan = batch.plan
        wishes = _wishes(plan, batch.columns)
        asked, _ = asked_in(plan.read)
        kind = np.zeros(len(titles))
        had: list[tuple[str, Shares]] = []
        for wish in wishes:
            granted = _granted(wish, batch.columns.get(wish.field), titles)
            if wish.is_kind:  # that of a need is what is wanted for it: trousers for a belt
                granted = granted * (1 - plan.described)
                kind = np.maximum(kind, granted)
            had.append((wish.cause, wish.weight * granted))
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
        if plan.described:
            kinds = batch.columns.get(plan.kind_field, [None] * len(titles))
            share = NEED * self._kinds * plan.described * serving(plan, kinds, titles, own)
            lifts.append(("serves the need", own.max() * share))
        return lifts


def _wishes(plan: QueryPlan, columns: Mapping[str, Any]) -> list[_Wish]:
    wishes: dict[str, _Wish] = {}
    for span in plan.spans:
        if span.field and (span.field not in columns or span.effect not in ("boost", "filter")):
            continue
        if not span.field and not in_titles(span):
            continue
        if not (span.values or span.near or not span.field):
            continue  # a price
        cause = f"{span.field or span.label}: {span.value}"
        key = span.field or f"label {span.label}"
        wish = wishes.setdefault(key, _Wish(span.field, {}, [], cause))
        for value, grade in (*span.near.items(), *((value, 1.0) for value in span.values)):
            wish.grades[value] = max(grade, wish.grades.get(value, 0.0))
        wish.titles.append(title_test(span))
        weight = span.confidence * (TYPE_WEIGHT if span.label == TYPE else 1.0)
        wish.weight = max(wish.weight, weight)
        wish.is_kind = wish.is_kind or span.label == TYPE
    return list(wishes.values())


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
        (s.start, s.end) for s in plan.spans if s.field or s.label in _SETTLED or in_titles(s)
    ]
    return sum(
        word.form not in FUNCTION_WORDS
        and not any(start < word.end and word.start < end for start, end in understood)
        for word in words_of(plan.read)
    )


@hookimpl
def register_rankers(register: Register[Ranker]) -> None:
    register("understood", Understood, UnderstoodOptions)
