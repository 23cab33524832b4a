"""Events on a PostgreSQL server: the same promises, for several servers of one shop at once.

Each shop has a schema of its own in the database. ``synchronous_commit`` is on, so an
acknowledged event is on the server's disk. Appending and erasing exclude each other by an
advisory lock, whichever process does them.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from engine import (
    Event,
    EventStatus,
    EventStore,
    InvalidSettings,
    Register,
    StoreError,
    StoreUnavailable,
    hookimpl,
    to_micros,
)

from .event_rows import EventStoreOptions, Forgotten, half_life_micros, to_row
from .event_sql import COLUMNS, SqlEvents

log = logging.getLogger(__name__)

RETRIES = 3
"""Of a transaction that the server ended because of a deadlock with another process."""

_TEXT = 'text COLLATE "C"'
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS events (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id {_TEXT} NOT NULL UNIQUE,
    time bigint NOT NULL, type smallint NOT NULL, interest smallint NOT NULL, user_id {_TEXT},
    session_id {_TEXT}, query {_TEXT}, results bigint, body {_TEXT} NOT NULL);
CREATE INDEX IF NOT EXISTS by_user ON events (user_id, interest, time) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_session ON events (session_id, interest, time)
    WHERE session_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_time ON events USING brin (time);
CREATE TABLE IF NOT EXISTS popularity (product {_TEXT} PRIMARY KEY, score float8 NOT NULL);
CREATE TABLE IF NOT EXISTS forgotten (key bytea PRIMARY KEY, until bigint NOT NULL);
CREATE TABLE IF NOT EXISTS meta (name text PRIMARY KEY, value text NOT NULL)
"""
_TYPES = ("text", "bigint", "smallint", "smallint", *["text"] * 3, "bigint", "text")
_INSERT = (
    f"INSERT INTO events ({COLUMNS}) SELECT * FROM unnest("
    + ", ".join(f"%s::{type}[]" for type in _TYPES)
    + ") ON CONFLICT (id) DO NOTHING RETURNING id"
)
_LOCK = "SELECT pg_advisory_xact_lock{}(hashtextextended(%s, 0))"


class PostgresOptions(EventStoreOptions, frozen=True):
    """``dsn`` is a libpq connection string or URI; keep it out of the file, in
    ``ENTREPOT_EVENTS__OPTIONS__DSN``. ``schema`` is "entrepot_" and the shop's name unless given.
    ``timeout_s`` bounds a connection and each statement, but for those of erasing and compaction.
    """

    dsn: str = ""
    schema: str = ""
    connections: Annotated[int, Meta(ge=2)] = 8
    timeout_s: Annotated[float, Meta(gt=0)] = 5.0


