"""The request path, one way: understand → encode → retrieve → fuse → rank → respond."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from . import answer
from .errors import InvalidRequest
from .filters import Filter, parse_filters, require_field
from .fusion import Ranking, candidates, fuse
from .lanes import Lanes, plan_lanes
from .live import Live, Pipeline
from .plan import QueryPlan
from .protocols import Scored
from .ranking import explain, rank
from .schema import IndexSchema
from .settings import SearchSettings
from .types import Candidate, Degraded, FacetResult, Query, SearchRequest, SearchResponse
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


def run_search(request: SearchRequest, live: Live, settings: SearchSettings) -> SearchResponse:
    """Answer a validated request from one bundle.

    Raises:
        InvalidFilter: a filter, facet or sort on an undeclared field.
        NotFound: a ``like`` id that is not in the index.
    """
    if request.query is None:
        return _browse(request, live, settings, _Stopwatch(), QueryPlan(), [])
    return _ranked(request, request.query, live, settings)


def _ranked(
    request: SearchRequest, query: Query, live: Live, settings: SearchSettings
) -> SearchResponse:
    watch = _Stopwatch()
    pipeline = live.pipelines[request.profile]
    schema = live.store.spec.schema
    own = _checked_filter(request, schema)
    start = plan_of(query.text or "", request.locale, request.ignore)
    plan, degraded = understand(start, pipeline.query_processors, live.shop.current)
    watch.lap("understand")
    if not plan.text and query.image is None and not query.like:
        if not plan.filters:
            raise InvalidRequest("text: holds no searchable character", field="text")
        return _browse(request, live, settings, watch, plan, degraded)
    filter = Filter(_with_plan(own, request, plan, schema).conditions, exclude_ids=query.like)
    lanes = plan_lanes(query, plan, live, pipeline.weights)
    watch.lap("encode")
    hits = live.store.search_batch(lanes.queries, filter, settings.depth)
    found = {lane.name: rows for lane, rows in zip(lanes.queries, hits, strict=True)}
    watch.lap("retrieve")
    ranking = fuse(found, lanes.weights, settings.rrf_k)
    watch.lap("fuse")
    page, failed = _page(ranking, found, request, plan, live, pipeline, settings)
    watch.lap("rank")
    ids = [id for _, id in ranking]
    facets = answer.facets_of(request.facets, ids, live.store, schema, settings.facet_values)
    return _respond(
        request, live, settings, watch, page, facets, len(ids), plan, lanes, degraded + failed
    )


def _page(
    ranking: Ranking,
    found: dict[str, list[Scored]],
    request: SearchRequest,
    plan: QueryPlan,
    live: Live,
    pipeline: Pipeline,
    settings: SearchSettings,
) -> tuple[list[Candidate], list[Degraded]]:
    """The candidates of the page asked for.

    Rankers always see the same window, whatever the page; what lies below it keeps its fused
    order, so pages neither overlap nor skip.
    """
    start, end = request.offset, request.offset + request.limit
    if request.sort is not None:
        scores = {id: score for score, id in ranking}
        ids = answer.sort_ids(list(scores), request.sort, live.store)[start:end]
        return candidates([(scores[id], id) for id in ids], found), []
    size = request.rerank_window or settings.rerank_window
    if not pipeline.rankers and not pipeline.arrangers:
        return candidates(ranking[start:end], found), []
    window = candidates(ranking[:size], found)
    ranked = rank(window, pipeline, plan, request, live.store)
    kept, dropped = len(ranked.window), min(size, len(ranking)) - len(ranked.window)
    tail = ranking[size : max(size, end + dropped)] if end > kept else []
    page = (ranked.window + candidates(tail, found))[start:end]
    if request.explain:
        explain(ranked, page)
    return page, ranked.degraded


def _checked_filter(request: SearchRequest, schema: IndexSchema) -> Filter:
    """The request's own filter; what is not declared is refused before anything is spent."""
    filter = parse_filters(request.filters, schema)
    for name in request.facets:
        require_field(name, schema, use="facets")
    if request.sort is not None:
        require_field(request.sort.field, schema, use="sort")
    return filter


def _with_plan(own: Filter, request: SearchRequest, plan: QueryPlan, schema: IndexSchema) -> Filter:
    """The plan's filters and the request's; for the same field the request's win."""
    rest = {name: spec for name, spec in plan.filters.items() if name not in request.filters}
    planned = parse_filters(rest, schema).conditions
    return Filter(planned + own.conditions)


def _browse(
    request: SearchRequest,
    live: Live,
    settings: SearchSettings,
    watch: _Stopwatch,
    plan: QueryPlan,
    degraded: list[Degraded],
) -> SearchResponse:
    """No words, or none but such as are filters ("under 50"): everything under the filters, by
    ``sort`` or by id."""
    store, schema = live.store, live.store.spec.schema
    filter = _with_plan(_checked_filter(request, schema), request, plan, schema)
    ids = store.scroll(filter, request.limit, request.offset, request.sort)
    total = store.count(filter)
    watch.lap("retrieve")
    facets = answer.browse_facets(request.facets, filter, store, schema, settings.facet_values)
    page = [Candidate(id, {}, 0.0) for id in ids]
    return _respond(
        request, live, settings, watch, page, facets, total, plan, Lanes((), {}), degraded
    )


def _respond(
    request: SearchRequest,
    live: Live,
    settings: SearchSettings,
    watch: _Stopwatch,
    page: list[Candidate],
    facets: dict[str, FacetResult],
    total: int,
    plan: QueryPlan,
    lanes: Lanes,
    degraded: list[Degraded],
) -> SearchResponse:
    explainer = answer.Explainer(lanes.weights, settings.rrf_k)
    hits = answer.make_hits(page, request, plan.text, live.store, explainer)
    watch.lap("respond")
    return SearchResponse(
        hits=hits,
        facets=facets,
        total=total,
        took_ms=watch.total(),
        timings=watch.timings,
        plan=plan,
        degraded=tuple(degraded),
        generation=live.generation,
    )
