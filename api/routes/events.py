"""What shoppers do, and their right to see it, to have it erased, and to be left alone."""

from __future__ import annotations

from typing import Any

from litestar import Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from engine.behaviour import UserExport

from ..events import MAX_BYTES, record
from ..guards import may_record, may_write, takes_events
from ..openapi import NEEDS_KEY, EventsOperation, problems
from ..schemas import Analytics, Erased, EventsResult
from ..shops import Shop

TAGS = ["shoppers"]
NDJSON_TYPES = ("application/x-ndjson", "application/jsonl")


@post(
    "/v1/events",
    status_code=200,
    guards=[may_record, takes_events],
    operation_class=EventsOperation,
    responses=problems(400, 401, 403, 404, 413, 415),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="recordEvents",
    request_max_body_size=MAX_BYTES,
)
async def events(request: Request[Any, Any, Any], shop: NamedDependency[Shop]) -> EventsResult:
    """Record what shoppers did: a JSON array of events, or one a line, each stored or refused by
    itself. An accepted one is durable, and the next search knows of it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    result = await shop.workers.events(record, shop, body, lines=kind in NDJSON_TYPES)
    shop.metrics.events(shop.key, result)
    return result


@get(
    "/v1/users/{user_id:str}",
    guards=[may_write],
    responses=problems(400, 401, 403, 404),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="exportUser",
)
async def export(user_id: FromPath[str], shop: NamedDependency[Shop]) -> UserExport:
    """All that is kept of a shopper, by user id or, for a visitor without one, session id."""
    return await shop.workers.events(shop.engine.export_user, user_id)


@delete(
    "/v1/users/{user_id:str}",
    status_code=200,
    guards=[may_write],
    responses=problems(400, 401, 403, 404),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="eraseUser",
)
async def erase(user_id: FromPath[str], shop: NamedDependency[Shop]) -> Erased:
    """Erase a shopper: their events, what was derived from them, and what arrives late."""
    return Erased(await shop.workers.events(shop.engine.erase_user, user_id))


@put(
    "/v1/users/{user_id:str}/opt-out",
    guards=[may_write],
    responses=problems(400, 401, 403, 404),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="optOut",
)
async def opt_out(user_id: FromPath[str], shop: NamedDependency[Shop]) -> Erased:
    """Erase a shopper and keep nothing of them from now on."""
    return Erased(await shop.workers.events(shop.engine.behaviour.opt_out, user_id))


@delete(
    "/v1/users/{user_id:str}/opt-out",
    guards=[may_write],
    responses=problems(400, 401, 403, 404),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="optIn",
)
async def opt_in(user_id: FromPath[str], shop: NamedDependency[Shop]) -> None:
    """Keep a shopper's events again."""
    await shop.workers.events(shop.engine.behaviour.opt_in, user_id)


@get(
    "/v1/analytics",
    guards=[may_write],
    responses=problems(400, 401, 403, 404),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="analytics",
)
async def analytics(
    shop: NamedDependency[Shop], days: FromQuery[float] = 30.0, limit: FromQuery[int] = 100
) -> Analytics:
    """How queries fared, those asked by most shoppers first; queries of fewer shoppers than
    ``at_least`` (``events.anonymity``) are left out."""
    queries = await shop.workers.events(shop.engine.behaviour.queries, days, limit)
    return Analytics(days, shop.engine.settings.events.anonymity, queries)


HANDLERS = [events, export, erase, opt_out, opt_in, analytics]
