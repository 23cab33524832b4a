"""What raters are shown: the products of several profiles, without saying which found what."""

from __future__ import annotations

import random
from typing import Annotated, Any

from msgspec import Meta, Struct

from engine.evaluation.judgment_book import GRADES, JudgedQuery, Judgments, Rater, Rating
from engine.types import Query, SearchRequest
from engine.validation import validate_place, validate_text

from .convert import with_image_urls
from .shops import Shop

Depth = Annotated[int, Meta(ge=1, le=50)]
SHOWN = ("title", "description", "brand", "price", "currency", "category", "images", "attributes")


class ToJudge(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search whose first ``depth`` products by each of ``profiles`` are to be rated."""

    query: JudgedQuery
    profiles: Annotated[tuple[str, ...], Meta(min_length=1, max_length=8)] = ("default",)
    depth: Depth = 10
    rater: Rater = ""


class Shown(Struct, frozen=True):
    """A product to rate, and the rater's own grade where there is one."""

    product: dict[str, Any]
    grade: int | None


class Pool(Struct, frozen=True):
    """What is to be rated, in an order that tells nothing; ``scale`` says what grades mean."""

    query: str
    products: list[Shown]
    scale: dict[str, str]


class Kept(Struct, frozen=True):
    """How many ratings are stored durably."""

    stored: int


def pool(shop: Shop, asked: ToJudge) -> Pool:
    """The union of the profiles' first products, shuffled: alike for one rater whenever they
    come back, another way for the next.

    Raises:
        InvalidRequest: what a search refuses.
    """
    query = asked.query
    found: dict[str, dict[str, Any]] = {}
    for profile in asked.profiles:
        request = SearchRequest(
            Query(query.text),
            filters=query.filters,
            locale=query.locale,
            market=query.market,
            limit=asked.depth,
            profile=profile,
            fields=SHOWN,
        )
        response = with_image_urls(shop.engine.search(request), shop.link_suffix, None)
        found |= {hit.id: hit.product for hit in response.hits}
    order = sorted(found)
    random.Random(f"{query.id}:{asked.rater}").shuffle(order)
    given = shop.judgments.grades(query, asked.rater)
    scale = {str(grade): words for grade, words in GRADES.items()}
    return Pool(query.id, [Shown(found[id], given.get(id)) for id in order], scale)


def keep(shop: Shop, ratings: list[Rating]) -> Kept:
    """Raises InvalidRequest for a search that could not be made: it would spoil evaluations."""
    for query in {rating.query.id: rating.query for rating in ratings}.values():
        validate_text(query.text)
        validate_place(query.locale, query.market, None)
    shop.judgments.add(ratings)
    return Kept(len(ratings))


def all_judgments(shop: Shop) -> Judgments:
    return shop.judgments.judgments()
