"""Boosts by field: bounded, monotone, neutral at weight 0, and helpful about wrong options."""

from __future__ import annotations

import math
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import OWN_PRICE, FieldKind, InvalidSettings, PluginManager
from engine.settings import PluginSettings
from engine.testing import RankerContract, make_batch
from plugins.boosts import BoostOptions, Boosts

NOW = datetime(2027, 3, 1, tzinfo=UTC).timestamp()
DAY = 86_400.0
FUNCTIONS: dict[str, dict[str, Any]] = {
    "values": {"kind": "values", "values": {"Acme": 1.0, "Bolt": 0.25, "true": 0.5}},
    "saturation": {"kind": "saturation", "pivot": 10},
    "log": {"kind": "log", "top": 1000},
    "linear": {"kind": "linear", "low": 0, "high": 50},
    "cheap": {"kind": "linear", "low": 50, "high": 0},
    "exp": {"kind": "decay", "scale": "30d"},
    "gauss": {"kind": "decay", "scale": "30d", "curve": "gauss", "offset": "7d"},
    "straight": {"kind": "decay", "scale": "30d", "curve": "linear", "decay": 0.25},
    "near": {"kind": "decay", "origin": 100, "scale": 20, "offset": 5},
}
numbers = st.floats(-1e12, 1e12)
columns = st.lists(
    st.none() | numbers | st.sampled_from(["Acme", "Bolt", "2027-01-01", "?"]) | st.booleans(),
    min_size=1,
    max_size=8,
)


def boosts(*functions: dict[str, Any]) -> Boosts:
    given = {"functions": [{"field": "x", "name": str(n), **f} for n, f in enumerate(functions)]}
    return Boosts(msgspec.convert(given, BoostOptions, strict=False), lambda: NOW)


def figures(function: dict[str, Any], *column: Any) -> list[float]:
    """f of each value, from what the ranker does to a score."""
    ranker = boosts({"weight": 1, **function})
    batch = make_batch(len(column), {"x": list(column)})
    return [round(float(f), 5) for f in ranker.rank(batch) / batch.scores - 1]


class TestBoosts(RankerContract):
    kinds = {"margin": FieldKind.NUMBER}  # noqa: RUF012

    @pytest.fixture
    def ranker(self) -> Boosts:
        options = {
            "functions": [
                {"field": "brand", "weight": 0.5, **FUNCTIONS["values"]},
                {"field": "margin", "weight": 2, **FUNCTIONS["saturation"]},
                {"field": "updated_at", **FUNCTIONS["gauss"]},
                {"field": "in_stock", "kind": "values", "values": {"true": 1}},
            ]
        }
        return Boosts(msgspec.convert(options, BoostOptions), lambda: NOW)


@pytest.mark.parametrize("name", FUNCTIONS)
@given(column=columns, weight=st.floats(0, 100), missing=st.floats(0, 1))
def test_bounded_and_neutral_at_weight_0(
    name: str, column: list[Any], weight: float, missing: float
) -> None:
    function = {**FUNCTIONS[name], "missing": missing}
    batch = make_batch(len(column), {"x": column})
    lifted = boosts({**function, "weight": weight}).rank(batch)
    assert (lifted >= batch.scores * (1 - 1e-6)).all()
    assert (lifted <= batch.scores * (1 + weight) * (1 + 1e-6)).all()
    np.testing.assert_array_equal(boosts({**function, "weight": 0}).rank(batch), batch.scores)


@pytest.mark.parametrize("name", ["saturation", "log", "linear", "exp", "gauss", "straight"])
@given(a=numbers, b=numbers)
def test_more_is_never_less(name: str, a: float, b: float) -> None:
    low, high = figures(FUNCTIONS[name], *sorted((a, b)))
    assert low <= high


@given(a=numbers, b=numbers)
def test_less_is_better_where_it_is_asked_for(a: float, b: float) -> None:
    low, high = figures(FUNCTIONS["cheap"], *sorted((a, b)))
    assert low >= high


@given(st.lists(st.sampled_from(sorted(FUNCTIONS)), max_size=4), columns)
def test_the_parts_of_an_explanation_add_up(names: list[str], column: list[Any]) -> None:
    ranker = boosts(*(FUNCTIONS[name] for name in names))
    batch = make_batch(len(column), {"x": column})
    told = ranker.explain(batch, np.arange(len(column)))
    assert all(list(reasons) == [str(n) for n in range(len(names))] for reasons in told)
    changed = ranker.rank(batch) - batch.scores
    sums = np.asarray([sum(map(float, reasons.values())) for reasons in told])
    np.testing.assert_allclose(sums, changed, rtol=1e-4, atol=1e-6)


