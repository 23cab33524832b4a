"""The request path, one way: understand → encode → retrieve → fuse → rank → place → respond."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from . import answer
from .errors import InvalidRequest
from .filters import Filter, conditions_of, parse_filters, require_field
from .fusion import Ranking, candidates, fuse
from .lanes import Lanes, plan_lanes
from .live import Live
from .pins import explain_pins, lay_out, settle
from .plan import QueryPlan
from .protocols import Scored
from .ranking import explain, rank
from .schema import IndexSchema
from .settings import SearchSettings
from .types import (
    Candidate,
    Degraded,
    FacetResult,
    Query,
    SearchRequest,
    SearchResponse,
)
from .understanding import plan_of, understand


@dataclass(slots=True)
class _Stopwatch:
    """Wall milliseconds per stage, in order."""

    started: float = field(default_factory=time.perf_counter)
    timings: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=time.perf_counter)

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.timings[stage] = (now - self._last) * 1000
        self._last = now

    def total(self) -> float:
        return (time.perf_counter() - self.started) * 1000


@dataclass(slots=True)
class _Search:
    """What one search has come to know, for its stages."""

    request: SearchRequest
    live: Live
    settings: SearchSettings
    plan: QueryPlan
    filter: Filter
    watch: _Stopwatch
    degraded: list[Degraded]
    pins: dict[str, int] = field(default_factory=dict)

    @property
    def schema(self) -> IndexSchema:
        return self.live.store.spec.schema


def run_search(request: SearchRequest, live: Live, settings: SearchSettings) -> SearchResponse:
    """Answer a validated request from one bundle.

    Raises:
        InvalidFilter: a filter, facet or sort on an undeclared field.
        NotFound: a ``like`` id that is not in the index.
    """
    search = _begin(request, live, settings)
    query = request.query
    if query is None or not (search.plan.text or query.image is not None or query.like):
        if query is not None and not search.plan.filters:
            raise InvalidRequest("text: holds no searchable character", field="text")
        return _browse(search)
    return _ranked(search, query)


def plan_search(
    request: SearchRequest, live: Live, settings: SearchSettings, at: datetime | None = None
) -> tuple[QueryPlan, list[Degraded]]:
    """What a search would be planned to do, at another time too, and which processors failed."""
    search = _begin(request, live, settings, at)
    return search.plan, search.degraded


def _begin(
    request: SearchRequest, live: Live, settings: SearchSettings, at: datetime | None = None
) -> _Search:
    watch = _Stopwatch()
    schema = live.store.spec.schema
    own = _checked_filter(request, schema)
    processors = live.pipelines[request.profile].query_processors
    plan, degraded = understand(plan_of(request, at), processors, live.shop.current)
    filter = _whole_filter(own, request, plan, schema)
    search = _Search(request, live, settings, plan, filter, watch, degraded)
    search.plan = settle(plan, filter, live.store, request.sort)
    search.pins = search.plan.pins
    watch.lap("understand")
    return search


def _ranked(search: _Search, query: Query) -> SearchResponse:
    live, settings, watch = search.live, search.settings, search.watch
    lanes = plan_lanes(query, search.plan, live, live.pipelines[search.request.profile].weights)
    watch.lap("encode")
    hits = live.store.search_batch(lanes.queries, search.filter, settings.depth)
    found = {lane.name: rows for lane, rows in zip(lanes.queries, hits, strict=True)}
    watch.lap("retrieve")
    ranking = fuse(found, lanes.weights, settings.rrf_k)
    watch.lap("fuse")
    page = _page(search, ranking, found)
    watch.lap("rank")
    ids = [id for _, id in ranking]
    if search.pins:
        ids = list(dict.fromkeys([*ids, *search.pins]))
    facets = answer.facets_of(
        search.request.facets, ids, live.store, search.schema, settings.facet_values
    )
    return _respond(search, page, facets, len(ids), lanes)


def _page(search: _Search, ranking: Ranking, found: Mapping[str, list[Scored]]) -> list[Candidate]:
    """The candidates of the page asked for.

    Rankers always see the same window, whatever the page; what lies below it keeps its fused
    order, so pages neither overlap nor skip.
    """
    request, store, pins = search.request, search.live.store, search.pins
    start, end = request.offset, request.offset + request.limit
    if request.sort is not None:
        scores = {id: score for score, id in ranking}
        ids = answer.sort_ids(list(scores), request.sort, store)[start:end]
        return candidates([(scores[id], id) for id in ids], found)
    pipeline = search.live.pipelines[request.profile]
    size = request.rerank_window or search.settings.rerank_window
    window = candidates(ranking[:size], found)
    ranked = rank(window, pipeline, search.plan, request, store, search.live.behaviour)
    order, tail = ranked.window, ranking[size:]
    pinned: dict[str, Candidate] = {}
    if pins:
        pinned = {id: Candidate(id, {}, 0.0) for id in pins}
        pinned |= {c.id: c for c in candidates([r for r in tail if r[1] in pins], found)}
        pinned |= {c.id: c for c in window if c.id in pins}
        order = [c for c in order if c.id not in pins]
        tail = [(score, id) for score, id in tail if id not in pins]
    layout = lay_out(pins, len(order) + len(tail))
    first, last = layout.own(start, end)
    own = order[first:last]
    if last > len(order):
        own += candidates(tail[max(0, first - len(order)) : last - len(order)], found)
    page = layout.page(start, end, own, pinned)
    if request.explain:
        explain(ranked, page)
        places = {c.id: n for n, c in enumerate(ranked.window, start=1)}
        explain_pins(page, search.plan, layout, places)
    search.degraded += ranked.degraded
    return page


def _checked_filter(request: SearchRequest, schema: IndexSchema) -> Filter:
    """The request's own filter; what is not declared is refused before anything is spent."""
    filter = parse_filters(request.filters, schema)
    for name in request.facets:
        require_field(name, schema, use="facets")
    if request.sort is not None:
        require_field(request.sort.field, schema, use="sort")
    return filter


