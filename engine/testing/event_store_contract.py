"""What every event store must do. Inherit :class:`EventStoreContract`, say how stores are made::

class TestMyEvents(EventStoreContract):
    plugin = "mine"

    @classmethod
    def options(cls, folder):
        return {"data_dir": str(folder)}
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.events import EVENT_WEIGHTS, Event, EventStore

from .event_data import DAY, NOW, any_event, make_event
from .event_privacy import EventPrivacy

KILLS = 50
HALF_LIFE = 7 * DAY


class EventStoreContract(EventPrivacy):
    """Everything asked of an event store. ``plugin`` is the name it registered;
    :meth:`options` gives its options for an empty folder of the test's own."""

    # What goes in comes out

    def test_accepted_events_come_back_in_order(self, store: EventStore) -> None:
        events = [make_event(t) for t in EVENT_WEIGHTS] + [make_event("impression", ())]
        assert store.append(events[:2]) == ["accepted"] * 2
        assert store.append(events[2:]) == ["accepted"] * 4
        assert [e for batch in store.iterate() for e in batch] == events
        assert store.count() == 6

    def test_any_event_comes_back_whole(self, shared: EventStore) -> None:
        number = iter(range(10**9))

        @settings(suppress_health_check=[HealthCheck.too_slow], max_examples=150)
        @given(st.data())
        def check(data: st.DataObject) -> None:
            user, size = f"user-{next(number)}", data.draw(st.integers(1, 3))
            events = [data.draw(any_event(f"{user}-{n}", user)) for n in range(size)]
            assert shared.append(events) == ["accepted"] * size
            assert list(shared.export(user)) == events
            wire = msgspec.json.encode(events)
            assert msgspec.json.decode(wire, type=list[Event]) == events

        check()

    def test_everything_survives_closing(self, store: EventStore, folder: Path) -> None:
        events = [make_event(), make_event(user_id=None, session_id="s1", query="Red shoe")]
        store.append(events)
        with self.opened(folder) as again:
            assert [e for batch in again.iterate() for e in batch] == events
            assert again.append(events) == ["duplicate"] * 2

    def test_iterate(self, store: EventStore) -> None:
        events = [make_event(time=NOW + n * DAY) for n in range(7)]
        store.append(events)
        assert list(store.iterate(batch=3)) == [events[:3], events[3:6], events[6:]]
        assert list(store.iterate(NOW + 5 * DAY)) == [events[5:]]
        assert list(store.iterate(NOW + 8 * DAY)) == []

    def test_nothing_in_nothing_out(self, store: EventStore) -> None:
        assert store.append([]) == []
        assert store.history("ada", "s", 10) == []
        assert store.popular(5, NOW) == []
        assert store.popularity([], NOW) == []
        assert store.queries(NOW - DAY, 1, 10) == []
        assert list(store.export("ada")) == []
        assert list(store.iterate()) == []
        assert store.erase("ada", NOW) == store.compact(NOW) == store.count() == 0

    # Each event once

    def test_an_id_counts_once(self, store: EventStore) -> None:
        first, second = make_event(), make_event()
        other = msgspec.structs.replace(first, user_id="bob", type="purchase")
        assert store.append([first, second, first]) == ["accepted", "accepted", "duplicate"]
        assert store.append([other, make_event()]) == ["duplicate", "accepted"]
        assert store.count() == 3
        assert store.popularity(["p1"], NOW) == [pytest.approx(3.0)]
        assert store.history("bob", None, 10) == []

    def test_many_at_once(self, store: EventStore) -> None:
        """Batches that overlap, from eight threads: every event is accepted exactly once, and
        searches for what was acknowledged find it."""
        events = [make_event(user_id=f"u{n % 10}") for n in range(400)]

        def send(seed: int) -> list[str]:
            mine = random.Random(seed).sample(events, len(events))
            accepted = []
            for start in range(0, len(mine), 16):
                batch = mine[start : start + 16]
                for event, status in zip(batch, store.append(batch), strict=True):
                    if status == "accepted":
                        accepted.append(event.id)
                        assert event.user_id is not None
                        found = store.history(event.user_id, None, 1000)
                        assert event.id in {e.id for e in found}
                    else:
                        assert status == "duplicate"
            return accepted

        with ThreadPoolExecutor(8) as pool:
            accepted = Counter(id for ids in pool.map(send, range(8)) for id in ids)
        assert accepted == Counter(event.id for event in events)
        assert store.count() == len(events)
        assert store.popularity(["p1"], NOW) == [pytest.approx(len(events))]

    # What is known of a shopper

    def test_history(self, store: EventStore) -> None:
        mine = [make_event(time=NOW - n * DAY, session_id=f"s{n % 2}") for n in range(6)]
        before = make_event(user_id=None, session_id="s1", time=NOW - timedelta(hours=1))
        others = [make_event(user_id="bob"), make_event("impression"), make_event(session_id=None)]
        store.append([*reversed(mine), before, *others[:2]])
        assert store.history("ada", None, 10) == mine
        assert store.history("ada", None, 2) == mine[:2]
        assert store.history(None, "s1", 10) == [before, mine[1], mine[3], mine[5]]
        both = store.history("ada", "s1", 3)
        assert both == [mine[0], before, mine[1]]
        assert store.history("nobody", "none", 10) == store.history(None, None, 10) == []

    # Popularity

    def test_popularity_decays(self, store: EventStore) -> None:
        store.append(
            [
                make_event("purchase", ["a", "b"]),
                make_event("click", ["a"], time=NOW - HALF_LIFE),
                make_event("impression", ["c"]),
            ]
        )
        wanted = ["b", "nowhere", "a", "c"]
        assert store.popularity(wanted, NOW) == pytest.approx([5.0, 0.0, 5.5, 0.0])
        later = NOW + 2 * HALF_LIFE
        assert store.popularity(wanted, later) == pytest.approx([1.25, 0.0, 1.375, 0.0])
        ((best, score),) = store.popular(1, NOW)
        assert best == "a"
        assert score == pytest.approx(5.5)
        assert [id for id, _ in store.popular(9, NOW)] == ["a", "b"]

    def test_equally_popular_products_are_ordered_by_id(self, store: EventStore) -> None:
        store.append([make_event("view", [id]) for id in ("é", "b", "B", "a")])
        assert [id for id, _ in store.popular(9, NOW)] == ["B", "a", "b", "é"]

    def test_popularity_over_years(self, store: EventStore) -> None:
        """Sums outlive any number of half-lives: old ones vanish, new ones stay right."""
        for years in range(0, 60, 3):
            at = NOW + years * 365 * DAY
            store.append([make_event("cart", ["old" if years < 50 else "new"], time=at)])
            assert max(store.popularity(["old", "new"], at)) == pytest.approx(3.0)
        assert store.popularity(["old"], at) == pytest.approx([0.0])

    def test_another_half_life_counts_anew(self, store: EventStore, folder: Path) -> None:
        store.append([make_event("click", ["a"], time=NOW - 14 * DAY), make_event("view", ["b"])])
        assert store.popularity(["a", "b"], NOW) == pytest.approx([0.25, 1.0])
        with self.opened(folder, popularity_half_life_days=14.0) as again:
            assert again.popularity(["a", "b"], NOW) == pytest.approx([0.5, 1.0])
            again.append([make_event("view", ["b"])])
            assert again.popularity(["a", "b"], NOW) == pytest.approx([0.5, 2.0])

    # Queries

    def test_queries_of_enough_shoppers(self, store: EventStore) -> None:
        for n in range(3):
            who: dict[str, Any] = {"user_id": f"u{n}", "session_id": f"s{n}"}
            store.append([make_event("impression", ["a"], query="Red  Shoe", results=9, **who)])
            store.append([make_event("click", ["a"], query="red shoe", **who)])
            store.append([make_event("impression", (), query="rde sheo", results=0, **who)])
        store.append([make_event("impression", (), query="my own name", results=0)] * 3)
        store.append([make_event("view", ["a"], time=NOW - 9 * DAY, query="of old")])
        found = store.queries(NOW - DAY, 3, 10)
        assert [(q.query, q.shoppers) for q in found] == [("rde sheo", 3), ("red shoe", 3)]
        assert (found[0].searches, found[0].zero_results, found[0].clicks) == (3, 3, 0)
        assert (found[1].searches, found[1].zero_results, found[1].clicks) == (3, 0, 3)
        assert store.queries(NOW - DAY, 4, 10) == []
        assert len(store.queries(NOW - DAY, 1, 10)) == 3
        assert len(store.queries(NOW - DAY, 1, 2)) == 2

    def test_visitors_without_a_user_id_count_by_session(self, store: EventStore) -> None:
        who = [("u", None), ("u", "s"), (None, "u"), (None, "s")]
        store.append([make_event(user_id=u, session_id=s, query="q") for u, s in who])
        assert [q.shoppers for q in store.queries(NOW - DAY, 1, 10)] == [3]

    # Crashes

    def test_no_acknowledged_event_is_lost_to_kill_9(self, folder: Path) -> None:
        """Fifty processes in turn append from four threads each and are killed at a seeded
        moment, most of them in the middle of a write. Whatever they acknowledged is there, once."""
        moments = random.Random(6)
        waits = "".join(f"{moments.uniform(0, 0.05):.4f}\n" for _ in range(KILLS))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "engine.testing.event_store_crash"),
                *(self.plugin, json.dumps(self.options(folder))),
            ],
            input=waits,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        lines = done.stdout.split("\n")
        assert lines.count("killed") == KILLS
        acknowledged = [id for line in lines if line != "killed" for id in line.split()]
        assert len({id.partition("t")[0] for id in acknowledged}) == KILLS
        with self.opened(folder) as store:
            stored = Counter(event.id for batch in store.iterate() for event in batch)
            assert set(stored.values()) == {1}
            assert set(acknowledged) <= set(stored)
            at = max(e.time for batch in store.iterate() for e in batch if e.time)
            counted = sum(store.popularity([f"p{n}" for n in range(5)], at))
            assert counted == pytest.approx(len(stored), rel=0.01)
