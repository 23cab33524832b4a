"""Stage 1: the query processors turn what was typed into a plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from .filters import parse_filters
from .guard import Guard, PluginFailed
from .protocols import QueryProcessor
from .schema import IndexSchema
from .types import Degraded, PlanStep, QueryPlan


def understand(
    text: str,
    locale: str | None,
    processors: Sequence[tuple[Guard, QueryProcessor]],
    schema: IndexSchema,
) -> tuple[QueryPlan, list[Degraded]]:
    """Run ``processors`` in order; one that fails, or plans what cannot be searched, leaves
    the plan as it was."""
    check = _plan_check(schema)
    plan = QueryPlan(original=text, text=text, locale=locale)
    degraded: list[Degraded] = []
    for guard, processor in processors:
        started = time.perf_counter()
        try:
            after = guard.call(partial(processor.process, plan), check)
        except PluginFailed as error:
            degraded.append(Degraded(guard.name, str(error)))
            continue
        ms = (time.perf_counter() - started) * 1000
        step = PlanStep(guard.name, _changed(plan, after), ms)
        plan = msgspec.structs.replace(after, original=text, steps=(*plan.steps, step))
    return plan, degraded


def _plan_check(schema: IndexSchema) -> Callable[[QueryPlan], None]:
    def check(plan: QueryPlan) -> None:
        if not isinstance(plan, QueryPlan):
            raise ValueError(f"process() must return a QueryPlan, not {type(plan).__name__}")
        msgspec.convert(msgspec.to_builtins(plan), QueryPlan)
        parse_filters(plan.filters, schema)

    return check


def _changed(before: QueryPlan, after: QueryPlan) -> tuple[str, ...]:
    return tuple(
        name
        for name in QueryPlan.__struct_fields__
        if name not in ("original", "steps") and getattr(before, name) != getattr(after, name)
    )
