"""Events: what may be in one, and what a shop takes from whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Event, InvalidRequest, from_micros, to_micros
from engine.events import check_token, settle
from engine.testing.event_data import DAY, NOW, make_event

GOOD: dict[str, Any] = {
    "id": "e-1",
    "type": "click",
    "user_id": "u1",
    "products": [{"id": "p1"}],
    "time": "2026-03-01T12:00:00+01:00",
}


def decode(**changes: Any) -> Event:
    fields = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
    return msgspec.json.decode(msgspec.json.encode(fields), type=Event)


def test_a_good_one() -> None:
    event = decode()
    assert event.time == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert decode(user_id=..., session_id="GA1.2.77=:+-_").session_id == "GA1.2.77=:+-_"


BAD = {
    "id": ["", "x" * 129, "a b", "a\n", "ü", "a@b", None, 7, ...],
    "type": ["buy", "", 1, None, ...],
    "time": ["yesterday", "2026-03-01T12:00:00", 1772000000, "9999-99-99T00:00:00Z", ""],
    "user_id": ["", "x" * 1_000_000, "ada@example.com", "a/b", "\0", "..", "."],
    "session_id": ["", "x" * 1_000_000, 5],
    "products": ["p1", [{}], [{"id": ""}], [{"id": "a\0"}], [{"id": "p"}] * 101, ["p1"]],
    "query": ["x" * 2001, "a\0b", None],
    "variant": ["x" * 129],
    "currency": ["EURO", "eur", "E"],
    "results": [-1, 1.5],
    "email": ["ada@example.com"],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in BAD.items() for value in values],
    ids=lambda value: str(value)[:20],
)
def test_bad_values(field: str, value: Any) -> None:
    with pytest.raises((msgspec.ValidationError, OverflowError)) as caught:
        decode(**{field: value})
    assert field in str(caught.value) or "products" in str(caught.value)
    assert "ada" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [("position", 0), ("quantity", 0), ("price", -1), ("price", "9.99"), ("name", "x")],
)
def test_bad_products(field: str, value: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match="products"):
        decode(products=[{"id": "p1", field: value}])


def settled(event: Event) -> Event:
    return settle(event, NOW, NOW - 90 * DAY)


def test_times() -> None:
    recent = make_event(time=NOW - DAY)
    assert settled(recent) is recent
    assert settled(make_event(time=None)).time == NOW
    assert settled(make_event(time=NOW + timedelta(minutes=4))).time == NOW
    with pytest.raises(InvalidRequest, match="future") as caught:
        settled(make_event(time=NOW + timedelta(minutes=6)))
    assert caught.value.field == "time"
    with pytest.raises(InvalidRequest, match="90 days"):
        settled(make_event(time=NOW - 91 * DAY))


def test_somebody_did_something_to_something() -> None:
    with pytest.raises(InvalidRequest, match="session_id"):
        settled(make_event(user_id=None))
    for type in ("view", "click", "cart", "purchase"):
        with pytest.raises(InvalidRequest, match="products"):
            settled(make_event(type, ()))
    assert settled(make_event("impression", (), results=0))


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))
def test_microseconds_are_kept(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    assert from_micros(to_micros(aware)) == aware


@pytest.mark.parametrize("id", ["", "a b", "x" * 1_000_000, "ada@example.com", "\ud800", "a\n"])
def test_ids_that_cannot_be(id: str) -> None:
    with pytest.raises(InvalidRequest, match="128 characters") as caught:
        check_token(id, "user_id")
    assert caught.value.field == "user_id"
    assert len(str(caught.value)) < 300
