"""The part of the event store contract that is about privacy: export, erasure, opt-out,
retention."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.events import Event, EventStore
from engine.manager import PluginManager

from .event_data import DAY, NOW, make_event

SECOND = timedelta(seconds=1)


class EventStoreFixtures:
    """How stores are made."""

    plugin: str

    @classmethod
    def options(cls, folder: Path) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, **changes: Any) -> Iterator[EventStore]:
        """The store of ``folder``, as an engine opens it."""
        store: EventStore = PluginManager().create(
            "event_stores", cls.plugin, {**cls.options(folder), **changes}
        )
        try:
            yield store
        finally:
            store.close()

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path

    @pytest.fixture
    def store(self, folder: Path) -> Iterator[EventStore]:
        with self.opened(folder) as store:
            yield store

    @pytest.fixture(scope="class")
    @classmethod
    def shared(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventStore]:
        """For tests whose events are in nobody's way."""
        with cls.opened(tmp_path_factory.mktemp("shared")) as store:
            yield store


class EventPrivacy(EventStoreFixtures):
    def test_export(self, store: EventStore) -> None:
        """A user's events, and those of their sessions from before anybody knew whose they were."""
        anonymous = make_event(user_id=None, session_id="s1")
        named = make_event(session_id="s1")
        elsewhere = make_event(session_id="s2", query="Only  mine")
        housemate = make_event(user_id="bob", session_id="s1")
        stranger = make_event(user_id=None, session_id="s3")
        store.append([anonymous, named, elsewhere, housemate, stranger])
        assert list(store.export("ada")) == [anonymous, named, elsewhere]
        assert list(store.export("bob")) == [anonymous, housemate]
        assert list(store.export("s3")) == [stranger]
        assert list(store.export("s1")) == [anonymous, named, housemate]
        assert list(store.export("nobody")) == []

    def test_erase(self, store: EventStore) -> None:
        mine = [
            make_event("purchase", ["a"], session_id="s1", query="my query"),
            make_event("view", ["a", "b"], user_id=None, session_id="s1"),
            make_event("impression", ["a"]),
        ]
        theirs = [make_event("click", ["a"], user_id="bob"), make_event("cart", ["c"], user_id="b")]
        store.append([*mine, *theirs])
        assert store.erase("ada", NOW) == 3
        assert list(store.export("ada")) == list(store.export("s1")) == []
        assert store.history("ada", "s1", 10) == []
        assert [e for batch in store.iterate() for e in batch] == theirs
        assert store.popularity(["a", "b", "c"], NOW) == pytest.approx([1.0, 0.0, 3.0])
        assert [id for id, _ in store.popular(9, NOW)] == ["c", "a"]
        assert [q.query for q in store.queries(NOW - DAY, 1, 9)] == []
        assert store.erase("ada", NOW) == 0

    def test_what_comes_late_of_an_erased_shopper_is_ignored(
        self, store: EventStore, folder: Path
    ) -> None:
        before = [make_event(session_id="s1"), make_event(user_id=None, session_id="s1")]
        store.append(before)
        store.erase("ada", NOW)
        assert store.append(before) == ["ignored"] * 2
        with self.opened(folder) as again:
            late = make_event(time=NOW - DAY)
            after = [make_event(time=NOW + SECOND), make_event(user_id="bob", time=NOW - DAY)]
            assert again.append([late, *after]) == ["ignored", "accepted", "accepted"]
            assert list(again.export("ada")) == after[:1]

    def test_opt_out(self, store: EventStore, folder: Path) -> None:
        store.append([make_event(session_id="s1"), make_event(user_id="bob", session_id="s1")])
        assert not store.opted_out("ada")
        assert store.opt_out("ada", NOW) == 1
        assert store.opted_out("ada")
        assert not store.opted_out("s1")
        assert not store.opted_out("bob")
        assert store.append([make_event(time=NOW + 99 * DAY)]) == ["ignored"]
        assert store.erase("ada", NOW + DAY) == 0
        store.compact(NOW + 9 * DAY)
        with self.opened(folder) as again:
            assert again.opted_out("ada")
            again.opt_in("ada")
            assert not again.opted_out("ada")
            assert again.append([make_event(time=NOW + 99 * DAY)]) == ["accepted"]

    def test_opting_out_by_session(self, store: EventStore) -> None:
        store.opt_out("s1", NOW)
        later = NOW + DAY
        events = [make_event(session_id="s1", time=later), make_event(session_id="s2", time=later)]
        assert store.append(events) == ["ignored", "accepted"]

    def test_retention(self, store: EventStore) -> None:
        events = [make_event("view", [f"p{n}"], time=NOW - n * DAY) for n in range(100)]
        store.append(events)
        store.erase("nobody", NOW - 50 * DAY)
        assert store.compact(NOW - 29.5 * DAY) == 70
        assert [e for batch in store.iterate() for e in batch] == events[:30]
        assert len(store.popular(1000, NOW)) == 30
        assert store.compact(NOW - 29.5 * DAY) == 0
        assert store.append(events[:1]) == ["duplicate"]

    def test_retention_of_more_than_one_chunk(self, store: EventStore) -> None:
        old: list[Event] = [make_event(time=NOW - 9 * DAY) for _ in range(5001)]
        store.append([*old, make_event()])
        assert store.compact(NOW - DAY) == 5001
        assert store.count() == 1
