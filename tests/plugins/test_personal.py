"""Ranker ``personal``."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import (
    Explains,
    InvalidSettings,
    PluginManager,
    QueryPlan,
    RankingBatch,
    Span,
    Taste,
    UserProfile,
)
from engine.testing.ranker_contract import RankerContract, make_batch
from plugins.personal import MOST

MANAGER = PluginManager()
COLORS = st.lists(st.sampled_from(["Red", "Brown", "Blue", None]), min_size=1, max_size=40)


def make(**options: Any) -> Any:
    return MANAGER.create("rankers", "personal", options)


def unit(*values: float) -> Any:
    row = np.asarray(values, dtype=np.float32)
    return row / np.linalg.norm(row)


def fond(weight: float = 5.0, text: Any = None, **values: str) -> Taste:
    """Of one value of each field."""
    shares = {field: {value: 1.0} for field, value in values.items()}
    return Taste(text=text, affinities=shares, weight=weight, events=3)


NOTHING = Taste()


def window(
    session: Taste = NOTHING, before: Taste = NOTHING, asked: Span | None = None, **columns: Any
) -> RankingBatch:
    """Equal scores; without vectors unless ``text`` gives rows."""
    n = len(next(iter(columns.values())))
    text = columns.pop("text", np.zeros((n, 2), np.float32))
    vectors = {"text": np.asarray(text, np.float32), "image": np.zeros((n, 2), np.float32)}
    spans = (asked,) if asked else ()
    plan = QueryPlan(original="red bag", text="red bag", read="red bag", spans=spans)
    batch = make_batch(n, columns, vectors, plan=plan)
    profile = UserProfile(session, before)
    return msgspec.structs.replace(batch, scores=np.ones(n, np.float32), profile=profile)


RED = Span(0, 3, "color", "red", field="color", values=("Red",), effect="boost")


class TestContract(RankerContract):
    @pytest.fixture(params=[{}, {"strength": 1.0, "without": ("brand",)}])
    def ranker(self, request: pytest.FixtureRequest) -> Any:
        return make(**request.param)


def test_a_stranger_gets_the_very_scores() -> None:
    batch = msgspec.structs.replace(window(color=["Red", "Blue"]), profile=None)
    assert make().rank(batch) is batch.scores


def test_who_left_no_evidence_gets_them_too() -> None:
    batch = window(color=["Red", "Blue"])
    assert make().rank(batch) is batch.scores


def test_what_was_chosen_rises() -> None:
    scores = make().rank(window(fond(color="Brown"), color=["Red", "Brown", None]))
    assert scores[1] > scores[2] > scores[0] > 0


def test_more_evidence_moves_more() -> None:
    gaps = []
    for weight in (0.1, 1.0, 10.0):
        scores = make().rank(window(fond(weight, color="Brown"), color=["Red", "Brown"]))
        gaps.append(scores[1] / scores[0])
    assert 1 < gaps[0] < 1.02 < gaps[1] < gaps[2]


def test_a_value_that_all_have_moves_nothing() -> None:
    batch = window(fond(color="Brown"), color=["Brown"] * 3)
    np.testing.assert_allclose(make().rank(batch), batch.scores)


def test_the_session_outweighs_what_was_before() -> None:
    scores = make().rank(
        window(fond(5, color="Red"), fond(5, color="Blue"), color=["Red", "Blue", "Green"])
    )
    assert scores[0] > scores[1] > scores[2]


def test_what_is_like_the_chosen_rises_without_any_field() -> None:
    rows = [unit(1, 0), unit(0, 1), (0, 0)]
    scores = make().rank(window(fond(text=unit(1, 0.1)), title=["a", "b", "c"], text=rows))
    assert scores[0] > scores[2] > scores[1]


def test_the_session_outweighs_in_content_too() -> None:
    rows = [unit(1, 0), unit(0, 1)]
    batch = window(fond(text=unit(1, 0)), fond(50, text=unit(0, 1)), title=["a", "b"], text=rows)
    scores = make().rank(batch)
    assert scores[0] > scores[1]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=30))
def test_what_was_said_outweighs_taste(products: list[tuple[bool, bool]]) -> None:
    """No product without the colour that was asked for passes one with it, whatever is liked."""
    color = ["Red" if red else "Brown" for red, _ in products]
    brand = ["Liked" if liked else "Other" for _, liked in products]
    text = [unit(1, 0) if liked else unit(0, 1) for _, liked in products]
    taste = fond(50, text=unit(1, 0), color="Brown", brand="Liked")
    scores = make(strength=1).rank(window(taste, asked=RED, color=color, brand=brand, text=text))
    red = [score for score, value in zip(scores, color, strict=True) if value == "Red"]
    others = [score for score, value in zip(scores, color, strict=True) if value != "Red"]
    assert not red or not others or min(red) >= max(others)


def test_taste_decides_among_those_that_have_what_was_said() -> None:
    taste = fond(brand="Liked")
    color, brand = ["Red", "Red", "Blue"], ["Other", "Liked", "Liked"]
    scores = make().rank(window(taste, asked=RED, color=color, brand=brand))
    assert scores[1] > scores[0] >= scores[2]


@given(COLORS, st.floats(0, 1), st.floats(0, 1000))
def test_the_lift_is_bounded(color: list[Any], strength: float, weight: float) -> None:
    scores = make(strength=strength).rank(window(fond(weight, color="Brown"), color=color))
    bound = np.exp(MOST * strength) * (1 + 1e-5)
    assert (scores <= bound).all()
    assert (scores >= 1 / bound).all()


def test_a_value_of_one_product_alone_does_not_outweigh_the_rest() -> None:
    """The one looked at has a serial number of its own; the other one's brand, color and kind are
    what was looked at in all other products."""
    n = 40
    others = {field: ["liked"] + ["other"] * (n - 1) for field in ("brand", "color", "kind")}
    shares = {field: {"liked": 0.9} for field in others} | {"serial": {"s1": 0.1}}
    taste = Taste(affinities=shares, weight=20.0, events=20)
    scores = make().rank(window(taste, serial=[f"s{row}" for row in range(n)], **others))
    assert scores[0] > scores[1] > scores[2]


def test_fields_left_out_move_nothing() -> None:
    batch = window(fond(color="Brown"), color=["Red", "Brown"])
    np.testing.assert_allclose(make(without=["color"]).rank(batch), batch.scores)


def test_reasons_say_what_was_looked_at() -> None:
    ranker = make()
    assert isinstance(ranker, Explains)
    batch = window(
        fond(color="Brown", text=unit(1, 0)),
        color=["Brown", "Red", "Brown"],
        text=[unit(1, 0), unit(0, 1), unit(1, 1)],
    )
    liked, disliked, _ = ranker.explain(batch, np.arange(3))
    assert liked == {
        "content": "like what was looked at in this session",
        "color": "Brown: 100% of what was looked at in this session",
    }
    assert disliked == {
        "content": "unlike what was looked at in this session",
        "color": "Red: 0% of what was looked at in this session",
    }


def test_a_product_that_says_nothing_of_a_field_has_no_reason_there() -> None:
    batch = window(fond(color="Red"), color=["Blue", "Blue", None, [], "Blue"])
    assert make().rank(batch)[2] > make().rank(batch)[0]
    assert make().explain(batch, np.arange(5))[2:4] == [{}, {}]


def test_of_several_values_the_liked_one_is_the_reason() -> None:
    batch = window(fond(color="Brown"), color=[["Brown", "White"], ["White"], ["Red"]])
    told = {"color": "Brown: 100% of what was looked at in this session"}
    assert make().explain(batch, np.arange(1))[0] == told


def test_reasons_name_the_product_itself() -> None:
    batch = window(before=fond(color="Brown"), color=["Brown", "Red"])
    assert batch.profile is not None
    profile = msgspec.structs.replace(batch.profile, recent=(batch.ids[0],))
    seen = msgspec.structs.replace(batch, profile=profile)
    assert make().explain(seen, np.arange(1))[0] == {
        "looked at": "this very product",
        "color": "Brown: 100% of what was looked at before",
    }
    bought = msgspec.structs.replace(profile, bought=(batch.ids[0],))
    batch = msgspec.structs.replace(batch, profile=bought)
    assert make().explain(batch, np.arange(1))[0]["bought"] == "this very product, before"


def test_what_was_not_asked_for_has_no_reason() -> None:
    batch = window(fond(brand="Liked"), asked=RED, color=["Red", "Blue"], brand=["Other", "Liked"])
    assert make().explain(batch, np.arange(2))[1] == {}


def test_a_strength_below_nought_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="strength"):
        make(strength=-1)
