"""Weighted reciprocal rank fusion: several ranked lists into one.

``score(d) = Σ_lane weight_lane / (k + rank_lane(d))``, ranks from 1 (Cormack, Clarke and
Büttcher, SIGIR 2009). It needs no score calibration between lanes, and every part of a
score can be shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .protocols import Scored
from .types import Candidate, LaneContribution, LaneHit

Ranking = list[tuple[float, str]]
"""(negated fused score, product id), ascending: best first, ties by id."""


def fuse(lanes: Mapping[str, Sequence[Scored]], weights: Mapping[str, float], k: int) -> Ranking:
    """Fuse the lanes' hits; a lane absent from ``weights`` weighs 1."""
    scores: dict[str, float] = {}
    for name, hits in lanes.items():
        weight = weights.get(name, 1.0)
        for rank, hit in enumerate(hits, start=1):
            scores[hit.id] = scores.get(hit.id, 0.0) - weight / (k + rank)
    return sorted((score, id) for id, score in scores.items())


def candidates(ranking: Ranking, lanes: Mapping[str, Sequence[Scored]]) -> list[Candidate]:
    """The ranking's products with the lanes that found each."""
    found = {id: Candidate(id, {}, -score) for score, id in ranking}
    if not found:
        return []
    for name, hits in lanes.items():
        for rank, hit in enumerate(hits, start=1):
            if candidate := found.get(hit.id):
                candidate.lanes[name] = LaneHit(rank, hit.score)
    return list(found.values())


def contributions(
    candidate: Candidate, weights: Mapping[str, float], k: int
) -> dict[str, LaneContribution]:
    """Each lane's part of ``candidate.fused``; they sum to it."""
    return {
        name: LaneContribution(
            hit.rank, hit.score, weights.get(name, 1.0), weights.get(name, 1.0) / (k + hit.rank)
        )
        for name, hit in candidate.lanes.items()
    }
