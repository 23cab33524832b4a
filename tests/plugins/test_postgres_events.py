"""Events on a real PostgreSQL server."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine import EventStore, InvalidSettings, PluginManager, StoreError, StoreUnavailable
from engine.testing.event_data import DAY, NOW, make_event
from engine.testing.event_store_contract import EventStoreContract
from tests.plugins.postgres_server import postgres


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with postgres() as dsn:
        yield dsn


class TestPostgresEvents(EventStoreContract):
    plugin = "postgres"
    dsn: str

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _server(cls, dsn: str) -> None:
        cls.dsn = dsn

    @classmethod
    def options(cls, folder: Path) -> dict[str, Any]:
        # A shop of its own for each test, as far as PostgreSQL can tell.
        return {"dsn": cls.dsn, "shop": folder.name[-40:]}

    def test_two_servers_of_one_shop(self, store: EventStore, folder: Path) -> None:
        """Two processes' stores append the same events in different orders while a third erases:
        every event is stored once or ignored, and what was erased stays away."""
        events = [make_event(user_id=f"u{n % 5}", products=["p1"]) for n in range(300)]
        started = threading.Barrier(3)

        def send(order: int) -> list[str]:
            with self.opened(folder) as mine:
                started.wait(60)
                accepted = []
                for start in range(0, len(events), 20):
                    batch = events[::order][start : start + 20]
                    statuses = mine.append(batch)
                    pairs = zip(batch, statuses, strict=True)
                    accepted += [e.id for e, status in pairs if status == "accepted"]
                return accepted

        def erase() -> int:
            started.wait(60)
            return sum(store.erase("u1", NOW) for _ in range(5))

        with ThreadPoolExecutor(3) as pool:
            sent = [pool.submit(send, order) for order in (1, -1)]
            gone = pool.submit(erase).result(60)
            accepted = Counter(id for future in sent for id in future.result(60))
        assert set(accepted.values()) == {1}
        assert store.count() == len(accepted) - gone == 240
        assert list(store.export("u1")) == []
        assert store.popularity(["p1"], NOW) == [pytest.approx(240)]

    def test_a_connection_that_was_cut_is_replaced(self, store: EventStore) -> None:
        store.append([make_event()])
        cut = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        with store._reading() as db:  # type: ignore[attr-defined]
            db.execute(cut)
        assert store.count() == 1
        assert store.append([make_event()]) == ["accepted"]

    def test_a_statement_that_takes_too_long(self, folder: Path) -> None:
        with (
            self.opened(folder, timeout_s=0.05) as store,
            pytest.raises(StoreUnavailable, match="statement timeout"),
            store._reading() as db,  # type: ignore[attr-defined]
        ):
            db.execute("SELECT pg_sleep(30)")

    def test_errors_do_not_quote_values(self, store: EventStore) -> None:
        def twice() -> None:
            with store._reading() as db:  # type: ignore[attr-defined]
                for _ in range(2):
                    db.execute("INSERT INTO meta VALUES ('hunter2', 'x')")

        with pytest.raises(StoreError, match="duplicate key") as caught:
            twice()
        assert "hunter2" not in str(caught.value)

    def test_a_shop_has_a_schema_of_its_own(self, store: EventStore, folder: Path) -> None:
        store.append([make_event()])
        with self.opened(folder, schema='of "its" own') as other:
            assert other.count() == 0
            assert other.append([make_event()]) == ["accepted"]
        with pytest.raises(InvalidSettings, match="63"), self.opened(folder, shop="x" * 63):
            pass

    def test_compaction_and_appending_at_once(self, store: EventStore) -> None:
        store.append([make_event(time=NOW - 9 * DAY) for _ in range(500)])
        with ThreadPoolExecutor(2) as pool:
            gone = pool.submit(store.compact, NOW - DAY)
            assert store.append([make_event() for _ in range(50)]) == ["accepted"] * 50
            assert gone.result(60) == 500
        assert store.count() == 50


def test_a_server_that_comes_later(
    dsn: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The shop starts without it, each call says so, and once it is there it is found."""
    monkeypatch.setattr(logging.getLogger("psycopg.pool"), "disabled", True)
    address = dsn.split()[0].removeprefix("host=")
    options = {
        "dsn": dsn.replace(address, str(tmp_path / "socket")) + " password=hunter2",
        "timeout_s": 0.2,
        "shop": "later",
    }
    store = PluginManager().create("event_stores", "postgres", options)
    assert "events.options.dsn" in caplog.text
    for call in (lambda: store.append([make_event()]), lambda: store.history("ada", None, 1)):
        with pytest.raises(StoreUnavailable, match="did not answer") as caught:
            call()
        assert "hunter2" not in str(caught.value) + caplog.text
    (tmp_path / "socket").symlink_to(address)
    store._pool.wait(60)
    assert store.append([make_event()]) == ["accepted"]
    assert len(store.history("ada", None, 1)) == 1
    store.close()
