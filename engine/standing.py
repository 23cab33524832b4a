"""Where one product stands in a search, or what keeps it out of the results.

The search itself is run as it would be for the shopper; only then is it asked what happened to the
one product, so that searches pay nothing for the question.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from .errors import NotFound
from .filters import Condition, Filter, holds
from .fusion import Fusion, candidates, ranks_of
from .inquiry import Inquiry, begin
from .lanes import IDENTIFIED, Lanes
from .live import Live, Pipeline
from .protocols import LaneQuery, Scored
from .ranking import rank
from .search import Retrieved, retrieve, run_search
from .settings import SearchSettings
from .types import MAX_WINDOW, Explanation, SearchRequest

Outcome = Literal["shown", "filtered", "not found", "dropped", "grouped", "below the last page"]


class LaneStanding(Struct, frozen=True, omit_defaults=True):
    """A product in one lane: ``rank`` where it is among the first :data:`MAX_WINDOW`, raw ``score``
    where it has one. ``found`` says whether the search got it from this lane; where not, ``why``.
    ``last_rank`` and ``last_score`` are those of the last hit that the search got."""

    found: bool
    rank: int | None = None
    score: float | None = None
    why: str = ""
    last_rank: int = 0
    last_score: float | None = None


class Barrier(Struct, frozen=True, omit_defaults=True):
    """What keeps a product from being searched: ``by`` is "filter" (the request's own), "words"
    (understood of them), "like" (it is one of the examples) or "rule" with its id; ``wanted`` is
    the condition, its "field" among it, and ``has`` the product's value."""

    by: Literal["filter", "words", "like", "rule"]
    rule: str = ""
    wanted: dict[str, Any] = field(default_factory=dict)
    has: Any = None


class Standing(Struct, frozen=True, omit_defaults=True):
    """What became of a product. ``place`` is its place in the whole result, ``fused_rank`` that
    before rankers and arrangers, of ``total``; ``by`` is the arranger that dropped it or the
    product that stands for its family; ``explain`` as in a search that shows it."""

    product: str
    outcome: Outcome
    summary: str
    place: int | None = None
    fused_rank: int | None = None
    total: int = 0
    by: str = ""
    barriers: tuple[Barrier, ...] = ()
    lanes: dict[str, LaneStanding] = field(default_factory=dict)
    explain: Explanation | None = None
    relevance: float | None = None


def standing_of(
    product: str, request: SearchRequest, live: Live, settings: SearchSettings
) -> Standing:
    """What a search for ``request`` does with ``product``, whatever page it asks for.

    Raises:
        NotFound: the index has no such product. And what a search raises.
    """
    if live.store.get([product]) == [None]:
        raise NotFound(f"product: no product {product!r}", field="product")
    whole = msgspec.structs.replace(
        request, limit=MAX_WINDOW, offset=0, fields=("id",), facets=(), highlight=False
    )
    whole = msgspec.structs.replace(whole, explain=False)
    answer = run_search(whole, live, settings)
    shown = [hit.id for hit in answer.hits]
    trail = _Trail(product, whole, live, settings)
    known = Standing(
        product, "shown", "", lanes=trail.lanes(), fused_rank=trail.fused_rank, total=answer.total
    )
    if product not in shown:
        outcome, summary, by = trail.loss(shown)
        return msgspec.structs.replace(
            known, outcome=outcome, summary=summary, by=by, barriers=trail.barriers
        )
    place = shown.index(product)
    one = msgspec.structs.replace(whole, limit=1, offset=place, explain=True)
    hits = [hit for hit in run_search(one, live, settings).hits if hit.id == product]
    return msgspec.structs.replace(
        known,
        summary=f"It stands at place {place + 1} of {answer.total}.",
        place=place + 1,
        # Not there where a write moved it since.
        explain=hits[0].explain if hits else None,
        relevance=hits[0].relevance if hits else None,
    )


class _Trail:
    """The search over again, stage by stage, with an eye on one product."""

    def __init__(
        self, product: str, request: SearchRequest, live: Live, settings: SearchSettings
    ) -> None:
        self.product = product
        self.live = live
        self.search = begin(request, live, settings)
        retrieved = retrieve(self.search)
        self._browsing = retrieved is None
        self._retrieved = retrieved or Retrieved(Lanes((), {}), {}, Fusion({}), [])
        names = self.search.filter.fields
        columns = live.store.columns([product], names)
        self._values = {name: column[0] for name, column in columns.items()}
        self.barriers = tuple(_barriers(product, self._values, self.search))
        ranking = self._retrieved.ranking
        places = {id: n for n, (_, id) in enumerate(ranking, start=1)}
        self.fused_rank = places.get(product)

    def lanes(self) -> dict[str, LaneStanding]:
        return {query.name: self._lane(query) for query in self._retrieved.lanes.queries}

    def loss(self, shown: list[str]) -> tuple[Outcome, str, str]:
        """What happened to a product that is not among ``shown``, in words, and who did it."""
        if self.barriers:
            what = "; ".join(map(_in_words, self.barriers))
            return "filtered", f"It is kept out: {what}.", ""
        if self._browsing:
            at = "The filters let it through"
        elif self.fused_rank is None:
            return "not found", "No lane found it: see why by lane.", ""
        else:
            at = f"Fusion put it at rank {self.fused_rank} of {len(self._retrieved.ranking)}"
        if arranger := self._dropped_by():
            return "dropped", f"{at}, and the arranger {arranger} dropped it.", arranger
        if leader := self._leader(shown):
            return "grouped", f"{at}; {leader} stands for its family.", leader
        return "below the last page", f"{at}; results can be paged to {MAX_WINDOW}.", ""

    def _lane(self, query: LaneQuery) -> LaneStanding:
        hits = self._retrieved.found[query.name]
        last = hits[-1].score if hits else None

        def standing(rank: int | None, score: float | None, why: str) -> LaneStanding:
            return LaneStanding(not why, rank, score, why, len(hits), last)

        if found := _among(self.product, hits):
            return standing(*found, "")
        (alone,) = self._ask(query, Filter(ids=(self.product,)), 1)
        if not alone:
            return standing(None, None, _NOTHING[query.using])
        score = alone[0].score
        if query.min_score is not None and score < query.min_score:
            why = f"{score:.4g} is below the cut-off of {query.min_score:.4g}"
            return standing(None, score, why)
        if self.barriers:
            return standing(None, score, "it is kept out before")
        if query.using == "codes":
            return standing(None, score, f"more than {IDENTIFIED} products have the identifier")
        (deep,) = self._ask(query, self.search.filter, MAX_WINDOW)
        rank, _ = _among(self.product, deep) or (None, None)
        where = f"rank {rank}" if rank else f"below rank {MAX_WINDOW}"
        return standing(rank, score, f"{where}; the lane was read down to {len(hits)}")

    def _ask(self, query: LaneQuery, filter: Filter, limit: int) -> list[list[Scored]]:
        free = msgspec.structs.replace(query, min_score=None)
        return self.live.store.search_batch([free], filter, limit)

    def _dropped_by(self) -> str:
        """The first arranger after which the window lacks it; rankers drop nothing, and what is
        sorted by a field is not arranged."""
        search = self.search
        size = search.request.rerank_window or search.settings.rerank_window
        if search.request.sort or self.fused_rank is None or self.fused_rank > size:
            return ""
        pipeline = self.live.pipelines[search.request.profile]
        for last, (guard, _) in enumerate(pipeline.arrangers, start=1):
            found = self._retrieved
            window = candidates(found.ranking[:size], found.found, found.fusion)
            part = Pipeline(pipeline.query_processors, pipeline.rankers, pipeline.arrangers[:last])
            order = rank(
                window, part, search.plan, search.request, search.store,
                self.live.behaviour, search.audience.place,
            ).window  # fmt: skip
            if self.product not in {candidate.id for candidate in order}:
                return guard.name
        return ""

    def _leader(self, shown: list[str]) -> str:
        if not self.search.group_by:
            return ""
        column = [self.search.group_by]
        (own,) = self.live.store.columns([self.product], column)[column[0]]
        if own is None:
            return ""
        families = self.live.store.columns(shown, column)[column[0]]
        return next((id for id, f in zip(shown, families, strict=True) if f == own), "")


_NOTHING = {
    "bm25": "it has none of the words",
    "codes": "it has none of the identifiers",
    "text": "it has no vector of this kind",
    "image": "it has no photo",
}


def _among(product: str, hits: list[Scored]) -> tuple[int, float] | None:
    for hit, place in zip(hits, ranks_of(hits), strict=True):
        if hit.id == product:
            return place, hit.score
    return None


def _barriers(product: str, values: dict[str, Any], search: Inquiry) -> Iterator[Barrier]:
    place = search.audience.place
    own = place.filter(search.own).conditions
    for condition in search.filter.conditions:
        if not holds([condition], values):
            by: Literal["filter", "words"] = "filter" if condition in own else "words"
            yield _barrier(by, condition, values)
    query = search.request.query
    if query is not None and product in query.like:
        yield Barrier("like")
    for rule in search.plan.rules:
        for selection in rule.hide:
            group = place.hidden(selection)
            if product in selection.ids or (group and holds(group, values)):
                yield Barrier("rule", rule.id, wanted=dict(selection.filters))


def _barrier(
    by: Literal["filter", "words"], condition: Condition, values: dict[str, Any]
) -> Barrier:
    wanted = {
        name: list(value) if isinstance(value, tuple) else value
        for name in condition.__struct_fields__
        if (value := getattr(condition, name)) is not None and value is not False
    }
    return Barrier(by, wanted=wanted, has=values.get(condition.field))


def _in_words(barrier: Barrier) -> str:
    if barrier.by == "like":
        return "it is one of the products to be like"
    if barrier.by == "rule":
        return f"the rule {barrier.rule!r} hides it"
    whose = "the filter" if barrier.by == "filter" else "what was understood of the words"
    asked = ", ".join(f"{name} {value}" for name, value in barrier.wanted.items())
    return f"{whose} wants {asked}, it has {barrier.has!r}"
