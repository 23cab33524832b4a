"""Recommendations: seeds → recommenders → mix → products, one way, as a search goes.

Nothing is recommended that a browse with the same filters would not list: business rules, filters
and stock are one filter, which recommenders search under and which all they name is held against.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
from msgspec import Struct, field, structs

from .assortment import LiveAssortment
from .errors import NotFound
from .events import EVENT_WEIGHTS, Event
from .filters import Filter, Terms
from .grouping import Groups
from .guard import Guard, PluginFailed
from .inquiry import Inquiry, begin
from .live import Live
from .mixing import Mixed, fill, mix
from .profiles import MAX_RECENT, UserProfile
from .protocols import Vectors, VectorStore
from .recommendations import (
    RecommendationReason,
    RecommendationRequest,
    RecommendationResponse,
    RecommendedItem,
    recommended_check,
)
from .recommenders import Occasion, Recommended, Recommender, even_weights
from .settings import Place, RecommendationSettings, SearchSettings
from .types import Degraded, SearchRequest

HALF = 5.0
"""Products after which a seed weighs half. Ours: what is bought next mostly goes with the last
things looked at."""

Guarded = Sequence[tuple[Guard, Recommender]]


def run_recommendation(
    request: RecommendationRequest,
    live: Live,
    recommenders: Guarded,
    settings: RecommendationSettings,
    search: SearchSettings,
) -> RecommendationResponse:
    """Answer a validated request from one bundle.

    Raises:
        NotFound: the product, or one of the cart, is not in the index. InvalidFilter: as for a
            search.
    """
    began = time.perf_counter()
    seen, degraded = _shopper(request, live)
    place, seeds, weights = _seeds(request, seen.history, live.store)
    inquiry = begin(_as_search(request), live, search)
    degraded += inquiry.degraded
    filter = _admitted(request, inquiry, settings, _left_out(request, seen, settings))
    timings = {"seeds": (time.perf_counter() - began) * 1000}
    with LiveAssortment(live.store, filter) as assortment:
        occasion = Occasion(place, seeds, weights, assortment, seen.profile)
        panel = _Panel(recommenders, request, occasion, settings.depth, degraded, timings)
        shares = {name: settings.weight(place, name) for name in settings.recommenders}
        lists = panel.ask(name for name, share in shares.items() if share > 0)
        mixed = _one_of_each(mix(lists, shares, search.rrf_k), seeds, inquiry)
        for name in settings.fallback:
            if len(mixed) < request.limit:
                mixed = _one_of_each(fill(mixed, panel.ask((name,))), seeds, inquiry)
    lap = time.perf_counter()
    items = _items(mixed[: request.limit], inquiry, shares, search.rrf_k)
    timings["respond"] = (time.perf_counter() - lap) * 1000
    return RecommendationResponse(
        items=items,
        place=place,
        took_ms=(time.perf_counter() - began) * 1000,
        timings=timings,
        degraded=tuple(degraded),
        generation=live.generation,
    )


class _Panel(Struct, frozen=True):
    """The recommenders that are switched on, asked for one occasion. What they name that is not of
    the assortment is left out; one that fails names nothing."""

    recommenders: Guarded
    request: RecommendationRequest
    occasion: Occasion
    depth: int
    degraded: list[Degraded]
    timings: dict[str, float]

    def ask(self, names: Iterable[str]) -> dict[str, list[Recommended]]:
        """What each of ``names`` recommends, by name; those left out are not asked."""
        wanted = set(names)
        if self.request.recommenders is not None:
            wanted &= set(self.request.recommenders)
        found = {
            guard.name: self._one(guard, recommender)
            for guard, recommender in self.recommenders
            if guard.name in wanted
        }
        ids = list(dict.fromkeys(each.id for named in found.values() for each in named))
        allowed = set(self.occasion.assortment.admitted(ids, len(ids)))
        return {name: [e for e in named if e.id in allowed] for name, named in found.items()}

    def _one(self, guard: Guard, recommender: Recommender) -> Sequence[Recommended]:
        began, n = time.perf_counter(), max(self.depth, self.request.limit)
        try:
            return guard.call(
                partial(recommender.recommend, self.occasion, n), recommended_check(n)
            )
        except PluginFailed as error:
            self.degraded.append(Degraded(guard.name, str(error)))
            return ()
        finally:
            self.timings[guard.name] = (time.perf_counter() - began) * 1000


class _Seen(Struct, frozen=True):
    history: list[Event] = field(default_factory=list)
    profile: UserProfile | None = None


def _as_search(request: RecommendationRequest) -> SearchRequest:
    """The browse whose products these would be among: business rules and locale apply alike."""
    return SearchRequest(
        filters=request.filters,
        limit=request.limit,
        locale=request.locale,
        market=request.market,
        currency=request.currency,
        user_id=request.user_id,
        session_id=request.session_id,
        profile=request.profile,
        fields=request.fields,
    )


def _admitted(
    request: RecommendationRequest,
    inquiry: Inquiry,
    settings: RecommendationSettings,
    without: Sequence[str],
) -> Filter:
    """What the browse is among, less ``without`` and, unless the request asks about stock itself,
    what is sold out."""
    conditions = inquiry.filter.conditions
    if settings.in_stock and "in_stock" not in request.filters:
        conditions += (Terms(inquiry.audience.place.field("in_stock"), (True,)),)
    out = (*inquiry.filter.exclude_ids, *without)
    return structs.replace(inquiry.filter, conditions=conditions, exclude_ids=out)


def _shopper(request: RecommendationRequest, live: Live) -> tuple[_Seen, list[Degraded]]:
    """What is known of the shopper; nothing where the event store fails."""
    behaviour, who = live.behaviour, (request.user_id, request.session_id)
    if behaviour is None or not any(who):
        return _Seen(), []
    try:
        history = behaviour.guard.call(partial(behaviour.history, *who), lambda answer: None)
    except PluginFailed as error:
        return _Seen(), [Degraded(behaviour.guard.name, str(error))]
    return _Seen(history, behaviour.profile_of(history, request.session_id, live.store)), []


def _seeds(
    request: RecommendationRequest, history: Sequence[Event], store: VectorStore
) -> tuple[Place, tuple[str, ...], Vectors]:
    given = (request.product,) if request.product is not None else request.cart
    _require(given + request.cart, store, "product" if request.product is not None else "cart")
    if given:
        seeds = tuple(dict.fromkeys(given))
        place: Place = "product" if request.product is not None else "cart"
        return place, seeds, even_weights(len(seeds))
    return ("user", *_recent(history, store))


def _require(ids: Sequence[str], store: VectorStore, first: str) -> None:
    for n, stocked in enumerate(store.columns(list(ids), ["in_stock"])["in_stock"] if ids else ()):
        if stocked is None:
            field = "cart" if n else first
            raise NotFound(f"{field}: no product {ids[n]!r}", field=field)


def _recent(history: Sequence[Event], store: VectorStore) -> tuple[tuple[str, ...], Vectors]:
    """The products of the newest events that the shop still has, each weighing by the interest
    shown and half as much with every :data:`HALF` products that came after it."""
    found: dict[str, float] = {}
    for event in history:
        for product in event.products:
            fresh = 0.5 ** (len(found) / HALF)
            found[product.id] = max(found.get(product.id, 0.0), EVENT_WEIGHTS[event.type] * fresh)
    ids = list(found)[: 2 * MAX_RECENT]
    stocked = store.columns(ids, ["in_stock"])["in_stock"] if ids else []
    known = [id for id, value in zip(ids, stocked, strict=True) if value is not None][:MAX_RECENT]
    weights = np.asarray([found[id] for id in known], dtype=np.float32)
    return tuple(known), weights / max(float(weights.sum()), 1e-12)


def _left_out(
    request: RecommendationRequest, seen: _Seen, settings: RecommendationSettings
) -> tuple[str, ...]:
    """What a shopper is not shown again: the product and cart at hand, or else what they looked at
    last; and what they bought, unless the shop sells things that are bought again."""
    out = dict.fromkeys(request.cart)
    if request.product is not None:
        out[request.product] = None
    elif not request.cart and seen.profile is not None:
        out |= dict.fromkeys(seen.profile.recent)
    if not settings.bought_again:
        for event in seen.history:
            if event.type == "purchase":
                out |= dict.fromkeys(product.id for product in event.products)
    return tuple(out)


def _one_of_each(mixed: list[Mixed], seeds: Sequence[str], inquiry: Inquiry) -> list[Mixed]:
    """Where the shop shows families as one, the first of each, and none of a seed's."""
    if not inquiry.group_by:
        return mixed
    ids = [*seeds, *(each.id for each in mixed)]
    first = set(Groups(ids, inquiry.group_by, inquiry.store).leading(ids))
    return [each for each in mixed if each.id in first]


