"""What every query processor must do. Inherit the class, supply the fixture ``processor``::

class TestMine(QueryProcessorContract):
    @pytest.fixture
    def processor(self):
        return MyProcessor()
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL.Image import Image

from engine.errors import UnsupportedModality
from engine.plan import PlanStep, QueryPlan
from engine.protocols import QueryProcessor, Role, ShopView, Vectors
from engine.schema import FieldKind, IndexSchema
from engine.types import MAX_QUERY_CHARS, EncoderInfo

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
        self.check(processor.process(QueryPlan(original=text, text=text, locale=locale), a_shop()))

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
        self.check(processor.process(QueryPlan(original=text, text=text), a_shop()))

    def test_copes_with_what_others_planned(self, processor: QueryProcessor) -> None:
        self.check(processor.process(full_plan(), a_shop()))
        self.check(processor.process(full_plan(), empty_shop()))

    def test_returns_a_copy(self, processor: QueryProcessor) -> None:
        plan = full_plan()
        before = copy.deepcopy(plan)
        processor.process(plan, a_shop())
        assert plan == before

    def test_same_plan_same_answer_from_any_thread(self, processor: QueryProcessor) -> None:
        plans = [QueryPlan(original=text, text=text, locale="en") for text in TEXTS]
        shop = a_shop()
        expected = [processor.process(plan, shop) for plan in plans]
        with ThreadPoolExecutor(4) as threads:
            found = threads.map(lambda plan: processor.process(plan, shop), plans * 3)
            assert list(found) == expected * 3

    def test_leaves_out_what_the_shopper_took_back(self, processor: QueryProcessor) -> None:
        for text in TEXTS:
            plan = QueryPlan(original=text, text=text, locale="en")
            ignored = tuple(span.key for span in processor.process(plan, a_shop()).spans)
            again = processor.process(msgspec.structs.replace(plan, ignored=ignored), a_shop())
            assert not {span.key for span in again.spans} & set(ignored)

    @staticmethod
    def check(plan: QueryPlan) -> None:
        """Raises AssertionError where the engine, or the answer's reader, would be misled."""
        assert isinstance(plan, QueryPlan)
        msgspec.convert(msgspec.to_builtins(plan), QueryPlan)
        for span in plan.spans:
            assert 0 <= span.start < span.end <= len(plan.read)
            assert 0 <= span.confidence <= 1
        assert all(0 <= confidence <= 1 for confidence in plan.categories.values())


class _Unit:
    """Texts as unit vectors that say nothing."""

    info = EncoderInfo("unit", "1", 4, ("text",), "unit")

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        return np.full((len(texts), 4), 0.5, dtype=np.float32)

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        raise UnsupportedModality("the unit encoder has no image tower")

    def close(self) -> None: ...


def empty_shop() -> ShopView:
    """A shop that nothing is known of."""
    return ShopView(IndexSchema(), {}, _Unit())


def a_shop() -> ShopView:
    """A small shop of clothes; each call gives another object."""
    kinds = {"color": FieldKind.KEYWORD, "size": FieldKind.KEYWORD}
    vocabulary = {
        "brand": {"Nike": 3, "Acme": 1},
        "category": {"Shoes": 4, "Shoes > Boots": 1},
        "color": {"Red": 2, "Navy Blue": 1},
        "size": {"42": 2},
    }
    return ShopView(IndexSchema(kinds), vocabulary, _Unit(), prices={"EUR": 4})


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
