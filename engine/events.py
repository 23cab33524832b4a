"""What shoppers do, as events, and the seam of the stores that keep them.

An event speaks of a shopper by pseudonyms alone: the shop's own ``user_id``, a ``session_id``, or
both. What is known of a shopper is always read from these events (:mod:`engine.profiles`), so
that erasing them erases everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta, Struct

from .errors import InvalidRequest
from .types import MAX_QUERY_CHARS

EventType = Literal["impression", "view", "click", "cart", "purchase"]
EventStatus = Literal["accepted", "duplicate", "ignored", "rejected"]

EVENT_WEIGHTS: Mapping[EventType, float] = {
    "impression": 0.0,
    "view": 1.0,
    "click": 1.0,
    "cart": 3.0,
    "purchase": 5.0,
}
"""How much interest an event shows: a graded scale as is usual for implicit feedback; our
choice, not tuned. Being shown something shows none."""

CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead a sender's clock may be; such an event happened now."""
MAX_EVENTS = 1000
"""In one batch (Algolia's Insights API has the same bound)."""
MAX_EVENT_PRODUCTS = 100

# ``$`` alone would let a newline pass at the end; this form means the same in JSON Schema.
# "." and ".." would not survive as a part of a path.
_TOKEN = r"^(?!\.{1,2}$)[A-Za-z0-9_.:=+-]+$(?![\s\S])"
_NO_NUL = r"^[^\u0000]*$"  # PostgreSQL cannot store it

Token = Annotated[str, Meta(min_length=1, max_length=128, pattern=_TOKEN)]
"""A pseudonymous id. It has no place for an ``@``, which keeps addresses out."""
Label = Annotated[str, Meta(max_length=128, pattern=_NO_NUL)]


