"""The journal: durable, ordered, kept as long as a generation needs it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine import Product, StoreError
from engine.journal import Entry, Journal, StoredVectors

VECTORS = StoredVectors(
    "text-1", "image-1", np.arange(3, dtype="<f4").tobytes(), np.ones((2, 4), "<f4").tobytes(), 2
)


def put(id: str, title: str = "Mug") -> Entry:
    return Entry("put", id, Product(id, title), VECTORS)


def ids(journal: Journal, seq: int = 0) -> list[tuple[int, str]]:
    return [(entry.seq, entry.id) for batch in journal.after(seq) for entry in batch]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop" / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path)
    yield journal
    journal.close()


def test_entries_come_back_whole_and_in_order(journal: Journal) -> None:
    entries = [put("a"), Entry("delete", "a"), put("a", "Better mug"), put("b")]
    assert journal.last() == 0
    assert journal.append(entries[:2]) == 2
    assert journal.append(entries[2:]) == 4
    found = [entry for batch in journal.after(0) for entry in batch]
    assert [(e.op, e.id, e.product, e.vectors) for e in found] == [
        (e.op, e.id, e.product, e.vectors) for e in entries
    ]
    assert [e.seq for e in found] == [1, 2, 3, 4]
    assert [e.seq for batch in journal.after(2) for e in batch] == [3, 4]


def test_vectors_come_back() -> None:
    text, images = VECTORS.arrays()
    np.testing.assert_array_equal(text, [0, 1, 2])
    np.testing.assert_array_equal(images, np.ones((2, 4)))
    _, none = StoredVectors("t", "i", VECTORS.text, b"", 0).arrays()
    assert none.shape == (0, 0)


def test_batches(journal: Journal) -> None:
    journal.append([put(str(i)) for i in range(10)])
    assert [len(batch) for batch in journal.after(0, 4)] == [4, 4, 2]
    assert list(journal.after(10, 4)) == []


def test_entries_survive_reopening(journal: Journal, path: Path) -> None:
    """While the first is still open, as after kill -9: a commit needs no close."""
    journal.append([put("a"), put("b")])
    journal.set_absorbed("g1", 1)
    other = Journal(path)
    assert ids(other) == [(1, "a"), (2, "b")]
    assert (other.last(), other.absorbed("g1"), other.absorbed("g2")) == (2, 1, 0)
    other.close()


def test_a_failed_append_leaves_nothing(journal: Journal) -> None:
    journal.append([put("a")])
    broken = Entry("put", None, Product("b", "Mug"))  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=r"the journal .* failed: NOT NULL"):
        journal.append([put("x"), broken])
    assert ids(journal) == [(1, "a")]
    assert journal.append([put("c")]) == journal.last()


def test_an_entry_is_kept_until_all_generations_hold_it(journal: Journal) -> None:
    journal.append([put(str(i)) for i in range(6)])
    journal.set_absorbed("g1", 5)
    journal.set_absorbed("g2", 3)
    journal.set_absorbed("g3", 1)
    journal.forget("g3")
    assert [seq for seq, _ in ids(journal)] == [4, 5, 6]
    journal.forget("g2")
    assert [seq for seq, _ in ids(journal)] == [6]
    journal.forget("g1")
    assert [seq for seq, _ in ids(journal)] == [6]  # nobody left says that it holds this one


def test_a_generation_being_built_keeps_what_it_will_need(journal: Journal) -> None:
    journal.set_absorbed("old", 0)
    journal.append([put("before")])
    journal.begin("new")
    journal.append([put("meanwhile")])
    journal.set_absorbed("live", 2)
    journal.forget("old")
    assert ids(journal, journal.absorbed("new")) == [(2, "meanwhile")]
    journal.begin("new")  # resumed after a crash
    assert journal.absorbed("new") == 1


def test_numbers_are_not_used_twice(journal: Journal) -> None:
    journal.append([put("a"), put("b")])
    journal.set_absorbed("g", 2)
    journal.forget("none")
    assert ids(journal) == []
    assert journal.last() == 2
    assert journal.append([put("c")]) == 3


def test_writers_in_many_threads(journal: Journal) -> None:
    together = threading.Barrier(4)

    def write(worker: int) -> list[int]:
        together.wait(30)
        return [journal.append([put(f"{worker}-{i}")]) for i in range(20)]

    with ThreadPoolExecutor(4) as threads:
        numbers = [n for found in threads.map(write, range(4)) for n in found]
    assert sorted(numbers) == list(range(1, 81))
    assert len({id for _, id in ids(journal)}) == 80


def test_what_is_no_journal(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"This is not a database, it is a letter. " * 100)
    with pytest.raises(StoreError, match=r"journal\.sqlite failed: file is not a database"):
        Journal(path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot open the journal"):
        Journal(tmp_path / "file" / "journal.sqlite")


def test_a_closed_journal_says_so(path: Path) -> None:
    journal = Journal(path)
    journal.close()
    journal.close()
    with pytest.raises(StoreError, match="closed"):
        journal.last()


def test_commits_are_synced(journal: Journal) -> None:
    with journal._locked() as db:
        (mode,) = db.execute("PRAGMA journal_mode").fetchone()
        (synchronous,) = db.execute("PRAGMA synchronous").fetchone()
    assert (mode, synchronous) == ("wal", 2)
    assert isinstance(db, sqlite3.Connection)
