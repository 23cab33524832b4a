"""Events as columns: who, in which visit, what, when; no ids of shoppers."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import INTERACTIONS, Event, read_interactions
from engine.interactions import Reader
from engine.testing.event_data import NOW, make_event

MINUTE = timedelta(minutes=1)


def test_columns() -> None:
    events = [
        make_event("impression", ["a", "b"], session_id="s"),
        make_event("purchase", ["b", "a", "b"], session_id="s", time=NOW - MINUTE),
        make_event("click", ["a"], session_id="s", time=NOW - 2 * MINUTE),
        make_event("view", ["c"], user_id=None, session_id="t"),
    ]
    seen = read_interactions([events[:2], events[2:]], NOW)
    assert [seen.products[i] for i in seen.product] == ["a", "b", "a", "c"]
    assert [INTERACTIONS[i] for i in seen.type] == ["click", "purchase", "purchase", "view"]
    assert seen.weights.tolist() == [1.0, 5.0, 5.0, 1.0]
    assert (np.diff(seen.time) >= 0).all()
    assert seen.event[1] == seen.event[2] != seen.event[0]
    assert len(set(seen.session[:3].tolist())) == 1
    assert len(set(seen.shopper.tolist())) == 2
    assert not any("ada" in str(getattr(seen, name)) for name in seen.__struct_fields__)
    for name in ("product", "shopper", "session", "event", "type", "time"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(seen, name)[0] = 1


def test_a_visit_belongs_to_whom_it_turns_out_to_be_of() -> None:
    events = [
        make_event("view", ["a"], user_id=None, session_id="s", time=NOW - 2 * MINUTE),
        make_event("view", ["b"], user_id="ada", session_id="s", time=NOW - MINUTE),
        make_event("view", ["c"], user_id="ada", session_id="other"),
    ]
    assert len(set(read_interactions([events], NOW).shopper.tolist())) == 1


def test_without_a_session_half_an_hour_makes_one() -> None:
    times = [NOW - 90 * MINUTE, NOW - 70 * MINUTE, NOW - 39 * MINUTE, NOW]
    events = [make_event("view", ["a"], session_id=None, time=time) for time in times]
    assert read_interactions([events], NOW).session.tolist() == [0, 0, 1, 2]


def test_it_keeps_the_newest() -> None:
    reader = Reader(most=10)
    for n in range(100):
        reader.add([make_event("view", [f"p{n}"], time=NOW - (100 - n) * MINUTE)])
    seen = reader.interactions(NOW)
    assert [seen.products[i] for i in seen.product] == [f"p{n}" for n in range(90, 100)]
    # Between two cuts it holds no more than twice as many.
    assert max(len(column) for column in reader._columns.values()) <= 20


def test_nothing() -> None:
    seen = read_interactions([], NOW)
    assert len(seen) == 0
    assert seen.products == ()
    assert len(seen.take(np.zeros(0, dtype=bool))) == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["view", "cart", "impression"]),
            st.sampled_from([None, "u1", "u2"]),
            st.sampled_from(["s1", "s2", "s3"]),
            st.integers(0, 90),
        ),
        max_size=12,
    ),
    st.integers(1, 4),
)
def test_pages_do_not_matter(rows: list[tuple[str, str | None, str, int]], size: int) -> None:
    events: list[Event] = [
        make_event(type, ["a", f"{session}{minutes}"], user_id=user, session_id=session,
                   time=NOW - minutes * MINUTE)
        for type, user, session, minutes in rows
    ]  # fmt: skip
    whole = read_interactions([events], NOW)
    pages = [events[i : i + size] for i in range(0, len(events), size)]
    parts = read_interactions(pages, NOW)
    assert parts.products == whole.products
    for name in ("product", "session", "event", "type", "time"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    # One shopper to a session, whoever it is.
    for session in set(whole.session.tolist()):
        users = {u for t, u, s, _ in rows if t != "impression" and u}
        owners = set(whole.shopper[whole.session == session].tolist())
        assert len(owners) <= max(1, len(users))