def test_what_the_functions_give() -> None:
    """Of decays: 1 within the offset, ``decay`` at a scale beyond it."""
    assert figures(FUNCTIONS["saturation"], 0, 10, 30, -5, None) == [0, 0.5, 0.75, 0, 0]
    assert figures(FUNCTIONS["log"], 0, 1000, 10_000, math.sqrt(1001) - 1) == [0, 1, 1, 0.5]
    assert figures(FUNCTIONS["linear"], -1, 25, 50, 99) == [0, 0.5, 1, 1]
    assert figures(FUNCTIONS["cheap"], 0, 10, 60) == [1, 0.8, 0]
    ago = [NOW - days * DAY for days in (0, 30, 60, -5)]
    assert figures(FUNCTIONS["exp"], *ago) == [1, 0.5, 0.25, 1]
    late = [NOW - days * DAY for days in (7, 37, 67)]
    assert figures(FUNCTIONS["gauss"], *late) == [1, 0.5, 0.0625]
    assert figures(FUNCTIONS["straight"], *ago[:3]) == [1, 0.25, 0]
    assert figures(FUNCTIONS["near"], 100, 105, 95, 125, 75, 145) == [1, 1, 1, 0.5, 0.5, 0.25]
    assert figures(FUNCTIONS["values"], "Acme", "Bolt", "?", True, ["?", "Bolt"], None) == [
        *(1, 0.25, 0, 0.5, 0.25, 0),
    ]


def test_moments_are_read_from_words_too() -> None:
    moments = ["2027-01-30T00:00:00+00:00", "2027-01-30", "2027-01-30T01:00:00+01:00", "soon"]
    assert figures({**FUNCTIONS["exp"], "missing": 0.125}, *moments) == [0.5, 0.5, 0.5, 0.125]
    origin = {**FUNCTIONS["exp"], "origin": "2026-12-31"}
    assert figures(origin, "2027-01-30", "2026-12-01") == [0.5, 0.5]


def test_missing_values_have_a_figure_of_their_own() -> None:
    for function in FUNCTIONS.values():
        assert figures({**function, "missing": 0.75}, None) == [0.75]


def test_functions_multiply() -> None:
    both = boosts({**FUNCTIONS["linear"], "weight": 1}, {**FUNCTIONS["linear"], "weight": 0.5})
    batch = make_batch(1, {"x": [50]})
    assert both.rank(batch)[0] == pytest.approx(batch.scores[0] * 2 * 1.5)


def test_it_asks_for_each_field_once() -> None:
    assert boosts(FUNCTIONS["log"], FUNCTIONS["linear"]).required_fields == ("x",)
    assert Boosts(BoostOptions()).required_fields == ()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ({"kind": "logs"}, "Invalid value 'logs'"),
        ({}, "missing required field `kind`"),
        ({"kind": "log"}, "missing required field `top`"),
        ({"kind": "log", "top": 0}, "Expected `float` > 0"),
        ({"kind": "log", "top": 5, "weight": -1}, "Expected `float` >= 0"),
        ({"kind": "log", "top": 5, "wieght": 1}, "unknown field `wieght`"),
        ({"kind": "linear", "low": 3, "high": 3}, "low and high are the same"),
        ({"kind": "values", "values": {"a": 2}}, "Expected `float` <= 1"),
        ({"kind": "decay", "scale": "30 moons"}, "scale: '30 moons' is no number or duration"),
        ({"kind": "decay", "scale": 0}, "scale: must be above 0"),
        ({"kind": "decay", "scale": 1, "offset": -1}, "offset: must not be below 0"),
        ({"kind": "decay", "scale": 1, "origin": "then"}, "origin: 'then' is no number"),
        ({"kind": "decay", "scale": 1, "decay": 1}, "Expected `float` < 1"),
    ],
)
def test_wrong_options_are_told(function: dict[str, Any], message: str) -> None:
    options = {"boosts": {"functions": [{"field": "x", **function}]}}
    with pytest.raises(InvalidSettings, match=message) as caught:
        PluginManager(PluginSettings(options=options)).create("rankers", "boosts")
    assert "functions[0]" in str(caught.value)


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two are called 'x'; give each a name"):
        msgspec.convert(
            {"functions": [{"field": "x", **FUNCTIONS["log"]}, {"field": "x", **FUNCTIONS["exp"]}]},
            BoostOptions,
        )


def test_the_examples_of_the_documentation_work() -> None:
    page = (Path(__file__).parents[2] / "docs" / "boosts.md").read_text(encoding="utf-8")
    tables = [tomllib.loads(text) for text in re.findall(r"^```toml\n(.*?)^```", page, re.M | re.S)]
    made = [
        msgspec.convert(table["plugins"]["options"]["boosts"], BoostOptions) for table in tables
    ]
    assert [len(options.functions) for options in made] == [4, 1]
    (price,) = made[1].functions
    found = price.figures([70, 90, 80, 120, 40], NOW)
    assert found.tolist() == pytest.approx([1, 1, 1, 0.5, 0.5])
    assert price.weight == 0.4


def test_a_price_is_the_products_own() -> None:
    """Not what the shopper pays, in whatever currency."""
    cheap = {"kind": "linear", "field": "price", "low": 50, "high": 0}
    ranker = Boosts(msgspec.convert({"functions": [cheap]}, BoostOptions))
    assert ranker.required_fields == (OWN_PRICE,)
    batch = make_batch(2, {OWN_PRICE: [0.0, 50.0], "price": [5000.0, 0.0]})
    np.testing.assert_allclose(ranker.rank(batch), batch.scores * [2, 1])
    (first, second) = ranker.explain(batch, np.arange(2))
    assert list(first) == list(second) == ["price"]
