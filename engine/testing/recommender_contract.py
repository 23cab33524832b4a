"""What every recommender must do. Inherit the class, supply the fixture ``recommender``::

class TestMine(RecommenderContract):
    @pytest.fixture
    def recommender(self):
        return MyRecommender(MyOptions())

The clauses are those of :mod:`engine.conformance.recommending`.
"""

from __future__ import annotations

import pytest

from engine.conformance import RECOMMENDER, RecommenderClause
from engine.recommenders import Recommender


class RecommenderContract:
    """The tests of one recommender."""

    @pytest.fixture
    def recommender(self) -> Recommender:
        """A recommender that has learned nothing yet; override it."""
        raise NotImplementedError

    @pytest.mark.parametrize("clause", RECOMMENDER, ids=lambda clause: clause.__name__)
    def test_contract(self, recommender: Recommender, clause: RecommenderClause) -> None:
        clause(recommender)
