"""What has been translated before, in a file: a run that was ended goes on where it was, and what
did not change is not translated again."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

FILE = "translations.sqlite"
COMMIT_EVERY = 50
"""Texts that a run which is killed may lose."""


class TranslationMemory:
    """Texts by source, languages, and ``how``: which translators and terms made them. Not
    thread-safe."""

    def __init__(self, folder: Path, how: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._how = how
        self._waiting = 0
        self._file = sqlite3.connect(folder / FILE)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS texts (key BLOB PRIMARY KEY, text TEXT) WITHOUT ROWID"
        )

    def find(self, text: str, source: str, target: str) -> str | None:
        """The translation of ``text``, if there is one."""
        row = self._file.execute(
            "SELECT text FROM texts WHERE key = ?", (self._key(text, source, target),)
        ).fetchone()
        return str(row[0]) if row else None

    def keep(self, text: str, source: str, target: str, translation: str) -> None:
        self._file.execute(
            "INSERT OR REPLACE INTO texts VALUES (?, ?)",
            (self._key(text, source, target), translation),
        )
        self._waiting += 1
        if self._waiting >= COMMIT_EVERY:
            self._file.commit()
            self._waiting = 0

    def close(self) -> None:
        self._file.commit()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _key(self, text: str, source: str, target: str) -> bytes:
        parts = "\0".join((self._how, source, target, text))
        return hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=16).digest()
