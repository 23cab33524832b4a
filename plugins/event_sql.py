"""An event store in SQL, but for what a database does in its own way.

Statements are written with ``?``; a database gives them its own placeholders. Both databases sort
text by its bytes (``COLLATE "C"`` in PostgreSQL).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from engine import Event, EventStatus, QueryCount, to_micros

from .event_rows import FOREVER, Decay, Forgotten, GroupCommit, Row, to_event, until_of

CHUNK = 5000
"""Events deleted in one transaction of a compaction; appends get in between."""
PAGE = 1000

COLUMNS = ", ".join(Row._fields)
ADD = """INSERT INTO popularity (product, score) VALUES (?, ?)
    ON CONFLICT (product) DO UPDATE SET score = popularity.score + excluded.score"""
_FORGET = """INSERT INTO forgotten (key, until) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET
    until = CASE WHEN excluded.until > forgotten.until THEN excluded.until ELSE forgotten.until END
    """
_SHOPPER = """seq IN (SELECT seq FROM events WHERE user_id = ?
    UNION SELECT seq FROM events WHERE session_id = ?
    UNION SELECT seq FROM events WHERE user_id IS NULL AND session_id IN
        (SELECT session_id FROM events WHERE user_id = ?))"""
"""Takes the id three times."""
_COUNT = "count(DISTINCT coalesce('u' || user_id, 's' || session_id))"
_QUERIES = f"""
SELECT query, {_COUNT} AS shoppers,
    count(*) FILTER (WHERE type = 0), count(*) FILTER (WHERE type = 0 AND results = 0),
    count(*) FILTER (WHERE type = 2), count(*) FILTER (WHERE type = 3),
    count(*) FILTER (WHERE type = 4)
