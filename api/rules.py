"""Business rules as people look at them: listed with what is wrong, and tried on a search."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from engine.core import Engine
from engine.errors import IndexMismatch, InvalidRequest, NoIndex
from engine.rules import unfit
from engine.schema import IndexSchema
from engine.types import Query, SearchRequest

from .schemas import Rules, RuleTest, RuleTested, RuleView


def list_rules(engine: Engine) -> Rules:
    """All rules in force, and what is wrong with their file."""
    book, schema = engine.rules, declared(engine)
    views = [
        RuleView(rule, rule.etag, unfit(rule, schema) if schema else "")
        for rule in book.current().rules
    ]
    return Rules(views, book.problems(schema))


def try_rules(engine: Engine, asked: RuleTest) -> RuleTested:
    """What the rules would do to a search; raises what :meth:`Engine.search` raises."""
    at = asked.at or datetime.now(UTC)
    request = SearchRequest(
        query=Query(asked.text) if asked.text is not None else None,
        filters=asked.filters,
        sort=asked.sort,
        locale=asked.locale,
        market=asked.market,
        profile=asked.profile,
    )
    plan, degraded = engine.plan(request, at)
    return RuleTested(at, plan.text, plan.rules, tuple(degraded))


def to_test(asked: dict[str, Any]) -> RuleTest:
    """Raises InvalidRequest by the field that is wrong."""
    try:
        return msgspec.convert(asked, RuleTest)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from error


def declared(engine: Engine) -> IndexSchema | None:
    """The declared fields, where anything is indexed."""
    try:
        return engine.schema
    except (NoIndex, IndexMismatch):
        return None