def _whole_filter(
    own: Filter, request: SearchRequest, plan: QueryPlan, schema: IndexSchema
) -> Filter:
    """The plan's filters and the request's; for the same field the request's win. What is hidden
    stays hidden whatever is asked for."""
    rest = {name: spec for name, spec in plan.filters.items() if name not in request.filters}
    hidden = list(plan.hidden())
    like = request.query.like if request.query else ()
    return Filter(
        parse_filters(rest, schema).conditions + own.conditions,
        exclude_ids=like + tuple(id for selection in hidden for id in selection.ids),
        exclude=tuple(conditions_of(s.filters) for s in hidden if s.filters),
    )


def _browse(search: _Search) -> SearchResponse:
    """No words, or none but such as are filters ("under 50"): everything under the filters, by
    ``sort`` or by id."""
    request, filter, pins = search.request, search.filter, search.pins
    store, most = search.live.store, search.settings.facet_values
    start, end = request.offset, request.offset + request.limit
    total = store.count(filter)
    layout = lay_out(pins, total - len(pins))
    first, last = layout.own(start, end)
    others = msgspec.structs.replace(filter, exclude_ids=(*filter.exclude_ids, *pins))
    ids = store.scroll(others, last - first, first, request.sort)
    page = layout.page(
        start,
        end,
        [Candidate(id, {}, 0.0) for id in ids],
        {id: Candidate(id, {}, 0.0) for id in pins},
    )
    if request.explain:
        explain_pins(page, search.plan, layout, None)
    search.watch.lap("retrieve")
    facets = answer.browse_facets(request.facets, filter, store, search.schema, most)
    return _respond(search, page, facets, total, Lanes((), {}))


def _respond(
    search: _Search,
    page: list[Candidate],
    facets: dict[str, FacetResult],
    total: int,
    lanes: Lanes,
) -> SearchResponse:
    request, plan, live, watch = search.request, search.plan, search.live, search.watch
    explainer = answer.Explainer(lanes.weights, search.settings.rrf_k)
    hits = answer.make_hits(page, request, plan.text, live.store, explainer)
    watch.lap("respond")
    return SearchResponse(
        hits=hits,
        facets=facets,
        total=total,
        took_ms=watch.total(),
        timings=watch.timings,
        plan=plan.public(),
        degraded=tuple(search.degraded),
        generation=live.generation,
    )
