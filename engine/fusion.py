"""Fusion: several ranked lists into one, by normalised scores or by ranks.

``score(d) = Σ_lane weight_lane · normalized_lane(d)``, over the lanes that found d. By scores,

    normalized = LEAST + (1 − LEAST) · (score − low) / (high − low)

where ``high`` is the lane's best score for this query and ``low`` its last one where the lane is
as long as it was asked to be, else its cut-off, below which it holds nothing (min-max
normalisation of each query's list: Fox and Shaw 1994; compared with rank fusion by Bruch, Gai and
Ingber, ACM TOIS 2023). By ranks, ``normalized = 1 / (k + rank)``: reciprocal rank fusion (Cormack,
Clarke and Büttcher, SIGIR 2009). Equal scores of a lane have one rank and count alike.
``docs/decisions/0014-score-fusion.md`` has the comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct, field

from .protocols import Scored
from .types import Candidate, LaneContribution, LaneHit

LEAST = 0.05
"""What the last hit of a lane still counts, against 1 for its best: being found is better than not,
and rankers can multiply it. 0 to 0.1 differ by less than 0.002 nDCG."""

Ranking = list[tuple[float, str]]
"""(negated fused score, product id), ascending: best first, ties by id."""


class Scale(Struct, frozen=True, gc=False):
    """The two raw scores of a lane that count :data:`LEAST` and 1."""

    low: float
    high: float

    def normalized(self, scores: Iterable[float]) -> list[float]:
        """In [LEAST, 1]; 1 where all scores of the lane are equal."""
        low, span, rest = self.low, self.high - self.low, 1.0 - LEAST
        if span <= 0:
            return [1.0 for _ in scores]
        return [LEAST + rest * ((score - low) / span) for score in scores]


class Fusion(Struct, frozen=True):
    """How one search fuses: ``weights`` by lane (1 where not named, 0: as if it were not there),
    ``scales`` of the lanes by scores, ``k`` of the method "rrf"."""

    weights: Mapping[str, float]
    method: Literal["scores", "rrf"] = "scores"
    k: int = 60
    scales: dict[str, Scale] = field(default_factory=dict)

    def weight(self, lane: str) -> float:
        return self.weights.get(lane, 1.0)


def scales_of(
    lanes: Mapping[str, Sequence[Scored]], floors: Mapping[str, float | None], depth: int
) -> dict[str, Scale]:
    """The scales of lanes that were cut off below ``floors`` (``None``: nowhere) and read down to
    ``depth`` hits."""
    found: dict[str, Scale] = {}
    for name, hits in lanes.items():
        if hits:
            last, floor = hits[-1].score, floors.get(name)
            low = last if floor is None or len(hits) >= depth else floor
            found[name] = Scale(low, hits[0].score)
    return found


def fuse(lanes: Mapping[str, Sequence[Scored]], fusion: Fusion) -> Ranking:
    """Fuse the lanes' hits."""
    scores: dict[str, float] = {}
    for name, hits in lanes.items():
        weight = fusion.weight(name)
        if not weight or not hits:
            continue
        if fusion.method == "rrf":
            shares = [1.0 / (fusion.k + rank) for rank in ranks_of(hits)]
        else:
            shares = fusion.scales[name].normalized(hit.score for hit in hits)
        for hit, share in zip(hits, shares, strict=True):
            scores[hit.id] = scores.get(hit.id, 0.0) - weight * share
    return sorted((score, id) for id, score in scores.items())


def candidates(
    ranking: Ranking, lanes: Mapping[str, Sequence[Scored]], fusion: Fusion
) -> list[Candidate]:
    """The ranking's products with the lanes that found each."""
    found = {id: Candidate(id, {}, -score) for score, id in ranking}
    if not found:
        return []
    for name, hits in lanes.items():
        if not fusion.weight(name):
            continue
        for hit, rank in zip(hits, ranks_of(hits), strict=True):
            if candidate := found.get(hit.id):
                candidate.lanes[name] = LaneHit(rank, hit.score)
    return list(found.values())


def contributions(candidate: Candidate, fusion: Fusion) -> dict[str, LaneContribution]:
    """Each lane's part of ``candidate.fused``; in this order they sum to it, to the last bit."""
    found: dict[str, LaneContribution] = {}
    for name, hit in candidate.lanes.items():
        weight = fusion.weight(name)
        if fusion.method == "rrf":
            share = 1.0 / (fusion.k + hit.rank)
        else:
            (share,) = fusion.scales[name].normalized([hit.score])
        found[name] = LaneContribution(hit.rank, hit.score, share, weight, weight * share)
    return found


def ranks_of(hits: Sequence[Scored]) -> Iterator[int]:
    """Ranks from 1; equal scores have the rank of the first of them."""
    rank, before = 0, None
    for place, hit in enumerate(hits, start=1):
        if hit.score != before:
            rank, before = place, hit.score
        yield rank
