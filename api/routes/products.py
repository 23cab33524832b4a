"""Products one by one: read, look alike, photo, upload, delete."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import unquote

from litestar import MediaType, Request, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from engine.types import SearchResponse

from ..convert import (
    filter_pairs,
    filters_from_pairs,
    split_list,
    with_links,
)
from ..guards import may_write, takes_ndjson
from ..openapi import NEEDS_KEY, UploadOperation, problems
from ..photos import Photo, read_photo
from ..schemas import SearchBody, UploadResult
from ..shops import PARAMETER, Shop
from ..upload import receive_products
from .search import run_search

TAGS = ["products"]
SIMILAR_PARAMETERS = frozenset(
    {"limit", "offset", "facets", "fields", "explain", "locale", "market", "currency", PARAMETER}
)
PHOTO_CACHE = "public, max-age=3600"


@get(
    "/v1/products/{product_id:str}",
    responses=problems(400, 404, 503),
    tags=TAGS,
    operation_id="getProduct",
)
async def product(
    product_id: FromPath[str],
    shop: NamedDependency[Shop],
    locale: FromQuery[str | None] = None,
    market: FromQuery[str | None] = None,
    currency: FromQuery[str | None] = None,
) -> dict[str, Any]:
    """One product as a search would show it to this shopper, with ``image_urls`` beside its
    ``images``."""
    view = await shop.workers.read(shop.engine.show, unquote(product_id), locale, market, currency)
    return with_links(view, shop.link_suffix)


@get(
    "/v1/products/{product_id:str}/similar",
    responses=problems(400, 404, 503),
    tags=TAGS,
    operation_id="similarProducts",
)
async def similar(
    request: Request[Any, Any, Any],
    product_id: FromPath[str],
    shop: NamedDependency[Shop],
    facets: Annotated[list[str] | None, QueryParameter(description="Comma-separated.")] = None,
    fields: Annotated[list[str] | None, QueryParameter(description="Comma-separated.")] = None,
    limit: FromQuery[int] = 20,
    offset: FromQuery[int] = 0,
    locale: FromQuery[str | None] = None,
    market: FromQuery[str | None] = None,
    currency: FromQuery[str | None] = None,
    explain: FromQuery[bool] = False,
) -> SearchResponse:
    """Products like this one, by look and by meaning; ``filter.`` parameters as in searches."""
    pairs = filter_pairs(request.query_params.multi_items(), SIMILAR_PARAMETERS)
    body = SearchBody(
        like=(unquote(product_id),),
        filters=filters_from_pairs(pairs, shop.engine.schema) if pairs else None,
        facets=split_list(facets or ()),
        fields=split_list(fields or ()) or None,
        limit=limit,
        offset=offset,
        locale=locale,
        market=market,
        currency=currency,
        explain=explain,
    )
    return await shop.workers.read(run_search, shop, body)


@get(
    "/v1/products/{product_id:str}/images/{number:int}",
    tags=TAGS,
    operation_id="productImage",
    media_type="image/*",
    responses=problems(404, 503),
)
async def image(
    request: Request[Any, Any, Any],
    product_id: FromPath[str],
    number: FromPath[int],
    shop: NamedDependency[Shop],
) -> Response[bytes]:
    """A product's photo, where the catalogue names a file; 0 is the first."""
    photo = await shop.workers.read(read_photo, shop, unquote(product_id), number)
    return _photo_response(photo, request.headers.get("if-none-match", ""))


def _photo_response(photo: Photo, known: str) -> Response[bytes]:
    headers = {"ETag": photo.etag, "Cache-Control": PHOTO_CACHE}
    if photo.etag in known:
        return Response(b"", status_code=304, headers=headers, media_type=photo.media_type)
    return Response(photo.data, headers=headers, media_type=photo.media_type)


@put(
    "/v1/products",
    guards=[may_write, takes_ndjson],
    operation_class=UploadOperation,
    responses=problems(401, 403, 415, 503),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="putProducts",
    request_max_body_size=None,
)
async def upload(request: Request[Any, Any, Any], shop: NamedDependency[Shop]) -> UploadResult:
    """Insert or replace products: one JSON object a line, each stored or refused by itself.

    A line answered as stored is durable and searchable."""
    chunks: AsyncIterator[bytes] = request.stream()
    result = await receive_products(chunks, shop)
    shop.metrics.writes(shop.key, result.stored, result.failed)
    return result


@delete(
    "/v1/products/{product_id:str}",
    guards=[may_write],
    responses=problems(401, 403, 404, 503),
    security=NEEDS_KEY,
    tags=TAGS,
    operation_id="deleteProduct",
    media_type=MediaType.JSON,
)
async def remove(product_id: FromPath[str], shop: NamedDependency[Shop]) -> None:
    """Delete a product, durably; 404 when there is none."""
    await shop.workers.write(shop.engine.delete, unquote(product_id))
    shop.metrics.writes(shop.key, 1, 0)


HANDLERS = [product, similar, image, upload, remove]
