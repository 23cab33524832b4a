"""What to do when what was understood of the words leaves nothing to show.

Filters that understanding set are taken off one by one until something is found, from the last
that ``plan.filters`` holds to the first: processors write what they are surest of first. What the
shopper selected is never taken off. The answer's plan says what was (``relaxed``).

"Nothing" is an empty result; or, as dense lanes find something for any words, a result without a
single product of the kind that was asked for ("sofa under 20" among mugs). In that second case
what was said to be unwanted stays unwanted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from .plan import QueryPlan, Span
from .protocols import VectorStore

KIND = "core_product_type"
"""The label of a span that says what a product is."""
SURE = 0.8
"""The least confidence of such a span for its absence to count."""
FEW = 20
"""Products that are looked at first, best first: nearly always one of them is of the kind."""
WITH_ANOTHER: Mapping[str, str] = {"currency": "price"}
"""A filter that says what another one means, and goes with it."""


def relaxations(plan: QueryPlan, selected: Collection[str], *, empty: bool) -> Iterator[QueryPlan]:
    """The plan with one more of its filters taken off each time: not those of ``selected`` fields,
    which the shopper's own overrule, and exclusions only where the result is ``empty``."""
    unwanted = {span.field for span in plan.spans if span.effect == "exclude"}
    for name in reversed(plan.filters):
        kept = name in selected or (name in unwanted and not empty)
        if not kept and name not in WITH_ANOTHER:
            plan = _without(plan, name)
            yield plan


def _without(plan: QueryPlan, name: str) -> QueryPlan:
    off = {n: s for n, s in plan.filters.items() if name in (n, WITH_ANOTHER.get(n))}
    filters = {field: spec for field, spec in plan.filters.items() if field not in off}
    spans = tuple(_lifted(span) if span.field in off else span for span in plan.spans)
    return msgspec.structs.replace(
        plan, filters=filters, relaxed={**plan.relaxed, **off}, spans=spans
    )


def _lifted(span: Span) -> Span:
    """What no longer filters lifts instead, where it has values."""
    if span.effect not in ("filter", "exclude"):
        return span
    wished = span.effect == "filter" and (span.values or span.near)
    return msgspec.structs.replace(span, effect="boost" if wished else "note")


def lacks_kind(plan: QueryPlan, ids: Sequence[str], store: VectorStore) -> bool:
    """Whether the words name a kind of product of this shop, and none of ``ids`` is one."""
    kinds = [
        span
        for span in plan.spans
        if span.label == KIND and span.effect == "boost" and span.confidence >= SURE
    ]
    if not kinds:
        return False
    fields = list(dict.fromkeys(span.field for span in kinds))
    for some in (ids[:FEW], ids[FEW:]):
        columns = store.columns(some, fields)
        for span in kinds:
            wanted = {*span.values, *span.near}
            for value in columns[span.field]:
                if not wanted.isdisjoint(value if isinstance(value, list) else (value,)):
                    return False
    return True
