"""The figures: worked by hand, and perfect where the encoder is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.evaluation import figure, first_ranks, ndcg, noise_floor


def test_ndcg_by_hand() -> None:
    grades = {"a": 3, "b": 1}
    ideal = 3 + 1 / math.log2(3)
    assert ndcg(["a", "b", "x"], grades) == pytest.approx(1.0)
    assert ndcg(["b", "a"], grades) == pytest.approx((1 + 3 / math.log2(3)) / ideal)
    assert ndcg(["x", "y", "a"], grades) == pytest.approx(3 / 2 / ideal)
    assert ndcg([], grades) == 0.0


def test_ranks_by_hand() -> None:
    """The best of two right answers counts, and a wrong one of the same score before it."""
    scores = np.asarray([[0.1, 0.9, 0.5, 0.3], [0.9, 0.2, 0.2, 0.1]], dtype=np.float32)
    right = np.asarray([[True, False, True, False], [False, True, False, False]])
    assert first_ranks(scores, right).tolist() == [2, 3]


@pytest.mark.parametrize("score", [0.5, np.nan])
def test_a_model_whose_rows_are_all_alike_finds_nothing(score: float) -> None:
    right = np.eye(3, 10, dtype=bool)
    assert first_ranks(np.full((3, 10), score, np.float32), right).tolist() == [10, 10, 10]


def test_the_interval_holds_the_mean() -> None:
    values = np.random.default_rng(0).random(500)
    result = figure(values)
    assert result.low < result.value < result.high
    assert result.value == pytest.approx(values.mean())
    assert result.high - result.low == pytest.approx(2 * 1.96 * values.std() / 500**0.5, rel=0.15)
    assert figure([1.0] * 9) == type(result)(1.0, 1.0, 1.0, 9)


def test_noise_floor_is_the_99th_percentile_of_random_pairs() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2000, 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    # Cosines of random directions are nearly normal with deviation 1 / sqrt(dim).
    assert noise_floor(rows[:1000], rows[1000:]) == pytest.approx(2.326 / 8, abs=0.02)
