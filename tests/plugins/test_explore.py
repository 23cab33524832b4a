"""Arranger ``explore``."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Explains, InvalidSettings, PluginManager, QueryPlan, RankingBatch, Span
from engine.testing.arranger_contract import ArrangerContract
from engine.testing.ranker_contract import make_batch
from plugins.explore import LEAST

MANAGER = PluginManager()
POPULAR = 50.0


def make(**options: Any) -> Any:
    return MANAGER.create("arrangers", "explore", options)


def window(popularity: list[float], session: str = "s", scores: Any = None) -> RankingBatch:
    n = len(popularity)
    batch = make_batch(n)
    return msgspec.structs.replace(
        batch,
        scores=np.linspace(1, 0.8, n, dtype=np.float32) if scores is None else scores,
        popularity=np.asarray(popularity, np.float32),
        request=msgspec.structs.replace(batch.request, session_id=session),
    )


def order(arranger: Any, batch: RankingBatch) -> list[int]:
    found: list[int] = arranger.arrange(batch).tolist()
    return found


def brought_up(found: list[int], within: int) -> dict[int, int]:
    """Place from 0 → row, of those from below."""
    return {place: row for place, row in enumerate(found[:within]) if row >= within}


class TestContract(ArrangerContract):
    @pytest.fixture(params=[{}, {"share": 0.5, "within": 4, "keep": 0, "rare": 1e6}])
    def arranger(self, request: pytest.FixtureRequest) -> Any:
        return make(**request.param)


def test_the_share_of_places_goes_to_what_is_little_popular() -> None:
    popularity = [POPULAR] * 20 + [POPULAR, 0.0] * 40
    found = order(make(share=0.2), window(popularity))
    brought = brought_up(found, 20)
    assert len(brought) == 4
    assert all(popularity[row] == 0 for row in brought.values())


def test_one_session_sees_the_same_and_others_see_others() -> None:
    popularity = [POPULAR] * 20 + [0.0] * 80
    arranger = make()
    assert order(arranger, window(popularity)) == order(make(), window(popularity))
    seen = {tuple(order(arranger, window(popularity, f"s{n}"))[:20]) for n in range(20)}
    assert len(seen) > 15


def test_every_candidate_has_its_turn() -> None:
    popularity = [POPULAR] * 20 + [0.0] * 10
    arranger = make(share=0.2)
    shown = [
        row
        for n in range(300)
        for row in brought_up(order(arranger, window(popularity, f"s{n}")), 20).values()
    ]
    assert set(shown) == set(range(20, 30))
    assert max(shown.count(row) for row in set(shown)) < 2 * 300 * 4 / 10


def test_a_candidate_that_becomes_popular_changes_no_others_turn() -> None:
    popularity = [POPULAR] * 20 + [0.0] * 80
    arranger = make(share=0.2)
    before = brought_up(order(arranger, window(popularity)), 20)
    first = next(iter(before.values()))
    popularity[first] = POPULAR
    after = brought_up(order(arranger, window(popularity)), 20)
    assert set(before.values()) - {first} < set(after.values())
    assert first not in after.values()
    assert before.keys() == after.keys()


def test_what_fits_far_worse_is_not_brought_up() -> None:
    scores = np.asarray([1.0] * 20 + [LEAST * 0.99] * 20, np.float32)
    assert order(make(), window([POPULAR] * 20 + [0.0] * 20, scores=scores)) == list(range(40))


def test_what_lacks_what_was_said_is_not_brought_up() -> None:
    span = Span(0, 3, "color", "red", field="color", values=("Red",), effect="boost")
    plan = QueryPlan(original="red", text="red", read="red", spans=(span,))
    columns = {"color": ["Red"] * 30 + ["Brown"] * 10}
    batch = msgspec.structs.replace(window([POPULAR] * 20 + [0.0] * 20), plan=plan, columns=columns)
    brought = brought_up(order(make(share=0.5, keep=0), batch), 20)
    assert sorted(brought.values()) == list(range(20, 30))


@pytest.mark.parametrize("popularity", [[0.0] * 40, [1.0] * 40, [POPULAR] * 40])
def test_where_all_are_alike_nothing_moves(popularity: list[float]) -> None:
    assert order(make(), window(popularity)) == list(range(40))


def test_nothing_moves_where_nothing_is_known() -> None:
    batch = msgspec.structs.replace(window([POPULAR] * 20 + [0.0] * 20), popularity=None)
    assert order(make(), batch) == list(range(40))


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.9, 3.0, POPULAR]), min_size=1, max_size=120),
    st.floats(0, 0.5),
    st.integers(1, 60),
    st.integers(0, 30),
    st.text(max_size=5),
)
def test_the_bounds_hold(
    popularity: list[float], share: float, within: int, keep: int, session: str
) -> None:
    batch = window(popularity, session)
    found = order(make(share=share, within=within, keep=keep), batch)
    assert sorted(found) == list(range(len(popularity)))
    brought = brought_up(found, within)
    for first in range(1, within + 1):
        given_away = sum(place < first for place in brought)
        assert given_away <= math.ceil(share * first)
    assert len(brought) <= share * within + 1e-6
    assert all(place >= keep for place in brought)
    assert all(popularity[row] < 3 for row in brought.values())
    rest = [row for row in found if row not in brought.values()]
    assert rest == sorted(rest)


def test_the_explanation_says_so() -> None:
    arranger = make()
    assert isinstance(arranger, Explains)
    batch = window([POPULAR] * 20 + [0.0] * 20)
    brought = brought_up(order(arranger, batch), 20)
    told = arranger.explain(batch, np.arange(40))
    for row in range(40):
        words = f"chosen by few so far; brought up from place {row + 1}"
        assert told[row] == ({"explored": words} if row in brought.values() else {})


def test_more_than_half_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="share"):
        make(share=0.6)
