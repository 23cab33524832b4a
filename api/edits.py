"""Entries that people edit over HTTP: a change names the version that it is of."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response
from litestar.params import HeaderParameter

from engine.book import Entry, etag

IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description="ETag of the entry to change; * for any."),
]


def version_of(if_match: str | None) -> str | None:
    """The version that the header names, as :class:`engine.book.Book` takes it."""
    return None if if_match is None else if_match.strip().removeprefix("W/").strip('"')


def with_etag(entry: Entry, status: int) -> Response[Any]:
    """``entry`` as an answer, with its version."""
    return Response(entry, status_code=status, headers={"ETag": f'"{etag(entry)}"'})
