"""What a shop learns of its shoppers, and what rankers see of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest

from engine import (
    Engine,
    Event,
    InvalidRequest,
    NotFound,
    Query,
    RankingBatch,
    SearchRequest,
    Settings,
    StoreError,
    UserProfile,
    hookimpl,
)
from engine import manager as manager_module
from engine.manager import PluginManager
from engine.settings import EventSettings, ProfileSettings
from engine.testing.event_data import DAY, make_event

from . import shop as small
from . import toys

HOUR = timedelta(hours=1)


class Curious:
    """Ranks nothing, remembers what it was shown."""

    required_fields: tuple[str, ...] = ()
    required_vectors: tuple[str, ...] = ()
    required_behaviour = ("profile", "popularity")

    def __init__(self) -> None:
        self.seen: list[RankingBatch] = []

    def rank(self, batch: RankingBatch) -> Any:
        self.seen.append(batch)
        return batch.scores

    def arrange(self, batch: RankingBatch) -> Any:
        self.seen.append(batch)
        return np.arange(len(batch.ids))[::-1]


@pytest.fixture
def curious() -> Curious:
    return Curious()


def plugin_of(curious: Curious) -> ModuleType:
    module = ModuleType("curious")

    @hookimpl
    def register_rankers(register: Any) -> None:
        register("curious", lambda options: curious)

    @hookimpl
    def register_arrangers(register: Any) -> None:
        register("curious", lambda options: curious)

    module.register_rankers = register_rankers  # type: ignore[attr-defined]
    module.register_arrangers = register_arrangers  # type: ignore[attr-defined]
    return module


def opened(settings: Settings, module: ModuleType) -> Engine:
    """An engine that has the toys and ``module`` for plugins."""

    def entry(name: str, loaded: Any) -> Any:
        return type("Entry", (), {"name": name, "load": staticmethod(lambda: loaded)})

    with pytest.MonkeyPatch.context() as patch:
        entries = [entry("toys", toys.as_plugin()), entry("curious", module)]
        patch.setattr(manager_module, "entry_points", lambda group: entries)
        return Engine(settings, PluginManager(settings.plugins))


@pytest.fixture
def open_curious(folder: Path, curious: Curious) -> Iterator[Callable[..., Engine]]:
    """Opens the small shop with rankers and arrangers that look at the shopper."""
    engines: list[Engine] = []

    def open_engine(**events: Any) -> Engine:
        settings = small.settings_for(
            folder,
            curious=ProfileSettings(rankers=("curious",)),
            last=ProfileSettings(rankers=(), arrangers=("curious", "curious")),
            plain=ProfileSettings(rankers=("availability",)),
        )
        settings = msgspec.structs.replace(settings, events=EventSettings(**events))
        engines.append(opened(settings, plugin_of(curious)))
        return engines[-1]

    yield open_engine
    for engine in engines:
        engine.close()


@pytest.fixture
def engine(open_curious: Callable[..., Engine]) -> Engine:
    return open_curious()


def now() -> datetime:
    return datetime.now(UTC)


def did(type: Any, *products: str, ago: timedelta = timedelta(0), **changes: Any) -> Event:
    return make_event(type, products, time=now() - ago, **changes)


def search(engine: Engine, profile: str = "curious", **request: Any) -> Any:
    return engine.search(SearchRequest(Query(text="shoe"), profile=profile, **request))


def profile_of(engine: Engine, user_id: str | None = "ada", session_id: str | None = None) -> Any:
    found = engine.profile(user_id, session_id)
    assert found is not None
    return found


def test_the_next_search_knows(engine: Engine, curious: Curious) -> None:
    search(engine, user_id="ada")
    assert curious.seen[-1].profile is None
    assert engine.record([did("click", "shoe-red", "bag-red")])[0].status == "accepted"
    search(engine, user_id="ada")
    profile = curious.seen[-1].profile
    assert isinstance(profile, UserProfile)
    assert profile.recent == ("shoe-red", "bag-red")
    popularity = curious.seen[-1].popularity
    assert popularity is not None
    assert popularity.dtype == np.float32
    liked = dict(zip(curious.seen[-1].ids, popularity.tolist(), strict=True))
    assert liked["shoe-red"] == pytest.approx(1.0, rel=1e-3)
    assert liked["shoe-blue"] == 0
    search(engine, user_id="bob")
    assert curious.seen[-1].profile is None
    search(engine)
    assert curious.seen[-1].profile is None


def test_arrangers_see_popularity_in_their_order(engine: Engine, curious: Curious) -> None:
    engine.record([did("purchase", "shoe-red")])
    search(engine, "last", session_id="s", limit=3)
    first, second = curious.seen
    assert second.ids == first.ids[::-1]
    for batch in (first, second):
        assert batch.popularity is not None
        (place,) = np.nonzero(batch.popularity)[0]
        assert batch.ids[place] == "shoe-red"


def test_what_a_plugin_does_to_the_profile_stays_its_own(engine: Engine, curious: Curious) -> None:
    engine.record([did("click", "shoe-red")])
    search(engine, "last", user_id="ada")
    first, second = (batch.profile for batch in curious.seen)
    assert first is not None
    assert second is not None
    assert first.session.affinities == second.session.affinities != {}
    first.session.affinities["color"].clear()
    first.session.affinities.clear()
    first.long_term.affinities["color"] = {"red": 1.0}
    assert second.session.affinities["color"]
    assert second.long_term.affinities == {}
    assert UserProfile().long_term.affinities == {}


def test_a_window_knows_what_its_rankers_know(engine: Engine) -> None:
    engine.record([did("click", "shoe-red")])
    asked = SearchRequest(Query(text="shoe"), profile="curious", user_id="ada")
    window = engine.window(asked)
    assert window.profile is not None
    assert window.popularity is not None
    assert len(window.popularity) == len(window.ids)
    assert engine.window(msgspec.structs.replace(asked, profile="plain")).profile is None


def test_nothing_is_looked_up_where_nobody_asks(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.behaviour, "history", None)
    monkeypatch.setattr(engine.behaviour, "popularity", None)
    assert not search(engine, "plain", user_id="ada").degraded
    assert not search(engine, "default").degraded


def test_a_failing_store_does_not_fail_the_search(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, curious: Curious
) -> None:
    whole = small.ids(search(engine, user_id="ada").hits)

    def fail(*given: Any) -> Any:
        raise StoreError("the events are gone")

    monkeypatch.setattr(engine.behaviour.store, "history", fail)
    answer = search(engine, user_id="ada")
    assert small.ids(answer.hits) == whole
    (degraded,) = answer.degraded
    assert degraded.component == "events"
    assert "the events are gone" in degraded.reason


def test_a_hanging_store_does_not_hold_up_the_search(
    folder: Path, curious: Curious, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its deadline passes, and from then on nobody waits for it."""
    module = plugin_of(curious)
    settings = small.settings_for(
        folder, deadline_ms=1.0, curious=ProfileSettings(query_processors=(), rankers=("curious",))
    )
    with opened(settings, module) as engine:
        hang = threading.Event()
        asked: list[Any] = []

        def history(*given: Any) -> Any:
            asked.append(given)
            hang.wait(60)

        monkeypatch.setattr(engine.behaviour.store, "history", history)
        try:
            for _ in range(3):
                answer = search(engine, user_id="ada")
                assert answer.hits
                assert "events" in {d.component for d in answer.degraded}
            assert len(asked) == 1
        finally:
            hang.set()


