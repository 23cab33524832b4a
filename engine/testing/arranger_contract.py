"""What every arranger must do. Inherit :class:`ArrangerContract`, supply ``arranger``::

class TestMine(ArrangerContract):
    @pytest.fixture
    def arranger(self):
        return MyArranger()
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest

from engine.window import Arranger

from .ranker_contract import SIZES, WindowContract, check_declarations


class ArrangerContract(WindowContract):
    """The tests of one arranger."""

    @pytest.fixture
    def arranger(self) -> Arranger:
        """The arranger under test; override it."""
        raise NotImplementedError

    def test_declares_fields_and_vectors(self, arranger: Arranger) -> None:
        check_declarations(arranger)

    @pytest.mark.parametrize("n", SIZES)
    def test_distinct_indices_into_the_window(self, arranger: Arranger, n: int) -> None:
        self.check(arranger.arrange(self.batch(arranger, n)), n)

    def test_copes_with_missing_values(self, arranger: Arranger) -> None:
        self.check(arranger.arrange(self.bare_batch(arranger, 9)), 9)

    def test_copes_with_a_query_without_words(self, arranger: Arranger) -> None:
        self.check(arranger.arrange(self.batch(arranger, 9, text="")), 9)

    def test_leaves_the_batch_alone(self, arranger: Arranger) -> None:
        batch = self.batch(arranger, 30)
        ids, columns = list(batch.ids), copy.deepcopy(batch.columns)
        arranger.arrange(batch)
        assert (batch.ids, batch.columns) == (ids, columns)

    def test_same_batch_same_order_from_any_thread(self, arranger: Arranger) -> None:
        batch = self.batch(arranger, 50)
        expected = np.asarray(arranger.arrange(batch))
        with ThreadPoolExecutor(4) as threads:
            for indices in threads.map(arranger.arrange, [batch] * 12):
                np.testing.assert_array_equal(indices, expected)

    @staticmethod
    def check(indices: npt.NDArray[np.intp], n: int) -> None:
        """Raises AssertionError where the engine would refuse ``indices``."""
        array = np.asarray(indices)
        assert array.ndim == 1
        assert array.size == 0 or array.dtype.kind in "iu"
        assert len(set(array.tolist())) == array.size
        assert all(0 <= index < n for index in array.tolist())
