"""Examples in the OpenAPI document; every one is posted to a real server by a test."""

from __future__ import annotations

from litestar.openapi.spec import Example

SEARCH_EXAMPLES = [
    Example(id="words", summary="By words", value={"text": "red leather purse", "limit": 5}),
    Example(
        id="filters",
        summary="Words, filters and facets",
        value={
            "text": "shoe",
            "filters": {"price": {"lte": 100}, "in_stock": True},
            "facets": ["category", "brand"],
            "highlight": True,
        },
    ),
    Example(
        id="browse",
        summary="No query: browse, cheapest first",
        value={"filters": {}, "sort": {"field": "price", "order": "asc"}, "facets": ["price"]},
    ),
    Example(
        id="explain",
        summary="Chosen fields, with every score explained",
        value={"text": "sofa", "fields": ["title", "price", "images"], "explain": True},
    ),
]
UPLOAD_EXAMPLE = (
    '{"id": "lamp-1", "title": "Brass desk lamp", "category": ["lighting"], "price": 49.9}\n'
    '{"id": "lamp-2", "title": "Paper floor lamp", "category": ["lighting"], "price": 35.0}\n'
)
