"""Fusion of lanes, by normalised scores and by ranks: its laws."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine import Scored
from engine.fusion import LEAST, Fusion, candidates, contributions, fuse, ranks_of, scales_of

K = 60
DEPTH = 8
ids = st.sampled_from([f"p{i}" for i in range(12)])
raw = st.integers(1, 6).map(lambda tenths: tenths / 10)
lane = st.dictionaries(ids, raw, max_size=DEPTH).map(
    lambda found: [
        Scored(id, score) for id, score in sorted(found.items(), key=lambda h: (-h[1], h[0]))
    ]
)
lanes_strategy = st.dictionaries(st.sampled_from(["text", "image", "bm25"]), lane, min_size=1)
weight = st.floats(0, 5).filter(lambda w: w == 0 or w > 1e-3)
weights_strategy = st.fixed_dictionaries({"text": weight, "image": weight, "bm25": weight})
methods = st.sampled_from(["scores", "rrf"])
Lanes = Mapping[str, list[Scored]]


def fusion_of(lanes: Lanes, weights: Mapping[str, float], method: str = "scores") -> Fusion:
    if method == "rrf":
        return Fusion(weights, "rrf", K)
    return Fusion(weights, "scores", K, scales_of(lanes, dict.fromkeys(lanes, 0.0), DEPTH))


def order(lanes: Lanes, fusion: Fusion) -> list[str]:
    return [id for _, id in fuse(lanes, fusion)]


@given(lanes_strategy, weights_strategy)
def test_ranks_are_fused_as_in_the_paper(lanes: Lanes, weights: dict[str, float]) -> None:
    expected: dict[str, float] = {}
    for name, hits in lanes.items():
        for hit in hits:
            rank = 1 + sum(other.score > hit.score for other in hits)
            expected[hit.id] = expected.get(hit.id, 0.0) + weights[name] / (K + rank)
    ranking = fuse(lanes, fusion_of(lanes, weights, "rrf"))
    for negated, id in ranking:
        assert -negated == pytest.approx(expected[id])
    weighty = {hit.id for name, hits in lanes.items() if weights[name] for hit in hits}
    assert {id for _, id in ranking} == weighty
    assert ranking == sorted(ranking)


@given(lanes_strategy, weights_strategy, methods)
def test_the_order_of_lanes_does_not_matter(
    lanes: Lanes, weights: dict[str, float], method: str
) -> None:
    turned = dict(reversed(lanes.items()))
    fusion = fusion_of(lanes, weights, method)
    there, back = ({id: score for score, id in fuse(found, fusion)} for found in (lanes, turned))
    assert there == pytest.approx(back)


@given(lanes_strategy, weights_strategy, methods, st.data())
def test_a_better_score_in_a_lane_never_lowers(
    lanes: Lanes, weights: dict[str, float], method: str, data: st.DataObject
) -> None:
    """The scale stays, as it does where neither the best nor the last hit changes."""
    name = data.draw(st.sampled_from(sorted(lanes)))
    assume(lanes[name])
    moved = data.draw(st.sampled_from(lanes[name]))
    better = min(moved.score + data.draw(raw), lanes[name][0].score)
    risen = [h for h in lanes[name] if h.id != moved.id] + [Scored(moved.id, better)]
    risen.sort(key=lambda hit: (-hit.score, hit.id))
    fusion = fusion_of(lanes, weights, method)
    before, after = order(lanes, fusion), order({**lanes, name: risen}, fusion)
    if moved.id in before:
        assert after.index(moved.id) <= before.index(moved.id)


@given(lanes_strategy, weights_strategy, methods, st.sampled_from([0.25, 2.0, 1024.0]))
def test_scaling_all_weights_keeps_the_order(
    lanes: Lanes, weights: dict[str, float], method: str, factor: float
) -> None:
    scaled = {name: value * factor for name, value in weights.items()}
    before, after = (fusion_of(lanes, w, method) for w in (weights, scaled))
    assert order(lanes, before) == order(lanes, after)


@given(lanes_strategy, weights_strategy, methods)
def test_a_lane_of_weight_zero_is_absent(
    lanes: Lanes, weights: dict[str, float], method: str
) -> None:
    name = min(lanes)
    off = fusion_of(lanes, {**weights, name: 0.0}, method)
    rest = {other: hits for other, hits in lanes.items() if other != name}
    ranking = fuse(lanes, off)
    assert ranking == fuse(rest, off)
    assert candidates(ranking, lanes, off) == candidates(ranking, rest, off)


@given(lanes_strategy, weights_strategy, methods)
def test_equal_scores_count_alike(lanes: Lanes, weights: dict[str, float], method: str) -> None:
    """Whatever their ids: with one lane alone, products of one score have one fused score."""
    fusion = fusion_of(lanes, weights, method)
    for name, hits in lanes.items():
        fused = {id: score for score, id in fuse({name: hits}, fusion)}
        for one in hits:
            for other in hits:
                if one.score == other.score and weights[name]:
                    assert fused[one.id] == fused[other.id]


@given(
    lanes_strategy,
    weights_strategy,
    st.sampled_from([0.5, 4.0, 1024.0]),
    st.sampled_from([-8.0, 0.0, 2.0]),
)
def test_scores_are_fused_whatever_their_unit(
    lanes: Lanes, weights: dict[str, float], factor: float, shift: float
) -> None:
    def moved(score: float) -> float:
        return score * factor + shift

    other = {n: [Scored(h.id, moved(h.score)) for h in hits] for n, hits in lanes.items()}
    before = Fusion(weights, scales=scales_of(lanes, dict.fromkeys(lanes, 0.0), DEPTH))
    after = Fusion(weights, scales=scales_of(other, dict.fromkeys(lanes, moved(0.0)), DEPTH))
    there, back = ({id: s for s, id in fuse(*pair)} for pair in ((lanes, before), (other, after)))
    assert there == pytest.approx(back)


@given(lanes_strategy, weights_strategy, methods)
def test_contributions_sum_to_the_fused_score_to_the_last_bit(
    lanes: Lanes, weights: dict[str, float], method: str
) -> None:
    fusion = fusion_of(lanes, weights, method)
    for candidate in candidates(fuse(lanes, fusion), lanes, fusion):
        parts = contributions(candidate, fusion)
        assert sum(part.contribution for part in parts.values()) == candidate.fused
        for name, part in parts.items():
            (hit,) = [hit for hit in lanes[name] if hit.id == candidate.id]
            assert part.score == hit.score
            assert part.rank == 1 + sum(other.score > hit.score for other in lanes[name])
            assert part.contribution == part.weight * part.normalized
            assert part.weight == weights[name]
            assert method == "rrf" or LEAST <= part.normalized <= 1


@given(lane.filter(bool))
def test_the_best_of_a_lane_counts_one_and_the_last_of_a_full_one_the_least(
    hits: list[Scored],
) -> None:
    (scale,) = scales_of({"text": hits}, {}, DEPTH).values()
    shares = scale.normalized(hit.score for hit in hits)
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == pytest.approx(1.0 if hits[0].score == hits[-1].score else LEAST)
    floored = scales_of({"text": hits}, {"text": 0.05}, DEPTH)["text"]
    assert floored.low == (hits[-1].score if len(hits) == DEPTH else 0.05)


def test_the_more_a_photo_weighs_the_higher_stands_what_it_favours() -> None:
    words = [Scored("w", 0.9), Scored("both", 0.6), Scored("p", 0.3)]
    photo = [Scored("p", 0.8), Scored("both", 0.7), Scored("w", 0.2)]
    lanes = {"text": words, "photo": photo}
    scales = scales_of(lanes, {}, DEPTH)
    places = []
    for hundredth in range(101):
        weights = {"text": 1 - hundredth / 100, "photo": hundredth / 100}
        places.append(order(lanes, Fusion(weights, scales=scales)).index("p"))
    assert places == sorted(places, reverse=True)
    assert (places[0], places[-1]) == (2, 0)


def test_ties_are_ordered_by_id_and_an_unnamed_lane_weighs_one() -> None:
    lanes = {"a": [Scored("z", 1.0), Scored("m", 0.5)], "b": [Scored("m", 9.0), Scored("z", 3.0)]}
    ranking = fuse(lanes, Fusion({}, "rrf", K))
    assert [id for _, id in ranking] == ["m", "z"]
    assert ranking[0][0] == ranking[1][0] == pytest.approx(-(1 / 61 + 1 / 62))


def test_equal_scores_share_a_rank() -> None:
    hits = [Scored("a", 0.9), Scored("b", 0.5), Scored("c", 0.5), Scored("d", 0.1)]
    assert list(ranks_of(hits)) == [1, 2, 2, 4]


def test_candidates_of_a_page_know_all_their_lanes() -> None:
    lanes = {"a": [Scored("x", 1.0), Scored("y", 0.5)], "b": [Scored("y", 9.0)]}
    fusion = Fusion({}, "rrf", K)
    (y,) = candidates(fuse(lanes, fusion)[:1], lanes, fusion)
    assert (y.id, {name: hit.rank for name, hit in y.lanes.items()}) == ("y", {"a": 2, "b": 1})
    assert candidates([], lanes, fusion) == []
