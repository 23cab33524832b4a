"""Arranger ``caps``."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Explains, InvalidSettings, PluginManager, RankingBatch
from engine.testing.arranger_contract import ArrangerContract
from engine.testing.ranker_contract import make_batch

MANAGER = PluginManager()
BRANDS = st.lists(st.sampled_from(["A", "B", "C", None]), min_size=1, max_size=40)


def make(*caps: tuple[str, int, int]) -> Any:
    """Each cap: field, most, within."""
    tables = [{"field": f, "most": most, "within": within} for f, most, within in caps]
    return MANAGER.create("arrangers", "caps", {"caps": tables} if tables else {})


def window(**columns: list[Any]) -> RankingBatch:
    return make_batch(len(next(iter(columns.values()))), columns)


def order(arranger: Any, **columns: list[Any]) -> list[int]:
    found: list[int] = arranger.arrange(window(**columns)).tolist()
    return found


class TestContract(ArrangerContract):
    @pytest.fixture(params=[(), (("brand", 1, 10), ("category", 3, 50))])
    def arranger(self, request: pytest.FixtureRequest) -> Any:
        return make(*request.param)


def test_what_is_above_the_cap_goes_behind_the_capped_places() -> None:
    arranger = make(("brand", 1, 3))
    assert order(arranger, brand=["A", "A", "A", "B", "C", "A", "D"]) == [0, 3, 4, 1, 2, 5, 6]


def test_a_product_without_a_value_is_never_put_off() -> None:
    assert order(make(("brand", 1, 3)), brand=[None, None, "A", None]) == [0, 1, 2, 3]


def test_too_few_others_leave_no_gap() -> None:
    assert order(make(("brand", 1, 5)), brand=["A", "A", "A", "B"]) == [0, 3, 1, 2]


def test_caps_hold_together() -> None:
    arranger = make(("brand", 1, 2), ("kind", 1, 4))
    brand = ["A", "A", "B", "B", "C", "D", "E"]
    kind = ["x", "y", "x", "y", "z", "z", "w"]
    # Two places with another brand and kind each; then kinds alone: z, w; then the rest.
    assert order(arranger, brand=brand, kind=kind) == [0, 3, 4, 6, 1, 2, 5]


def test_a_product_counts_under_each_of_its_values() -> None:
    arranger = make(("color", 1, 3))
    assert order(arranger, color=[["Red", "Blue"], ["Blue"], "Red", "Green", []]) == [0, 3, 4, 1, 2]


def test_a_category_is_the_last_of_its_path() -> None:
    paths = [["A", "A > x"], ["A", "A > y"], ["A", "A > x"], ["A", "A > z"]]
    assert order(make(("category", 1, 3)), category=paths) == [0, 1, 3, 2]


@given(BRANDS, st.integers(1, 4), st.integers(1, 30))
def test_nothing_is_lost_and_the_cap_is_kept(
    brands: list[str | None], most: int, within: int
) -> None:
    found = order(make(("brand", most, within)), brand=list(brands))
    assert sorted(found) == list(range(len(brands)))
    top = [brands[row] for row in found[:within]]
    counts = Counter(brand for brand in top if brand)
    behind = [brands[row] for row in found[within:]]
    # A brand has more than its share only where every other one has all of its own.
    if any(count > most for count in counts.values()):
        assert all(brand is not None and counts[brand] >= most for brand in behind)
    for brand in {*brands}:
        rows = [row for row in found if brands[row] == brand]
        assert rows == sorted(rows), "within a brand the order stays"


@given(BRANDS)
def test_a_cap_that_nobody_reaches_changes_nothing(brands: list[str | None]) -> None:
    assert order(make(("brand", 40, 20)), brand=list(brands)) == list(range(len(brands)))


def test_a_long_window_of_one_brand_costs_no_more_than_its_length() -> None:
    class Counted(list[Any]):
        reads = 0

        def __getitem__(self, row: Any) -> Any:
            Counted.reads += 1
            return super().__getitem__(row)

    arranger = make(("brand", 1, 1000))
    batch = window(brand=["A"] * 1000)
    batch.columns["brand"] = Counted(batch.columns["brand"])
    assert arranger.arrange(batch).tolist() == list(range(1000))
    assert Counted.reads <= 1000


def test_it_says_which_cap_put_a_product_off() -> None:
    arranger = make(("brand", 1, 3))
    assert isinstance(arranger, Explains)
    batch = window(brand=["A", "A", "B", "C", "A"])
    reasons = arranger.explain(batch, np.asarray([1, 0, 4]))
    assert reasons == [{"brand": "1 × A in the first 3"}, {}, {}]
    alone = window(brand=["A", "A", "A"])
    assert arranger.explain(alone, np.asarray([2])) == [{}], "it stays where it was"


@pytest.mark.parametrize(
    "options",
    [
        {"caps": []},
        {"caps": [{"most": 3}]},
        {"caps": [{"field": "brand", "most": 0}]},
        {"caps": [{"field": "brand", "within": 1001}]},
        {"caps": [{"field": "brand", "first": 10}]},
        {"brand": 3},
    ],
)
def test_wrong_options(options: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings, match="caps"):
        PluginManager().create("arrangers", "caps", options)
