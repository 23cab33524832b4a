"""A query processor for tests: it reads a few words, the same in every shop."""

from __future__ import annotations

import re

from msgspec import structs

from engine import QueryPlan, QueryProcessor, Register, ShopView, Span, hookimpl

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
EVERYTHING = re.compile("|".join(map(re.escape, READINGS)))


class FixedReader:
    def process(self, plan: QueryPlan, shop: ShopView) -> QueryPlan:
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


@hookimpl
def register_query_processors(register: Register[QueryProcessor]) -> None:
    register("fixed-reader", lambda options: FixedReader())
