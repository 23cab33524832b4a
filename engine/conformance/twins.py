"""Whether two of a component answer alike: one here, one in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from engine.plan import QueryPlan
from engine.protocols import ShopView
from engine.window import Explains, RankingBatch

from .broken import ContractBroken, called
from .queries import TEXTS, a_shop, full_plan
from .windows import Method, Values, Windows

HINT = (
    "What a component does must follow from its options and its code: another process has "
    "neither this one's globals nor what tests patched."
)

Question = tuple[str, Callable[[Any], Any]]
"""What is asked, in words, and the call on one of the two."""


def answers_alike(kind: str, here: Any, there: Any, values: Values | None = None) -> None:
    """Built anew in a process of its own, it answers as it does here.

    ``here`` and ``there`` are one component of ``kind`` (:data:`engine.conformance.EXAMINED`).

    Raises:
        ContractBroken: ``there`` answers other than ``here``, or not at all.
    """
    if kind == "query_processors":
        questions = _about_plans()
    else:
        questions = _about_windows(here, "rank" if kind == "rankers" else "arrange", values)
    for what, ask in questions:
        try:
            expected = ask(here)
        except Exception:  # it breaks another clause; here it is compared with itself
            continue
        found = called(partial(ask, there), f"{what}, in a process of its own", HINT)
        # A NaN is unlike itself, and looks the same.
        if found != expected and repr(found) != repr(expected):
            raise ContractBroken(f"another answer in a process of its own ({what})", HINT)


def _about_plans() -> Iterator[Question]:
    shop = a_shop()
    plans = [QueryPlan(original=text, text=text, locale="en") for text in TEXTS]
    for plan in (*plans, full_plan()):
        yield f"process(): text {plan.text!r:.40}", partial(_plan, plan, shop)


def _about_windows(component: Any, method: Method, values: Values | None) -> Iterator[Question]:
    windows = Windows(component, method, values)
    for what, batch in (
        ("window of 50", windows.plain(50)),
        ("unusual values", windows.odd(20)),
        ("some products lack values", windows.gappy(9)),
        ("a plan that says all it can", windows.understood(20)),
    ):
        yield f"{method}(): {what}", partial(_answer, method, batch)
        if isinstance(component, Explains):
            yield f"explain(): {what}", partial(_explain, batch)


def _plan(plan: QueryPlan, shop: ShopView, component: Any) -> Any:
    return component.process(plan, shop)


def _answer(method: Method, batch: RankingBatch, component: Any) -> Any:
    return np.asarray(getattr(component, method)(batch)).tolist()


def _explain(batch: RankingBatch, component: Any) -> Any:
    rows = np.arange(len(batch.ids))
    return [dict(reasons) for reasons in component.explain(batch, rows)]
