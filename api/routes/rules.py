"""Business rules: list, read, add, replace, take out, try."""

from __future__ import annotations

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from engine.errors import InvalidRequest
from engine.rules import Rule, unfit

from .. import rules
from ..edits import IfMatch, version_of, with_etag
from ..guards import may_write, takes_json
from ..openapi import NEEDS_KEY, problems
from ..schemas import Rules, RuleTest, RuleTested
from ..shops import Shop

TAGS = ["rules"]
ADDED = ResponseSpec(Rule, description="Added", generate_examples=False)


@get(
    "/v1/rules",
    guards=[may_write],
    responses=problems(401, 403),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="listRules",
)
async def list_rules(shop: NamedDependency[Shop]) -> Rules:
    """All business rules, and what is wrong with their file. Only for those who may write, for
    rules say what a shop hides."""

    return await shop.workers.read(rules.list_rules, shop.engine)


@get(
    "/v1/rules/{rule_id:str}",
    guards=[may_write],
    responses=problems(401, 403, 404),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="getRule",
)
async def get_rule(rule_id: FromPath[str], shop: NamedDependency[Shop]) -> Response[Rule]:
    """One rule; its ETag is what a change of it must name."""
    return with_etag(await shop.workers.read(shop.engine.rules.get, rule_id), 200)


@put(
    "/v1/rules/{rule_id:str}",
    guards=[may_write, takes_json],
    responses={**problems(400, 401, 403, 409, 412, 415), 201: ADDED},
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="putRule",
)
async def put_rule(
    rule_id: FromPath[str],
    data: JSONBody[Rule],
    shop: NamedDependency[Shop],
    if_match: IfMatch = None,
) -> Response[Rule]:
    """Add a rule (201), or replace the one with this id (200), which takes its ETag in
    ``If-Match`` so that nobody's edit is lost. Answered means durable and in force."""

    def write() -> bool:
        if data.id != rule_id:
            raise InvalidRequest(f"id: {data.id!r} is not the path's {rule_id!r}", field="id")
        schema = rules.declared(shop.engine)
        if schema is not None and (why := unfit(data, schema)):
            raise InvalidRequest(why, field=why.partition(":")[0])
        return shop.engine.rules.put(data, version_of(if_match))

    added = await shop.workers.write(write)
    return with_etag(data, 201 if added else 200)


@delete(
    "/v1/rules/{rule_id:str}",
    guards=[may_write],
    responses=problems(401, 403, 404, 409, 412),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="deleteRule",
)
async def delete_rule(
    rule_id: FromPath[str], shop: NamedDependency[Shop], if_match: IfMatch = None
) -> None:
    """Take a rule out; like replacing it, this takes its ETag in ``If-Match``."""
    await shop.workers.write(shop.engine.rules.delete, rule_id, version_of(if_match))


@post(
    "/v1/rules/test",
    status_code=200,
    guards=[may_write, takes_json],
    responses=problems(400, 401, 403, 415, 503),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="testRules",
)
async def test_rules(data: JSONBody[RuleTest], shop: NamedDependency[Shop]) -> RuleTested:
    """A dry run: what the rules would do to a search, at another time too; who wins, and why the
    others do nothing."""
    return await shop.workers.read(rules.try_rules, shop.engine, data)


HANDLERS = [list_rules, get_rule, put_rule, delete_rule, test_rules]