def test_a_profile(engine: Engine) -> None:
    """Checked against the definition: unit mean of the products' vectors by decayed weight."""
    engine.record(
        [
            did("view", "shoe-red", session_id="s1"),
            did("cart", "shoe-blue", session_id="s1", ago=timedelta(minutes=15)),
            did("purchase", "sofa-green", ago=30 * DAY, session_id="s0"),
            did("impression", "mug-pink", session_id="s1"),
        ]
    )
    profile = profile_of(engine, session_id="s1")
    with engine._slot.lease() as live:
        assert live is not None
        ids = ["shoe-red", "shoe-blue", "sofa-green"]
        text = [rows[0] for rows in live.store.vectors(ids, "text")]
        image = [rows.mean(axis=0) for rows in live.store.vectors(ids, "image")]
    session, past = profile.session, profile.long_term
    assert session.weight == pytest.approx(1 + 1.5, rel=1e-3)
    assert past.weight == pytest.approx(2.5, rel=1e-3)
    assert (session.events, past.events) == (2, 1)
    for vectors, found, old in (
        (text, session.text, past.text),
        (image, session.image, past.image),
    ):
        mean = vectors[0] + 1.5 * vectors[1]
        assert small.is_unit(found)
        assert found.dtype == np.float32
        assert not found.flags.writeable
        np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-3)
        np.testing.assert_allclose(old, vectors[2] / np.linalg.norm(vectors[2]), atol=1e-5)
    assert session.affinities["color"] == pytest.approx({"blue": 0.6, "red": 0.4}, rel=1e-3)
    assert list(session.affinities["color"]) == ["blue", "red"]
    assert session.affinities["category"] == pytest.approx({"Wear": 1.0, "Wear > Shoe": 1.0})
    assert past.affinities["color"] == {"green": 1.0}
    assert not {"locale", "currency", "group_id", "price"} & set(session.affinities)
    assert session.confidence == pytest.approx(2.5 / 7.5, rel=1e-3)
    assert profile.recent == ("shoe-red", "shoe-blue", "sofa-green")
    assert profile.bought == ("sofa-green",)