class EventProduct(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A product in an event. ``position`` is its place in the list it was shown in, from 1;
    ``price`` is for one piece."""

    id: Annotated[str, Meta(min_length=1, max_length=256, pattern=_NO_NUL)]
    position: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    price: Annotated[float, Meta(ge=0)] | None = None


class Event(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One thing a shopper did. ``id`` is the sender's, unique for ever: a second event with it
    is a duplicate.

    impression: ``products`` were shown (none, with ``results`` 0, where a search found nothing);
    click: one of a list was chosen; view: a product's own page was seen; cart, purchase.
    ``search_id`` is the ``X-Request-Id`` of the search's answer, ``variant`` the arm of an
    experiment, ``results`` and ``took_ms`` are those of the answer (its ``total``). Without
    ``time``, it is now.
    """

    id: Token
    type: EventType
    time: Annotated[datetime, Meta(tz=True)] | None = None
    user_id: Token | None = None
    session_id: Token | None = None
    products: Annotated[tuple[EventProduct, ...], Meta(max_length=MAX_EVENT_PRODUCTS)] = ()
    query: Annotated[str, Meta(max_length=MAX_QUERY_CHARS, pattern=_NO_NUL)] = ""
    search_id: Label = ""
    variant: Label = ""
    currency: Annotated[str, Meta(max_length=3, pattern=r"^([A-Z]{3})?$(?![\s\S])")] = ""
    results: Annotated[int, Meta(ge=0)] | None = None
    took_ms: Annotated[float, Meta(ge=0)] | None = None


class EventResult(Struct, frozen=True, omit_defaults=True):
    """What became of one event. ``accepted``: it is durable; ``duplicate``: one with its id is
    stored already; ``ignored``: its shopper opted out, or was erased after it happened;
    ``rejected``: ``error`` says why. A ``warning`` names what is odd about an accepted one."""

    id: str
    status: EventStatus
    error: str = ""
    warning: str = ""


class QueryCount(Struct, frozen=True):
    """How one query fared. ``shoppers`` counts users, and sessions without one; ``searches``
    are impressions of its results, ``zero_results`` those without any."""

    query: str
    shoppers: int
    searches: int
    zero_results: int
    clicks: int
    carts: int
    purchases: int


class EventStore(Protocol):
    """Keeps events. Thread-safe; clock-free: the caller says what time it is.

    Options begin with ``data_dir``, ``shop`` and ``popularity_half_life_days``. Where a method
    takes a shopper's ``id``, that is a user id or, for a visitor without one, a session id.
    """

    def append(self, events: Sequence[Event]) -> list[EventStatus]:
        """Store events that have a ``time`` and a shopper (:func:`settle`); one status each, in
        order. On return the accepted ones are durable and visible to every other method.

        Raises:
            StoreError: nothing of this batch may be taken for stored; sending it again is safe.
        """
        ...

    def history(self, user_id: str | None, session_id: str | None, limit: int) -> list[Event]:
        """The newest events with that user or that session, impressions left out, newest first."""
        ...

    def popularity(self, product_ids: Sequence[str], now: datetime) -> list[float]:
        """Σ :data:`EVENT_WEIGHTS` of the events with each product, each halved once per
        half-life since; 0 for unknown ones."""
        ...

    def popular(self, limit: int, now: datetime) -> list[tuple[str, float]]:
        """The most popular products with that sum, best first, equal ones by id."""
        ...

    def queries(self, since: datetime, at_least: int, limit: int) -> list[QueryCount]:
        """The queries (in lower case) that at least ``at_least`` shoppers asked since, those
        asked by most first."""
        ...

    def export(self, id: str) -> Iterator[Event]:
        """Every event of a shopper, in the order of arrival: with this user id, with this session
        id, and those of the user's sessions from before it was known who it was."""
        ...

    def erase(self, id: str, now: datetime) -> int:
        """Delete what :meth:`export` gives and all that was derived from it; how many events.
        What of it happened before ``now`` and arrives later will be ignored. On return nothing
        of it is left in the shop's data folder; a database server's files are its own affair."""
        ...

    def opt_out(self, id: str, now: datetime) -> int:
        """Erase, and ignore every event of this shopper from now on."""
        ...

    def opt_in(self, id: str) -> None:
        """Take :meth:`opt_out` back for events to come."""
        ...

    def opted_out(self, id: str) -> bool:
        """Whether the events of this shopper are ignored."""
        ...

    def compact(self, before: datetime) -> int:
        """Delete the events that happened before that; how many. Others write meanwhile."""
        ...

    def iterate(self, since: datetime | None = None, batch: int = 1000) -> Iterator[list[Event]]:
        """All events since then in the order of arrival, for training."""
        ...

    def count(self) -> int:
        """How many events there are."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


def settle(event: Event, now: datetime, oldest: datetime) -> Event:
    """``event`` with its time, as a store takes it.

    Raises:
        InvalidRequest: by the field: no shopper, no product, too old, or from the future.
    """
    if event.user_id is None and event.session_id is None:
        raise InvalidRequest("user_id: give a user_id, a session_id or both", field="user_id")
    if not event.products and event.type != "impression":
        raise InvalidRequest(f"products: a {event.type} has at least one", field="products")
    if event.time is None:
        return msgspec.structs.replace(event, time=now)
    if event.time > now:
        if event.time > now + CLOCK_SKEW:
            raise InvalidRequest(
                "time: lies in the future; check the sender's clock, or leave it out",
                field="time",
            )
        return msgspec.structs.replace(event, time=now)
    if event.time < oldest:
        days = (now - oldest) / timedelta(days=1)
        raise InvalidRequest(
            f"time: longer ago than events are kept ({days:g} days: events.retention_days)",
            field="time",
        )
    return event


def check_token(value: str, field: str) -> None:
    """Raises InvalidRequest where ``value`` cannot be a shopper's id."""
    try:
        msgspec.convert(value, Token)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise InvalidRequest(
            f"{field}: must be 1 to 128 characters of A-Z a-z 0-9 _ . : = + -, and no personal "
            "data such as an e-mail address",
            field=field,
        ) from error


def from_micros(micros: int) -> datetime:
    """The moment ``micros`` microseconds after the epoch, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def to_micros(moment: datetime) -> int:
    """Microseconds since the epoch. A float of seconds would not keep them all."""
    return round(moment.timestamp() * 1e6)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
