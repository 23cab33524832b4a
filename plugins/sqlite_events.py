"""The embedded event store: one SQLite file in the data folder.

WAL with ``synchronous=FULL``: an acknowledged event survives kill -9 and power loss. Requests that
come together share a commit. Erasing rewrites the file, because SQLite leaves copies of rows
and keys that it moved in the gaps of its pages, where ``secure_delete`` does not reach.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from queue import Empty, LifoQueue

import msgspec

from engine import (
    Event,
    EventStatus,
    EventStore,
    Register,
    StoreError,
    StoreUnavailable,
    hookimpl,
    to_micros,
)

from .event_rows import EventStoreOptions, Forgotten, Row, half_life_micros, to_row
from .event_sql import COLUMNS, SqlEvents

EVENTS_FILE = "events.sqlite"
BUSY_S = 10.0
"""How long to wait for another process that writes, or for readers while erasing."""

CACHE_KB = 65_536
LOG_PAGES = 16_384
"""Of 4 kB. Ids are random, so a batch touches pages all over an index, and each page goes through
the log: SQLite's 2 MB of cache and 4 MB of log are too small. It is also why only what a profile
reads is indexed by shopper; exporting, and erasing, which rewrites the file anyway, look at every
row."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL,
    type INTEGER NOT NULL, interest INTEGER NOT NULL, user_id TEXT, session_id TEXT, query TEXT,
    results INTEGER, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_user ON events (user_id, time) WHERE interest = 1;
CREATE INDEX IF NOT EXISTS by_session ON events (session_id, time) WHERE interest = 1;
CREATE TABLE IF NOT EXISTS popularity (product TEXT PRIMARY KEY, score REAL NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forgotten (key BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_INSERT = f"INSERT INTO events ({COLUMNS}) VALUES ({', '.join('?' * len(Row._fields))})"


class SqliteEvents(SqlEvents):
    """See :class:`engine.EventStore`."""

    def __init__(self, options: EventStoreOptions) -> None:
        super().__init__()
        self._path = Path(options.data_dir, EVENTS_FILE)
        self._readers: LifoQueue[sqlite3.Connection] = LifoQueue()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(mode=0o600)  # SQLite gives its other files the same mode
            self._db = self._connect()
            self._db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
            self._db.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot open the events {self._path}: {error}") from error
        try:
            self._prepare(half_life_micros(options))
        except BaseException:
            self.close()
            raise

    def popularity(self, product_ids: Sequence[str], now: datetime) -> list[float]:
        wanted = msgspec.json.encode(list(product_ids)).decode()
        with self._reading() as db:
            gain = self._decay(db).gain(to_micros(now))
            rows = db.execute(
                "SELECT product, score FROM popularity "
                "WHERE product IN (SELECT value FROM json_each(?))",
                (wanted,),
            )
            scores = dict(rows.fetchall())
        return [scores.get(id, 0.0) / gain for id in product_ids]

    def compact(self, before: datetime) -> int:
        if deleted := super().compact(before):
            with self._writing() as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return deleted

    def close(self) -> None:
        with self._group.writing:
            while True:
                try:
                    self._readers.get_nowait().close()
                except Empty:
                    break
            self._db.close()

    def _commit(self, events: list[Event]) -> list[EventStatus]:
        with self._transaction() as db:
            until = dict(db.execute("SELECT key, until FROM forgotten"))
            ids = msgspec.json.encode([event.id for event in events]).decode()
            known = db.execute(
                "SELECT id FROM events WHERE id IN (SELECT value FROM json_each(?))", (ids,)
            )
            statuses, fresh = self._statuses(events, until, {id for (id,) in known})
            db.executemany(_INSERT, map(to_row, fresh))
            self._count(db, fresh)
        return statuses

    def _lock_out(self, db: sqlite3.Connection) -> None:
        """A writing transaction of SQLite has done that."""

    def _erased(self) -> None:
        """Make the file anew where an erasure asks for it, also one that was cut short."""
        with self._writing() as db:
            if "rewrite" not in self._notes(db):
                return
            db.execute("VACUUM")
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise StoreUnavailable(
                    "the events are erased, but somebody reads an older state of them, which is "
                    "still in the log: erase again"
                )
            db.execute("DELETE FROM meta WHERE name = 'rewrite'")

    def _prepare(self, half_life: int) -> None:
        """What a new file lacks, what a crash left to do, and other settings than before."""
        with self._writing() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_SCHEMA)
        with self._transaction() as db:
            if "secret" not in self._notes(db):
                self._mark(db, "secret", secrets.token_hex(32))
                self._count_anew(db, half_life)
            notes = self._notes(db)
            self._forgotten = Forgotten(bytes.fromhex(notes["secret"]))
            if int(notes["half_life"]) != half_life:
                self._count_anew(db, half_life)
        self._erased()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._path, timeout=BUSY_S, check_same_thread=False, isolation_level=None
        )
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        return db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._group.writing:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise StoreError(f"the events {self._path} failed: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                if db.in_transaction:  # a full disk has ended it already
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own: reads neither wait for the disk nor for each other."""
        try:
            try:
                db = self._readers.get_nowait()
            except Empty:
                db = self._connect()
            try:
                yield db
            finally:
                self._readers.put(db)
        except sqlite3.Error as error:
            raise StoreError(f"the events {self._path} failed: {error}") from error


def _make(options: EventStoreOptions) -> EventStore:
    return SqliteEvents(options)


@hookimpl
def register_event_stores(register: Register[EventStore]) -> None:
    register("sqlite", _make, EventStoreOptions)
