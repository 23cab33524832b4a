"""Pins stand on their places, and everything else stays as it was, whatever the page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine import OWN_PRICE, AppliedRule, Boost, QueryPlan, Selection, Span
from engine.pins import lay_out

PINS = st.dictionaries(st.sampled_from("ABCDEFGH"), st.integers(1, 20), max_size=6).filter(
    lambda pins: len(set(pins.values())) == len(pins)
)


@given(PINS, st.integers(0, 15), st.lists(st.integers(0, 6), max_size=12))
def test_pages_join_to_one_list_with_every_pin_on_its_place(
    pins: dict[str, int], others: int, limits: list[int]
) -> None:
    ranking = [str(n) for n in range(others)]
    layout, pinned = lay_out(pins, others), {name: name for name in pins}
    joined: list[str] = []
    for limit in [*limits, 40]:
        start = len(joined)
        first, last = layout.own(start, start + limit)
        joined += layout.page(start, start + limit, ranking[first:last], pinned)
    assert [item for item in joined if item not in pins] == ranking
    assert sorted(item for item in joined if item in pins) == sorted(pins)
    for product, place in pins.items():
        if place <= others:
            assert joined[place - 1] == product
        earlier = [other for other, at in pins.items() if at < place]
        assert all(joined.index(other) < joined.index(product) for other in earlier)


def test_a_place_beyond_the_end_is_the_end() -> None:
    layout = lay_out({"A": 9, "B": 2, "C": 5}, 2)
    assert layout.at == {1: "B", 3: "C", 4: "A"}
    assert lay_out({"A": 3}, 0).at == {0: "A"}


def test_the_plan_takes_the_stronger_rules_pins() -> None:
    strong, weak = AppliedRule("s", {"A": 1, "B": 2}), AppliedRule("w", {"C": 1, "B": 3, "D": 4})
    assert QueryPlan(rules=(strong, weak)).pins == {"A": 1, "B": 2, "D": 4}


def test_the_plan_names_the_fields_that_boosts_read() -> None:
    boosts = (
        Boost({"color": "red", "price": {"lt": 9}}),
        Boost({"color": "blue"}),
        Boost({}, ("x",)),
    )
    rule = AppliedRule("r", {}, boosts, (Selection({"brand": "Acme"}),))
    spans = (Span(0, 3, "size", "42", field="size"), Span(0, 3, "color", "red", field="color"))
    assert QueryPlan(rules=(rule,), spans=spans).fields == ("size", "color", OWN_PRICE)


def test_a_shopper_is_not_told_what_is_hidden() -> None:
    plan = QueryPlan(rules=(AppliedRule("r", {"A": 1}, (), (Selection({}, ("secret",)),)),))
    assert plan.public().rules == (AppliedRule("r", {"A": 1}),)
    assert QueryPlan().public() == QueryPlan()
