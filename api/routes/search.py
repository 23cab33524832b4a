"""Searching: by JSON, by link, by photo."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromQuery, JSONBody, QueryParameter

from engine.types import SearchResponse

from ..convert import (
    Timer,
    filter_pairs,
    filters_from_pairs,
    from_form,
    parse_sort,
    read_picture,
    split_list,
    to_request,
    with_image_urls,
)
from ..errors import on_bad_encoding
from ..guards import takes_json, takes_multipart
from ..openapi import SearchOperation, problems
from ..schemas import ImageForm, SearchBody, Understood
from ..shops import PARAMETER, Shop

TAGS = ["search"]
MAX_PARTS = 100
GET_PARAMETERS = frozenset(
    {"q", "like", "limit", "offset", "facets", "sort", "ignore", "fields", "locale", "profile"}
    | {"market", "currency", "user_id", "session_id", "highlight", "explain", "group_by", PARAMETER}
)


def run_search(shop: Shop, body: SearchBody, upload: bytes | None = None) -> SearchResponse:
    """In a worker thread: decode the picture, search, count."""
    timer = Timer()
    picture = read_picture(body, upload, shop.engine.settings)
    decode_ms = timer.ms() if picture is not None else None
    response = shop.engine.search(to_request(body, picture))
    response = with_image_urls(response, shop.link_suffix, decode_ms)
    shop.metrics.search(shop.key, response)
    return response


@post(
    "/v1/search",
    status_code=200,
    guards=[takes_json],
    operation_class=SearchOperation,
    responses=problems(400, 404, 413, 415, 503),
    tags=TAGS,
    operation_id="search",
)
async def search(data: JSONBody[SearchBody], shop: NamedDependency[Shop]) -> SearchResponse:
    """Search by words, photo, products to be like, or any mix; or browse with filters."""
    return await shop.workers.read(run_search, shop, data)


@post(
    "/v1/search/image",
    status_code=200,
    guards=[takes_multipart],
    exception_handlers={UnicodeDecodeError: on_bad_encoding, LookupError: on_bad_encoding},
    responses=problems(400, 404, 413, 415, 503),
    tags=TAGS,
    operation_id="searchByImage",
)
async def search_image(
    data: Annotated[
        ImageForm,
        Body(media_type=RequestEncodingType.MULTI_PART, multipart_form_part_limit=MAX_PARTS),
    ],
    shop: NamedDependency[Shop],
) -> SearchResponse:
    """Search by an uploaded photo, or a part of it; ``text`` refines."""
    upload = await data.image.read()
    await data.image.close()
    return await shop.workers.read(run_search, shop, from_form(data), upload)


@get("/v1/search", responses=problems(400, 404, 503), tags=TAGS, operation_id="searchByLink")
async def search_link(
    request: Request[Any, Any, Any],
    shop: NamedDependency[Shop],
    q: Annotated[str | None, QueryParameter(description="The words.")] = None,
    like: Annotated[list[str] | None, QueryParameter(description="Product ids.")] = None,
    facets: Annotated[list[str] | None, QueryParameter(description="Comma-separated.")] = None,
    group_by: FromQuery[str | None] = None,
    sort: Annotated[str, QueryParameter(description="A field; -field descends.")] = "",
    ignore: Annotated[list[str] | None, QueryParameter(description="Readings, repeated.")] = None,
    fields: Annotated[list[str] | None, QueryParameter(description="Comma-separated.")] = None,
    limit: FromQuery[int] = 20,
    offset: FromQuery[int] = 0,
    locale: FromQuery[str | None] = None,
    market: FromQuery[str | None] = None,
    currency: FromQuery[str | None] = None,
    user_id: FromQuery[str | None] = None,
    session_id: FromQuery[str | None] = None,
    profile: FromQuery[str] = "default",
    highlight: FromQuery[bool] = False,
    explain: FromQuery[bool] = False,
) -> SearchResponse:
    """The simple form, for links and curl. Filters are parameters that begin with ``filter.``:
    ``filter.color=red&filter.color=blue&filter.price.lte=50&filter.brand.not=Acme``. Without
    ``q`` and ``like`` it lists products."""
    pairs = filter_pairs(request.query_params.multi_items(), GET_PARAMETERS)
    filters = filters_from_pairs(pairs, shop.engine.schema) if pairs else {}
    body = SearchBody(
        text=q,
        like=tuple(like or ()),
        filters=filters,
        facets=split_list(facets or ()),
        group_by=group_by,
        sort=parse_sort(sort),
        ignore=tuple(ignore or ()),
        fields=split_list(fields or ()) or None,
        limit=limit,
        offset=offset,
        locale=locale,
        market=market,
        currency=currency,
        user_id=user_id,
        session_id=session_id,
        profile=profile,
        highlight=highlight,
        explain=explain,
    )
    return await shop.workers.read(run_search, shop, body)


@get("/v1/understand", responses=problems(400, 404, 503), tags=TAGS, operation_id="understand")
async def understand(
    shop: NamedDependency[Shop],
    q: Annotated[str, QueryParameter(description="The words.")],
    ignore: Annotated[list[str] | None, QueryParameter(description="Readings, repeated.")] = None,
    locale: FromQuery[str | None] = None,
    profile: FromQuery[str] = "default",
) -> Understood:
    """How a search for ``q`` would read it: spans, what they name in this shop, filters."""

    def read() -> Understood:
        plan, degraded = shop.engine.understand(q, locale, profile, ignore or ())
        return Understood(plan, tuple(degraded))

    return await shop.workers.read(read)


HANDLERS = [search, search_image, search_link, understand]
