"""Weighted reciprocal rank fusion: its laws."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine import Scored
from engine.fusion import candidates, contributions, fuse

K = 60
ids = st.sampled_from([f"p{i}" for i in range(12)])
lane = st.lists(ids, unique=True, max_size=12).map(
    lambda found: [Scored(id, 1.0 - rank / 100) for rank, id in enumerate(found)]
)
lanes_strategy = st.dictionaries(st.sampled_from(["text", "image", "bm25"]), lane, min_size=1)
weight = st.floats(0, 5).filter(lambda w: w == 0 or w > 1e-3)
weights_strategy = st.fixed_dictionaries({"text": weight, "image": weight, "bm25": weight})
Lanes = Mapping[str, list[Scored]]


def by_hand(lanes: Lanes, weights: Mapping[str, float]) -> dict[str, float]:
    scores: dict[str, float] = {}
    for name, hits in lanes.items():
        for rank, hit in enumerate(hits, 1):
            scores[hit.id] = scores.get(hit.id, 0.0) + weights[name] / (K + rank)
    return scores


@given(lanes_strategy, weights_strategy)
def test_scores_are_the_papers(lanes: Lanes, weights: dict[str, float]) -> None:
    ranking = fuse(lanes, weights, K)
    expected = by_hand(lanes, weights)
    assert {id for _, id in ranking} == set(expected)
    for negated, id in ranking:
        assert -negated == pytest.approx(expected[id])
    assert ranking == sorted(ranking)


@given(lanes_strategy, weights_strategy)
def test_the_order_of_lanes_does_not_matter(lanes: Lanes, weights: dict[str, float]) -> None:
    turned = dict(reversed(lanes.items()))
    forward, backward = fuse(lanes, weights, K), fuse(turned, weights, K)
    there, back = ({id: score for score, id in ranking} for ranking in (forward, backward))
    assert there == pytest.approx(back)


@given(lanes_strategy, weights_strategy, st.data())
def test_rising_in_a_lane_never_lowers(
    lanes: Lanes, weights: dict[str, float], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(lanes)))
    hits = lanes[name]
    assume(len(hits) > 1)
    i = data.draw(st.integers(1, len(hits) - 1))
    risen = [*hits]
    risen[i - 1], risen[i] = risen[i], risen[i - 1]
    moved = hits[i].id
    before = [id for _, id in fuse(lanes, weights, K)]
    after = [id for _, id in fuse({**lanes, name: risen}, weights, K)]
    others = set(before) - {moved, hits[i - 1].id}
    passed = {id for id in others if after.index(id) < after.index(moved)}
    assert passed <= {id for id in others if before.index(id) < before.index(moved)}


@given(lanes_strategy, weights_strategy, st.sampled_from([0.25, 2.0, 1024.0]))
def test_scaling_all_weights_keeps_the_order(
    lanes: Lanes, weights: dict[str, float], factor: float
) -> None:
    scaled = {name: value * factor for name, value in weights.items()}
    assert [id for _, id in fuse(lanes, weights, K)] == [id for _, id in fuse(lanes, scaled, K)]


@given(lanes_strategy)
def test_a_lane_of_weight_zero_only_lists(lanes: Lanes) -> None:
    ranking = fuse(lanes, {"text": 0.0, "image": 0.0, "bm25": 0.0}, K)
    assert [id for _, id in ranking] == sorted({hit.id for hits in lanes.values() for hit in hits})


@given(lanes_strategy, weights_strategy)
def test_contributions_sum_to_the_fused_score(lanes: Lanes, weights: dict[str, float]) -> None:
    for candidate in candidates(fuse(lanes, weights, K), lanes):
        parts = contributions(candidate, weights, K)
        assert set(parts) == {
            n for n, hits in lanes.items() if candidate.id in {h.id for h in hits}
        }
        assert math.fsum(p.contribution for p in parts.values()) == pytest.approx(candidate.fused)
        for name, part in parts.items():
            hit = lanes[name][part.rank - 1]
            assert (hit.id, hit.score) == (candidate.id, part.score)


def test_ties_are_ordered_by_id_and_an_unnamed_lane_weighs_one() -> None:
    lanes = {"a": [Scored("z", 1.0), Scored("m", 0.5)], "b": [Scored("m", 9.0), Scored("z", 3.0)]}
    ranking = fuse(lanes, {}, K)
    assert [id for _, id in ranking] == ["m", "z"]
    assert ranking[0][0] == ranking[1][0] == pytest.approx(-(1 / 61 + 1 / 62))


def test_candidates_of_a_page_know_all_their_lanes() -> None:
    lanes = {"a": [Scored("x", 1.0), Scored("y", 0.5)], "b": [Scored("y", 9.0)]}
    (y,) = candidates(fuse(lanes, {}, K)[:1], lanes)
    assert (y.id, {name: hit.rank for name, hit in y.lanes.items()}) == ("y", {"a": 2, "b": 1})
    assert candidates([], lanes) == []
