"""Arranger ``variants``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine import Explains, InvalidSettings, PluginManager
from engine.testing.arranger_contract import ArrangerContract
from engine.testing.ranker_contract import make_batch

FAMILIES = ["mug", None, "mug", "sofa", None, "sofa", "mug"]


def make(**options: object) -> Any:
    return PluginManager().create("arrangers", "variants", options)


class TestContract(ArrangerContract):
    @pytest.fixture(params=["drop", "defer"])
    def arranger(self, request: pytest.FixtureRequest) -> Any:
        return make(others=request.param)


def test_the_best_of_a_family_stands_for_it() -> None:
    batch = make_batch(7, columns={"group_id": FAMILIES})
    assert make().arrange(batch).tolist() == [0, 1, 3, 4]


def test_the_others_can_wait_behind() -> None:
    batch = make_batch(7, columns={"group_id": FAMILIES})
    assert make(others="defer").arrange(batch).tolist() == [0, 1, 3, 4, 2, 5, 6]


def test_a_family_may_be_told_by_another_field() -> None:
    arranger = make(field="style")
    assert arranger.required_fields == ("style",)
    batch = make_batch(4, columns={"style": ["a", ["a", "b"], "a", ["a", "b"]]})
    assert arranger.arrange(batch).tolist() == [0, 1]


def test_it_says_how_many_a_product_stands_for() -> None:
    arranger = make(others="defer")
    assert isinstance(arranger, Explains)
    batch = make_batch(7, columns={"group_id": FAMILIES})
    reasons = arranger.explain(batch, np.asarray([3, 1, 2, 0]))
    assert reasons == [{"stands for": 1.0}, {}, {"variant of": "p0000"}, {"stands for": 2.0}]


@pytest.mark.parametrize("options", [{"others": "hide"}, {"field": ""}, {"by": "brand"}])
def test_wrong_options(options: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings, match="variants"):
        make(**options)
