"""Completing what a shopper types."""

from __future__ import annotations

import time
from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from ..openapi import problems
from ..schemas import Suggestions
from ..shops import Shop


@get("/v1/suggest", responses=problems(400, 404), tags=["search"], operation_id="suggest")
async def suggest(
    shop: NamedDependency[Shop],
    q: Annotated[str, QueryParameter(description="What was typed so far.")] = "",
    limit: FromQuery[int] = 10,
    locale: FromQuery[str | None] = None,
) -> Suggestions:
    """Queries, categories, brands and products that begin as ``q`` does, best first; without
    ``q`` what is searched for most. What it begins with is its first 200 characters."""
    started = time.perf_counter()
    found = await shop.workers.glance(shop.engine.suggest, q, limit, locale)
    return Suggestions(found, (time.perf_counter() - started) * 1000)


HANDLERS = [suggest]