def test_without_a_session_id_the_last_half_hour_is_the_session(engine: Engine) -> None:
    engine.record([did("view", "shoe-red"), did("view", "mug-blue", ago=HOUR)])
    profile = profile_of(engine)
    assert (profile.session.events, profile.long_term.events) == (1, 1)
    assert profile.long_term.affinities["color"] == {"blue": 1.0}


def test_a_visitor_has_a_session_only(engine: Engine) -> None:
    engine.record([did("view", "shoe-red", user_id=None, session_id="s1")])
    profile = profile_of(engine, None, "s1")
    assert profile.session.events == 1
    assert (profile.long_term.events, profile.long_term.weight) == (0, 0)
    assert profile.long_term.text is None
    assert engine.profile(None, None) is None
    assert engine.profile("ada") is None


def test_products_come_from_the_live_shop(engine: Engine) -> None:
    """An unknown product is accepted with a word, for it may come later, and counts for nothing;
    one that changes or goes takes its part of the profile along."""
    (result,) = engine.record([did("view", "shoe-red", "from-elsewhere")])
    assert (result.status, result.warning) == ("accepted", "no such product: from-elsewhere")
    assert profile_of(engine).recent == ("shoe-red",)
    assert profile_of(engine).session.affinities["color"] == {"red": 1.0}
    changed = small.renamed("shoe-red", "shoe-red", attributes={"color": "mauve"})
    engine.put([(changed, [])])
    assert profile_of(engine).session.affinities["color"] == {"mauve": 1.0}
    assert profile_of(engine).session.image is None
    engine.delete("shoe-red")
    assert engine.profile("ada") is None
    engine.put([(small.renamed("shoe-red", "from-elsewhere"), [])])
    assert profile_of(engine).recent == ("from-elsewhere",)


def test_bad_events_fail_alone(engine: Engine) -> None:
    good = did("view", "shoe-red")
    bad = [
        make_event(time=now() + DAY),
        make_event(time=now() - 91 * DAY),
        make_event("cart", (), time=now()),
        make_event(user_id=None, time=now()),
    ]
    results = engine.record([bad[0], good, *bad[1:], good])
    assert [r.status for r in results] == [
        *("rejected", "accepted", "rejected", "rejected", "rejected", "duplicate")
    ]
    assert [bool(r.error) for r in results] == [True, False, True, True, True, False]
    assert [r.id for r in results] == [e.id for e in (bad[0], good, *bad[1:], good)]
    with pytest.raises(InvalidRequest, match="1,000"):
        engine.record([good] * 1001)
    assert engine.record([]) == []


