"""Ranker ``availability``."""

from __future__ import annotations

import numpy as np
import pytest

from engine import InvalidSettings, PluginManager, Ranker
from engine.testing.ranker_contract import RankerContract, make_batch


def make(**options: object) -> Ranker:
    ranker: Ranker = PluginManager().create("rankers", "availability", options)
    return ranker


class TestContract(RankerContract):
    @pytest.fixture
    def ranker(self) -> Ranker:
        return make()


def test_what_is_sold_out_keeps_a_share() -> None:
    batch = make_batch(4, columns={"in_stock": [True, False, None, False]})
    scores = make(keep=0.25).rank(batch)
    np.testing.assert_allclose(scores, batch.scores * [1, 0.25, 1, 0.25], rtol=1e-6)


def test_what_can_be_had_is_untouched() -> None:
    batch = make_batch(3, columns={"in_stock": [True, True, None]})
    np.testing.assert_array_equal(make().rank(batch), batch.scores)


@pytest.mark.parametrize("keep", [-0.1, 1.1, "half"])
def test_the_share_is_a_share(keep: object) -> None:
    with pytest.raises(InvalidSettings, match=r"availability.*keep"):
        make(keep=keep)