FROM events WHERE query IS NOT NULL AND time >= ? GROUP BY query HAVING {_COUNT} >= ?
ORDER BY shoppers DESC, query LIMIT ?"""

Database = Any
"""A connection as both drivers have it: ``execute``, ``executemany``."""


class SqlEvents(ABC):
    """See :class:`engine.EventStore`. A subclass keeps the promises of durability and erasure."""

    _forgotten: Forgotten

    def __init__(self) -> None:
        self._group = GroupCommit(self._commit)

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Database]:
        """A connection for one quick statement or two."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Database]:
        """A transaction that may take long; the group's writing lock is held."""

    @abstractmethod
    def _commit(self, events: list[Event]) -> list[EventStatus]:
        """Make ``events`` durable in one transaction."""

    @abstractmethod
    def _lock_out(self, db: Database) -> None:
        """Wait until no other process appends, and let none until the transaction ends."""

    @abstractmethod
    def _erased(self) -> None:
        """After an erasure was committed: leave nothing of it in the files."""

    def _sql(self, statement: str) -> str:
        return statement

    def append(self, events: Sequence[Event]) -> list[EventStatus]:
        return self._group.append(events) if events else []

    def history(self, user_id: str | None, session_id: str | None, limit: int) -> list[Event]:
        found: dict[str, Sequence[Any]] = {}
        with self._reading() as db:
            for column, id in (("user_id", user_id), ("session_id", session_id)):
                if id is not None:
                    statement = (
                        f"SELECT {COLUMNS} FROM events WHERE {column} = ? AND interest = 1 "
                        "ORDER BY time DESC LIMIT ?"
                    )
                    rows = db.execute(self._sql(statement), (id, limit))
                    found.update((row[0], row) for row in rows)
        newest = sorted(found.values(), key=lambda row: (row[1], row[0]), reverse=True)
        return [to_event(row) for row in newest[:limit]]

    def popular(self, limit: int, now: datetime) -> list[tuple[str, float]]:
        statement = "SELECT product, score FROM popularity ORDER BY score DESC, product LIMIT ?"
        with self._reading() as db:
            gain = self._decay(db).gain(to_micros(now))
            rows = db.execute(self._sql(statement), (limit,)).fetchall()
        return [(product, score / gain) for product, score in rows]

    def queries(self, since: datetime, at_least: int, limit: int) -> list[QueryCount]:
        with self._reading() as db:
            rows = db.execute(self._sql(_QUERIES), (to_micros(since), at_least, limit)).fetchall()
        return [QueryCount(*row) for row in rows]

    def export(self, id: str) -> Iterator[Event]:
        statement = f"SELECT {COLUMNS} FROM events WHERE {_SHOPPER} ORDER BY seq"
        with self._reading() as db:
            rows = db.execute(self._sql(statement), (id, id, id)).fetchall()
        yield from map(to_event, rows)

    def erase(self, id: str, now: datetime) -> int:
        return self._erase(id, to_micros(now), to_micros(now))

    def opt_out(self, id: str, now: datetime) -> int:
        return self._erase(id, to_micros(now), FOREVER)

    def opt_in(self, id: str) -> None:
        with self._transaction() as db:
            statement = "DELETE FROM forgotten WHERE key = ? AND until = ?"
            db.execute(self._sql(statement), (self._forgotten.key(id), FOREVER))

    def opted_out(self, id: str) -> bool:
        with self._reading() as db:
            statement = self._sql("SELECT until FROM forgotten WHERE key = ?")
            row = db.execute(statement, (self._forgotten.key(id),)).fetchone()
        return row is not None and bool(row[0] == FOREVER)

    def compact(self, before: datetime) -> int:
        micros, deleted = to_micros(before), 0
        chunk = "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE time < ? LIMIT ?)"
        while True:
            with self._transaction() as db:
                gone = int(db.execute(self._sql(chunk), (micros, CHUNK)).rowcount)
            deleted += gone
            if gone < CHUNK:
                break
        with self._transaction() as db:
            db.execute(self._sql("DELETE FROM forgotten WHERE until < ?"), (micros,))
            # One view that is still kept would be worth more.
            gain = self._decay(db).gain(micros)
            db.execute(self._sql("DELETE FROM popularity WHERE score < ?"), (gain,))
        return deleted

    def iterate(self, since: datetime | None = None, batch: int = PAGE) -> Iterator[list[Event]]:
        yield from self._scan("time >= ?", (to_micros(since) if since else 0,), batch)

    def count(self) -> int:
        with self._reading() as db:
            return int(db.execute("SELECT count(*) FROM events").fetchone()[0])

    def _scan(self, where: str, values: tuple[object, ...], size: int) -> Iterator[list[Event]]:
        """In the order of arrival, by pages, so that no long read holds up an erasure."""
        statement = f"SELECT seq, {COLUMNS} FROM events WHERE seq > ? AND {where} ORDER BY seq"
        after = 0
        while True:
            with self._reading() as db:
                rows = db.execute(
                    self._sql(f"{statement} LIMIT ?"), (after, *values, size)
                ).fetchall()
            if not rows:
                return
            yield [to_event(row[1:]) for row in rows]
            after = rows[-1][0]

    def _erase(self, id: str, now: int, until: int) -> int:
        with self._group.writing:
            with self._transaction() as db:
                self._lock_out(db)
                who = (id, id, id)
                found = db.execute(self._sql(f"SELECT {COLUMNS} FROM events WHERE {_SHOPPER}"), who)
                gone = [to_event(row) for row in found.fetchall()]
                db.execute(self._sql(f"DELETE FROM events WHERE {_SHOPPER}"), who)
                sessions = {e.session_id for e in gone if e.user_id == id and e.session_id}
                keys = [(self._forgotten.key(session), now) for session in sessions - {id}]
                keys.append((self._forgotten.key(id), until))
                self._many(db, _FORGET, keys)
                decay = self._decay(db)
                shares = decay.contributions(gone)
                self._many(db, ADD, [(product, -share) for product, share in shares.items()])
                # What rounding leaves of a product that nobody else looked at.
                rest = 1e-6 * decay.gain(now)
                db.execute(self._sql("DELETE FROM popularity WHERE score < ?"), (rest,))
                if gone:
                    self._mark(db, "rewrite", "1")
            self._erased()
        return len(gone)

    def _count(self, db: Database, stored: Sequence[Event]) -> None:
        """Add ``stored`` to popularity."""
        if not stored:
            return
        decay = self._decay(db)
        latest = max(event.time for event in stored if event.time is not None)
        if decay.moved(latest):
            self._lock_out(db)
            if moved := self._decay(db).moved(latest):
                decay, factor = moved
                db.execute(self._sql("UPDATE popularity SET score = score * ?"), (factor,))
                self._mark(db, "landmark", str(decay.landmark))
        self._many(db, ADD, list(decay.contributions(stored).items()))

    def _count_anew(self, db: Database, half_life: int) -> None:
        newest = db.execute("SELECT max(time) FROM events").fetchone()[0] or 0
        decay = Decay(newest, half_life)
        db.execute("DELETE FROM popularity")
        for events in self.iterate():
            self._many(db, ADD, list(decay.contributions(events).items()))
        self._mark(db, "landmark", str(decay.landmark))
        self._mark(db, "half_life", str(half_life))

    def _decay(self, db: Database) -> Decay:
        notes = self._notes(db)
        return Decay(int(notes["landmark"]), int(notes["half_life"]))

    def _notes(self, db: Database) -> dict[str, str]:
        return dict(db.execute("SELECT name, value FROM meta").fetchall())

    def _mark(self, db: Database, name: str, value: str) -> None:
        statement = """INSERT INTO meta (name, value) VALUES (?, ?)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value"""
        db.execute(self._sql(statement), (name, value))

    def _many(self, db: Database, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            db.executemany(self._sql(statement), rows)

    def _statuses(
        self, events: Sequence[Event], until: dict[bytes, int], taken: set[str]
    ) -> tuple[list[EventStatus], list[Event]]:
        """Each event's status, and those to store: whose shopper is not forgotten and whose id
        is neither ``taken`` nor that of one before."""
        keys = self._forgotten.keys(events) if until else {}
        statuses: list[EventStatus] = []
        fresh: list[Event] = []
        for event in events:
            assert event.time is not None
            if until and to_micros(event.time) <= until_of(event, keys, until):
                statuses.append("ignored")
            elif event.id in taken:
                statuses.append("duplicate")
            else:
                taken.add(event.id)
                statuses.append("accepted")
                fresh.append(event)
        return statuses, fresh