def _items(
    mixed: Sequence[Mixed], inquiry: Inquiry, weights: Mapping[str, float], k: int
) -> tuple[RecommendedItem, ...]:
    """As this shopper sees products; one that was deleted meanwhile is left out."""
    because = {each.because for m in mixed for _, each in m.named.values() if each.because}
    ids = [*(each.id for each in mixed), *sorted(because)]
    shown = {
        id: inquiry.audience.shown(product)
        for id, product in zip(ids, inquiry.store.get(ids), strict=True)
        if product is not None
    }
    titles = {id: product.title for id, (product, _) in shown.items()}
    return tuple(
        RecommendedItem(
            each.id,
            each.score,
            inquiry.audience.selected(*shown[each.id], inquiry.request.fields),
            _reasons(each, titles, weights, k),
        )
        for each in mixed
        if each.id in shown
    )


def _reasons(
    mixed: Mixed, titles: Mapping[str, str], weights: Mapping[str, float], k: int
) -> tuple[RecommendationReason, ...]:
    reasons = []
    for name, (rank, each) in mixed.named.items():
        title = titles.get(each.because, "")
        text = f"{each.text} “{title}”" if title else each.text
        share = weights[name] / (k + rank) if mixed.score else 0.0
        reasons.append(RecommendationReason(each.kind, text, name, rank, share, each.because))
    return tuple(sorted(reasons, key=lambda reason: (-reason.contribution, reason.recommender)))
