"""The request path, one way: understand → encode → retrieve → fuse → rank → place → respond."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from . import answer
from .errors import InvalidRequest
from .facets import browse_facets, counts_without, facets_of
from .filters import Filter
from .fusion import Fusion, Ranking, candidates, fuse
from .inquiry import Inquiry, begin
from .lanes import Lanes, plan_lanes
from .live import Live
from .pins import explain_pins, lay_out
from .plan import QueryPlan
from .protocols import Scored
from .ranking import explain, rank
from .relaxation import lacks_kind
from .relevance import HEAD, SHIPPED, Relevance
from .settings import SearchSettings
from .types import (
    Candidate,
    Degraded,
    FacetResult,
    SearchRequest,
    SearchResponse,
)

Found = Mapping[str, list[Scored]]
"""What each lane found."""


class Retrieved(Struct, frozen=True):
    """What the lanes were asked and found, and their fusion, best first."""

    lanes: Lanes
    found: Found
    fusion: Fusion
    ranking: Ranking


def run_search(request: SearchRequest, live: Live, settings: SearchSettings) -> SearchResponse:
    """Answer a validated request from one bundle.

    Raises:
        InvalidFilter: a filter, facet or sort on an undeclared field.
        NotFound: a ``like`` id that is not in the index.
    """
    search = begin(request, live, settings)
    retrieved = retrieve(search)
    return _browse(search) if retrieved is None else _ranked(search, retrieved)


def plan_search(
    request: SearchRequest, live: Live, settings: SearchSettings, at: datetime | None = None
) -> tuple[QueryPlan, list[Degraded]]:
    """What a search would be planned to do, at another time too, and which processors failed."""
    search = begin(request, live, settings, at)
    return search.plan, search.degraded


def retrieve(search: Inquiry) -> Retrieved | None:
    """What the lanes find and how it is fused; ``None`` where nothing but filters is asked."""
    query, live, watch = search.request.query, search.live, search.watch
    if query is None or not (search.plan.text or query.image is not None or query.like):
        if query is not None and not search.plan.filters:
            raise InvalidRequest("text: holds no searchable character", field="text")
        _loosen(search)
        return None
    pipeline = live.pipelines[search.request.profile]
    lanes = plan_lanes(query, search.plan, live, pipeline.weights, pipeline.cutoffs)
    watch.lap("encode")
    found = _found(search, lanes, search.filter)
    if search.plan.filters:
        found = _recovered(search, lanes, found)
    watch.lap("retrieve")
    fusion = lanes.fusion(found, search.settings)
    ranking = fuse(found, fusion)
    watch.lap("fuse")
    return Retrieved(lanes, found, fusion, ranking)


def _ranked(search: Inquiry, retrieved: Retrieved) -> SearchResponse:
    ids = [id for _, id in retrieved.ranking]
    if search.pins:
        ids = list(dict.fromkeys([*ids, *search.pins]))
    if search.group_by:
        search.fold(ids)
    page, head = _page(search, retrieved)
    search.watch.lap("rank")

    def again(filter: Filter) -> list[str]:
        found = _ids(_found(search, retrieved.lanes, filter))
        return list(dict.fromkeys([*found, *search.pinned(filter)]))

    facets = facets_of(search.facet_question(), ids, search.store, again)
    return _respond(search, page, facets, len(search.groups or ids), retrieved.fusion, head)


def _found(search: Inquiry, lanes: Lanes, filter: Filter) -> Found:
    hits = search.store.search_batch(lanes.queries, filter, search.settings.depth)
    return lanes.found(hits)


def _ids(found: Found) -> list[str]:
    return list(dict.fromkeys(hit.id for hits in found.values() for hit in hits))


def _recovered(search: Inquiry, lanes: Lanes, found: Found) -> Found:
    """What is found with fewer of the filters that were understood, where nothing is with all of
    them; ``found`` itself where there is something, or never anything."""
    ids = _ids(found)
    if ids and not lacks_kind(search.plan, ids, search.store):
        return found
    for plan, filter in search.relaxed(empty=not ids):
        more = _found(search, lanes, filter)
        more_ids = _ids(more)
        if more_ids and (not ids or not lacks_kind(plan, more_ids, search.store)):
            search.settle(plan, filter)
            return more
    return found


def _loosen(search: Inquiry) -> None:
    """Lets fewer of the filters that were understood stand where nothing passes all of them."""
    if search.plan.filters and not search.store.count(search.filter):
        for plan, filter in search.relaxed(empty=True):
            if search.store.count(filter):
                search.settle(plan, filter)
                break


def _page(search: Inquiry, retrieved: Retrieved) -> tuple[list[Candidate], list[Candidate]]:
    """The candidates of the page asked for, and those that the lanes have first.

    Rankers always see the same window, whatever the page; what lies below it keeps its fused
    order, so pages neither overlap nor skip.
    """
    request, store, pins = search.request, search.live.store, search.pins
    ranking, found, fusion = retrieved.ranking, retrieved.found, retrieved.fusion
    start, end = request.offset, request.offset + request.limit
    if request.sort is not None:
        scores = {id: score for score, id in ranking}
        ids = answer.sort_ids(list(scores), request.sort, store)
        if search.groups is not None:
            ids = search.groups.leading(ids)
        page = candidates([(scores[id], id) for id in ids[start:end]], found, fusion)
        return page, candidates(ranking[:HEAD], found, fusion)
    pipeline = search.live.pipelines[request.profile]
    size = request.rerank_window or search.settings.rerank_window
    window = candidates(ranking[:size], found, fusion)
    place = search.audience.place
    ranked = rank(window, pipeline, search.plan, request, store, search.live.behaviour, place)
    order, tail = ranked.window, ranking[size:]
    if search.groups is not None:
        lead = search.groups.leading([*pins, *(c.id for c in order), *(id for _, id in tail)])
        leaders = frozenset(lead)
        order = [c for c in order if c.id in leaders]
        tail = [(score, id) for score, id in tail if id in leaders]
    pinned: dict[str, Candidate] = {}
    if pins:
        pinned = {id: Candidate(id, {}, 0.0) for id in pins}
        below = [row for row in tail if row[1] in pins]
        pinned |= {c.id: c for c in candidates(below, found, fusion)}
        pinned |= {c.id: c for c in window if c.id in pins}
        order = [c for c in order if c.id not in pins]
        tail = [(score, id) for score, id in tail if id not in pins]
    layout = lay_out(pins, len(order) + len(tail))
    first, last = layout.own(start, end)
    own = order[first:last]
    if last > len(order):
        below = tail[max(0, first - len(order)) : last - len(order)]
        own += candidates(below, found, fusion)
    page = layout.page(start, end, own, pinned)
    if request.explain:
        explain(ranked, page)
        places = {c.id: n for n, c in enumerate(ranked.window, start=1)}
        explain_pins(page, search.plan, layout, places)
    search.degraded += ranked.degraded
    return page, window[:HEAD]


def _browse(search: Inquiry) -> SearchResponse:
    """No words, or none but such as are filters ("under 50"): everything under the filters, by
    ``sort`` or by id."""
    request, store = search.request, search.store
    start, end = request.offset, request.offset + request.limit
    total = store.count(search.filter)
    others: list[str] = []
    if search.group_by:
        ids = store.scroll(search.filter, total, 0, request.sort)
        groups = search.fold(ids)
        others = [id for id in groups.leading([*search.pins, *ids]) if id not in search.pins]
        total = len(groups)
    pins = search.pins
    layout = lay_out(pins, total - len(pins))
    first, last = layout.own(start, end)
    if search.group_by:
        ids = others[first:last]
    else:
        rest = msgspec.structs.replace(
            search.filter, exclude_ids=(*search.filter.exclude_ids, *pins)
        )
        ids = store.scroll(rest, last - first, first, request.sort)
    page = layout.page(
        start,
        end,
        [Candidate(id, {}, 0.0) for id in ids],
        {id: Candidate(id, {}, 0.0) for id in pins},
    )
    if request.explain:
        explain_pins(page, search.plan, layout, None)
    search.watch.lap("retrieve")
    facets = browse_facets(search.facet_question(), store)
    return _respond(search, page, facets, total, Fusion({}))


def _respond(
    search: Inquiry,
    page: list[Candidate],
    facets: dict[str, FacetResult],
    total: int,
    fusion: Fusion,
    head: list[Candidate] | None = None,
) -> SearchResponse:
    request, plan, live, watch = search.request, search.plan, search.live, search.watch
    relevance = _relevance(search, fusion)
    explainer = answer.Explainer(fusion, relevance)
    words = " ".join((plan.text, *plan.translations.values()))
    audience = search.audience
    hits = answer.make_hits(page, request, words, live.store, explainer, audience)
    if search.groups is not None:
        folded = ((hit, search.groups.variants(hit.id)) for hit in hits)
        hits = tuple(msgspec.structs.replace(hit, variants=v) if v else hit for hit, v in folded)
    without: Mapping[str, int] = {}
    if not total and request.filters:
        place = search.audience.place
        chosen = place.filter(search.own).fields
        counts = counts_without(search.filter, chosen, search.store)
        names = {place.field(name): name for name in request.filters}
        without = {names.get(name, name): count for name, count in counts.items()}
    watch.lap("respond")
    return SearchResponse(
        hits=hits,
        facets=audience.facets(facets),
        total=total,
        took_ms=watch.total(),
        timings=watch.timings,
        plan=plan.public(),
        degraded=tuple(search.degraded),
        warnings=audience.warnings([hit.product for hit in hits]),
        generation=live.generation,
        without=dict(without),
        relevance=relevance.best(head) if relevance is not None and head else None,
    )


def _relevance(search: Inquiry, fusion: Fusion) -> Relevance | None:
    live, query = search.live, search.request.query
    if query is None or not SHIPPED.fits(live.text_encoder.info, live.image_encoder.info):
        return None
    return Relevance(SHIPPED, fusion, len(search.plan.text.split()), query.image_weight)
