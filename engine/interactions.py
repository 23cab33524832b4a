"""What shoppers did, as columns of numbers: what recommenders learn from.

Read from the event store in one pass, with a running number for each shopper and each session in
place of their ids: what learns from it can keep no id.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct, structs

from .events import EVENT_WEIGHTS, Event, EventType, to_micros
from .profiles import SESSION_GAP

INTERACTIONS: tuple[EventType, ...] = ("view", "click", "cart", "purchase")
"""The types of events that show interest; ``Interactions.type`` is an index into these."""
MOST = 1_000_000
"""Interactions kept, the newest ones: 25 MB while something learns."""

Ints = npt.NDArray[np.int32]


class Interactions(Struct, frozen=True, eq=False):
    """n interactions of a shopper with a product, oldest first. Arrays are read-only.

    ``product`` int32 ``[n]`` are indices into ``products`` (ids, of which some may be sold out or
    gone), ``shopper``, ``session`` and ``event`` int32 ``[n]`` running numbers: the products of one
    order have one event. ``type`` int8 ``[n]`` indexes :data:`INTERACTIONS`, ``time`` int64 ``[n]``
    is in microseconds since the epoch, ``now`` the same for the moment of reading.

    A shopper is a user; before it was known who a session's user is, and where that stays unknown,
    the session. Without a session id, a user's session ends after half an hour without an event.
    """

    products: tuple[str, ...]
    product: Ints
    shopper: Ints
    session: Ints
    event: Ints
    type: npt.NDArray[np.int8]
    time: npt.NDArray[np.int64]
    now: int

    @property
    def weights(self) -> npt.NDArray[np.float32]:
        """How much interest each shows, ``[n]``: :data:`engine.events.EVENT_WEIGHTS`."""
        return _WEIGHTS[self.type]

    def __len__(self) -> int:
        return len(self.product)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Interactions:
        """Those interactions alone; products and running numbers stay what they are."""
        columns = {name: _frozen(getattr(self, name)[rows]) for name in _COLUMNS}
        return structs.replace(self, **columns)


class Reader:
    """Makes :class:`Interactions` of events that come in pages, in the order of arrival. Beyond
    twice ``most`` interactions it drops the oldest, and with them the sessions it knows."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._products: dict[str, int] = {}
        self._users: dict[str, int] = {}
        self._sessions: dict[str, int] = {}
        self._user_of: dict[int, int] = {}
        self._last: dict[str, tuple[int, int]] = {}
        self._events = self._visits = 0
        self._columns = {name: array(code) for name, code in _COLUMNS.items()}

    def add(self, events: Iterable[Event]) -> None:
        """Take up a page; impressions are left out."""
        columns = self._columns
        for event in events:
            if event.type not in _TYPES or event.time is None:
                continue
            time = to_micros(event.time)
            visit = self._visit(event, time)
            if event.user_id is not None:
                self._user_of[visit] = self._users.setdefault(event.user_id, len(self._users))
            for name in dict.fromkeys(each.id for each in event.products):
                columns["product"].append(self._products.setdefault(name, len(self._products)))
                columns["shopper"].append(self._user_of.get(visit, -1 - visit))
                columns["session"].append(visit)
                columns["event"].append(self._events)
                columns["type"].append(_TYPES[event.type])
                columns["time"].append(time)
            self._events += 1
        if len(columns["time"]) > 2 * self._most:
            self._cut()

    def interactions(self, now: datetime) -> Interactions:
        """What was read, oldest first; beyond ``most``, the newest."""
        self._cut()
        columns = {name: np.array(held) for name, held in self._columns.items()}
        _, shoppers = np.unique(columns["shopper"], return_inverse=True)
        columns["shopper"] = shoppers.astype(np.int32)
        order = np.argsort(columns["time"], kind="stable")
        ordered: dict[str, Any] = {name: _frozen(held[order]) for name, held in columns.items()}
        return Interactions(products=tuple(self._products), now=to_micros(now), **ordered)

    def _visit(self, event: Event, time: int) -> int:
        if event.session_id is not None:
            name = f"s{event.session_id}"
            visit = self._sessions.get(name, -1)
        else:
            name = f"u{event.user_id}"
            last, visit = self._last.get(name, (0, -1))
            if abs(time - last) > _GAP:
                visit = -1
        if visit < 0:
            visit, self._visits = self._visits, self._visits + 1
            self._sessions[name] = visit
        self._last[name] = (time, visit)
        return visit

    def _cut(self) -> None:
        """Keep the newest, and give the first events of a session to the user it turned out to
        be of."""
        shopper = np.array(self._columns["shopper"], dtype=np.int32)
        users = np.arange(-1, -1 - max(self._visits, 1), -1, dtype=np.int32)
        users[list(self._user_of)] = list(self._user_of.values())
        shopper = np.where(shopper < 0, users[-1 - np.minimum(shopper, -1)], shopper)
        times = np.array(self._columns["time"], dtype=np.int64)
        kept = np.sort(np.argsort(times, kind="stable")[-self._most :])
        self._columns["shopper"] = array("i", shopper.tolist())
        if len(kept) == len(times):
            return
        for name, held in self._columns.items():
            self._columns[name] = array(_COLUMNS[name], np.array(held)[kept].tolist())
        self._sessions.clear()
        self._user_of.clear()
        self._last.clear()


def read_interactions(pages: Iterable[Sequence[Event]], now: datetime) -> Interactions:
    """The interactions of all events in ``pages``."""
    reader = Reader()
    for events in pages:
        reader.add(events)
    return reader.interactions(now)


def _frozen(column: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    column.flags.writeable = False  # one plugin's writing must not reach the next
    return column


_TYPES = {name: number for number, name in enumerate(INTERACTIONS)}
_WEIGHTS = np.asarray([EVENT_WEIGHTS[name] for name in INTERACTIONS], dtype=np.float32)
_COLUMNS = {
    **dict.fromkeys(("product", "shopper", "session", "event"), "i"),
    "type": "b",
    "time": "q",
}
_GAP = round(SESSION_GAP.total_seconds() * 1e6)
