"""Stage 1: the query processors turn what was typed into a plan."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import msgspec

from .filters import parse_filters
from .guard import Guard, PluginFailed
from .isolation import IsolatedProcessor
from .plan import PlanStep, QueryPlan
from .protocols import QueryProcessor, ShopView
from .rules import hidden_by_any
from .schema import IndexSchema
from .types import Degraded, Query, SearchRequest

log = logging.getLogger(__name__)

WARM_UP_S = 5.0


_ASKED = ("original", "ignored", "market", "selected", "at", "pictured")
"""What a plan says of the request, which no processor changes."""


def plan_of(request: SearchRequest, at: datetime | None = None) -> QueryPlan:
    """Where understanding starts: what was typed and selected, and the readings that were taken
    back. Without words, as when browsing, the texts are empty."""
    text = (request.query.text if request.query else None) or ""
    return QueryPlan(
        original=text,
        text=text,
        locale=request.locale,
        ignored=tuple(key.casefold() for key in request.ignore),
        market=request.market,
        selected=dict(request.filters),
        pictured=_is_pictured(request.query),
        at=at,
    )


def _is_pictured(query: Query | None) -> bool:
    """Whether both words and pictures count."""
    if query is None or not 0 < query.image_weight < 1:
        return False
    return query.image is not None or bool(query.like)


def warm_up(processors: Sequence[tuple[Guard, QueryProcessor]], shop: ShopView) -> None:
    """Let each processor compute what it keeps of ``shop``, and its model run a first time, before
    a search waits for it; one that hangs delays the start by :data:`WARM_UP_S`."""

    def run() -> None:
        for guard, processor in processors:
            try:
                if isinstance(processor, IsolatedProcessor):
                    processor.warm_up(shop)
                else:
                    for text in ("", "a"):
                        processor.process(QueryPlan(original=text, text=text), shop)
            except Exception as error:
                log.warning("%s does not cope with its first queries: %s", guard.name, error)

    thread = threading.Thread(target=run, name="warm-up", daemon=True)
    thread.start()
    thread.join(WARM_UP_S)


def understand(
    plan: QueryPlan, processors: Sequence[tuple[Guard, QueryProcessor]], shop: ShopView
) -> tuple[QueryPlan, list[Degraded]]:
    """Run ``processors`` in order on what was typed; one that fails, or plans what cannot be
    searched, leaves the plan as it was. Where it is the one that applies business rules, all that
    any of them hides is hidden: better too little is shown than what must not be."""
    check = plan_check(shop.schema)
    typed = plan

    def check_change(after: QueryPlan) -> None:
        if after is not plan:
            check(after)

    degraded: list[Degraded] = []
    for guard, processor in processors:
        started = time.perf_counter()
        try:
            after = guard.call(partial(processor.process, plan, shop), check_change)
        except PluginFailed as error:
            degraded.append(Degraded(guard.name, str(error)))
            if getattr(processor, "applies_rules", False):
                at = plan.at or datetime.now(UTC)
                hidden = hidden_by_any(shop.rules, shop.schema, at)
                plan = msgspec.structs.replace(plan, rules=(*plan.rules, *hidden))
            continue
        ms = (time.perf_counter() - started) * 1000
        step = PlanStep(guard.name, _changed(plan, after), ms)
        kept = {name: getattr(typed, name) for name in _ASKED}
        plan = msgspec.structs.replace(after, **kept, steps=(*plan.steps, step))
    return plan, degraded


def plan_check(schema: IndexSchema) -> Callable[[QueryPlan], None]:
    """Refuses, with ValueError or InvalidFilter, a plan that cannot be searched."""

    def check(plan: QueryPlan) -> None:
        if not isinstance(plan, QueryPlan):
            raise ValueError(f"process() must return a QueryPlan, not {type(plan).__name__}")
        msgspec.convert(msgspec.to_builtins(plan), QueryPlan)
        parse_filters(plan.filters, schema)
        for selection in (*plan.boosts(), *plan.hidden()):
            parse_filters(selection.filters, schema)
        if not all(boost.factor > 0 for boost in plan.boosts()):
            raise ValueError("a factor must be above 0")
        if not all(place > 0 for place in plan.pins.values()):
            raise ValueError("places begin at 1")

    return check


def _changed(before: QueryPlan, after: QueryPlan) -> tuple[str, ...]:
    if after is before:
        return ()
    names = (n for n in QueryPlan.__struct_fields__ if n not in (*_ASKED, "steps"))
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))
