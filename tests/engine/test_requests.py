"""What is refused before anything is spent on it, and what it is told."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Engine, InvalidFilter, InvalidRequest, Query, SearchRequest, SortBy
from engine.types import MAX_QUERY_CHARS
from engine.validation import MAX_LIKE

from .shop import photo


@pytest.mark.parametrize(
    ("request_", "field", "message"),
    [
        (SearchRequest(limit=-1), "limit", r"limit: -1 is outside 0…1000"),
        (SearchRequest(limit=10**9), "limit", r"limit: 1000000000 is outside 0…1000"),
        (SearchRequest(offset=-1), "offset", "offset: -1 is negative"),
        (
            SearchRequest(offset=990, limit=20),
            "offset",
            "offset \\+ limit is 1010; .*filters instead",
        ),
        (SearchRequest(offset=10**9, limit=0), "offset", "can be paged to 1000"),
        (SearchRequest(rerank_window=0), "rerank_window", "0 is outside 1…1000"),
        (SearchRequest(rerank_window=1001), "rerank_window", "1001 is outside"),
        (SearchRequest(profile="fast"), "profile", "no profile 'fast'; there are: .*default"),
        (SearchRequest(Query()), "query", "give text, an image or like ids"),
        (SearchRequest(Query(text="")), "text", "text: is empty; leave it out to browse"),
        (SearchRequest(Query(text=" \n\t")), "text", "is empty"),
        (
            SearchRequest(Query(text="x" * 10_000)),
            "text",
            "has 10,000 characters; the limit is 2,000",
        ),
        (SearchRequest(Query(like=("a",) * 21)), "like", "21 ids; the limit is 20"),
        (SearchRequest(Query(text="a", image_weight=1.5)), "image_weight", "1.5 is outside 0…1"),
        (SearchRequest(Query(text="a", image_weight=-0.1)), "image_weight", "outside"),
        (
            SearchRequest(Query(text="a", image_weight=float("nan"))),
            "image_weight",
            "nan is outside",
        ),
    ],
)
def test_refused_requests(shop: Engine, request_: SearchRequest, field: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        shop.search(request_)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")


@pytest.mark.parametrize("query", [None, Query(text="red shoe"), Query(image=photo("mug", "red"))])
@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"filters": {"colour": "red"}}, "filters: unknown field 'colour'; did you mean 'color'"),
        ({"facets": ("color", "colour")}, "facets: unknown field 'colour'"),
        ({"sort": SortBy("prise")}, "sort: unknown field 'prise'; did you mean 'price'"),
    ],
)
def test_unknown_fields(
    shop: Engine, query: Query | None, request_: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidFilter, match=message):
        shop.search(SearchRequest(query, **request_))


def test_the_limits_themselves_are_allowed(shop: Engine) -> None:
    for request in (
        SearchRequest(Query(text="x" * MAX_QUERY_CHARS), limit=1000),
        SearchRequest(Query(text="mug"), offset=1000, limit=0),
        SearchRequest(Query(like=("mug-red",) * MAX_LIKE), offset=999, limit=1),
        SearchRequest(limit=0, rerank_window=1),
    ):
        answer = shop.search(request)
        assert answer.total > 0
        assert len(answer.hits) <= request.limit
