"""Stage 1: the query processors turn what was typed into a plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from .filters import parse_filters
from .guard import Guard, PluginFailed
from .protocols import QueryProcessor, ShopView
from .schema import IndexSchema
from .types import Degraded, PlanStep, QueryPlan


def understand(
    plan: QueryPlan, processors: Sequence[tuple[Guard, QueryProcessor]], shop: ShopView
) -> tuple[QueryPlan, list[Degraded]]:
    """Run ``processors`` in order on what was typed; one that fails, or plans what cannot be
    searched, leaves the plan as it was."""
    check = _plan_check(shop.schema)
    typed = plan
    degraded: list[Degraded] = []
    for guard, processor in processors:
        started = time.perf_counter()
        try:
            after = guard.call(partial(processor.process, plan, shop), check)
        except PluginFailed as error:
            degraded.append(Degraded(guard.name, str(error)))
            continue
        ms = (time.perf_counter() - started) * 1000
        step = PlanStep(guard.name, _changed(plan, after), ms)
        kept = {"original": typed.original, "ignored": typed.ignored}
        plan = msgspec.structs.replace(after, **kept, steps=(*plan.steps, step))
    return plan, degraded


def _plan_check(schema: IndexSchema) -> Callable[[QueryPlan], None]:
    def check(plan: QueryPlan) -> None:
        if not isinstance(plan, QueryPlan):
            raise ValueError(f"process() must return a QueryPlan, not {type(plan).__name__}")
        msgspec.convert(msgspec.to_builtins(plan), QueryPlan)
        parse_filters(plan.filters, schema)

    return check


def _changed(before: QueryPlan, after: QueryPlan) -> tuple[str, ...]:
    names = (n for n in QueryPlan.__struct_fields__ if n not in ("original", "ignored", "steps"))
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))
