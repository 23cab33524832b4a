"""The built-in recommenders: each keeps the contract and does what its page says."""

from __future__ import annotations

import pytest

from engine import Recommender
from engine.testing import RecommenderContract
from plugins.recommenders.content import Content
from plugins.recommenders.cooccurrence import BoughtTogether, ViewedTogether
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
