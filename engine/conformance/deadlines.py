"""Whether a component answers in the time that a search gives it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from engine.guard import GROSS, GROSS_AT_LEAST_S, DaemonPool, Guard, PluginFailed

from .broken import ContractBroken, Finding

CALLS = 3
"""The best of so many counts: the first may load what the others find."""


def answers_within_its_deadline(
    name: str, call: Callable[[], object], deadline_s: float, patience_s: float
) -> Finding | None:
    """The fastest of three calls ends within the deadline that the settings give it. Late by less
    than a gross overrun, five times the deadline and at least 250 ms, is advice, for a check sees
    one machine; later is broken, and no other clause is tried.

    ``call`` asks the component ``name`` once; the first call has ``patience_s``. None where it
    raises, which other clauses tell of.
    """
    gross_s = max(GROSS * deadline_s, GROSS_AT_LEAST_S)
    pool = DaemonPool()
    took: list[float] = []
    try:
        for bound_s in (patience_s, *[gross_s] * (CALLS - 1)):
            guard = Guard(name, pool, bound_s, patience_s)
            began = perf_counter()
            try:
                guard.call(call, lambda answer: None)
            except PluginFailed:
                if not guard.open_reason:  # it raised
                    return None
                if not took:
                    return _never(patience_s)
                break  # a call is left behind: the next would be late because of it
            took.append(perf_counter() - began)
    finally:
        pool.close()
    return _judged(name, took, deadline_s, gross_s)


def _judged(name: str, took: list[float], deadline_s: float, gross_s: float) -> Finding:
    clause = answers_within_its_deadline.__name__
    best_s = min(took)
    if best_s <= deadline_s:
        return Finding(clause)
    shown = f"{best_s * 1000:,.1f} ms, its deadline is {deadline_s * 1000:g} ms"
    if best_s < gross_s:
        hint = f"Do less, or raise deadline_ms under [plugins.limits.{name}]."
        return Finding(clause, ContractBroken(shown, hint), advice=True)
    hint = (
        "A search goes on without it, and after one such call it is left alone for recovery_s: do "
        f"less, or raise deadline_ms under [plugins.limits.{name}]."
    )
    return Finding(clause, ContractBroken(shown, hint))


def _never(patience_s: float) -> Finding:
    hint = "Bound what a call may do: a search cannot wait for it."
    return Finding("comes_back", ContractBroken(f"no answer within {patience_s:g} s", hint))
