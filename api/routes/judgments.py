"""Rating products for searches."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from engine.evaluation.judgment_book import Judgments, Rating

from ..guards import may_write, takes_json
from ..judging import Kept, Pool, ToJudge, all_judgments, keep, pool
from ..openapi import NEEDS_KEY, problems
from ..shops import Shop

TAGS = ["evaluation"]
Ratings = Annotated[list[Rating], Meta(max_length=1000)]


@post(
    "/v1/judgments/pool",
    status_code=200,
    guards=[may_write, takes_json],
    responses=problems(400, 401, 403, 415, 503),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="poolForJudging",
)
async def pooled(data: JSONBody[ToJudge], shop: NamedDependency[Shop]) -> Pool:
    """The products that one or more profiles find, shuffled and without saying which found what,
    for somebody to rate."""
    return await shop.workers.read(pool, shop, data)


@post(
    "/v1/judgments",
    status_code=200,
    guards=[may_write, takes_json],
    responses=problems(400, 401, 403, 415),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="addJudgments",
)
async def add(data: JSONBody[Ratings], shop: NamedDependency[Shop]) -> Kept:
    """Store ratings, 0 (not relevant) to 3 (exactly right); ``null`` takes one back. Answered
    means durable."""
    return await shop.workers.events(keep, shop, data)


@get(
    "/v1/judgments",
    guards=[may_write],
    responses=problems(401, 403),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="listJudgments",
)
async def judgments(shop: NamedDependency[Shop]) -> Judgments:
    """All judged searches and the mean grade of their products, as `entrepot eval` reads them."""
    return await shop.workers.read(all_judgments, shop)


HANDLERS = [pooled, add, judgments]
