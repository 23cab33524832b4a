"""What speaks against products by their titles: that they have what is not wanted, another measure,
another colour or another brand than was named.

No field tells it of these products, else a filter would have left them out. They sink, rather than
being hidden, for titles are prose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from engine import QueryPlan, RankingBatch, Span

from .asked_measures import asked_in
from .color_kin import ALL_COLORS
from .field_labels import TYPE
from .gazetteer import leaf
from .live_categories import CATEGORY
from .query_filters import POINTING
from .title_measures import agree, contradict, measures_of
from .title_words import every_word, graded_words, says
from .wished_titles import BRAND, COLOR, in_titles, title_test
from .word_forms import words_of

SUNK, OTHERWISE = 1e-3, 0.1
"""What is left of the score of a product that is not wanted, or lacks how it should differ from a
photo; and of one of another measure, colour or brand, which is still nearer than something else."""

_names_a_color = graded_words(dict.fromkeys(ALL_COLORS, 1.0))


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
        yield "another measure", OTHERWISE, others
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
    """The rows that say nothing of a field that was asked for, and whose title speaks of it, but
    not of what was named; none where no title does."""
    spans = [span for span in batch.plan.spans if span.label == label and _wished(span)]
    if not spans or batch.plan.pictured:
        return []
    tests = [title_test(span) for span in spans]
    columns = [batch.columns[span.field] for span in spans if span.field in batch.columns]
    silent = [row for row in range(len(titles)) if all(column[row] is None for column in columns)]
    had = {row for row in silent if any(test(titles[row]) for test in tests)}
    if not had:
        return []
    return [row for row in silent if row not in had and speaks(titles[row])]


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
