"""What every arranger must do. Inherit :class:`ArrangerContract`, supply ``arranger``::

class TestMine(ArrangerContract):
    @pytest.fixture
    def arranger(self):
        return MyArranger(MyOptions())
"""

from __future__ import annotations

import pytest

from engine.conformance import ARRANGER, ARRANGER_ADVICE, Clause, Windows
from engine.window import Arranger

from .ranker_contract import WindowContract


class ArrangerContract(WindowContract):
    """The tests of one arranger."""

    @pytest.fixture
    def arranger(self) -> Arranger:
        """The arranger under test; override it."""
        raise NotImplementedError

    @pytest.mark.parametrize("clause", ARRANGER, ids=lambda clause: clause.__name__)
    def test_contract(self, arranger: Arranger, clause: Clause) -> None:
        clause(arranger, Windows(arranger, "arrange", self.values))

    @pytest.mark.parametrize("clause", ARRANGER_ADVICE, ids=lambda clause: clause.__name__)
    def test_advice(self, arranger: Arranger, clause: Clause) -> None:
        self.warn(clause, arranger, Windows(arranger, "arrange", self.values))
