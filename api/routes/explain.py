"""What becomes of one product in a search."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from engine.standing import Standing

from ..convert import filter_pairs, filters_from_pairs, parse_sort, to_request
from ..guards import may_write
from ..openapi import NEEDS_KEY, problems
from ..schemas import SearchBody
from ..shops import PARAMETER, Shop

GET_PARAMETERS = frozenset(
    {"product", "query", "like", "sort", "ignore", "locale", "profile", "market", "currency"}
    | {"user_id", "session_id", "group_by", PARAMETER}
)


@get(
    "/v1/explain",
    guards=[may_write],
    responses=problems(400, 401, 403, 404, 503),
    security=NEEDS_KEY,
    tags=["search"],
    operation_id="explainProduct",
)
async def explain(
    request: Request[Any, Any, Any],
    shop: NamedDependency[Shop],
    product: Annotated[str, QueryParameter(description="A product id.")],
    words: Annotated[str | None, QueryParameter(name="query", description="The words.")] = None,
    like: Annotated[list[str] | None, QueryParameter(description="Product ids.")] = None,
    group_by: FromQuery[str | None] = None,
    sort: Annotated[str, QueryParameter(description="A field; -field descends.")] = "",
    ignore: Annotated[list[str] | None, QueryParameter(description="Readings, repeated.")] = None,
    locale: FromQuery[str | None] = None,
    market: FromQuery[str | None] = None,
    currency: FromQuery[str | None] = None,
    user_id: FromQuery[str | None] = None,
    session_id: FromQuery[str | None] = None,
    profile: FromQuery[str] = "default",
) -> Standing:
    """Why a product stands where it stands in a search, or why it is missing: hidden by a rule,
    filtered by what, at which rank or below which cut-off of each lane, dropped by whom. Filters
    are parameters that begin with ``filter.``, as for ``GET /v1/search``. Only for those who may
    write, for it says what a shop hides."""
    pairs = filter_pairs(request.query_params.multi_items(), GET_PARAMETERS)
    filters = filters_from_pairs(pairs, shop.engine.schema) if pairs else {}
    body = SearchBody(
        text=words,
        like=tuple(like or ()),
        filters=filters,
        group_by=group_by,
        sort=parse_sort(sort),
        ignore=tuple(ignore or ()),
        locale=locale,
        market=market,
        currency=currency,
        user_id=user_id,
        session_id=session_id,
        profile=profile,
    )
    return await shop.workers.read(shop.engine.standing, product, to_request(body, None))


HANDLERS = [explain]
