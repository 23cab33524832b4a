"""The file of rules: edited by hand and by the API, and never lost."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine import EditConflict, InvalidRules, NotFound, Rule
from engine.book import ANY
from engine.rulebook import RuleBook


def rule(name: str, **changes: Any) -> Rule:
    return msgspec.convert({"id": name, "then": {"hide": [{"ids": ["x"]}]}, **changes}, Rule)


def names(book: RuleBook) -> list[str]:
    return [r.id for r in book.current().rules]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "rules.json"


@pytest.fixture
def book(path: Path) -> RuleBook:
    return RuleBook(path)


def test_no_file_is_no_rules(book: RuleBook, path: Path) -> None:
    assert names(book) == book.problems(None) == []
    assert not path.parent.exists()
    with pytest.raises(NotFound, match="no rule 'a'"):
        book.get("a")


def test_what_is_put_is_in_force_and_on_disk(book: RuleBook, path: Path) -> None:
    assert book.put(rule("a"))
    assert book.put(rule("b"))
    assert not book.put(rule("a", note="new"), book.get("a").etag)
    assert names(book) == names(RuleBook(path)) == ["a", "b"]
    assert book.get("a").note == RuleBook(path).get("a").note == "new"
    book.delete("a", ANY)
    assert names(book) == names(RuleBook(path)) == ["b"]
    assert sorted(file.name for file in path.parent.iterdir()) == ["rules.json"]


def test_the_rules_are_one_object_until_they_change(book: RuleBook) -> None:
    book.put(rule("a"))
    before = book.current()
    assert book.current() is before
    book.put(rule("b"))
    assert book.current() is not before
    assert [r.id for r in before.rules] == ["a"]


def test_an_edit_by_hand_is_noticed(book: RuleBook, path: Path) -> None:
    book.put(rule("a"))
    other = RuleBook(path)
    path.write_text(path.read_text().replace('"a"', '"by-hand"'))
    assert names(book) == names(other) == ["by-hand"]
    path.unlink()
    assert names(book) == []


def test_a_broken_edit_keeps_the_last_good_rules(
    book: RuleBook, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book.put(rule("a"))
    good = path.read_text()
    path.write_text(good.replace('"hide"', '"hid"'))
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            assert names(book) == ["a"]
    (logged,) = caplog.messages
    (problem,) = book.problems(None)
    assert problem == logged
    assert "rules.json: rule 'a': then: Object contains unknown field `hid`" in problem
    with pytest.raises(InvalidRules, match="must be mended first: rule 'a'"):
        book.put(rule("b"))
    path.write_text(good)
    assert names(book) == ["a"]
    assert book.problems(None) == []


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ('"note": "Möbel"'.encode("latin-1"), "not JSON: line 3: not UTF-8; save it as UTF-8"),
        (b'"then": {"hide": [{"filters": {"heel": {"lt": 1e400}}}]}', "rule 'a': then.hide[0]"),
        (b'"then": ' + b"[" * 100_000, "not JSON: maximum recursion depth"),
    ],
    ids=["latin-1", "out of range", "deep"],
)
def test_whatever_an_editor_saves_is_told_and_stops_no_search(
    book: RuleBook, path: Path, bad: bytes, told: str
) -> None:
    book.put(rule("good"))
    path.write_bytes(b'{"rules":\n[{"id": "a",\n' + bad + b"}]}")
    for _ in range(2):
        assert names(book) == ["good"]
        (problem,) = book.problems(None)
        assert told in problem
    with pytest.raises(InvalidRules, match=re.escape(told)):
        book.put(rule("b"))


def test_a_file_that_cannot_be_read_is_told(path: Path) -> None:
    path.mkdir(parents=True)
    assert "rules.json" in RuleBook(path).problems(None)[0]


CONFLICTS: dict[str, Callable[[RuleBook, Rule], Any]] = {
    "add what is there": lambda book, old: book.put(rule("a")),
    "replace another version": lambda book, old: book.put(rule("a"), old.etag),
    "replace what is gone": lambda book, old: book.put(rule("gone"), old.etag),
    "delete unseen": lambda book, old: book.delete("a"),
    "delete another version": lambda book, old: book.delete("a", old.etag),
}


@pytest.mark.parametrize("what", CONFLICTS)
def test_nobodys_edit_is_overwritten_silently(book: RuleBook, path: Path, what: str) -> None:
    book.put(rule("a"))
    old = book.get("a")
    path.write_text(path.read_text().replace('"id": "a"', '"id": "a", "note": "by hand"'))
    with pytest.raises(EditConflict):
        CONFLICTS[what](book, old)
    assert book.get("a").note == "by hand"


def test_a_write_keeps_what_was_edited_by_hand(book: RuleBook, path: Path) -> None:
    book.put(rule("a"))
    rules = json.loads(path.read_text())
    rules["rules"].append({"id": "by-hand", "then": {"pins": {"x": 1}}})
    path.write_text(json.dumps(rules))
    book.put(rule("b"))
    assert names(book) == ["a", "by-hand", "b"]


def test_an_edit_in_the_middle_of_a_write_wins(
    book: RuleBook, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.put(rule("a"))
    theirs = path.read_text().replace('"a"', '"theirs"')
    fsync = "engine.durable.os.fsync"
    with monkeypatch.context() as patch:
        patch.setattr(fsync, lambda handle: path.write_text(theirs))
        with pytest.raises(EditConflict, match="edited at this moment"):
            book.put(rule("b"))
    assert path.read_text() == theirs
    assert names(book) == ["theirs"]
    assert [file.name for file in path.parent.iterdir()] == ["rules.json"]


def test_writers_of_several_processes_lose_nothing(path: Path) -> None:
    """Threads with a book each know as little of each other as processes do."""
    books = [RuleBook(path) for _ in range(4)]

    def write(n: int) -> None:
        for i in range(10):
            books[n].put(rule(f"r{n}-{i}"))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(len(books))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = {f"r{n}-{i}" for n in range(len(books)) for i in range(10)}
    assert set(names(RuleBook(path))) == wanted
    assert all(set(names(book)) == wanted for book in books)


def test_of_two_who_change_one_rule_one_is_told(book: RuleBook) -> None:
    book.put(rule("a"))
    seen = book.get("a").etag
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def change(n: int) -> None:
        barrier.wait()
        try:
            book.put(rule("a", note=str(n)), seen)
            outcomes.append(str(n))
        except EditConflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=change, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = (outcome for outcome in outcomes if outcome != "conflict")
    assert book.get("a").note == won


WRITER = """
import sys
from pathlib import Path
import msgspec
from engine import Rule
from engine.rulebook import RuleBook

book = RuleBook(Path(sys.argv[1]))
for n in range(100_000):
    book.put(msgspec.convert({"id": f"r{n}", "then": {"pins": {"x": 1}}}, Rule))
    print(n, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        acknowledged = -1
        for line in writer.stdout:
            acknowledged = int(line)
            if acknowledged == 20:
                writer.kill()
        writer.wait()
    found = names(RuleBook(path))
    assert found[: acknowledged + 1] == [f"r{n}" for n in range(acknowledged + 1)]
    assert len(found) <= acknowledged + 2


def test_who_comes_while_the_file_is_read_waits_for_what_it_says(
    book: RuleBook, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.put(rule("a"))
    found: list[list[str]] = []
    second = threading.Thread(target=lambda: found.append(names(book)))
    decode = type(book.kind).decode

    def slowly(kind: Any, data: bytes) -> Any:
        monkeypatch.setattr(type(kind), "decode", decode)
        second.start()
        second.join(0.2)
        return decode(kind, data)

    path.write_text(path.read_text().replace('"a"', '"theirs"'))
    monkeypatch.setattr(type(book.kind), "decode", slowly)
    assert names(book) == ["theirs"]
    second.join()
    assert found == [["theirs"]]
