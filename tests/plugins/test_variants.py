"""Arranger ``variants``."""

from __future__ import annotations

import pytest

from engine import Arranger, PluginManager
from engine.testing.arranger_contract import ArrangerContract
from engine.testing.ranker_contract import make_batch


def make() -> Arranger:
    arranger: Arranger = PluginManager().create("arrangers", "variants")
    return arranger


class TestContract(ArrangerContract):
    @pytest.fixture
    def arranger(self) -> Arranger:
        return make()


def test_the_best_of_a_family_stands_for_it() -> None:
    families = ["mug", None, "mug", "sofa", None, "sofa", "mug"]
    batch = make_batch(7, columns={"group_id": families})
    assert make().arrange(batch).tolist() == [0, 1, 3, 4]
