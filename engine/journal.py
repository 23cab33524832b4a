"""The write journal: product writes and deletes, durable before they are acknowledged.

Each entry has a monotone sequence number. For each generation the journal also keeps how
far it has absorbed the entries; opening or promoting a generation replays the rest, so a
write made while a new generation was being built is never lost. It also knows which were live,
for only those are rolled back to. SQLite in WAL mode with ``synchronous=FULL``: a committed entry
survives kill -9 and power loss.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from msgspec import Struct

from .errors import StoreError
from .protocols import Vectors
from .types import Product

JOURNAL_FILE = "journal.sqlite"
"""In a shop's data folder: the engine writes it, a builder marks its generation in it."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, op TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS absorbed (generation TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS lived (generation TEXT PRIMARY KEY);
"""

BUSY_S = 10.0
"""How long to wait for another process that is writing."""


class StoredVectors(Struct, frozen=True):
    """A write's embeddings, so that a replay under the same encoders need not embed again.

    ``text`` is ``[d]`` and ``images`` ``[n, d]`` as little-endian float32 bytes.
    """

    text_fingerprint: str
    image_fingerprint: str
    text: bytes
    images: bytes
    n_images: int

    def arrays(self) -> tuple[Vectors, Vectors]:
        text = np.frombuffer(self.text, dtype="<f4")
        images = np.frombuffer(self.images, dtype="<f4")
        width = images.size // self.n_images if self.n_images else 0
        return text, images.reshape(self.n_images, width)


class Entry(Struct, frozen=True):
    """One write. ``product`` and ``vectors`` are ``None`` for a delete."""

    op: Literal["put", "delete"]
    id: str
    product: Product | None = None
    vectors: StoredVectors | None = None
    seq: int = 0


class _Body(Struct, frozen=True):
    product: Product | None
    vectors: StoredVectors | None


class Journal:
    """The journal of one shop; thread-safe, and readable by other processes meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=BUSY_S, check_same_thread=False, isolation_level=None
            )
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot open the journal {path}: {error}") from error
        try:
            with self._locked() as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.executescript(_SCHEMA)
        except StoreError:
            self._db.close()
            raise

    def append(self, entries: Sequence[Entry]) -> int:
        """Make ``entries`` durable in one transaction; the last one's sequence number."""
        rows = [(e.op, e.id, msgspec.msgpack.encode(_Body(e.product, e.vectors))) for e in entries]
        with self._locked() as db, db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO entries (op, id, body) VALUES (?, ?, ?)", rows)
            return _last(db)

    def last(self) -> int:
        """The newest sequence number; 0 before the first write."""
        with self._locked() as db:
            return _last(db)

    def after(self, seq: int, batch: int = 256) -> Iterator[list[Entry]]:
        """Entries newer than ``seq``, oldest first, in batches."""
        while True:
            with self._locked() as db:
                rows = db.execute(
                    "SELECT seq, op, id, body FROM entries WHERE seq > ? ORDER BY seq LIMIT ?",
                    (seq, batch),
                ).fetchall()
            if not rows:
                return
            yield [_entry(*row) for row in rows]
            seq = rows[-1][0]

    def absorbed(self, generation: str) -> int:
        """How far ``generation`` holds the entries; 0 if it never said."""
        with self._locked() as db:
            row = db.execute(
                "SELECT seq FROM absorbed WHERE generation = ?", (generation,)
            ).fetchone()
        return int(row[0]) if row else 0

    def set_absorbed(self, generation: str, seq: int) -> None:
        """Record that ``generation`` durably holds every entry up to ``seq``."""
        with self._locked() as db, db:
            db.execute(
                "INSERT INTO absorbed VALUES (?, ?) ON CONFLICT (generation) "
                "DO UPDATE SET seq = excluded.seq",
                (generation, seq),
            )

    def begin(self, generation: str) -> None:
        """Call this before opening the catalogue that ``generation`` is built from: every
        entry from now on is kept for it. Beginning again, to resume, changes nothing."""
        with self._locked() as db, db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT OR IGNORE INTO absorbed VALUES (?, ?)", (generation, _last(db)))

    def lives(self, generations: Iterable[str]) -> None:
        """Record that they are live, or were."""
        with self._locked() as db, db:
            db.execute("BEGIN IMMEDIATE")
            rows = [(name,) for name in generations]
            db.executemany("INSERT OR IGNORE INTO lived VALUES (?)", rows)

    def lived(self) -> set[str]:
        """The generations that are live, or were."""
        with self._locked() as db:
            return {name for (name,) in db.execute("SELECT generation FROM lived")}

    def forget(self, generation: str) -> None:
        """The generation is gone: drop its marks, and the entries that all others hold."""
        with self._locked() as db, db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM absorbed WHERE generation = ?", (generation,))
            db.execute("DELETE FROM lived WHERE generation = ?", (generation,))
            db.execute(
                "DELETE FROM entries WHERE seq <= (SELECT coalesce(min(seq), 0) FROM absorbed)"
            )

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _locked(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time; SQLite's errors become ours."""
        with self._lock:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise StoreError(f"the journal {self._path} failed: {error}") from error


def _last(db: sqlite3.Connection) -> int:
    # sqlite_sequence remembers the number even after its entry has been pruned.
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone()
    return int(row[0]) if row else 0


def _entry(seq: int, op: Literal["put", "delete"], id: str, body: bytes) -> Entry:
    decoded = msgspec.msgpack.decode(body, type=_Body)
    return Entry(op, id, decoded.product, decoded.vectors, seq)
