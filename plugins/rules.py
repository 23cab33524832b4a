"""Business rules at work: query processor and ranker ``rules``.

The processor finds the rules that a search is for, strongest first; the engine hides and places
products by them, the ranker multiplies the scores of those to boost or bury. What a rule is, is
said in ``docs/rules.md``.

Who wins a place is decided by one order of all rules (priority, then the more specific one, then
the id), never by the order of the file. Hiding stands above pinning, as in Elasticsearch's query
rules. Boosts do not compete: they multiply.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import numpy as np
import numpy.typing as npt

from engine import (
    AppliedRule,
    QueryPlan,
    QueryProcessor,
    Ranker,
    RankingBatch,
    Register,
    RuleSet,
    ShopView,
    Vectors,
    hookimpl,
    selector,
)

from .rule_matching import Asked, Matcher, Matchers

MOST = 1e4
"""Bound on what all rules together multiply a score with; its reciprocal below."""


class ApplyRules:
    """The processor. Compiles the rules once for as long as they are the same."""

    prompt = True
    applies_rules = True

    def __init__(self) -> None:
        self._compiled: tuple[RuleSet, object, Matchers] | None = None

    def process(self, plan: QueryPlan, shop: ShopView) -> QueryPlan:
        matchers = self._matchers(shop)
        if not matchers.all:
            return plan
        asked = Asked.of(plan, datetime.now(UTC))
        matching = matchers.matching(asked)
        applied = [_apply(matcher) for matcher in matching if not matcher.unfit]
        if plan.at is not None:  # a dry run asks about all of them
            others = [m for m in matchers.all if m not in matching or m.unfit]
            applied += [AppliedRule(m.rule.id, skipped=m.against(asked) or m.unfit) for m in others]
        return msgspec.structs.replace(plan, rules=(*plan.rules, *applied)) if applied else plan

    def _matchers(self, shop: ShopView) -> Matchers:
        last = self._compiled
        if last is not None and last[0] is shop.rules and last[1] is shop.schema:
            return last[2]
        made = Matchers(shop.rules, shop.schema)
        self._compiled = (shop.rules, shop.schema, made)
        return made


def _apply(matcher: Matcher) -> AppliedRule:
    rule = matcher.rule
    return AppliedRule(rule.id, rule.then.pins, rule.then.boosts(), rule.then.hide)


class RuleBoosts:
    """The ranker."""

    prompt = True
    required_fields: Sequence[str] = ()
    required_vectors: Sequence[str] = ()

    def rank(self, batch: RankingBatch) -> Vectors:
        if not any(rule.boosts for rule in batch.plan.rules):
            return batch.scores
        whole = np.ones(len(batch.ids))
        for _, factors in _factors(batch):
            whole *= factors
        return (batch.scores * np.clip(whole, 1 / MOST, MOST)).astype(np.float32)

    def explain(
        self, batch: RankingBatch, rows: npt.NDArray[np.intp]
    ) -> list[dict[str, float | str]]:
        """By rule: its factor, and the score before and after it."""
        told: list[dict[str, float | str]] = [{} for _ in rows]
        scores = [float(batch.scores[row]) for row in rows]
        for rule, factors in _factors(batch):
            for i, row in enumerate(rows):
                if (factor := float(factors[row])) != 1.0:
                    before, scores[i] = scores[i], scores[i] * factor
                    told[i][rule] = f"× {factor:g}: {before:.4g} → {scores[i]:.4g}"
        return told


def _factors(batch: RankingBatch) -> list[tuple[str, npt.NDArray[np.float64]]]:
    """For each rule that boosts, what it multiplies each product's score with ``[n]``."""
    found = []
    for rule in batch.plan.rules:
        if not rule.boosts:
            continue
        factors = np.ones(len(batch.ids))
        for boost in rule.boosts:
            selects = selector(boost)
            held = batch.columns
            columns = {name: held[where] for name, where in boost.columns.items() if where in held}
            for row, product in enumerate(batch.ids):
                if selects(product, {name: column[row] for name, column in columns.items()}):
                    factors[row] *= boost.factor
        found.append((rule.id, factors))
    return found


@hookimpl
def register_query_processors(register: Register[QueryProcessor]) -> None:
    register("rules", lambda options: ApplyRules())


@hookimpl
def register_rankers(register: Register[Ranker]) -> None:
    register("rules", lambda options: RuleBoosts())
