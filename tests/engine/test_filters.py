"""Filters: what they mean, and what a mistake is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import FieldKind, Filter, IndexSchema, InvalidFilter, Range, Terms
from engine.filters import (
    MAX_VALUES,
    conditions_of,
    holds,
    matches,
    parse_filters,
    require_field,
)

SCHEMA = IndexSchema(
    {
        "color": FieldKind.KEYWORD,
        "heel": FieldKind.NUMBER,
        "vegan": FieldKind.BOOLEAN,
    }
)
numbers = st.floats(-100, 100).map(lambda x: round(x, 1))
words = st.sampled_from(["red", "blue", "green", ""])
products = st.fixed_dictionaries(
    {},
    optional={
        "color": words | st.lists(words, max_size=3),
        "heel": numbers,
        "vegan": st.booleans(),
        "in_stock": st.booleans(),
        "price": numbers,
    },
)


def scalars(field: str) -> st.SearchStrategy[Any]:
    return {"color": words, "heel": numbers, "vegan": st.booleans()}[field]


def passes(raw: dict[str, Any], values: dict[str, Any]) -> bool:
    return matches(parse_filters(raw, SCHEMA), "p1", values)


fields = st.sampled_from(["color", "heel", "vegan"])


@given(products, fields, st.data())
def test_null_in_a_list_is_had_by_products_without_the_field(
    values: dict[str, Any], field: str, data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(scalars(field), min_size=1, max_size=3))
    absent = values.get(field) in (None, [])
    assert passes({field: [None]}, values) == absent
    assert passes({field: [*wanted, None]}, values) == (absent or passes({field: wanted}, values))
    assert passes({field: {"not": [None]}}, values) != absent
    both = {"not": [*wanted, None]}
    assert passes({field: both}, values) == (
        not absent and passes({field: {"not": wanted}}, values)
    )


@given(products, fields, st.data())
def test_a_list_is_any_of_and_not_is_its_complement(
    values: dict[str, Any], field: str, data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(scalars(field), min_size=1, max_size=3))
    any_of = passes({field: wanted}, values)
    assert any_of == any(passes({field: one}, values) for one in wanted)
    assert passes({field: {"not": wanted}}, values) != any_of
    if field not in values:
        assert not any_of


@given(products, numbers, numbers)
def test_ranges(values: dict[str, Any], low: float, high: float) -> None:
    heel = values.get("heel")
    present = heel is not None
    assert passes({"heel": {"gte": low, "lt": high}}, values) == (present and low <= heel < high)
    assert passes({"heel": {"gt": low, "lte": high}}, values) == (present and low < heel <= high)
    assert passes({"heel": {"gte": low, "lte": low}}, values) == passes({"heel": low}, values)
    assert passes({"heel": {"gt": high}}, values) == (present and heel > high)


@given(products, words, numbers, st.booleans())
def test_several_fields_must_all_hold(
    values: dict[str, Any], color: str, heel: float, vegan: bool
) -> None:
    raw = {"color": color, "heel": {"lte": heel}, "vegan": vegan}
    assert passes(raw, values) == all(passes({name: spec}, values) for name, spec in raw.items())
    assert passes({}, values)


@given(products)
def test_range_and_not_together(values: dict[str, Any]) -> None:
    raw = {"heel": {"gte": 0, "not": [5.0]}}
    assert passes(raw, values) == ("heel" in values and 0 <= values["heel"] != 5.0)


def test_excluded_ids_never_match() -> None:
    filter = Filter((), ("p1",))
    assert not matches(filter, "p1", {})
    assert matches(filter, "p2", {})


@given(products, words, numbers)
def test_a_group_excludes_what_all_of_it_holds_for(
    values: dict[str, Any], color: str, heel: float
) -> None:
    group = parse_filters({"color": color, "heel": {"gte": heel}}, SCHEMA).conditions
    both = passes({"color": color}, values) and passes({"heel": {"gte": heel}}, values)
    assert matches(Filter(exclude=(group,)), "p1", values) != both
    assert matches(Filter(exclude=(group[:1], group[1:])), "p1", values) == (
        not passes({"color": color}, values) and not passes({"heel": {"gte": heel}}, values)
    )


@given(products, fields, st.data())
def test_conditions_can_be_read_again_without_the_schema(
    values: dict[str, Any], field: str, data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(scalars(field), min_size=1, max_size=3))
    for spec in (wanted, wanted[0], {"not": wanted}, [*wanted, None]):
        again = conditions_of({field: spec})
        assert holds(again, values) == passes({field: spec}, values)
    both = {"heel": {"gte": 0, "lt": 9, "not": 5}}
    assert conditions_of(both) == parse_filters(both, SCHEMA).conditions


def test_a_filter_names_the_fields_it_asks_about() -> None:
    asked = Filter((Terms("color", ("red",)),), (), ((Range("heel", gt=1), Terms("color", ("",))),))
    assert asked.fields == ["color", "heel"]


def test_the_ast() -> None:
    raw = {"color": "red", "price": {"gte": 1, "lt": 2.5}, "in_stock": True, "heel": [1, 2]}
    assert parse_filters(raw, SCHEMA) == Filter(
        (
            Terms("color", ("red",)),
            Range("price", gte=1.0, lt=2.5),
            Terms("in_stock", (True,)),
            Terms("heel", (1.0, 2.0)),
        )
    )


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            {"colour": "red"},
            r"unknown field 'colour'; did you mean 'color'\? Declared",
        ),
        ({"xyzzy": "red"}, r"unknown field 'xyzzy'\. Declared fields: brand, .*vegan"),
        ({"color": {"gte": 1}}, "a range needs a number field, 'color' is a keyword field"),
        ({"heel": {"above": 1}}, r"range \{gt, gte, lt, lte\} or \{not\}, not \{'above': 1\}"),
        ({"heel": {}}, "give a value, a list, a range"),
        ({"heel": "high"}, "'high' is not a finite number"),
        ({"heel": True}, "True is not a finite number"),
        ({"heel": float("nan")}, "nan is not a finite number"),
        ({"heel": {"lt": float("inf")}}, "inf is not a finite number"),
        ({"heel": 10**400}, "is not a finite number"),
        ({"heel": None}, "None is not a finite number"),
        ({"vegan": "yes"}, "'vegan' is a boolean field, 'yes' is not a boolean"),
        ({"vegan": 1}, "1 is not a boolean"),
        ({"color": 3}, "'color' is a keyword field, 3 is not a keyword"),
        ({"color": None}, "None is not a keyword"),
        ({"color": [["red"]]}, "is not a keyword"),
        ({"color": []}, f"give 1 to {MAX_VALUES} values, not 0"),
        ({"color": ["x"] * (MAX_VALUES + 1)}, f"not {MAX_VALUES + 1}"),
        ({"color": {"not": []}}, "not 0"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidFilter, match=message) as caught:
        parse_filters(raw, SCHEMA)
    (name,) = raw
    assert caught.value.field == f"filters.{name}"
    assert str(caught.value).startswith("filters")


def test_other_uses_are_named_too() -> None:
    assert require_field("price", SCHEMA, use="sort") is FieldKind.NUMBER
    with pytest.raises(InvalidFilter, match="sort: unknown field 'prise'; did you mean 'price'"):
        require_field("prise", SCHEMA, use="sort")
