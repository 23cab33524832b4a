"""Ranker ``understood``."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from engine import Explains, InvalidSettings, QueryPlan, Ranker, RankingBatch, Span
from engine.testing.ranker_contract import RankerContract

from .understood_batches import batch_with, kept, make, span


def lift(batch: RankingBatch, strength: float = 1.0) -> list[float]:
    """What each product gained, as a share of the best score."""
    scores = make(strength=strength).rank(batch)
    gained = ((scores - batch.scores) / batch.scores.max()).astype(np.float64)
    return [round(share, 4) for share in gained.tolist()]


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


@pytest.mark.parametrize("effect", ["note", "exclude"])
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


def unnamed(*scores: float, read: str = "hang coats", **plan: Any) -> RankingBatch:
    """A window of hooks, and last a mug, for words that nobody understood."""
    kinds = [*["Hook"] * (len(scores) - 1), "Mug"]
    batch = batch_with(read=read, kind=kinds)
    found = QueryPlan(text=read, read=read, **{"kind_field": "kind", **plan})
    return msgspec.structs.replace(batch, plan=found, scores=np.asarray(scores, dtype=np.float32))


def test_where_no_word_names_the_kind_the_likely_one_rises() -> None:
    first, second, mug = lift(unnamed(0.5, 0.3, 0.4))
    assert first == second > mug > 0
    by_name = lift(unnamed(0.5, 0.3, 0.4, categories={"Mug": 1.0}))
    assert by_name[2] > by_name[1]
    assert lift(unnamed(0.5, 0.3, 0.4, kind_field="")) == [0, 0, 0]


def test_kinds_are_guessed_as_far_as_words_and_results_leave_open() -> None:
    (whole, *_) = lift(unnamed(0.5, 0.4))
    half = unnamed(0.5, 0.4, read="red winged", spans=(span("color", "Red"),))
    half = msgspec.structs.replace(half, columns={**half.columns, "color": ["Blue", "Blue"]})
    assert lift(half)[0] == pytest.approx(whole / 2, abs=1e-3)
    understood = unnamed(0.5, 0.4, read="red", spans=(span("color", "Red"),))
    assert lift(understood) == [0, 0]
    assert lift(unnamed(1.0, 0.8)) == [0, 0]


def test_no_kind_is_guessed_where_that_is_off() -> None:
    batch = unnamed(0.5, 0.4)
    np.testing.assert_array_equal(make(kinds=0).rank(batch), batch.scores)


def test_a_guess_is_explained() -> None:
    ranker, batch = make(), unnamed(0.5, 0.4)
    assert isinstance(ranker, Explains)
    (hook, _) = ranker.explain(batch, np.arange(2))
    assert hook == {"likely kind": pytest.approx(ranker.rank(batch)[0] - 0.5)}


def test_what_is_akin_counts_by_how_near_it_is() -> None:
    red = Span(0, 3, "color", "red", 1.0, "color", ("Red",), "boost", {"Maroon": 0.6})
    assert lift(batch_with(red, color=["Maroon", "Red", "Blue"])) == [0.6, 1, 0]


def test_who_says_nothing_of_a_field_is_judged_by_its_title() -> None:
    red = Span(0, 3, "color", "red", 1.0, "color", ("Red",), "boost")
    titles = ["Red purse", "Crimson purse", "Red-hot purse", "Purse", "Hundred purses", "Red one"]
    colors = [None, None, None, None, None, "Blue"]
    assert lift(batch_with(red, title=titles, color=colors)) == [1, 0.6, 1, 0, 0, 0]


def test_a_colour_that_no_field_has_is_looked_for_in_titles() -> None:
    red = Span(0, 3, "color", "red", effect="note")
    assert lift(batch_with(red, title=["A red purse", "A purse"])) == [1, 0]


def test_a_brand_or_kind_that_no_field_has_is_looked_for_in_titles() -> None:
    titles = ["Baggit shoulder bag", "Baggit belt", "Pieces handbag", "Scarf"]
    brand = Span(0, 6, "creator", "baggit", effect="note")
    kind = Span(7, 12, "core_product_type", "purse", effect="note")
    others = -0.9  # are of another brand
    assert lift(batch_with(brand, read="baggit", title=titles)) == [1, 1, others, others]
    both = lift(batch_with(brand, kind, read="baggit purse", title=titles))
    np.testing.assert_allclose(both, [1, 1 / 3, 0.1 * 5 / 3 - 1, others], atol=1e-4)
    unknown = Span(0, 6, "core_product_type", "gizmos", effect="note")
    assert lift(batch_with(unknown, read="gizmos", title=["Gizmos", "Red"])) == [0, 0]


def test_a_title_may_have_another_name_of_the_kind() -> None:
    shoes = span("style", "sneaker", label="core_product_type")
    shoes = msgspec.structs.replace(shoes, value="trainers")
    titles = ["Running shoe", "Rope", "Trainer"]
    assert lift(batch_with(shoes, style=[None, None, "boot"], title=titles)) == [1, 0, 0]


@pytest.mark.parametrize("said", ["tshirts", "T-shirt", "t shirts", "tee shirt"])
def test_a_kinds_name_may_be_joined_otherwise(said: str) -> None:
    kind = Span(0, len(said), "core_product_type", said, effect="note")
    titles = ["Green T-Shirt", "Green TShirts", "T Shirt", "Shirt", "Sweatshirt"]
    assert lift(batch_with(kind, read=said, title=titles)) == [1, 1, 1, 0, 0]


def test_a_short_name_is_not_made_of_the_ends_of_words() -> None:
    kind = Span(0, 3, "core_product_type", "tops", effect="note")
    assert lift(batch_with(kind, read="tops", title=["Top", "Close to P&G"])) == [1, 0]


def beside_a_photo(words: str, titles: list[str], *spans: Span, **more: Any) -> RankingBatch:
    batch = batch_with(title=titles, kind=["Shirt", "Shirt", "Cap"])
    plan = QueryPlan(text=words, read=words, pictured=True, spans=spans, **more)
    return msgspec.structs.replace(batch, plan=plan)


@pytest.mark.parametrize(
    ("words", "shares"),
    [
        ("from adidas", [0.001, 1, 1]),
        ("adidas please", [0.001, 1, 1]),
        ("striped adidas", [0.001, 1, 0.001]),
        ("cosy", [1, 1, 1]),  # no title has it
        ("", [1, 1, 1]),
    ],
)
def test_beside_a_photo_words_of_titles_say_what_is_different(
    words: str, shares: list[float]
) -> None:
    titles = ["Puma shirt", "Adidas striped shirt", "Adidas cap"]
    assert kept(beside_a_photo(words, titles)) == shares


def test_words_that_say_what_it_is_sink_nobody_beside_a_photo() -> None:
    shirt = span("kind", "Shirt", label="core_product_type")
    titles = ["Puma shirt", "Adidas shirt", "Adidas cap"]
    assert min(kept(beside_a_photo("adidas shirt", titles, shirt))) >= 1


def test_beside_a_photo_its_finds_say_the_kind() -> None:
    batch = beside_a_photo("cosy", ["", "", ""], kind_field="kind", categories={"Cap": 1.0})
    shirt, other, cap = lift(batch)
    assert shirt == other > cap


def test_a_name_of_several_words_needs_all_of_them() -> None:
    face = Span(0, 14, "creator", "the north face", 1.0, "brand", ("The North Face",), "boost")
    titles = ["North Face jacket", "Northern jacket", "Face cream"]
    gained = lift(batch_with(face, read="the north face", title=titles, brand=[None] * 3))
    assert gained == [1, -0.9, -0.9]


def test_nothing_understood_changes_nothing() -> None:
    batch = batch_with(read="winged victory", title=["Red 100 ml", "Black"])
    assert make().rank(batch).tolist() == batch.scores.tolist()


def test_only_what_is_of_the_kind_is_lifted_to_the_best() -> None:
    """A red lure is no purse."""
    kind = span("kind", "Purse", label="core_product_type")
    batch = batch_with(
        span("color", "Red"), kind, kind=["Purse", "Lure", "Purse"], color=["Blue", "Red", "Red"]
    )
    batch = msgspec.structs.replace(batch, scores=np.asarray([0.8, 0.1, 0.2], dtype=np.float32))
    scores = make().rank(batch)
    np.testing.assert_allclose(scores, [0.8 + 0.8 * 2 / 3, 0.1 + 0.1 / 3, 0.2 + 0.8], rtol=1e-6)


def test_without_a_kind_everyone_is_lifted_by_its_own_score() -> None:
    batch = batch_with(span("color", "Red"), color=["Blue", "Red", "Red"])
    batch = msgspec.structs.replace(batch, scores=np.asarray([0.8, 0.1, 0.5], dtype=np.float32))
    np.testing.assert_allclose(make().rank(batch), [0.8, 0.2, 1.0], rtol=1e-6)


def test_it_says_what_brought_how_much() -> None:
    kind = Span(4, 9, "core_product_type", "purse", 1.0, "kind", ("Purse",), "boost")
    avoided = Span(10, 21, "negation", "not printed", effect="avoid", values=("printed",))
    batch = batch_with(
        span("color", "Red"),
        kind,
        avoided,
        read="red purse not printed",
        title=["Purse", "Printed purse", "Lure"],
        kind=["Purse", "Purse", "Lure"],
        color=["Red", "Red", "Blue"],
    )
    ranker = make()
    assert isinstance(ranker, Explains)
    gained = ranker.rank(batch) - batch.scores
    reasons = ranker.explain(batch, np.asarray([2, 1, 0]))
    assert [list(r) for r in reasons] == [
        [],
        ["color: red", "kind: purse", "not wanted"],
        ["color: red", "kind: purse"],
    ]
    told = [sum(v for v in r.values() if isinstance(v, float)) for r in reversed(reasons)]
    np.testing.assert_allclose(told, gained, atol=1e-6)
