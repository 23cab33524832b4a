"""Events for the tests of event stores."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from engine.events import Event, EventProduct, from_micros, to_micros

NOW = datetime(2026, 3, 1, 12, 0, 0, 123457, UTC)
DAY = timedelta(days=1)
_NUMBERS = itertools.count()


def make_event(type: Any = "click", products: Sequence[str] = ("p1",), **changes: Any) -> Event:
    """An event with an id of its own, just now, by ``user_id`` "ada" unless said otherwise."""
    given = {
        "id": f"event-{next(_NUMBERS)}",
        "time": NOW,
        "user_id": "ada",
        "products": tuple(EventProduct(id) for id in products),
        **changes,
    }
    return Event(type=type, **given)


_TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
)
_TOKENS = st.text("azAZ09_.:=+-", min_size=3, max_size=128)
_PRODUCTS = st.builds(
    EventProduct,
    _TEXT,
    st.none() | st.integers(1, 1_000_000),
    st.integers(1, 1_000_000),
    st.none() | st.floats(0, 1e12),
)
_MOMENTS = st.integers(to_micros(NOW - 3650 * DAY), to_micros(NOW)).map(from_micros)


def any_event(id: str, user_id: str) -> st.SearchStrategy[Event]:
    """Whatever a shop may send, of one shopper."""
    return st.builds(
        Event,
        st.just(id),
        st.sampled_from(("impression", "view", "click", "cart", "purchase")),
        _MOMENTS,
        st.just(user_id),
        st.none() | _TOKENS,
        st.lists(_PRODUCTS, max_size=5).map(tuple),
        st.just("") | _TEXT,
        st.just("") | _TEXT,
        st.just("") | _TEXT,
        st.sampled_from(("", "EUR")),
        st.none() | st.integers(0, 10**9),
        st.none() | st.floats(0, 1e6),
    )
