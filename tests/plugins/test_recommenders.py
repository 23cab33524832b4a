"""The built-in recommenders: each keeps the contract and does what its page says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import Event, Learns, Recommended, Recommender, read_interactions
from engine.conformance import an_occasion, examine
from engine.testing import RecommenderContract
from engine.testing.event_data import NOW, make_event
from plugins.recommenders.content import Content
from plugins.recommenders.cooccurrence import (
    NEIGHBOURS,
    REACH,
    BoughtTogether,
    ViewedTogether,
    log_likelihood,
)
from plugins.recommenders.newest import Newest
from plugins.recommenders.popularity import (
    Popularity,
    PopularityOptions,
    Trending,
    TrendingOptions,
)


class TestBoughtTogether(RecommenderContract):
    @pytest.fixture
    def recommender(self) -> Recommender:
        return BoughtTogether()


class TestViewedTogether(RecommenderContract):
    @pytest.fixture
    def recommender(self) -> Recommender:
        return ViewedTogether()


class TestContent(RecommenderContract):
    @pytest.fixture
    def recommender(self) -> Recommender:
        return Content()


class TestPopularity(RecommenderContract):
    @pytest.fixture
    def recommender(self) -> Recommender:
        return Popularity(PopularityOptions())


class TestTrending(RecommenderContract):
    @pytest.fixture
    def recommender(self) -> Recommender:
        return Trending(TrendingOptions())


class TestNewest(RecommenderContract):
    @pytest.fixture
    def recommender(self) -> Recommender:
        return Newest()


DAY = timedelta(days=1)


def visits(
    shoppers: Sequence[int], products: Sequence[str], type: str = "view", **given: Any
) -> list[Event]:
    """Each of these shoppers in one session of their own with all of these products."""
    return [
        make_event(
            type, [id], user_id=f"u{n}", session_id=f"s{n}{products[0]}", **{"time": NOW, **given}
        )
        for n in shoppers
        for id in products
    ]


def named(
    recommender: Any, events: Sequence[Event], seeds: Sequence[str], n: int = 50
) -> list[str]:
    assert isinstance(recommender, Learns)
    recommender.learn(read_interactions([events], NOW))
    asked: Recommender = recommender  # type: ignore[assignment]
    return [each.id for each in asked.recommend(an_occasion(seeds=seeds), n)]


def test_the_log_likelihood_ratio_is_dunnings() -> None:
    """ "the swiss" in table 2 of his paper: 110 of 2552 and 221 among 31,777, 270.72."""
    ratio = log_likelihood(np.asarray([110.0]), np.asarray([2552.0]), np.asarray([221.0]), 31777.0)
    assert ratio == pytest.approx(270.72, abs=0.01)


def test_pairs_less_frequent_than_chance_are_none() -> None:
    counts = np.asarray([5.0, 0.0]), np.asarray([50.0, 50.0]), np.asarray([50.0, 50.0])
    assert log_likelihood(*counts, 100.0).tolist() == [0.0, 0.0]


CROWD = visits(range(100, 140), ["p030"])
"""Others, without whom nothing would be surprising."""


def test_what_is_bought_together() -> None:
    events = [
        *visits(range(10), ["p001", "p002"], "purchase"),
        *visits(range(4), ["p003", "p001"], "cart"),
        *visits(range(20, 40), ["p001", "p009"], "view"),
        *visits(range(50, 90), ["p030"], "purchase"),
    ]
    assert named(BoughtTogether(), events, ["p001"]) == ["p002", "p003"]


def test_what_is_viewed_together() -> None:
    events = [
        *visits(range(10), ["p001", "p002"], "purchase"),
        *visits(range(20, 40), ["p001", "p009"], "view"),
        *CROWD,
    ]
    assert named(ViewedTogether(), events, ["p001"]) == ["p009", "p002"]
    assert named(ViewedTogether(), events, ["p030"]) == []


def test_a_single_shopper_makes_no_pair_however_often_they_come() -> None:
    often = [
        event
        for n in range(50)
        for id in ("p001", "p002")
        for event in [make_event("view", [id], user_id="u1", session_id=f"s{n}", time=NOW)]
    ]
    assert named(ViewedTogether(), [*often, *CROWD], ["p001"]) == []
    other = visits([2], ["p001", "p002"])
    assert named(ViewedTogether(), [*often, *other, *CROWD], ["p001"]) == ["p002"]


def test_different_visits_make_no_pair() -> None:
    apart = [*visits(range(10), ["p001"]), *visits(range(10), ["p002"])]
    assert named(ViewedTogether(), [*apart, *CROWD], ["p001"]) == []


def test_what_is_far_apart_in_a_visit_makes_no_pair() -> None:
    """Two shoppers, for a pair of one is none anyway; what is looked at again counts once."""
    long = [f"p{n:03}" for n in range(REACH + 2)]
    again = [*long[:2], *long]
    found = named(ViewedTogether(), [*visits([1, 2], again), *CROWD], [long[0]])
    assert set(found) == set(long[1 : REACH + 1])


def test_a_product_keeps_its_best_neighbours_alone() -> None:
    events = [
        event
        for n in range(NEIGHBOURS + 20)
        for event in visits([3 * n, 3 * n + 1], ["p000", f"other-{n}"])
    ] + visits(range(1000, 2000), ["p030"])
    learned = ViewedTogether()
    learned.learn(read_interactions([events], NOW))
    assert learned._neighbours is not None
    assert len(learned._neighbours.of("p000")) == NEIGHBOURS


def test_the_surer_seed_tells_more() -> None:
    events = [
        *visits(range(20), ["p001", "p002"]),
        *visits(range(40, 43), ["p003", "p004"]),
        *CROWD,
    ]
    assert named(ViewedTogether(), events, ["p001", "p003"]) == ["p002", "p004"]


def test_popularity_decays() -> None:
    events = [
        *visits(range(10), ["p001"], time=NOW - 30 * DAY),
        *visits(range(10, 14), ["p002"]),
        *visits([20], ["p003"], "purchase"),
    ]
    assert named(Popularity(PopularityOptions()), events, ["p009"]) == ["p003", "p002", "p001"]
    slow = Popularity(PopularityOptions(half_life_days=1000))
    assert named(slow, events, ["p009"]) == ["p001", "p003", "p002"]


def test_what_is_trending_rises() -> None:
    """As much as ever, more than ever, and of one shopper alone."""
    steady = [e for day in range(60) for e in visits([day, 100], ["p001"], time=NOW - day * DAY)]
    rising = visits(range(200, 220), ["p002"])
    alone = [make_event("view", ["p003"], user_id="u9", time=NOW) for _ in range(20)]
    found = named(Trending(TrendingOptions()), [*steady, *rising, *alone], ["p009"])
    assert found == ["p002"]


def test_content_says_by_which_vectors() -> None:
    found = Content().recommend(an_occasion(seeds=["p001", "p002"]), 50)
    assert {each.because for each in found} == {"p001", "p002"}
    assert {each.kind for each in found} <= {"similar", "looks_like"}
    assert len(found) == 38


def test_the_example_of_the_guide_keeps_the_contract() -> None:
    text = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
    (example,) = (
        b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "class Sale" in b
    )
    made: dict[str, Any] = {"Recommended": Recommended}
    exec(example, made)
    assert [each for each in examine("recommenders", made["Sale"]()) if each.broken] == []
    occasion = an_occasion()
    columns = {"price": [8.0, 5.0, 9.0], "old_price": [None, 10.0, 9.0]}
    occasion.assortment.browse = lambda n: ["a", "b", "c"]  # type: ignore[method-assign]
    occasion.assortment.columns = lambda ids, fields: columns  # type: ignore[method-assign]
    assert [each.id for each in made["Sale"]().recommend(occasion, 5)] == ["b"]
