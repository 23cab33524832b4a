"""What the OpenAPI document says beyond the handlers' types: problems, examples, the key.

Every example is posted to a real server by a test.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import (
    Example,
    OpenAPIMediaType,
    Operation,
    RequestBody,
    Schema,
    SecurityRequirement,
)
from litestar.openapi.spec.enums import OpenAPIType

from .schemas import Problem

PROBLEM = "application/problem+json"
NDJSON = "application/x-ndjson"
NEEDS_KEY: list[SecurityRequirement] = [{"apiKey": []}]

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
EVENTS_EXAMPLE = [
    {
        "id": "4be0643f",
        "type": "impression",
        "user_id": "u-1815",
        "session_id": "s-77",
        "query": "desk lamp",
        "search_id": "6dd9f3",
        "results": 2,
        "products": [{"id": "lamp-1", "position": 1}, {"id": "lamp-2", "position": 2}],
    },
    {
        "id": "4be06440",
        "type": "purchase",
        "user_id": "u-1815",
        "session_id": "s-77",
        "products": [{"id": "lamp-2", "quantity": 2, "price": 35.0}],
        "currency": "EUR",
    },
]


def problems(*statuses: int) -> Mapping[int, ResponseSpec]:
    """The errors of a route."""
    return {
        status: ResponseSpec(
            Problem,
            media_type=PROBLEM,
            description=HTTPStatus(status).phrase,
            generate_examples=False,
        )
        for status in statuses
    }


@dataclass
class SearchOperation(Operation):
    """Shows the examples of a search."""

    def __post_init__(self) -> None:
        if isinstance(self.request_body, RequestBody):
            content = self.request_body.content["application/json"]
            content.examples = {str(example.id): example for example in SEARCH_EXAMPLES}


@dataclass
class EventsOperation(Operation):
    """Describes a body that is decoded event by event."""

    def __post_init__(self) -> None:
        one = Schema(type=OpenAPIType.OBJECT, required=["id", "type"])
        many = Schema(type=OpenAPIType.ARRAY, items=one)
        array = OpenAPIMediaType(schema=many, example=EVENTS_EXAMPLE)
        text = "".join(json.dumps(event) + "\n" for event in EVENTS_EXAMPLE)
        lines = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING), example=text)
        self.request_body = RequestBody(
            {"application/json": array, NDJSON: lines},
            description="Events: an array, or one JSON object a line.",
            required=True,
        )


@dataclass
class UploadOperation(Operation):
    """Describes a body that its handler reads as a stream."""

    def __post_init__(self) -> None:
        lines = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING), example=UPLOAD_EXAMPLE)
        self.request_body = RequestBody(
            {NDJSON: lines}, description="One JSON object a line.", required=True
        )
