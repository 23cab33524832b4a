"""What every query processor must do. Inherit the class, supply the fixture ``processor``::

class TestMine(QueryProcessorContract):
    @pytest.fixture
    def processor(self):
        return MyProcessor()
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.protocols import QueryProcessor
from engine.types import MAX_QUERY_CHARS, PlanStep, QueryPlan

TEXTS = (
    "red leather purse",
    "",  # a photo's query has no words
    " ",
    "zapatos rojos para niños",
    "كرسي خشبي",
    "防水トレッキングシューズ",
    "👩‍🚀 🙂",
    "\x00\x07\u200b",
    "x" * MAX_QUERY_CHARS,
    "word " * (MAX_QUERY_CHARS // 5),
    "<script>alert('x')</script> & \"quotes\"",
    "size:42 -red +blue (shoe OR boot)*",
)


class QueryProcessorContract:
    """The tests of one query processor."""

    @pytest.fixture
    def processor(self) -> QueryProcessor:
        """The processor under test; override it."""
        raise NotImplementedError

    @pytest.mark.parametrize("locale", [None, "en", "es-MX"])
    @pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
    def test_copes_with_any_text(
        self, processor: QueryProcessor, text: str, locale: str | None
    ) -> None:
        self.check(processor.process(QueryPlan(original=text, text=text, locale=locale)))

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
        self.check(processor.process(QueryPlan(original=text, text=text)))

    def test_copes_with_what_others_planned(self, processor: QueryProcessor) -> None:
        self.check(processor.process(full_plan()))

    def test_returns_a_copy(self, processor: QueryProcessor) -> None:
        plan = full_plan()
        before = copy.deepcopy(plan)
        processor.process(plan)
        assert plan == before

    def test_same_plan_same_answer_from_any_thread(self, processor: QueryProcessor) -> None:
        plans = [QueryPlan(original=text, text=text, locale="en") for text in TEXTS]
        expected = [processor.process(plan) for plan in plans]
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(processor.process, plans * 3)) == expected * 3

    @staticmethod
    def check(plan: QueryPlan) -> None:
        """Raises AssertionError where the engine, or the answer's reader, would be misled."""
        assert isinstance(plan, QueryPlan)
        msgspec.convert(msgspec.to_builtins(plan), QueryPlan)
        for span in plan.spans:
            assert 0 <= span.start < span.end <= len(plan.text)
            assert 0 <= span.confidence <= 1
        assert all(0 <= confidence <= 1 for confidence in plan.categories.values())


def full_plan() -> QueryPlan:
    """A plan that earlier processors have worked on."""
    return QueryPlan(
        original="red nikee shoes",
        text="red nike shoes",
        locale="en",
        translations={"es": "zapatos nike rojos"},
        categories={"Shoes": 0.9},
        filters={"brand": "Nike"},
        corrections=("nikee → nike",),
        steps=(PlanStep("spelling", ("text", "corrections"), 0.3),),
    )
