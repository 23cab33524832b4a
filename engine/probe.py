"""Shows a window as rankers see it, by taking part in a search as the last ranker of its profile.

For offline work on rankings: training, evaluation, what a plugin's author wants to look at. As
the search itself makes the window, what is learned from it is what will be ranked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from .guard import DaemonPool, Guard
from .live import Live
from .plan import QueryPlan
from .protocols import Vectors
from .search import run_search
from .settings import SearchSettings
from .types import SearchRequest
from .window import RankingBatch

_PATIENCE_S = 60.0
"""The probe only keeps what it is given; a machine may be slow to give it."""


class _Probe:
    """A ranker that changes nothing and keeps what it saw."""

    def __init__(self, fields: Sequence[str], vectors: Sequence[str]) -> None:
        self.required_fields = tuple(fields)
        self.required_vectors = tuple(vectors)
        self.seen: RankingBatch | None = None

    def rank(self, batch: RankingBatch) -> Vectors:
        self.seen = batch
        return batch.scores


def run_window(
    request: SearchRequest,
    live: Live,
    settings: SearchSettings,
    pool: DaemonPool,
    fields: Sequence[str],
    vectors: Sequence[str],
) -> RankingBatch:
    """The window of a validated request after its profile's rankers; see
    :meth:`engine.core.Engine.window`."""
    probe = _Probe(fields, vectors)
    guard = Guard("window", pool, _PATIENCE_S, 0.0)
    profile = live.pipelines[request.profile]
    watched = replace(profile, rankers=(*profile.rankers, (guard, probe)), arrangers=())
    live = replace(live, pipelines={**live.pipelines, request.profile: watched})
    page = {"limit": 1, "offset": 0, "facets": (), "sort": None, "explain": False}
    answer = run_search(msgspec.structs.replace(request, **page), live, settings)
    return probe.seen or _nothing(answer.plan, request)


def _nothing(plan: QueryPlan, request: SearchRequest) -> RankingBatch:
    """The window where nothing was found, or there was nothing to rank."""
    return RankingBatch([], np.zeros(0, np.float32), {}, {}, plan, request)
