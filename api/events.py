"""Events as they come over HTTP: a JSON array or NDJSON, each decoded by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from engine.errors import InvalidRequest
from engine.events import MAX_EVENTS, Event, EventResult

from .schemas import EventItem, EventsResult
from .shops import Shop

MAX_BYTES = 8_000_000
"""Of one request."""
SHOWN_ID = 128


class _Identified(Struct):
    id: str = ""


_ARRAY = msgspec.json.Decoder(list[Event])
_LINE = msgspec.json.Decoder(Event)
_ITEMS = msgspec.json.Decoder(list[Raw])
_ID = msgspec.json.Decoder(_Identified)


def record(shop: Shop, body: bytes, *, lines: bool) -> EventsResult:
    """Store the events of a request; one result each, so that a bad one fails alone.

    Raises:
        InvalidRequest: not a JSON array, or too many events.
    """
    items = _split_lines(body) if lines else _split_array(body)
    if len(items) > MAX_EVENTS:
        raise InvalidRequest(
            f"events: {len(items):,} in one request; the limit is {MAX_EVENTS:,}", field="events"
        )
    results: dict[int, EventResult] = {}
    events: dict[int, Event] = {}
    for index, item in enumerate(items):
        try:
            events[index] = item if isinstance(item, Event) else _LINE.decode(item)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            results[index] = EventResult(_id_of(item), "rejected", _words(error))
    stored = shop.engine.record(list(events.values()))
    results.update(zip(events, stored, strict=True))
    return _summary([results[index] for index in range(len(items))])


def _split_array(body: bytes) -> Sequence[Event | Raw | bytes]:
    try:
        return _ARRAY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # one of them does not fit, at least: each by itself
    try:
        return _ITEMS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"the body must be a JSON array of events: {_words(error)}", field="events"
        ) from error


def _split_lines(body: bytes) -> Sequence[bytes]:
    return [line for line in body.split(b"\n") if line.strip()]


def _id_of(item: Any) -> str:
    """The id of an event that is otherwise wrong, where it has one that can be shown."""
    try:
        return _ID.decode(item).id[:SHOWN_ID]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _words(error: Exception) -> str:
    """``Expected `str` - at `$.user_id``` as ``user_id: Expected `str```; never the value."""
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8"
    message, _, path = str(error).partition(" - at `$")
    where = path.removesuffix("`").lstrip(".")
    return f"{where}: {message}" if where else message


def _summary(results: list[EventResult]) -> EventsResult:
    counts = {"accepted": 0, "duplicate": 0, "ignored": 0, "rejected": 0}
    for result in results:
        counts[result.status] += 1
    items = [
        EventItem(index, r.id, r.status, r.error, r.warning) for index, r in enumerate(results)
    ]
    return EventsResult(
        counts["accepted"], counts["duplicate"], counts["ignored"], counts["rejected"], items
    )
