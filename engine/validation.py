"""Checks a search request before anything is spent on it; each error names its field."""

from __future__ import annotations

import math
import re

from .errors import InvalidRequest
from .events import check_token
from .locales import parse_locale
from .types import MAX_QUERY_CHARS, MAX_WINDOW, Query, SearchRequest

MAX_LIKE = 20
MAX_MARKET = 64
_CURRENCY = re.compile("[A-Za-z]{3}")


def validate_request(request: SearchRequest, profiles: frozenset[str]) -> None:
    """Raises InvalidRequest with the field, what is wrong and what is allowed."""
    if request.query is not None:
        _check_query(request.query)
    _require(
        0 <= request.limit <= MAX_WINDOW, "limit", f"{request.limit} is outside 0…{MAX_WINDOW}"
    )
    _require(request.offset >= 0, "offset", f"{request.offset} is negative")
    _require(
        request.offset + request.limit <= MAX_WINDOW,
        "offset",
        f"offset + limit is {request.offset + request.limit}; results can be paged to "
        f"{MAX_WINDOW}: narrow the search with filters instead",
    )
    window = request.rerank_window
    _require(
        window is None or 1 <= window <= MAX_WINDOW,
        "rerank_window",
        f"{window} is outside 1…{MAX_WINDOW}",
    )
    validate_profile(request.profile, profiles)
    validate_place(request.locale, request.market, request.currency)
    for name, id in (("user_id", request.user_id), ("session_id", request.session_id)):
        if id is not None:
            check_token(id, name)


def validate_place(locale: str | None, market: str | None, currency: str | None) -> None:
    """Raises InvalidRequest where the language is no BCP 47 tag, the market no short name, or the
    currency no code of ISO 4217."""
    if locale is not None:
        try:
            parse_locale(locale)
        except ValueError as error:
            raise InvalidRequest(f"locale: {error}", field="locale") from error
    if market is not None:
        _require(
            1 <= len(market) <= MAX_MARKET and market.isprintable(),
            "market",
            f"{market[:40]!r} is no market; give a name of up to {MAX_MARKET} characters",
        )
    if currency is not None:
        _require(
            _CURRENCY.fullmatch(currency) is not None,
            "currency",
            f"{currency[:40]!r} is no currency; give a code of ISO 4217, such as EUR",
        )


def validate_profile(profile: str, profiles: frozenset[str]) -> None:
    """Raises InvalidRequest where there is none of that name."""
    known = ", ".join(sorted(profiles))
    _require(profile in profiles, "profile", f"no profile {profile!r}; there are: {known}")


def validate_text(text: str) -> None:
    """Raises InvalidRequest where no words are given, or too many."""
    _require(bool(text.strip()), "text", "is empty; leave it out to browse with filters")
    _require(
        len(text) <= MAX_QUERY_CHARS,
        "text",
        f"has {len(text):,} characters; the limit is {MAX_QUERY_CHARS:,}",
    )


def _check_query(query: Query) -> None:
    _require(
        query.text is not None or query.image is not None or bool(query.like),
        "query",
        "give text, an image or like ids; leave the query out to browse with filters",
    )
    if query.text is not None:
        validate_text(query.text)
    _require(len(query.like) <= MAX_LIKE, "like", f"{len(query.like)} ids; the limit is {MAX_LIKE}")
    weight = query.image_weight
    _require(math.isfinite(weight) and 0 <= weight <= 1, "image_weight", f"{weight} is outside 0…1")


def _require(holds: bool, field: str, problem: str) -> None:
    if not holds:
        raise InvalidRequest(f"{field}: {problem}", field=field)
