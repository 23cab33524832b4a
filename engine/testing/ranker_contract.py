"""What every ranker must do. Inherit :class:`RankerContract`, supply the fixture ``ranker``::

class TestMine(RankerContract):
    @pytest.fixture
    def ranker(self):
        return MyRanker(MyOptions())

The clauses are those of :mod:`engine.conformance.ranking`; advice that is not followed is a
warning.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from engine.conformance import (
    RANKER,
    RANKER_ADVICE,
    Clause,
    ContractAdvice,
    ContractBroken,
    Windows,
    make_batch,
    values_of,
)
from engine.schema import FieldKind
from engine.window import Ranker

__all__ = ["RankerContract", "WindowContract", "make_batch"]


class WindowContract:
    """What rankers' and arrangers' tests have in common; not to be inherited directly."""

    kinds: dict[str, FieldKind] = {}  # noqa: RUF012 -- a subclass sets its own
    """The kinds of the attributes that the component requires; keyword where none is given."""

    def values(self, field: str, n: int) -> list[Any]:
        """``n`` plausible values of a declared field, some missing. Override it for values that
        :attr:`kinds` cannot describe."""
        return values_of(self.kinds)(field, n)

    @staticmethod
    def warn(clause: Clause, component: Any, windows: Windows) -> None:
        """Advice that is not followed becomes a warning."""
        try:
            clause(component, windows)
        except ContractBroken as broken:
            warnings.warn(str(broken), ContractAdvice, stacklevel=2)


class RankerContract(WindowContract):
    """The tests of one ranker."""

    @pytest.fixture
    def ranker(self) -> Ranker:
        """The ranker under test; override it."""
        raise NotImplementedError

    @pytest.mark.parametrize("clause", RANKER, ids=lambda clause: clause.__name__)
    def test_contract(self, ranker: Ranker, clause: Clause) -> None:
        clause(ranker, Windows(ranker, "rank", self.values))

    @pytest.mark.parametrize("clause", RANKER_ADVICE, ids=lambda clause: clause.__name__)
    def test_advice(self, ranker: Ranker, clause: Clause) -> None:
        self.warn(clause, ranker, Windows(ranker, "rank", self.values))
