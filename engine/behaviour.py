"""Records what shoppers do and answers what is known of them, for one shop.

Sits between the engine and its event store: checks events, joins them with the live products,
expires what is too old, and lets a search go on where the store fails.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
from msgspec import Struct

from .errors import EntrepotError, InvalidRequest, NotFound
from .events import (
    MAX_EVENTS,
    Event,
    EventResult,
    EventStore,
    QueryCount,
    check_token,
    settle,
)
from .guard import Guard
from .profiles import UserProfile, build_profile
from .protocols import Vectors, VectorStore
from .settings import EventSettings

log = logging.getLogger(__name__)

COMPACT_EVERY_S = 86_400.0
MAX_QUERIES = 1000


class _Bundle(Protocol):
    """What is needed of :class:`engine.live.Live`, which holds a :class:`Behaviour` itself."""

    @property
    def store(self) -> VectorStore: ...


Lease = Callable[[], AbstractContextManager[_Bundle | None]]


class UserExport(Struct, frozen=True):
    """All that is kept of a shopper: ``events``. ``affinities`` and those of the session are
    what is derived from them when it is asked for: field → value → share."""

    id: str
    opted_out: bool
    events: list[Event]
    affinities: Mapping[str, Mapping[str, float]]
    session_affinities: Mapping[str, Mapping[str, float]]


class Behaviour:
    """Thread-safe. ``lease`` gives the live bundle, or ``None`` where nothing is live; ``store``
    is ``None`` where the settings keep no events. ``guard`` is for what a search asks, which waits
    for no store."""

    def __init__(
        self,
        store: EventStore | None,
        settings: EventSettings,
        lease: Lease,
        guard: Guard,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings = settings
        self.guard = guard
        self._store = store
        self._lease = lease
        self._clock = clock
        self._recorded = self._erased = 0
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._expire, name="events", daemon=True)
        if store is not None:
            self._keeper.start()

    @property
    def store(self) -> EventStore:
        """The store itself, for training; raises NotFound where events are switched off."""
        if self._store is None:
            raise NotFound(
                "this shop keeps no events; name a store in the settings: events.plugin",
                field="events.plugin",
            )
        return self._store

    @property
    def changes(self) -> tuple[int, int]:
        """Other numbers whenever events were recorded, and erased, by this process."""
        return self._recorded, self._erased

    def record(self, events: Sequence[Event]) -> list[EventResult]:
        """Store events; one result each, in order. An accepted one is durable, and the next
        search knows of it.

        Raises:
            InvalidRequest: too many at once. NotFound: no events are kept.
            StoreError: none of them may be taken for stored; sending them again is safe.
        """
        if len(events) > MAX_EVENTS:
            raise InvalidRequest(
                f"events: {len(events):,} in one batch; the limit is {MAX_EVENTS:,}",
                field="events",
            )
        store, now = self.store, self._clock()
        oldest = now - timedelta(days=self.settings.retention_days)
        results: dict[int, EventResult] = {}
        good: dict[int, Event] = {}
        for n, event in enumerate(events):
            try:
                good[n] = settle(event, now, oldest)
            except InvalidRequest as error:
                results[n] = EventResult(event.id, "rejected", str(error))
        unknown = self._unknown(good.values())
        statuses = store.append([*good.values()])
        self._recorded += 1
        for (n, event), status in zip(good.items(), statuses, strict=True):
            warning = ""
            if status == "accepted" and unknown:
                odd = [product.id for product in event.products if product.id in unknown]
                warning = f"no such product: {', '.join(odd[:5])}" if odd else ""
            results[n] = EventResult(event.id, status, warning=warning)
        return [results[n] for n in range(len(events))]

    def profile(self, user_id: str | None, session_id: str | None) -> UserProfile | None:
        """What is known of a shopper, in terms of the live generation; ``None`` where that is
        nothing."""
        history = self.history(user_id, session_id)
        with self._lease() as live:
            return self.profile_of(history, session_id, live.store) if live else None

    def history(self, user_id: str | None, session_id: str | None) -> list[Event]:
        """The events that a profile is made of, newest first."""
        if self._store is None or (user_id is None and session_id is None):
            return []
        return self._store.history(user_id, session_id, self.settings.history)

    def profile_of(
        self, history: Sequence[Event], session_id: str | None, live: VectorStore
    ) -> UserProfile | None:
        """The profile that ``history`` gives in terms of ``live``."""
        if not history:
            return None
        return build_profile(history, live, self.settings, self._clock(), session_id)

    def popularity(self, product_ids: Sequence[str]) -> Vectors:
        """Decayed popularity, float32 ``[n]``, 0 for products nobody looked at."""
        if self._store is None:
            return np.zeros(len(product_ids), dtype=np.float32)
        found = self._store.popularity(product_ids, self._clock())
        return np.asarray(found, dtype=np.float32)

    def export(self, id: str) -> UserExport:
        """All that is kept of a shopper, by user id or session id; nothing of an unknown one."""
        check_token(id, "id")
        events = list(self.store.export(id))
        profile = self.profile(id, None) or self.profile(None, id) or UserProfile()
        return UserExport(
            id,
            self.store.opted_out(id),
            events,
            profile.long_term.affinities,
            profile.session.affinities,
        )

    def erase(self, id: str) -> int:
        """Delete all that is kept of a shopper, and ignore what of it arrives late; how many
        events."""
        check_token(id, "id")
        gone = self.store.erase(id, self._clock())
        self._erased += 1
        return gone

    def opt_out(self, id: str) -> int:
        """Erase a shopper and keep nothing of them from now on; how many events there were."""
        check_token(id, "id")
        gone = self.store.opt_out(id, self._clock())
        self._erased += 1
        return gone

    def opt_in(self, id: str) -> None:
        """Keep a shopper's events again."""
        check_token(id, "id")
        self.store.opt_in(id)

    def queries(self, days: float, limit: int) -> list[QueryCount]:
        """How queries fared in the last ``days``, where at least ``settings.anonymity`` shoppers
        asked them; those asked by most first."""
        if not 0 < days <= 3650:
            raise InvalidRequest("days: must be above 0 and at most 3650", field="days")
        if not 1 <= limit <= MAX_QUERIES:
            raise InvalidRequest(f"limit: must be 1 to {MAX_QUERIES}", field="limit")
        since = self._clock() - timedelta(days=days)
        return self.store.queries(since, self.settings.anonymity, limit)

    def compact(self) -> int:
        """Delete the events that are kept no longer; how many. Happens by itself at start and
        once a day."""
        return self.store.compact(self._clock() - timedelta(days=self.settings.retention_days))

    def close(self) -> None:
        self._closing.set()
        if self._store is not None:
            self._keeper.join()
            self._store.close()

    def _unknown(self, events: Iterable[Event]) -> set[str]:
        """The products in ``events`` that the live generation lacks; without one, none."""
        ids = list({product.id for event in events for product in event.products})
        with self._lease() as live:
            if live is None or not ids:
                return set()
            stocked = live.store.columns(ids, ["in_stock"])["in_stock"]
        return {id for id, value in zip(ids, stocked, strict=True) if value is None}

    def _expire(self) -> None:
        while True:
            try:
                self.compact()
            except EntrepotError as error:
                log.error("expired events could not be deleted: %s", error)
            if self._closing.wait(COMPACT_EVERY_S):
                return


class KnowsShoppers:
    """The part of an :class:`engine.Engine` that is about shoppers; ``behaviour`` has the rest."""

    behaviour: Behaviour

    def record(self, events: Sequence[Event]) -> list[EventResult]:
        """Store what shoppers did; see :meth:`Behaviour.record`."""
        return self.behaviour.record(events)

    def profile(self, user_id: str | None, session_id: str | None = None) -> UserProfile | None:
        """What rankers are told of a shopper; ``None`` where nothing is known."""
        return self.behaviour.profile(user_id, session_id)

    def export_user(self, id: str) -> UserExport:
        """All that is kept of a shopper, by user id or session id."""
        return self.behaviour.export(id)

    def erase_user(self, id: str) -> int:
        """Delete all that is kept of a shopper, so that nothing is left in the data folder; how
        many events."""
        return self.behaviour.erase(id)
