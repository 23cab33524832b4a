"""One search on its way through the stages: what it has come to know, and how it begins."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .admission import checked_filter, compared, whole_filter
from .facets import FacetQuestion
from .filters import Filter
from .grouping import Groups
from .live import Live
from .localize import Audience
from .pins import one_of_each, settle
from .plan import QueryPlan
from .protocols import VectorStore
from .relaxation import relaxations
from .schema import IndexSchema
from .settings import SearchSettings
from .types import Degraded, SearchRequest
from .understanding import plan_of, understand


@dataclass(slots=True)
class Stopwatch:
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
class Inquiry:
    """What one search has come to know, for its stages: ``request`` by stored fields, ``asked`` as
    it came with ``own``, the filter in it; ``planned`` before pins were placed, ``plan`` after."""

    request: SearchRequest
    live: Live
    settings: SearchSettings
    plan: QueryPlan
    filter: Filter
    watch: Stopwatch
    degraded: list[Degraded]
    audience: Audience
    own: Filter
    asked: SearchRequest
    planned: QueryPlan
    pins: dict[str, int] = field(default_factory=dict)
    groups: Groups | None = None

    @property
    def store(self) -> VectorStore:
        return self.live.store

    @property
    def group_by(self) -> str:
        own = self.request.group_by
        return self.live.pipelines[self.request.profile].group_by if own is None else own

    def settle(self, plan: QueryPlan, filter: Filter) -> None:
        """Go on with a plan and what it admits; its pins are placed."""
        self.filter = filter
        self.plan = self._placed(plan, filter)
        self.pins = self.plan.pins

    def fold(self, ids: Sequence[str]) -> Groups:
        """Take the result set, ``ids`` and what is pinned, by families, each of which one pin may
        stand for."""
        # A pin that was deleted since it was placed is of the result set all the same.
        self.groups = Groups(list(dict.fromkeys([*ids, *self.pins])), self.group_by, self.store)
        kept = self.groups.leading(self.pins)
        if len(kept) < len(self.pins):
            self.plan = one_of_each(self.plan, kept)
            self.pins = self.plan.pins
        return self.groups

    def pinned(self, filter: Filter) -> list[str]:
        """What would be pinned under another filter."""
        return list(self._placed(self.planned, filter).pins)

    def _placed(self, plan: QueryPlan, filter: Filter) -> QueryPlan:
        return settle(plan, filter, self.store, self.request.sort, self.audience.place)

    def relaxed(self, *, empty: bool) -> Iterator[tuple[QueryPlan, Filter]]:
        """What to try next where nothing was found, and what it admits."""
        for plan in relaxations(self.planned, self.asked.filters, empty=empty):
            yield plan, whole_filter(self.own, self.asked, plan, self.audience)

    def facet_question(self) -> FacetQuestion:
        place = self.audience.place
        return FacetQuestion(
            self.request.facets,
            self.filter,
            self.schema,
            frozenset(place.filter(self.own).fields),
            tuple(map(place.field, self.plan.spoken)),
            self.settings.facet_values,
            self.group_by,
            place.fields,
        )

    @property
    def schema(self) -> IndexSchema:
        return self.live.store.spec.schema


def begin(
    request: SearchRequest, live: Live, settings: SearchSettings, at: datetime | None = None
) -> Inquiry:
    watch = Stopwatch()
    schema = live.store.spec.schema
    own = checked_filter(request, schema)
    processors = live.pipelines[request.profile].query_processors
    plan, degraded = understand(plan_of(request, at), processors, live.shop.current)
    audience = live.localization.of(request, schema)
    plan = compared(plan, request, audience, live.store)
    filter = whole_filter(own, request, plan, audience)
    here = audience.place.request(request)
    search = Inquiry(
        here,
        live,
        settings,
        plan,
        filter,
        watch,
        degraded,
        audience,
        own=own,
        asked=request,
        planned=plan,
    )
    search.settle(plan, filter)
    watch.lap("understand")
    return search
