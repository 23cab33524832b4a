"""Plugins for tests: a query processor that reads a few words, the same in every shop, and a
ranker and an arranger that say why."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import structs

from engine import (
    Arranger,
    QueryPlan,
    QueryProcessor,
    Ranker,
    RankingBatch,
    Reasons,
    Register,
    ShopView,
    Span,
    Vectors,
    hookimpl,
)

READINGS: dict[str, Span] = {
    "nike": Span(0, 0, "creator", "Nike", field="brand", values=("Nike",), effect="boost"),
    "navy": Span(
        0, 0, "color", "navy", field="color", values=("Navy", "Navy Blue"), effect="boost"
    ),
    "shoes": Span(0, 0, "core_product_type", "shoes"),
    "under 60": Span(0, 0, "price", "60", field="price", effect="filter"),
    "not black": Span(
        0, 0, "negation", "Black", field="color", values=("Black",), effect="exclude"
    ),
}
LIMITS = {"under 60": {"price": {"lte": 60}}, "not black": {"color": {"not": ["Black"]}}}
WRONG, RIGHT = "navvy", "navy"
GERMAN = {"blaue Schuhe": "navy shoes"}
EVERYTHING = re.compile("|".join(map(re.escape, READINGS)))


class FixedReader:
    def process(self, plan: QueryPlan, shop: ShopView) -> QueryPlan:
        if plan.text in GERMAN:
            return structs.replace(plan, locale="de", translations={"en": GERMAN[plan.text]})
        if WRONG in plan.text and f"spelling:{WRONG}" not in plan.ignored:
            right, said = plan.text.replace(WRONG, RIGHT), (f"{WRONG} → {RIGHT}",)
            plan = structs.replace(plan, text=right, corrections=said)
        spans, filters, text = [], dict(plan.filters), plan.text
        for found in EVERYTHING.finditer(plan.text):
            span = structs.replace(READINGS[found[0]], start=found.start(), end=found.end())
            if span.key in plan.ignored:
                continue
            spans.append(span)
            filters.update(LIMITS.get(found[0], {}))
            if found[0] in LIMITS:
                text = text.replace(found[0], " ")
        text = " ".join(text.split())
        return structs.replace(plan, read=plan.text, text=text, spans=tuple(spans), filters=filters)


class Cheaper:
    """Doubles the scores of products below 50, and says so."""

    required_fields: Sequence[str] = ("price",)
    required_vectors: Sequence[str] = ()

    def rank(self, batch: RankingBatch) -> Vectors:
        cheap = np.asarray([price < 50 for price in batch.columns["price"]])
        return np.where(cheap, batch.scores * 2, batch.scores).astype(np.float32)

    def explain(self, batch: RankingBatch, rows: npt.NDArray[np.intp]) -> list[Reasons]:
        prices = batch.columns["price"]
        return [
            {"below 50": float(batch.scores[row]), "asks": f"only {prices[row]:g}"}
            if prices[row] < 50
            else {}
            for row in rows
        ]


class LastFirst:
    """Puts the last product of the window first."""

    required_fields: Sequence[str] = ()
    required_vectors: Sequence[str] = ()

    def arrange(self, batch: RankingBatch) -> npt.NDArray[np.intp]:
        return np.roll(np.arange(len(batch.ids)), 1)


@hookimpl
def register_rankers(register: Register[Ranker]) -> None:
    register("cheaper", lambda options: Cheaper())


@hookimpl
def register_arrangers(register: Register[Arranger]) -> None:
    register("last-first", lambda options: LastFirst())


@hookimpl
def register_query_processors(register: Register[QueryProcessor]) -> None:
    register("fixed-reader", lambda options: FixedReader())
