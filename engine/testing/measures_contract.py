"""What every library of measures must compute. Inherit the class, say what is tested::

class TestMine(MeasuresContract):
    @pytest.fixture
    def measures(self):
        return MyMeasures()

The expected values were computed by hand from the formulas.
"""

from __future__ import annotations

from math import log2

import pytest

from engine.errors import InvalidRequest
from engine.evaluation.measures import Measures

QRELS = {"a": {"p1": 3.0, "p2": 2.0, "p3": 0.0, "p4": 1.0}, "b": {"p1": 1.0}}
RANKINGS = {"a": ["p3", "new", "p2", "p1"], "b": ["new", "other"]}
IDEAL = 3 + 2 / log2(3) + 1 / 2
NAMES = ("nDCG@10", "nDCG@3", "RR@10", "MRR@10", "R@3", "R@100", "P@4", "condensed nDCG@2")
BY_HAND = {
    # places 3 and 4 hold grades 2 and 3: discounts log2(4) = 2 and log2(5)
    "nDCG@10": (2 / 2 + 3 / log2(5)) / IDEAL,
    "nDCG@3": (2 / 2) / IDEAL,
    "RR@10": 1 / 3,
    "MRR@10": 1 / 3,
    "R@3": 1 / 3,  # of p1, p2 and p4
    "R@100": 2 / 3,
    "P@4": 2 / 4,
    # without "new": p3, p2 | p1, and the ideal of two places
    "condensed nDCG@2": (2 / log2(3)) / (3 + 2 / log2(3)),
}


class MeasuresContract:
    """The tests of one library of measures."""

    @pytest.fixture
    def measures(self) -> Measures:
        """What is tested; override it."""
        raise NotImplementedError

    def test_values_are_those_computed_by_hand(self, measures: Measures) -> None:
        found = measures.per_query(NAMES, QRELS, RANKINGS, relevant=1.0)
        for name, value in BY_HAND.items():
            assert found[name]["a"] == pytest.approx(value), name
            assert found[name]["b"] == 0.0, name

    def test_a_query_without_a_ranking_found_nothing(self, measures: Measures) -> None:
        found = measures.per_query(("nDCG@10",), QRELS, {"a": ["p1"]}, relevant=1.0)
        assert found["nDCG@10"] == {"a": pytest.approx(3 / IDEAL), "b": 0.0}

    def test_grades_need_not_be_whole(self, measures: Measures) -> None:
        halves = {q: {p: grade / 6 for p, grade in judged.items()} for q, judged in QRELS.items()}
        found = measures.per_query(("nDCG@10", "R@100"), halves, RANKINGS, relevant=1 / 6)
        assert found["nDCG@10"]["a"] == pytest.approx(BY_HAND["nDCG@10"], rel=1e-2)
        assert found["R@100"]["a"] == pytest.approx(BY_HAND["R@100"])

    def test_what_counts_as_relevant_can_be_said(self, measures: Measures) -> None:
        found = measures.per_query(("R@100", "RR@10"), QRELS, RANKINGS, relevant=3.0)
        assert (found["R@100"]["a"], found["RR@10"]["a"]) == (1.0, 1 / 4)

    def test_order_alone_counts_among_equals(self, measures: Measures) -> None:
        """Also where ids would sort the other way."""
        qrels = {"q": {"z": 1.0}}
        for ranking, value in ((["z", "a"], 1.0), (["a", "z"], 0.5)):
            assert measures.per_query(("RR@10",), qrels, {"q": ranking}, 1.0)["RR@10"]["q"] == value

    def test_an_unknown_measure_is_refused(self, measures: Measures) -> None:
        for name in ("quality@10", "nDCG@ten", ""):
            with pytest.raises(InvalidRequest):
                measures.per_query((name,), QRELS, RANKINGS, relevant=1.0)
