"""What every ranker must do. Inherit :class:`RankerContract`, supply the fixture ``ranker``::

class TestMine(RankerContract):
    @pytest.fixture
    def ranker(self):
        return MyRanker()
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from engine.plan import QueryPlan
from engine.protocols import Vectors
from engine.schema import CORE_FIELDS, FieldKind
from engine.types import Query, SearchRequest
from engine.window import Arranger, Ranker, RankingBatch

LANES = ("bm25", "image", "text")
VECTOR_DIM = 16
SIZES = (1, 2, 7, 200)


def make_batch(
    n: int,
    columns: Mapping[str, Sequence[Any]] | None = None,
    vectors: Mapping[str, Vectors] | None = None,
    *,
    text: str = "red leather purse",
) -> RankingBatch:
    """A window of ``n`` candidates as the engine hands it out: falling scores, some products
    missing from each lane, arrays read-only. Without ``text`` it is a photo's."""
    rng = np.random.default_rng(n)
    found = {lane: rng.random(n) < 0.7 for lane in (LANES if text else ("photo",))}
    ranks = {lane: rng.permutation(n).astype(np.int32) + 1 for lane in found}
    batch = RankingBatch(
        ids=[f"p{i:04d}" for i in range(n)],
        scores=np.sort(rng.uniform(0.01, 0.05, n))[::-1].astype(np.float32),
        lane_ranks={lane: np.where(held, ranks[lane], 0) for lane, held in found.items()},
        lane_scores={
            lane: np.where(held, 1 / ranks[lane], np.nan).astype(np.float32)
            for lane, held in found.items()
        },
        plan=QueryPlan(original=text, text=text, locale="en"),
        request=SearchRequest(Query(text=text or None)),
        columns={name: list(values) for name, values in (columns or {}).items()},
        vectors=dict(vectors or {}),
    )
    for array in _arrays(batch):
        array.flags.writeable = False
    return batch


def _arrays(batch: RankingBatch) -> list[npt.NDArray[Any]]:
    groups = (batch.lane_ranks, batch.lane_scores, batch.vectors)
    return [batch.scores, *(array for group in groups for array in group.values())]


class WindowContract:
    """What rankers and arrangers have in common; not to be inherited directly."""

    def values(self, field: str, n: int) -> list[Any]:
        """``n`` plausible values of a declared field, some missing. Override it for
        attributes that are not words."""
        kind = FieldKind.KEYWORD if field == "title" else CORE_FIELDS.get(field, FieldKind.KEYWORD)
        made: dict[FieldKind, list[Any]] = {
            FieldKind.KEYWORD: [f"{field} {i % 5}" for i in range(n)],
            FieldKind.NUMBER: [float(i % 11) for i in range(n)],
            FieldKind.BOOLEAN: [i % 3 > 0 for i in range(n)],
        }
        if field == "category":
            return [["A", f"A > {i % 4}"] if i % 6 else None for i in range(n)]
        return [value if i % 7 or field == "title" else None for i, value in enumerate(made[kind])]

    def batch(self, plugin: Ranker | Arranger, n: int, **changes: Any) -> RankingBatch:
        """A window with the columns and vectors that ``plugin`` declares."""
        rows = np.random.default_rng(1).standard_normal((n, VECTOR_DIM)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        rows[::5] = 0  # no photo
        columns = {field: self.values(field, n) for field in plugin.required_fields}
        vectors = {using: rows.copy() for using in plugin.required_vectors}
        return make_batch(n, columns, vectors, **changes)

    def bare_batch(self, plugin: Ranker | Arranger, n: int) -> RankingBatch:
        """A window whose products have none of what ``plugin`` declares."""
        columns = {field: [None] * n for field in plugin.required_fields}
        nothing = np.zeros((n, VECTOR_DIM), np.float32)
        return make_batch(n, columns, {using: nothing.copy() for using in plugin.required_vectors})


def check_declarations(plugin: Ranker | Arranger) -> None:
    """Fields and vectors are sequences of names, not one string."""
    declared: tuple[object, ...] = (plugin.required_fields, plugin.required_vectors)
    for names in declared:
        assert isinstance(names, Sequence)
        assert not isinstance(names, str)
        assert all(isinstance(name, str) for name in names)
    assert set(plugin.required_vectors) <= {"text", "image"}


class RankerContract(WindowContract):
    """The tests of one ranker."""

    @pytest.fixture
    def ranker(self) -> Ranker:
        """The ranker under test; override it."""
        raise NotImplementedError

    def test_declares_fields_and_vectors(self, ranker: Ranker) -> None:
        check_declarations(ranker)

    @pytest.mark.parametrize("n", SIZES)
    def test_one_finite_score_per_candidate(self, ranker: Ranker, n: int) -> None:
        self.check(ranker.rank(self.batch(ranker, n)), n)

    def test_copes_with_missing_values(self, ranker: Ranker) -> None:
        self.check(ranker.rank(self.bare_batch(ranker, 9)), 9)

    def test_copes_with_a_query_without_words(self, ranker: Ranker) -> None:
        self.check(ranker.rank(self.batch(ranker, 9, text="")), 9)

    def test_leaves_the_batch_alone(self, ranker: Ranker) -> None:
        batch = self.batch(ranker, 30)
        ids, columns = list(batch.ids), copy.deepcopy(batch.columns)
        ranker.rank(batch)
        assert (batch.ids, batch.columns) == (ids, columns)

    def test_same_batch_same_scores_from_any_thread(self, ranker: Ranker) -> None:
        batch = self.batch(ranker, 50)
        expected = np.asarray(ranker.rank(batch))
        with ThreadPoolExecutor(4) as threads:
            for scores in threads.map(ranker.rank, [batch] * 12):
                np.testing.assert_array_equal(scores, expected)

    @staticmethod
    def check(scores: Vectors, n: int) -> None:
        """Raises AssertionError where the engine would refuse ``scores``."""
        array = np.asarray(scores)
        assert array.shape == (n,)
        assert array.dtype.kind == "f"
        assert np.isfinite(array).all()