class PostgresEvents(SqlEvents):
    """See :class:`engine.EventStore`."""

    def __init__(self, options: PostgresOptions) -> None:
        import psycopg
        import psycopg_pool

        super().__init__()
        self._vendor: Any = psycopg
        self._schema = options.schema or f"entrepot_{options.shop}"
        if len(self._schema) > 63:  # PostgreSQL would cut it, and two shops might become one
            raise InvalidSettings(
                "events.options.schema: longer than 63 characters", field="events.options.schema"
            )
        self._timeout_ms = round(options.timeout_s * 1000)
        self._half_life = half_life_micros(options)
        self._prepared, self._preparing = threading.Event(), False
        self._pool: Any = psycopg_pool.ConnectionPool(
            options.dsn,
            min_size=1,
            max_size=options.connections,
            timeout=options.timeout_s,
            kwargs={"connect_timeout": max(1, round(options.timeout_s)), "autocommit": True},
            configure=self._configure,
            check=psycopg_pool.ConnectionPool.check_connection,
            open=False,
        )
        self._pool.open()
        try:
            self._ready()
        except StoreUnavailable as error:
            # The shop can do without; each call tries again.
            log.warning("no events are kept for now: %s; check events.options.dsn", error)
        except BaseException:
            self._pool.close()
            raise

    def popularity(self, product_ids: Sequence[str], now: datetime) -> list[float]:
        with self._reading() as db:
            gain = self._decay(db).gain(to_micros(now))
            rows = db.execute(
                "SELECT product, score FROM popularity WHERE product = ANY(%s)",
                (list(product_ids),),
            )
            scores = dict(rows.fetchall())
        return [scores.get(id, 0.0) / gain for id in product_ids]

    def close(self) -> None:
        with self._group.writing:
            self._pool.close()

    def _commit(self, events: list[Event]) -> list[EventStatus]:
        for _ in range(RETRIES - 1):
            try:
                return self._store(events)
            except _Deadlock:
                pass
        return self._store(events)

    def _store(self, events: list[Event]) -> list[EventStatus]:
        with self._reading() as db, db.transaction():
            db.execute(_LOCK.format("_shared"), (self._schema,))
            keys = list(self._forgotten.keys(events).values())
            found = db.execute("SELECT key, until FROM forgotten WHERE key = ANY(%s)", (keys,))
            statuses, fresh = self._statuses(events, dict(found.fetchall()), set())
            columns = [list(column) for column in zip(*map(to_row, fresh), strict=True)]
            stored = {id for (id,) in db.execute(_INSERT, columns)} if columns else set()
            self._count(db, [event for event in fresh if event.id in stored])
        return [
            "duplicate" if status == "accepted" and event.id not in stored else status
            for event, status in zip(events, statuses, strict=True)
        ]

    def _lock_out(self, db: Any) -> None:
        db.execute(_LOCK.format(""), (self._schema,))

    def _erased(self) -> None:
        """Dead rows become free space now, not when the server comes round to it."""
        with self._reading() as db:
            if "rewrite" not in self._notes(db):
                return
            db.execute("SET statement_timeout = 0")
            try:
                db.execute("VACUUM events")
                db.execute("DELETE FROM meta WHERE name = 'rewrite'")
            finally:
                db.execute(f"SET statement_timeout = {self._timeout_ms}")

    def _ready(self) -> None:
        """Prepare the schema, at the first call that reaches the server."""
        if self._prepared.is_set():
            return
        with self._group.writing:
            if self._prepared.is_set() or self._preparing:  # the latter by this very thread
                return
            self._preparing = True
            try:
                self._prepare(self._half_life)
                self._prepared.set()
            finally:
                self._preparing = False

    def _prepare(self, half_life: int) -> None:
        """What a new schema lacks, what a crash left to do, and other settings than before."""
        with self._transaction() as db:
            self._lock_out(db)
            # IF NOT EXISTS would ask for the right to create one even where it exists.
            named = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
            if db.execute(named, (self._schema,)).fetchone() is None:
                names = self._vendor.sql
                schema = names.Identifier(self._schema)
                db.execute(names.SQL("CREATE SCHEMA {}").format(schema))
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            if "secret" not in self._notes(db):
                self._mark(db, "secret", secrets.token_hex(32))
                self._mark(db, "landmark", "0")
                self._mark(db, "half_life", str(half_life))
        with self._transaction() as db:
            self._lock_out(db)
            notes = self._notes(db)
            self._forgotten = Forgotten(bytes.fromhex(notes["secret"]))
            if int(notes["half_life"]) != half_life:
                self._count_anew(db, half_life)
        self._erased()

    def _sql(self, statement: str) -> str:
        return statement.replace("?", "%s")

    def _many(self, db: Any, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            with db.cursor() as cursor:
                cursor.executemany(self._sql(statement), rows)

    def _configure(self, db: Any) -> None:
        names = self._vendor.sql
        db.execute(names.SQL("SET search_path TO {}").format(names.Identifier(self._schema)))
        db.execute("SET synchronous_commit = on")
        db.execute(f"SET statement_timeout = {self._timeout_ms}")

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        """A connection; the vendor's errors become ours. Their details are left out, for they
        quote values."""
        self._ready()
        vendor = self._vendor
        try:
            with self._pool.connection() as db:
                yield db
        except vendor.errors.DeadlockDetected as error:
            raise _Deadlock("PostgreSQL: two processes waited for each other") from error
        except (vendor.OperationalError, vendor.InterfaceError) as error:
            reason = error.diag.message_primary or type(error).__name__
            raise StoreUnavailable(f"PostgreSQL did not answer: {reason}") from error
        except vendor.Error as error:
            raise StoreError(f"PostgreSQL: {error.diag.message_primary}") from error

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._group.writing, self._reading() as db, db.transaction():
            db.execute("SET LOCAL statement_timeout = 0")
            yield db


class _Deadlock(StoreUnavailable): ...


def _make(options: PostgresOptions) -> EventStore:
    return PostgresEvents(options)


@hookimpl
def register_event_stores(register: Register[EventStore]) -> None:
    register("postgres", _make, PostgresOptions)
