"""What speaks against products by their titles: that they have what is not wanted, another measure,
another colour or another brand than was named.

No field tells it of these products, else a filter would have left them out. They sink, rather than
being hidden, for titles are prose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from engine import QueryPlan, RankingBatch, Span

from .asked_measures import asked_in
from .color_kin import ONLY_COLORS
from .field_labels import TYPE
from .gazetteer import leaf
from .live_categories import CATEGORY
from .query_filters import POINTING, SURE
from .stated_measures import agree, contradict
from .title_measures import measures_of
from .title_words import TitleTest, every_word, graded_words, says
from .wished_titles import BRAND, COLOR, in_titles, title_test
from .word_forms import words_of

SUNK, OTHERWISE, CONTRADICTED = 1e-3, 0.1, 0.5
"""What is left of the score of a product that is not wanted, or lacks how it should differ from a
photo; of one of another colour or brand, which is still nearer than something else; and of one
that states another measure, which may be that of a part of it: at 0.1 home-improvement queries
lost 0.007 condensed nDCG@10, and no request gained."""

_names_a_color = graded_words(dict.fromkeys(ONLY_COLORS, 1.0))


def faults(batch: RankingBatch, titles: Sequence[str]) -> Iterator[tuple[str, float, list[int]]]:
    """What is wrong with products, the share of their score that they keep, and which rows they
    are."""
    plan = batch.plan
    asked, unwanted_measures = asked_in(plan.read)
    unwanted = _unwanted(batch, titles)
    if unwanted_measures:
        unwanted |= {
            n for n, title in enumerate(titles) if agree(unwanted_measures, measures_of(title))
        }
    if unwanted:
        yield "not wanted", SUNK, sorted(unwanted)
    if lacking := _lacking(plan, titles):
        yield "not as the words say", SUNK, lacking
    if asked and (others := [n for n, t in enumerate(titles) if contradict(asked, measures_of(t))]):
        yield "another measure", CONTRADICTED, others
    if others := _otherwise(batch, titles, COLOR, lambda title: bool(_names_a_color(title))):
        yield "another colour", OTHERWISE, others
    if others := _otherwise(batch, titles, BRAND, lambda title: True):
        yield "another brand", OTHERWISE, others


def _unwanted(batch: RankingBatch, titles: Sequence[str]) -> set[int]:
    """The rows whose title has what was not wanted, and does not say itself that it lacks it
    ("non-stick pan"). Where a field knows it, only those that have nothing there, for the others
    are filtered; or any, where that field says what things are: no "Orange Juice" for "juice other
    than orange", though what is filtered are oranges."""
    unwanted: set[int] = set()
    kinds = CATEGORY, batch.plan.kind_field
    for span in batch.plan.spans:
        if span.effect not in ("avoid", "exclude"):
            continue
        tests = [every_word(leaf(value)) for value in span.values]
        column = batch.columns.get(span.field) if span.field not in kinds else None
        typed = span.value.lower()
        for row, title in enumerate(titles):
            unsaid = column is None or column[row] is None
            if unsaid and any(test(title) for test in tests) and not says(title, typed):
                unwanted.add(row)
    return unwanted


def _otherwise(
    batch: RankingBatch, titles: Sequence[str], label: str, speaks: Callable[[str], bool]
) -> list[int]:
    """The rows of another colour or brand than was named: by their field, where it was surely
    named, and a kind that no field knows; or, where that says nothing, by their title, if it speaks
    of any and others have what was named (of a brand, where it is sure that it is one). None where
    nothing of the kind has it. Where titles alone tell the kind, the kind in another colour stands
    before what is none."""
    spans = [span for span in batch.plan.spans if span.label == label and _wished(span)]
    if not spans or batch.plan.pictured:
        return []
    tests = [title_test(span) for span in spans]
    fields = [
        _Held(span, batch.columns[span.field]) for span in spans if span.field in batch.columns
    ]
    kinds = [
        _Held(span, batch.columns[span.field], near=False)
        for span in batch.plan.spans
        if span.label == TYPE and _wished(span) and span.field in batch.columns
    ]
    spared = [] if kinds or label != COLOR else _of_kind(batch.plan)
    sure = any(span.confidence >= SURE for span in spans)
    had = told = False
    others: list[int] = []
    silent: list[int] = []
    for row, title in enumerate(titles):
        if all(held.column[row] is None for held in fields):
            fits = any(test(title) for test in tests)
            told = told or fits
            if not fits and speaks(title) and not any(test(title) for test in spared):
                silent.append(row)
        else:
            fits = any(held.by(row) for held in fields)
            if sure and not fits:
                others.append(row)
        had = had or (fits and (not kinds or any(kind.by(row) for kind in kinds)))
    if kinds or not any(span.label == TYPE for span in batch.plan.spans):
        # Where a field says the kind, the kind in another colour stands before what is none.
        others = []
    told = told and (sure or label == COLOR)
    return sorted(others + (silent if told else [])) if had else []


def _of_kind(plan: QueryPlan) -> list[TitleTest]:
    return [title_test(span) for span in plan.spans if span.label == TYPE]


class _Held:
    """Which rows have what a span names, by its field."""

    def __init__(self, span: Span, column: Sequence[Any], *, near: bool = True) -> None:
        self.column = column
        self._meant = frozenset((*span.values, *span.near) if near else span.values)

    def by(self, row: int) -> bool:
        held = self.column[row]
        return not self._meant.isdisjoint(held if isinstance(held, list) else (held,))


def _wished(span: Span) -> bool:
    return in_titles(span) or (span.effect == "boost" and bool(span.field))


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
