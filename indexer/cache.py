"""The embedding cache: every vector ever computed here, by what it was computed from.

It is what makes a build resume after a crash, leaves unchanged products alone, and makes
rebuilds cheap. Keys are SHA-256 over the encoder's fingerprint and the text or the bytes of
the photo file; vectors are kept as float16, which keeps the cosine to the float32 original
above 0.999999 (relative rounding error 2⁻¹¹) in half the space.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engine.protocols import Vectors

CACHE_FILE = "embeddings.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    key BLOB PRIMARY KEY, vector BLOB NOT NULL, used TEXT NOT NULL) WITHOUT ROWID;
"""


class EmbeddingCache:
    """Vectors by key; thread-safe. ``generation`` marks what a build uses, for
    :meth:`prune`: generation names sort by time."""

    def __init__(self, path: Path, generation: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._generation = generation
        self._lock = threading.Lock()
        self._used: set[bytes] = set()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA busy_timeout = 30000")
        self._db.execute("PRAGMA journal_mode = WAL")
        # A commit survives kill -9; a power cut may cost the last ones, which are made again.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)

    def get(self, key: bytes) -> Vectors | None:
        """The unit vector of ``key``, float32 ``[d]``."""
        with self._lock:
            row = self._db.execute(
                "SELECT vector, used FROM vectors WHERE key = ?", (key,)
            ).fetchone()
            if row is None:
                return None
            if row[1] != self._generation:
                self._used.add(key)
        return unpack(row[0])

    def put(self, vectors: Mapping[bytes, bytes]) -> None:
        """Keep packed vectors, durably against a killed process; marks those that
        :meth:`get` found as used by this build."""
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
                [(key, vector, self._generation) for key, vector in vectors.items()],
            )
            self._db.executemany(
                "UPDATE vectors SET used = ? WHERE key = ?",
                [(self._generation, key) for key in self._used],
            )
            self._used.clear()

    def prune(self, oldest: str) -> int:
        """Forget vectors last used by a build before generation ``oldest``; how many."""
        with self._lock, self._db:
            return self._db.execute("DELETE FROM vectors WHERE used < ?", (oldest,)).rowcount

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM vectors").fetchone()[0])

    def close(self) -> None:
        with self._lock:
            self._db.close()


def text_key(fingerprint: str, text: str) -> bytes:
    """The key of a document text under one encoder."""
    return _key(b"text", fingerprint, text.encode("utf-8", "surrogatepass"))


def photo_key(fingerprint: str, data: bytes) -> bytes:
    """The key of a photo file, by its bytes: an unchanged file is not even decoded."""
    return _key(b"image", fingerprint, data)


def pack(vector: Vectors) -> bytes:
    return vector.astype("<f2").tobytes()


def unpack(packed: bytes) -> Vectors:
    """The vector at unit length again. New vectors pass through :func:`pack` too, so that a
    resumed build ends with exactly the numbers of an uninterrupted one."""
    vector = np.frombuffer(packed, dtype="<f2").astype(np.float32)
    norm = float(np.linalg.norm(vector))
    return vector / np.float32(norm) if norm else vector


def _key(kind: bytes, fingerprint: str, content: bytes) -> bytes:
    digest = hashlib.sha256(kind + b"\0" + fingerprint.encode() + b"\0")
    digest.update(content)
    return digest.digest()
