"""Guarded plugin calls: deadline, checks, breaker. No test waits for a clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from engine.guard import FAILURES_TO_OPEN, DaemonPool, Guard, PluginFailed

GENEROUS_S = 30.0
RECOVERY_S = 30.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Plugin:
    """Does what it is told to; a call that hangs ends when ``release`` is set."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.calls = 0

    def good(self) -> str:
        self.calls += 1
        return "good"

    def bad(self) -> str:
        self.calls += 1
        raise LookupError("no such thing")

    def hang(self) -> str:
        self.calls += 1
        self.release.wait()
        return "late"


def accept(result: object) -> None:
    """Every result will do."""


@pytest.fixture
def pool() -> Iterator[DaemonPool]:
    pool = DaemonPool()
    yield pool
    pool.close()


@pytest.fixture
def plugin() -> Iterator[Plugin]:
    plugin = Plugin()
    yield plugin
    plugin.release.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(pool: DaemonPool, clock: Clock) -> Guard:
    return Guard("thrifty", pool, GENEROUS_S, RECOVERY_S, clock)


@pytest.fixture
def hasty(pool: DaemonPool, clock: Clock) -> Guard:
    """One whose deadline has passed before the call begins."""
    return Guard("hasty", pool, 0.0, RECOVERY_S, clock)


def fail(guard: Guard, function: Callable[[], object], reason: str) -> None:
    with pytest.raises(PluginFailed, match=reason) as caught:
        guard.call(function, accept)
    assert caught.value.field == guard.name


def test_a_good_call_gives_its_result(guard: Guard, plugin: Plugin) -> None:
    assert guard.call(plugin.good, accept) == "good"
    assert guard.open_reason == ""


def test_the_first_overrun_opens(hasty: Guard, plugin: Plugin) -> None:
    fail(hasty, plugin.hang, "missed its deadline of 0 ms")
    assert hasty.open_reason == "missed its deadline of 0 ms"
    fail(hasty, plugin.good, "switched off for now: missed its deadline")


def test_exceptions_open_only_in_a_row(guard: Guard, plugin: Plugin) -> None:
    for _ in range(FAILURES_TO_OPEN - 1):
        fail(guard, plugin.bad, "LookupError: 'no such thing'|LookupError: no such thing")
    guard.call(plugin.good, accept)
    for _ in range(FAILURES_TO_OPEN):
        assert guard.open_reason == ""
        fail(guard, plugin.bad, "LookupError")
    calls = plugin.calls
    fail(guard, plugin.good, "switched off for now")
    assert plugin.calls == calls


def test_a_refused_result_is_a_failure(guard: Guard, plugin: Plugin) -> None:
    def refuse(result: str) -> None:
        raise ValueError(f"{result!r} has the wrong length")

    with pytest.raises(PluginFailed, match="ValueError: 'good' has the wrong length"):
        guard.call(plugin.good, refuse)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_nothing_a_plugin_raises_gets_out(
    guard: Guard, plugin: Plugin, error: BaseException
) -> None:
    def leave() -> None:
        raise error

    fail(guard, leave, type(error).__name__)
    assert guard.call(plugin.good, accept) == "good"


def test_an_interrupt_of_the_caller_stays_one(guard: Guard, plugin: Plugin) -> None:
    def interrupted(result: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guard.call(plugin.good, interrupted)


def test_half_open_lets_one_trial_through(
    hasty: Guard, guard: Guard, plugin: Plugin, clock: Clock
) -> None:
    for _ in range(FAILURES_TO_OPEN):
        fail(guard, plugin.bad, "LookupError")
    clock.now += RECOVERY_S
    inside: list[str] = []

    def trial() -> str:
        # Another call while the trial runs is kept out.
        fail(guard, plugin.good, "switched off for now")
        inside.append("yes")
        return "recovered"

    assert guard.call(trial, accept) == "recovered"
    assert inside == ["yes"]
    assert guard.open_reason == ""
    assert guard.call(plugin.good, accept) == "good"


def test_a_failed_trial_opens_again(guard: Guard, plugin: Plugin, clock: Clock) -> None:
    for _ in range(FAILURES_TO_OPEN):
        fail(guard, plugin.bad, "LookupError")
    clock.now += RECOVERY_S
    fail(guard, plugin.bad, "LookupError")
    clock.now += RECOVERY_S - 1
    fail(guard, plugin.good, "switched off")
    clock.now += 1
    assert guard.call(plugin.good, accept) == "good"


def test_a_trial_that_never_ends_is_followed_by_another(
    hasty: Guard, plugin: Plugin, clock: Clock
) -> None:
    fail(hasty, plugin.hang, "deadline")
    clock.now += RECOVERY_S
    fail(hasty, plugin.hang, "deadline")
    fail(hasty, plugin.hang, "switched off")
    assert plugin.calls <= 2


def test_a_late_success_does_not_close_what_opened_meanwhile(guard: Guard, plugin: Plugin) -> None:
    """A call that began before the failures ends well after them."""

    def slow() -> str:
        for _ in range(FAILURES_TO_OPEN):
            fail(guard, plugin.bad, "LookupError")
        return "slow"

    assert guard.call(slow, accept) == "slow"
    fail(guard, plugin.good, "switched off for now")


def test_a_plugins_own_timeout_counts_as_an_overrun(guard: Guard, plugin: Plugin) -> None:
    def times_out() -> None:
        raise TimeoutError("the model server")

    fail(guard, times_out, "missed its deadline")
    fail(guard, plugin.good, "switched off")


def test_threads_are_used_again(pool: DaemonPool) -> None:
    first = pool.run(threading.get_ident, GENEROUS_S)
    assert {pool.run(threading.get_ident, GENEROUS_S) for _ in range(20)} == {first}


def test_an_abandoned_thread_ends_with_its_call(pool: DaemonPool, plugin: Plugin) -> None:
    started: list[threading.Thread] = []
    running = threading.Event()

    def hang() -> str:
        started.append(threading.current_thread())
        running.set()
        return plugin.hang()

    with pytest.raises(TimeoutError):
        pool.run(hang, 0.0)
    running.wait()
    assert pool.run(threading.get_ident, GENEROUS_S) != started[0].ident
    plugin.release.set()
    started[0].join(GENEROUS_S)
    assert not started[0].is_alive()


def test_closing_ends_the_threads(plugin: Plugin) -> None:
    pool = DaemonPool()
    idle = pool.run(threading.current_thread, GENEROUS_S)
    busy: list[threading.Thread] = []

    def close_while_busy() -> None:
        busy.append(threading.current_thread())
        pool.close()

    pool.run(close_while_busy, GENEROUS_S)
    for thread in (idle, *busy):
        thread.join(GENEROUS_S)
        assert not thread.is_alive()
