"""How many searches compute at once, and in which order the others follow."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from engine import Engine, Query, SearchRequest, aside
from engine.guard import DaemonPool
from engine.turns import Turns

GENEROUS_S = 30.0


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def queued(turns: Turns, number: int) -> None:
    """Waits until so many searches wait for their turn."""
    pause = threading.Event()
    while len(turns._waiting) < number:
        pause.wait(0.001)


def test_one_for_every_two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, at_once in ((None, 1), (1, 1), (2, 1), (3, 1), (8, 4)):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert Turns()._free == at_once


def test_they_follow_in_the_order_they_came(threads: ThreadPoolExecutor) -> None:
    turns = Turns(1)
    order: list[int] = []

    def search(number: int) -> float:
        with turns.turn() as waited:
            order.append(number)
        return waited

    calls: list[Future[float]] = []
    with turns.turn() as waited:
        assert waited == 0
        for number in range(5):
            calls.append(threads.submit(search, number))
            queued(turns, number + 1)
        assert order == []
    assert all(call.result(GENEROUS_S) > 0 for call in calls)
    assert order == [0, 1, 2, 3, 4]
    assert turns._free == 1


def test_as_many_at_once_as_there_are_turns(threads: ThreadPoolExecutor) -> None:
    turns, together = Turns(2), threading.Barrier(3)

    def search() -> None:
        with turns.turn():
            together.wait(GENEROUS_S)

    calls = [threads.submit(search) for _ in range(2)]
    together.wait(GENEROUS_S)
    for call in calls:
        call.result(GENEROUS_S)


def test_who_waits_for_something_else_lets_another_compute(threads: ThreadPoolExecutor) -> None:
    turns, answer = Turns(1), threading.Event()
    order: list[str] = []

    def network() -> None:
        with turns.turn():
            with aside():
                assert answer.wait(GENEROUS_S)
            order.append("network")

    def last() -> None:
        with turns.turn():
            order.append("last")

    waiting = threads.submit(network)
    with turns.turn():
        order.append("meanwhile")
        after = threads.submit(last)
        queued(turns, 1)
        answer.set()
        queued(turns, 2)
    waiting.result(GENEROUS_S)
    after.result(GENEROUS_S)
    assert order == ["meanwhile", "network", "last"]
    assert turns._free == 1


def test_without_a_turn_there_is_nothing_to_give() -> None:
    with aside():
        pass


def test_a_search_in_a_search_goes_on_with_its_turn() -> None:
    turns = Turns(1)
    with turns.turn(), turns.turn() as waited:
        assert waited == 0
    assert turns._free == 1


@pytest.mark.parametrize("called", [False, True])
def test_an_interrupt_takes_no_turn_with_it(called: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns(1)

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if called:
                turns._give()
            raise KeyboardInterrupt

    turns._take()
    monkeypatch.setattr(threading, "Event", Interrupted)
    with pytest.raises(KeyboardInterrupt), turns.turn():
        pytest.fail("has no turn")
    if not called:
        turns._give()
    assert turns._free == 1
    assert not turns._waiting


def test_who_waits_long_for_a_plugin_lets_another_compute() -> None:
    turns, pool, came = Turns(1), DaemonPool(), threading.Event()

    def other() -> bool:
        with turns.turn():
            came.set()
        return True

    with turns.turn():
        beside = pool.submit(other)
        # The call ends only once another thread has had this one's turn.
        assert pool.submit(lambda: came.wait(GENEROUS_S)).result(GENEROUS_S)
    assert beside.future.result(GENEROUS_S)
    pool.close()


def test_a_search_says_how_long_it_waited(shop: Engine, threads: ThreadPoolExecutor) -> None:
    request = SearchRequest(Query("red lamp"))
    assert "wait" not in shop.search(request).timings
    turns = shop._turns
    with turns.turn():
        call = threads.submit(shop.search, request)
        queued(turns, 1)
    answer = call.result(GENEROUS_S)
    assert next(iter(answer.timings)) == "wait"
    assert answer.took_ms == pytest.approx(sum(answer.timings.values()), rel=0.05, abs=0.5)
