"""Plugins, declared fields and generations."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath

from engine.generations import GenerationStatus
from engine.manager import KINDS
from engine.schema import CORE_FIELDS

from ..convert import component_info
from ..engines import check_generation, promote_generation
from ..guards import may_write
from ..openapi import NEEDS_KEY, problems
from ..schemas import ComponentInfo, FieldInfo, Fields, Plugins, Promoted, Promotion
from ..shops import Shop

TAGS = ["shop"]


@get("/v1/plugins", tags=TAGS, operation_id="listPlugins")
async def plugins(shop: NamedDependency[Shop]) -> Plugins:
    """Every plugin, broken ones with the reason, the components on offer, and how those that run
    are doing."""
    manager = shop.engine.manager
    return Plugins(
        plugins=list(manager.statuses),
        components={kind: manager.names(kind) for kind in KINDS},
        running=[component_info(status) for status in shop.engine.components()],
    )


@post(
    "/v1/plugins/{kind:str}/{name:str}/disable",
    status_code=200,
    guards=[may_write],
    responses=problems(401, 403, 404),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="disablePlugin",
)
async def disable(
    kind: FromPath[str], name: FromPath[str], shop: NamedDependency[Shop]
) -> ComponentInfo:
    """Leave a component out of all searches that begin from now on, until it is enabled or the
    server ends. ``kind`` is query_processors, rankers, arrangers or recommenders."""
    return component_info(await shop.workers.read(shop.engine.disable, kind, name))


@post(
    "/v1/plugins/{kind:str}/{name:str}/enable",
    status_code=200,
    guards=[may_write],
    responses=problems(401, 403, 404),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="enablePlugin",
)
async def enable(
    kind: FromPath[str], name: FromPath[str], shop: NamedDependency[Shop]
) -> ComponentInfo:
    """Take a component in again, and try it though its breaker were open."""
    return component_info(await shop.workers.read(shop.engine.enable, kind, name))


@get("/v1/fields", responses=problems(503), tags=TAGS, operation_id="listFields")
async def fields(shop: NamedDependency[Shop]) -> Fields:
    """The fields that can be filtered, faceted and sorted."""
    schema = shop.engine.schema
    return Fields(
        [
            FieldInfo(name, kind, name in CORE_FIELDS)
            for name in (*CORE_FIELDS, *schema.attributes)
            if (kind := schema.kind(name))
        ]
    )


@get("/v1/generations", tags=TAGS, operation_id="listGenerations")
async def generations(shop: NamedDependency[Shop]) -> list[GenerationStatus]:
    """Built generations of the index, oldest first."""
    return await shop.workers.read(shop.engine.generations)


@post(
    "/v1/generations/{name:str}/promote",
    status_code=200,
    guards=[may_write],
    responses=problems(400, 401, 403, 404, 409, 503),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="promoteGeneration",
)
async def promote(
    name: FromPath[str],
    shop: NamedDependency[Shop],
    data: Annotated[Promotion | None, Body()] = None,
) -> Promoted:
    """Make a built generation live; searches and writes go on meanwhile. Where there is a gate it
    must pass it first, or 409 says what was found. All but the newest two, the live one and
    the one to roll back to are dropped."""
    asked = data or Promotion()
    evidence = None
    if asked.gate is not None or shop.engine.settings.gate_path is not None:
        evidence = await shop.workers.try_out(
            check_generation, shop.engine, name, asked.gate, force=asked.force
        )
    await shop.workers.write(promote_generation, shop.engine, name, evidence)
    return Promoted(name, evidence)


@post(
    "/v1/generations/rollback",
    status_code=200,
    guards=[may_write],
    responses=problems(401, 403, 404, 409, 503),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="rollBack",
)
async def rollback(shop: NamedDependency[Shop]) -> Promoted:
    """Make the newest older generation live again that was live before."""
    return Promoted(await shop.workers.write(shop.engine.rollback))


@delete(
    "/v1/generations/{name:str}",
    guards=[may_write],
    responses=problems(401, 403, 404, 409, 503),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="dropGeneration",
)
async def drop(name: FromPath[str], shop: NamedDependency[Shop]) -> None:
    """Delete a generation that is not live."""
    await shop.workers.write(shop.engine.drop, name)


HANDLERS = [plugins, disable, enable, fields, generations, promote, rollback, drop]