def test_export_erase_and_opt_out(engine: Engine) -> None:
    event = did("view", "shoe-red", session_id="s1", query="my shoe")
    engine.record([event])
    kept = engine.export_user("ada")
    assert (kept.events, kept.opted_out) == ([event], False)
    assert kept.session_affinities["color"] == {"red": 1.0}
    assert engine.export_user("s1").session_affinities["color"] == {"red": 1.0}
    assert engine.erase_user("ada") == 1
    assert engine.profile("ada", "s1") is None
    assert engine.behaviour.popularity(["shoe-red"]).tolist() == [0]
    assert engine.record([event])[0].status == "ignored"
    assert engine.behaviour.opt_out("ada") == 0
    assert engine.export_user("ada").opted_out
    assert engine.record([did("view", "shoe-red")])[0].status == "ignored"
    engine.behaviour.opt_in("ada")
    assert engine.record([did("view", "shoe-red")])[0].status == "accepted"
    for call in (engine.export_user, engine.erase_user, engine.behaviour.opt_out):
        with pytest.raises(InvalidRequest, match="128"):
            call("ada@example.com")


def test_erasing_leaves_nothing_in_the_data_folder(engine: Engine, folder: Path) -> None:
    """Index, journal, log and locks included; searches as the shopper leave no trace either."""
    secret = "shopper-8d1f0c77"
    engine.record([did("view", "shoe-red", user_id=secret, query="my unusual words")])
    search(engine, user_id=secret)
    engine.put([(small.renamed("shoe-red", "shoe-new"), [])])
    files = [path for path in folder.rglob("*") if path.is_file()]
    holders = {path.name for path in files if secret.encode() in path.read_bytes()}
    assert holders <= {"events.sqlite", "events.sqlite-wal"}
    assert holders
    engine.erase_user(secret)
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert secret.encode() not in content, path
            assert b"my unusual words" not in content, path


def test_old_events_go_by_themselves(open_curious: Callable[..., Engine]) -> None:
    with open_curious() as engine:
        engine.record([did("view", "shoe-red", ago=20 * DAY), did("view", "mug-blue")])
    with open_curious(retention_days=10) as engine:
        engine.behaviour.compact()
        assert [e.products[0].id for e in engine.export_user("ada").events] == ["mug-blue"]


def test_a_compaction_that_fails_is_logged_and_harms_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(before: datetime) -> int:
        raise StoreError("disk full")

    monkeypatch.setattr(engine.behaviour.store, "compact", fail)
    engine.behaviour._closing.set()
    with caplog.at_level(logging.ERROR):
        engine.behaviour._expire()
    assert "disk full" in caplog.text
    assert engine.record([did("view", "shoe-red")])[0].status == "accepted"


def test_no_events_at_all(open_curious: Callable[..., Engine], curious: Curious) -> None:
    with open_curious(plugin="") as engine:
        for call in (lambda: engine.record([did("view", "a")]), lambda: engine.erase_user("ada")):
            with pytest.raises(NotFound, match=r"events\.plugin"):
                call()
        assert engine.profile("ada") is None
        assert not search(engine, user_id="ada").degraded
        assert curious.seen[-1].profile is None
        assert not (engine.settings.data_path / "events.sqlite").exists()


def test_analytics(open_curious: Callable[..., Engine]) -> None:
    with open_curious(anonymity=2) as engine:
        for user in ("ada", "bob"):
            engine.record([did("impression", "shoe-red", user_id=user, query="Red shoe")])
        engine.record([did("impression", "mug-red", query="my name is ada")])
        (counted,) = engine.behaviour.queries(30, 10)
        assert (counted.query, counted.shoppers, counted.searches) == ("red shoe", 2, 2)
        for days, limit in ((0, 1), (4000, 1), (float("nan"), 1), (1, 0), (1, 1001)):
            with pytest.raises(InvalidRequest):
                engine.behaviour.queries(days, limit)


@pytest.mark.parametrize("field", ["user_id", "session_id"])
@pytest.mark.parametrize("id", ["x" * 1_000_000, "ada@example.com", ""])
def test_searches_by_nobody(shop: Engine, field: str, id: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        shop.search(SearchRequest(Query(text="shoe"), **{field: id}))
    assert caught.value.field == field
