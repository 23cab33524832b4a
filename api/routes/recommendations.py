"""Recommending: for a product, a cart, a shopper."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from engine.recommendations import RecommendationRequest, RecommendationResponse

from ..convert import filter_pairs, filters_from_pairs, image_urls, split_list
from ..openapi import problems
from ..shops import PARAMETER, Shop

TAGS = ["recommendations"]
PARAMETERS = frozenset(
    {"product", "cart", "user_id", "session_id", "limit", "fields", "recommenders"}
    | {"locale", "market", "currency", "profile", PARAMETER}
)


@get("/v1/recommendations", responses=problems(400, 404, 503), tags=TAGS, operation_id="recommend")
async def recommend(
    request: Request[Any, Any, Any],
    shop: NamedDependency[Shop],
    product: Annotated[str | None, QueryParameter(description="Whose page is shown.")] = None,
    cart: Annotated[list[str] | None, QueryParameter(description="Comma-separated ids.")] = None,
    fields: Annotated[list[str] | None, QueryParameter(description="Comma-separated.")] = None,
    recommenders: Annotated[
        list[str] | None, QueryParameter(description="Ask these alone; comma-separated.")
    ] = None,
    user_id: FromQuery[str | None] = None,
    session_id: FromQuery[str | None] = None,
    limit: FromQuery[int] = 10,
    locale: FromQuery[str | None] = None,
    market: FromQuery[str | None] = None,
    currency: FromQuery[str | None] = None,
    profile: FromQuery[str] = "default",
) -> RecommendationResponse:
    """Products that go with ``product``, with a ``cart``, or with what a shopper did, each with
    its reasons. Filters as for ``GET /v1/search``: ``filter.color=red``."""
    pairs = filter_pairs(request.query_params.multi_items(), PARAMETERS)
    asked = RecommendationRequest(
        product=product,
        cart=split_list(cart or ()),
        user_id=user_id,
        session_id=session_id,
        filters=filters_from_pairs(pairs, shop.engine.schema) if pairs else {},
        limit=limit,
        fields=split_list(fields or ()) or None,
        locale=locale,
        market=market,
        currency=currency,
        profile=profile,
        recommenders=None if recommenders is None else split_list(recommenders),
    )
    return await shop.workers.read(_answer, shop, asked)


def _answer(shop: Shop, asked: RecommendationRequest) -> RecommendationResponse:
    response = shop.engine.recommend(asked)
    for item in response.items:
        if "images" in item.product:
            images = item.product["images"] or ()
            item.product["image_urls"] = image_urls(item.id, images, shop.link_suffix)
    return response


HANDLERS = [recommend]
