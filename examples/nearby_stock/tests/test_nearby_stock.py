"""Ranker ``nearby-stock``: the contract of every ranker, and what this one is for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from msgspec import structs

from engine import InvalidSettings, PluginManager, RankingBatch, SearchRequest
from engine.testing import RankerContract, make_batch
from nearby_stock import NearbyStock, Options

NEAR = {"FR": ("lyon", "lille"), "CH": ("lyon",)}
STOCK = [["leipzig"], ["lille", "lyon"], "lille", None]


def window(market: str | None) -> RankingBatch:
    batch = make_batch(len(STOCK), {"warehouses": STOCK})
    return structs.replace(batch, request=SearchRequest(market=market))


class TestContract(RankerContract):
    @pytest.fixture
    def ranker(self) -> NearbyStock:
        return NearbyStock(Options(NEAR))

    def values(self, field: str, n: int) -> list[Any]:
        """Warehouses as a catalogue has them, so that the contract is tried on lifts, too."""
        return [STOCK[i % len(STOCK)] for i in range(n)]


def test_what_is_near_rises() -> None:
    batch = window("FR")
    scores = NearbyStock(Options(NEAR, lift=0.5)).rank(batch)
    np.testing.assert_allclose(scores, batch.scores * [1, 1.5, 1.5, 1], rtol=1e-6)


@pytest.mark.parametrize("market", [None, "US"])
def test_other_markets_are_left_alone(market: str | None) -> None:
    batch = window(market)
    np.testing.assert_array_equal(NearbyStock(Options(NEAR)).rank(batch), batch.scores)


def test_names_the_warehouse() -> None:
    batch = window("FR")
    reasons = NearbyStock(Options(NEAR, lift=0.5)).explain(batch, np.array([2, 1, 0]))
    assert reasons == [
        {"in stock at lille": pytest.approx(batch.scores[2] / 2)},
        {"in stock at lyon": pytest.approx(batch.scores[1] / 2)},
        {},
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "near"),
        ({"near": {"FR": []}}, "no warehouse is given for FR"),
        ({"near": NEAR, "lift": 0}, "lift"),
        ({"near": NEAR, "boost": 2}, "boost"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSettings, match=says):
        PluginManager().create("rankers", "nearby-stock", options)
