"""Events in SQLite: the contract, and what is in the files."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from engine import EventStore, StoreError
from engine.testing.event_data import DAY, NOW, make_event
from engine.testing.event_store_contract import EventStoreContract
from plugins.sqlite_events import EVENTS_FILE


def found_in(folder: Path, needle: str) -> list[str]:
    """The files below ``folder`` with these bytes in them."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if needle.encode() in path.read_bytes()]


class TestSqliteEvents(EventStoreContract):
    plugin = "sqlite"

    @classmethod
    def options(cls, folder: Path) -> dict[str, Any]:
        return {"data_dir": str(folder)}

    def test_erasing_leaves_nothing_in_the_folder(self, store: EventStore, folder: Path) -> None:
        """Among 6,000 events that came in an order which splits and merges pages all over, of
        which some were erased before: not one byte of the shopper is in any file."""
        dice = random.Random(3)
        users = [f"user-{dice.getrandbits(64):016x}" for _ in range(300)]
        secrets = {user: f"words of {dice.getrandbits(64):016x}" for user in users}
        sessions = {user: f"session-{dice.getrandbits(64):016x}" for user in users}
        for n in range(120):
            batch = []
            for _ in range(50):
                user = dice.choice(users)
                batch.append(
                    make_event(
                        dice.choice(("impression", "view", "cart")),
                        id=f"{user}-{dice.getrandbits(64):016x}",
                        user_id=user if dice.random() < 0.8 else None,
                        session_id=sessions[user],
                        query=secrets[user] * dice.randrange(1, 9),
                        time=NOW - dice.randrange(90) * DAY,
                    )
                )
            store.append(batch)
            if n % 40 == 39:
                store.compact(NOW - (85 - n // 40) * DAY)
        for user in users[:20]:
            words = (user, secrets[user], sessions[user])
            assert all(found_in(folder, word) for word in words)
            assert store.erase(user, NOW) > 0
            assert [found_in(folder, word) for word in words] == [[], [], []]
        assert found_in(folder, users[20]) == [EVENTS_FILE]

    def test_deleting_alone_would_not_do(self, store: EventStore, folder: Path) -> None:
        """Why erasing rewrites the file: the write-ahead log has everything once more."""
        store.append([make_event(user_id="somebody")])
        assert EVENTS_FILE + "-wal" in found_in(folder, "somebody")
        with sqlite3.connect(folder / EVENTS_FILE) as db:
            db.execute("PRAGMA secure_delete = ON")
            db.execute("DELETE FROM events")
        db.close()
        assert found_in(folder, "somebody")

    def test_an_erasure_that_was_cut_short_is_finished(self, folder: Path) -> None:
        with self.opened(folder) as store:
            store.append([make_event(user_id="somebody", session_id="sometime")])
            reader = sqlite3.connect(folder / EVENTS_FILE, isolation_level=None)
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM events").fetchall()
            store._db.execute("PRAGMA busy_timeout = 1")  # type: ignore[attr-defined]
            with pytest.raises(StoreError, match="erase again"):
                store.erase("somebody", NOW)
            assert found_in(folder, "somebody")
            reader.close()
        with self.opened(folder) as store:
            assert found_in(folder, "somebody") == found_in(folder, "sometime") == []
            assert store.append([make_event(user_id="somebody")]) == ["ignored"]

    def test_nobody_else_may_read_the_file(self, store: EventStore, folder: Path) -> None:
        store.append([make_event()])
        assert {path.stat().st_mode & 0o777 for path in folder.glob("events*")} == {0o600}

    def test_a_file_that_is_no_database(self, folder: Path) -> None:
        (folder / EVENTS_FILE).write_bytes(b"not a database at all" * 100)
        with pytest.raises(StoreError, match=EVENTS_FILE), self.opened(folder):
            pass

    def test_a_failing_commit_acknowledges_nothing(self, store: EventStore) -> None:
        db = store._db  # type: ignore[attr-defined]
        db.execute("CREATE TRIGGER broken BEFORE INSERT ON popularity BEGIN "
                   "SELECT raise(ABORT, 'broken'); END")  # fmt: skip
        events = [make_event()]
        with pytest.raises(StoreError):
            store.append(events)
        assert store.count() == 0
        db.execute("DROP TRIGGER broken")
        assert store.append(events) == ["accepted"]
