"""When recommenders learn: not before anybody asks, soon after something happened, at once after
an erasure, and never so often that searches notice."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engine import StoreError, recommending
from engine.conformance.occasions import some_events
from engine.recommending import AT_LEAST_EVERY_S, EVERY_S, SHARE, Learning


class Clock:
    """Stands for the event that ends the learning: a wait takes its time at once, and what
    happens meanwhile is given by ``then``, by the number of the wait."""

    def __init__(self, then: dict[int, Callable[[], None]], end: int = 1000) -> None:
        self.now = 0.0
        self.waits = 0
        self._then = then
        self._end = end

    def is_set(self) -> bool:
        return self.waits >= self._end

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        self.waits += 1
        self._then.get(self.waits, lambda: None)()
        return self.is_set()

    def set(self) -> None:
        self.waits = self._end


class Shop:
    """Counts what is read of it."""

    def __init__(self) -> None:
        self.changes = (0, 0)
        self.reads = 0
        self.settings = SimpleNamespace(plugin="sqlite")
        self.store = self
        self.fails: Exception | None = None

    def iterate(self) -> Any:
        self.reads += 1
        if self.fails:
            raise self.fails
        yield from ([event] for event in some_events(2))

    def record(self) -> None:
        self.changes = (self.changes[0] + 1, self.changes[1])

    def erase(self) -> None:
        self.changes = (self.changes[0], self.changes[1] + 1)


class Learner:
    def __init__(self) -> None:
        self.sizes: list[int] = []

    def recommend(self, occasion: Any, n: int) -> list[Any]:
        return []

    def learn(self, seen: Any) -> None:
        self.sizes.append(len(seen))


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def learner() -> Learner:
    return Learner()


def learning(shop: Any, learner: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Learning:
    named = [(SimpleNamespace(name="one"), learner)]
    components: Any = SimpleNamespace(all_recommenders=lambda: named)
    made = Learning(components, shop)
    made._closing = clock  # type: ignore[assignment]
    monkeypatch.setattr(recommending.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(recommending.time, "perf_counter", lambda: 0.0)
    return made


def rest(made: Learning, pause_s: float = EVERY_S) -> None:
    made._rest(0.0, pause_s)


def test_what_happened_tells_within_a_minute_of_a_request(
    shop: Shop, learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock({3: shop.record, 5: lambda: made._asked.set()})
    made = learning(shop, learner, clock, monkeypatch)
    made.learn()
    rest(made)
    assert clock.waits == 5, "neither without events, nor without a request"


def test_an_erasure_tells_without_a_request(
    shop: Shop, learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock({2: shop.erase})
    made = learning(shop, learner, clock, monkeypatch)
    made.learn()
    rest(made, pause_s=1e9)
    assert clock.waits == 2


def test_it_rests_in_proportion_to_its_work(
    shop: Shop, learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock({})
    made = learning(shop, learner, clock, monkeypatch)
    made.learn()
    shop.record()
    made._asked.set()
    rest(made, pause_s=SHARE * 30)
    assert clock.now == SHARE * 30


def test_other_servers_are_heard_once_an_hour(
    shop: Shop, learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock({})
    made = learning(shop, learner, clock, monkeypatch)
    made.learn()
    made._asked.set()
    rest(made)
    assert clock.now == AT_LEAST_EVERY_S


@pytest.mark.parametrize("error", [StoreError, RuntimeError])
def test_a_store_that_fails_is_tried_again(
    error: type[Exception],
    shop: Shop,
    learner: Learner,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def mend() -> None:
        shop.fails = None
        made._asked.set()

    shop.fails = error("the disk is gone")
    # One wait after the failure, then one for each page and its end.
    clock = Clock({1: mend}, end=200)
    made = learning(shop, learner, clock, monkeypatch)
    made._run()
    assert "not brought up to date: the disk is gone" in caplog.text
    assert learner.sizes[0] == 2 * 9


def test_closing_ends_the_reading(
    shop: Shop, learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock({2: lambda: clock.set()})
    made = learning(shop, learner, clock, monkeypatch)
    made.learn(gently=True)
    assert shop.reads == 1
    assert len(learner.sizes) <= 1
    made.close()


def test_nobody_who_learns_reads_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    made = learning(shop, SimpleNamespace(recommend=None), Clock({}), monkeypatch)
    made.learn()
    assert shop.reads == 0
