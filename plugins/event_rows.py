"""What the event stores have in common: an event as a row, one commit for many requests,
popularity that decays without being touched, and the memory of who is forgotten."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from engine import (
    EVENT_WEIGHTS,
    EntrepotError,
    Event,
    EventProduct,
    EventStatus,
    from_micros,
    to_micros,
)

TYPES = ("impression", "view", "click", "cart", "purchase")
"""A row's ``type`` is an index into these. Never reorder: stores hold the numbers."""
GROUP = 20_000
"""Events in one commit, at most."""
FOREVER = 2**62
"""Microseconds until which an opted-out shopper is forgotten."""
DAY_MICROS = 86_400_000_000


class EventStoreOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """Filled in by the engine, from ``data_dir``, ``shop`` and ``[events]``."""

    data_dir: str = ""
    shop: str = "shop"
    popularity_half_life_days: Annotated[float, Meta(gt=0)] = 7.0


class Row(NamedTuple):
    """An event as both databases have it. ``interest`` is 0 for impressions, else 1; ``query`` is
    folded, for counting, and the body has it as it was typed."""

    id: str
    time: int
    type: int
    interest: int
    user_id: str | None
    session_id: str | None
    query: str | None
    results: int | None
    body: str


class _Body(Struct, omit_defaults=True, gc=False):
    """The part of an event that nothing is looked up by, as JSON that an administrator can read."""

    products: tuple[EventProduct, ...] = ()
    query: str = ""
    search_id: str = ""
    variant: str = ""
    currency: str = ""
    took_ms: float | None = None


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Body)
_NUMBERS = {name: number for number, name in enumerate(TYPES)}


def to_row(event: Event) -> Row:
    assert event.time is not None
    body = _Body(
        event.products,
        event.query,
        event.search_id,
        event.variant,
        event.currency,
        event.took_ms,
    )
    return Row(
        event.id,
        to_micros(event.time),
        _NUMBERS[event.type],
        int(event.type != "impression"),
        event.user_id,
        event.session_id,
        fold(event.query) or None,
        event.results,
        _ENCODER.encode(body).decode(),
    )


def to_event(row: Sequence[Any]) -> Event:
    """The event of a row whose columns are in :class:`Row`'s order."""
    id, time, type, _, user_id, session_id, _, results, body = row
    rest = _DECODER.decode(body)
    return Event(
        id,
        TYPES[type],  # type: ignore[arg-type]
        from_micros(time),
        user_id,
        session_id,
        rest.products,
        rest.query,
        rest.search_id,
        rest.variant,
        rest.currency,
        results,
        rest.took_ms,
    )


def fold(query: str) -> str:
    """Queries that differ in case or spaces only are one."""
    return " ".join(query.casefold().split())


class Forgotten:
    """Who was erased or opted out, by keyed hash: an id cannot be read back from the store, and
    is still known when it comes again."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def key(self, id: str) -> bytes:
        return hashlib.blake2b(id.encode(), digest_size=16, key=self._secret).digest()

    def keys(self, events: Iterable[Event]) -> dict[str, bytes]:
        """The key of every shopper's id in ``events``."""
        ids = {id for e in events for id in (e.user_id, e.session_id) if id is not None}
        return {id: self.key(id) for id in ids}


def until_of(event: Event, keys: Mapping[str, bytes], until: Mapping[bytes, int]) -> int:
    """The moment up to which this event's shopper is forgotten; 0 where nobody is."""
    found = 0
    for id in (event.user_id, event.session_id):
        if id is not None:
            found = max(found, until.get(keys[id], 0))
    return found


class Decay(NamedTuple):
    """Forward decay (Cormode, Shkapenyuk, Srivastava and Xu, ICDE 2009): an event at ``t`` adds
    its weight times ``2^((t − landmark) / half_life)``, so that a sum never has to be touched
    while it ages; divided by the same expression for now, it is the decayed sum. Microseconds."""

    landmark: int
    half_life: int

    def gain(self, micros: int) -> float:
        # Beyond ±1000 half-lives a float could not hold it; compaction moves the landmark.
        return float(2.0 ** max(-1000.0, min(1000.0, (micros - self.landmark) / self.half_life)))

    def contributions(self, events: Iterable[Event]) -> dict[str, float]:
        """What ``events`` add to each product's sum, in the products' order."""
        sums: dict[str, float] = {}
        for event in events:
            if weight := EVENT_WEIGHTS[event.type]:
                assert event.time is not None
                gain = weight * self.gain(to_micros(event.time))
                for id in {product.id for product in event.products}:
                    sums[id] = sums.get(id, 0.0) + gain
        return dict(sorted(sums.items()))

    def moved(self, now: datetime) -> tuple[Decay, float] | None:
        """With the landmark at ``now``, and the factor for every sum; ``None`` while the old one
        will do."""
        micros = to_micros(now)
        if micros - self.landmark < 100 * self.half_life:
            return None
        return Decay(micros, self.half_life), 1 / self.gain(micros)


def half_life_micros(options: EventStoreOptions) -> int:
    return round(options.popularity_half_life_days * DAY_MICROS)


class _Job:
    __slots__ = ("error", "events", "statuses")

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.statuses: list[EventStatus] | None = None
        self.error: BaseException | None = None


class GroupCommit:
    """Batches that arrive while another is being made durable are committed together, so that
    many small requests share one wait for the disk.

    ``commit`` makes a list of events durable and gives their statuses; it is called by one
    thread at a time, which holds :attr:`writing`. Whoever else writes holds it too.
    """

    def __init__(self, commit: Callable[[list[Event]], list[EventStatus]]) -> None:
        self.writing = threading.RLock()
        self._commit = commit
        self._door = threading.Lock()
        self._waiting: list[_Job] = []

    def append(self, events: Sequence[Event]) -> list[EventStatus]:
        job = _Job(events)
        with self._door:
            self._waiting.append(job)
        with self.writing:
            # Somebody who held the lock before may have done it already.
            while job.statuses is None and job.error is None:
                self._run(self._take())
        if isinstance(job.error, EntrepotError):
            raise type(job.error)(str(job.error)) from job.error
        if job.error is not None:
            raise job.error
        assert job.statuses is not None
        return job.statuses

    def _take(self) -> list[_Job]:
        """The first in the queue, and those behind it that fit into one commit."""
        with self._door:
            taken, size = 0, 0
            while taken < len(self._waiting) and (not taken or size < GROUP):
                size += len(self._waiting[taken].events)
                taken += 1
            jobs, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return jobs

    def _run(self, jobs: list[_Job]) -> None:
        try:
            statuses = self._commit([event for job in jobs for event in job.events])
        except BaseException as error:
            for job in jobs:
                job.error = error
            return
        start = 0
        for job in jobs:
            job.statuses = statuses[start : start + len(job.events)]
            start += len(job.events)
