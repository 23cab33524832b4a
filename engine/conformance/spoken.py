"""A plan that says all it can, for windows of a query that much was understood of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from engine.plan import AppliedRule, Boost, PlanStep, QueryPlan, Selection, Span

Effect = Literal["note", "boost", "filter", "exclude"]
Reading = tuple[str, str, str, tuple[str, ...], Effect]
"""Words of a query, and what they were read as: label, field, values, effect."""
READINGS: tuple[Reading, ...] = (
    ("brand 0", "creator", "brand", ("brand 0",), "boost"),
    ("brand 1", "creator", "brand", ("brand 1",), "boost"),
    ("color 2", "color", "color", ("color 2", "color 4"), "boost"),
    ("rare", "modifier", "", (), "note"),
    ("boots", "core_product_type", "category", ("A > 1",), "boost"),
    ("not color 3", "negation", "color", ("color 3",), "exclude"),
    ("under 60", "price", "price", (), "filter"),
)
"""The whole query, in order."""


def spoken_plan() -> QueryPlan:
    """Two brands wanted, a colour under two names, another not, a category, a price, words that
    stand for nothing in the shop; what other processors add, and what rules do."""
    text = " ".join(words for words, *_ in READINGS)
    rule = AppliedRule(
        "spring",
        pins={"p0001": 1, "elsewhere": 2},
        boosts=(Boost({"brand": "brand 2"}, factor=2.0), Boost(ids=("p0000",), factor=0.5)),
        hide=(Selection(ids=("gone",)),),
    )
    return QueryPlan(
        original=text,
        text="brand 0 brand 1 color 2 rare boots",
        locale="de",
        translations={"en": "brand 0 brand 1 color 2 rare boots"},
        read=text,
        spans=tuple(spans_of(text, READINGS)),
        categories={"A": 0.6, "A > 1": 0.3},
        filters={"color": {"not": ["color 3"]}, "price": {"lte": 60.0}},
        corrections=("boosts → boots",),
        ignored=("color:navy",),
        steps=(PlanStep("understand", ("text", "spans"), 0.3),),
        market="CH",
        selected={"in_stock": True},
        rules=(rule, AppliedRule("summer", skipped="its time is over")),
    )


def said(plan: QueryPlan) -> str:
    """The spans of a plan in words, for a hint."""
    spans = (f"{span.field or 'no field'} {span.effect} {span.value!r}" for span in plan.spans)
    return ", ".join(spans)


def spans_of(text: str, readings: Iterable[Reading]) -> Iterator[Span]:
    """The spans of ``readings``, each where its words first stand in ``text``."""
    for words, label, field, values, effect in readings:
        start = text.index(words)
        yield Span(start, start + len(words), label, words, 0.9, field, values, effect)
