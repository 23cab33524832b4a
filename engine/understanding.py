"""Stage 1: the query processors turn what was typed into a plan."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from .filters import parse_filters
from .guard import Guard, PluginFailed
from .plan import PlanStep, QueryPlan
from .protocols import QueryProcessor, ShopView
from .schema import IndexSchema
from .types import Degraded

log = logging.getLogger(__name__)

WARM_UP_S = 5.0


def plan_of(text: str, locale: str | None, ignore: Sequence[str]) -> QueryPlan:
    """Where understanding starts: what was typed, and the readings that were taken back."""
    ignored = tuple(key.casefold() for key in ignore)
    return QueryPlan(original=text, text=text, locale=locale, ignored=ignored)


def warm_up(processors: Sequence[tuple[Guard, QueryProcessor]], shop: ShopView) -> None:
    """Let each processor compute what it keeps of ``shop`` before a search waits for it; one
    that hangs delays the start by :data:`WARM_UP_S`."""

    def run() -> None:
        for guard, processor in processors:
            try:
                processor.process(QueryPlan(), shop)
            except Exception as error:
                log.warning("%s does not cope with an empty query: %s", guard.name, error)

    thread = threading.Thread(target=run, name="warm-up", daemon=True)
    thread.start()
    thread.join(WARM_UP_S)


def understand(
    plan: QueryPlan, processors: Sequence[tuple[Guard, QueryProcessor]], shop: ShopView
) -> tuple[QueryPlan, list[Degraded]]:
    """Run ``processors`` in order on what was typed; one that fails, or plans what cannot be
    searched, leaves the plan as it was."""
    check = plan_check(shop.schema)
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


def plan_check(schema: IndexSchema) -> Callable[[QueryPlan], None]:
    """Refuses, with ValueError or InvalidFilter, a plan that cannot be searched."""

    def check(plan: QueryPlan) -> None:
        if not isinstance(plan, QueryPlan):
            raise ValueError(f"process() must return a QueryPlan, not {type(plan).__name__}")
        msgspec.convert(msgspec.to_builtins(plan), QueryPlan)
        parse_filters(plan.filters, schema)

    return check


def _changed(before: QueryPlan, after: QueryPlan) -> tuple[str, ...]:
    names = (n for n in QueryPlan.__struct_fields__ if n not in ("original", "ignored", "steps"))
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))
