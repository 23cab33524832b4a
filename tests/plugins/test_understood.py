"""Ranker ``understood``."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from engine import InvalidSettings, PluginManager, QueryPlan, Ranker, RankingBatch, Span
from engine.testing.ranker_contract import RankerContract, make_batch


def make(**options: object) -> Ranker:
    ranker: Ranker = PluginManager().create("rankers", "understood", options)
    return ranker


def span(
    field: str,
    *values: str,
    confidence: float = 1.0,
    effect: Any = "boost",
    label: str = "color",
) -> Span:
    return Span(0, 3, label, "red", confidence, field, values, effect)


def batch_with(*spans: Span, read: str = "red", **columns: list[Any]) -> RankingBatch:
    n = len(next(iter(columns.values())))
    batch = make_batch(n, {"title": [""] * n, **columns})
    return msgspec.structs.replace(batch, plan=QueryPlan(text=read, read=read, spans=spans))


def lift(batch: RankingBatch, strength: float = 1.0) -> list[float]:
    """What each product gained, as a share of the best score."""
    scores = make(strength=strength).rank(batch)
    gained: list[float] = np.round((scores - batch.scores) / batch.scores.max(), 4).tolist()
    return gained


class TestContract(RankerContract):
    @pytest.fixture
    def ranker(self) -> Ranker:
        return make()


def test_products_that_have_it_rise() -> None:
    batch = batch_with(span("color", "Red"), color=["Blue", "Red", None, ["Blue", "Red"]])
    assert lift(batch, 0.5) == [0, 0.5, 0, 0.5]


def test_any_of_a_spans_values_will_do() -> None:
    batch = batch_with(span("color", "Red", "Wine"), color=["Wine", "Red", "Blue"])
    assert lift(batch) == [1, 1, 0]


def test_who_has_some_of_it_rises_by_its_share() -> None:
    spans = span("color", "Red", confidence=0.6), span("brand", "Nike", confidence=0.2)
    batch = batch_with(*spans, color=["Red", "Red", "Blue"], brand=["Nike", "Puma", "Nike"])
    assert lift(batch) == [1, 0.75, 0.25]


def test_red_or_blue_is_one_wish() -> None:
    batch = batch_with(span("color", "Red"), span("color", "Blue"), color=["Red", "Blue", "Black"])
    assert lift(batch) == [1, 1, 0]


def test_what_it_is_counts_double() -> None:
    spans = span("color", "Red"), span("kind", "Shoe", label="core_product_type")
    batch = batch_with(*spans, color=["Red", "Red", "Blue"], kind=["Shoe", "Bag", "Shoe"])
    np.testing.assert_allclose(lift(batch), [1, 1 / 3, 2 / 3], atol=1e-4)


def test_the_less_is_understood_the_less_it_lifts() -> None:
    columns = {"color": ["Red", "Blue"]}
    assert lift(batch_with(span("color", "Red"), read="red for the", **columns)) == [1, 0]
    half = batch_with(span("color", "Red"), read="red winged", **columns)
    assert lift(half) == [0.5, 0]
    price = Span(4, 12, "price", "under 50")
    assert lift(batch_with(span("color", "Red"), price, read="red under 50", **columns)) == [1, 0]


@pytest.mark.parametrize("effect", ["note", "filter", "exclude"])
def test_other_effects_lift_nothing(effect: str) -> None:
    assert lift(batch_with(span("color", "Red", effect=effect), color=["Red", "Blue"])) == [0, 0]


def test_a_field_that_nobody_has_lifts_nobody() -> None:
    batch = batch_with(span("color", "Red"), span("vanished", "x"), color=[None, None])
    assert lift(batch) == [0, 0]


def test_no_strength_no_change() -> None:
    batch = batch_with(span("color", "Red"), color=["Blue", "Red"])
    np.testing.assert_array_equal(make(strength=0).rank(batch), batch.scores)


@pytest.mark.parametrize("strength", [-1, 11, "strong"])
def test_strength_has_bounds(strength: object) -> None:
    with pytest.raises(InvalidSettings, match=r"understood.*strength"):
        make(strength=strength)
