"""What every query processor must do. Inherit the class, supply the fixture ``processor``::

class TestMine(QueryProcessorContract):
    @pytest.fixture
    def processor(self):
        return MyProcessor(MyOptions())
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.conformance import QUERY_PROCESSOR, PlanClause, a_shop, empty_shop, full_plan, planned
from engine.plan import QueryPlan
from engine.protocols import QueryProcessor

__all__ = ["QueryProcessorContract", "a_shop", "empty_shop", "full_plan"]


class QueryProcessorContract:
    """The tests of one query processor."""

    @pytest.fixture
    def processor(self) -> QueryProcessor:
        """The processor under test; override it."""
        raise NotImplementedError

    @pytest.mark.parametrize("clause", QUERY_PROCESSOR, ids=lambda clause: clause.__name__)
    def test_contract(self, processor: QueryProcessor, clause: PlanClause) -> None:
        clause(processor)

    @settings(
        max_examples=50,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
    )
    @given(text=st.text(max_size=60))
    def test_copes_with_random_text(self, processor: QueryProcessor, text: str) -> None:
        plan = QueryPlan(original=text, text=text)
        planned(processor, plan, a_shop(), f"text {text!r}")
