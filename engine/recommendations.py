"""What is asked of recommendations, what is answered, and what a recommender may answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from .errors import InvalidRequest
from .events import check_token
from .recommenders import Recommended
from .settings import Place
from .types import Degraded
from .validation import validate_place, validate_profile

MAX_ITEMS = 100
MAX_CART = 50
MAX_ID = 256
"""Characters, as for products."""


class RecommendationRequest(Struct, frozen=True):
    """What to recommend for: the ``product`` whose page is shown, a ``cart``, or a shopper.

    With a product, that is the seed; else the cart is; else what ``user_id`` or ``session_id`` did
    last. Nothing of these, nor what the shopper bought, is recommended. ``filters`` are those of a
    search; ``recommenders`` asks these alone (``None``: those of the settings). ``fields`` selects
    product fields (``None``: all).
    """

    product: str | None = None
    cart: tuple[str, ...] = ()
    user_id: str | None = None
    session_id: str | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)
    limit: int = 10
    fields: tuple[str, ...] | None = None
    locale: str | None = None
    market: str | None = None
    currency: str | None = None
    profile: str = "default"
    recommenders: tuple[str, ...] | None = None


class RecommendationReason(Struct, frozen=True, omit_defaults=True):
    """Why a product is recommended, by one recommender. ``text`` is for shoppers, in English;
    ``kind`` and ``because``, the id of a product, are for shops that word it themselves.
    ``contribution`` is ``weight / (k + rank)``, of a fallback 0; those of an item sum to its
    score."""

    kind: str
    text: str
    recommender: str
    rank: int
    contribution: float
    because: str = ""


class RecommendedItem(Struct, frozen=True):
    """A recommended product, its reasons from the strongest to the weakest. ``score`` is 0 where
    a fallback filled the list with it."""

    id: str
    score: float
    product: dict[str, Any]
    reasons: tuple[RecommendationReason, ...]


class RecommendationResponse(Struct, frozen=True):
    """Best first; what fallbacks fill the list with comes last. ``degraded`` are the components
    that failed; the others made the answer. ``timings`` are milliseconds."""

    items: tuple[RecommendedItem, ...]
    place: Place
    took_ms: float
    timings: dict[str, float]
    degraded: tuple[Degraded, ...] = ()
    generation: str = ""


def validate_recommendation(
    request: RecommendationRequest, profiles: frozenset[str], known: Sequence[str]
) -> None:
    """Raises InvalidRequest with the field, what is wrong and what is allowed."""
    who = {"user_id": request.user_id, "session_id": request.session_id}
    for name, id in who.items():
        if id is not None:
            check_token(id, name)
    if request.product is None and not request.cart and not any(who.values()):
        raise InvalidRequest(
            "product: give a product, a cart, a user_id or a session_id to recommend for",
            field="product",
        )
    if request.product is not None:
        _check_id(request.product, "product")
    if len(request.cart) > MAX_CART:
        raise InvalidRequest(
            f"cart: {len(request.cart):,} products; the limit is {MAX_CART}", field="cart"
        )
    for id in request.cart:
        _check_id(id, "cart")
    if not 0 <= request.limit <= MAX_ITEMS:
        raise InvalidRequest(f"limit: {request.limit} is outside 0…{MAX_ITEMS}", field="limit")
    validate_profile(request.profile, profiles)
    validate_place(request.locale, request.market, request.currency)
    if request.recommenders is not None and not request.recommenders:
        raise InvalidRequest(
            "recommenders: names none; leave it out to ask all", field="recommenders"
        )
    for name in request.recommenders or ():
        if name not in known:
            raise InvalidRequest(
                f"recommenders: this shop has no {name!r}; it has: {', '.join(known) or 'none'}",
                field="recommenders",
            )


def _check_id(id: str, field: str) -> None:
    if not 1 <= len(id) <= MAX_ID:
        raise InvalidRequest(
            f"{field}: a product id has 1 to {MAX_ID} characters, not {len(id):,}", field=field
        )


def recommended_check(n: int) -> Callable[[Any], None]:
    """Refuses, with ValueError, what cannot be the answer of a recommender that was asked for
    ``n`` products."""

    def check(found: Sequence[Recommended]) -> None:
        if not isinstance(found, list | tuple) or not all(
            isinstance(each, Recommended) for each in found
        ):
            raise ValueError("recommend() must return a list of Recommended")
        if len(found) > n:
            raise ValueError(f"recommend() returned {len(found)} products, asked for {n}")
        if len({each.id for each in found}) != len(found):
            raise ValueError("recommend() returned a product twice")
        msgspec.convert(msgspec.to_builtins(list(found)), list[Recommended])
        if not all(math.isfinite(each.score) for each in found):
            raise ValueError("recommend() returned a score that is not finite")

    return check
