"""Guarded plugin calls: deadline, checks, breaker. No test waits for a clock."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from engine import guard as guard_module
from engine.breaker import FAILURES_TO_OPEN
from engine.guard import MAX_STRAYS, PATIENCE_S, Call, DaemonPool, Failure, Guard, PluginFailed

T = TypeVar("T")
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
    """One whose deadline has passed before the call begins; no overrun of it is gross."""
    guard = Guard("hasty", pool, 0.0, RECOVERY_S, clock)
    guard._gross_s = math.inf
    return guard


def fail(guard: Guard, function: Callable[[], object], reason: str) -> None:
    with pytest.raises(PluginFailed, match=reason) as caught:
        guard.call(function, accept)
    assert caught.value.field == guard.name


def test_a_good_call_gives_its_result(guard: Guard, plugin: Plugin) -> None:
    assert guard.call(plugin.good, accept) == "good"
    assert guard.breaker.reason == ""


def test_the_first_overrun_opens(hasty: Guard, plugin: Plugin) -> None:
    fail(hasty, plugin.hang, "missed its deadline of 0 ms")
    assert hasty.breaker.reason == "missed its deadline of 0 ms"
    fail(hasty, plugin.good, "switched off for now: missed its deadline")


def test_exceptions_open_only_in_a_row(guard: Guard, plugin: Plugin) -> None:
    for _ in range(FAILURES_TO_OPEN - 1):
        fail(guard, plugin.bad, "LookupError: 'no such thing'|LookupError: no such thing")
    guard.call(plugin.good, accept)
    for _ in range(FAILURES_TO_OPEN):
        assert guard.breaker.reason == ""
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
    assert guard.breaker.reason == ""
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


def overrun(hasty: Guard, plugin: Plugin) -> threading.Event:
    """Leave a call behind; set the event it waits for to let it come back."""
    release = threading.Event()

    def hang() -> None:
        plugin.calls += 1
        release.wait(GENEROUS_S)

    fail(hasty, hang, "deadline")
    return release


def test_what_comes_back_late_may_try_again(
    pool: DaemonPool, hasty: Guard, plugin: Plugin, clock: Clock
) -> None:
    """As on a machine that was busy for a moment."""
    back = threading.Event()
    hasty._came_back = signal_after(hasty._came_back, back)  # type: ignore[method-assign]
    for _ in range(FAILURES_TO_OPEN - 1):
        release = overrun(hasty, plugin)
        fail(hasty, plugin.good, "switched off")
        release.set()
        assert back.wait(GENEROUS_S)
        back.clear()
    hasty.deadline_s = GENEROUS_S
    assert hasty.call(plugin.good, accept) == "good"
    assert hasty.breaker.reason == ""


def test_what_is_late_again_and_again_is_switched_off(
    pool: DaemonPool, hasty: Guard, plugin: Plugin, clock: Clock
) -> None:
    back = threading.Event()
    hasty._came_back = signal_after(hasty._came_back, back)  # type: ignore[method-assign]
    for _ in range(FAILURES_TO_OPEN):
        overrun(hasty, plugin).set()
        assert back.wait(GENEROUS_S)
        back.clear()
    hasty.deadline_s = GENEROUS_S
    fail(hasty, plugin.good, "switched off")
    clock.now += RECOVERY_S
    assert hasty.call(plugin.good, accept) == "good"


def signal_after(function: Callable[..., None], event: threading.Event) -> Callable[..., None]:
    def both(*args: object) -> None:
        function(*args)
        event.set()

    return both


def test_calls_that_overrun_side_by_side_are_one_failure(hasty: Guard, plugin: Plugin) -> None:
    """Otherwise a few concurrent searches would use up all tries of a busy moment."""
    together = threading.Barrier(4)

    def one() -> None:
        together.wait(GENEROUS_S)
        with pytest.raises(PluginFailed):
            hasty.call(plugin.hang, accept)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(one) for _ in range(4)]:
            done.result(GENEROUS_S)
    assert hasty.breaker._failures == 1


class Grossly:
    """Makes calls of ``guard`` take ``seconds`` as the guard reads them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        monkeypatch.setattr(Call, "took", property(lambda call: self.seconds))


@pytest.fixture
def grossly(monkeypatch: pytest.MonkeyPatch) -> Grossly:
    return Grossly(monkeypatch)


HOW_LONG = r"took 1,034 ms, with a deadline of 50 ms .* isolation = .process. under .*limits\.hog"


@pytest.fixture
def hog(pool: DaemonPool, clock: Clock) -> Guard:
    return Guard("hog", pool, 0.05, RECOVERY_S, clock)


def test_what_held_everything_up_stays_out_though_it_came_back(
    hog: Guard, plugin: Plugin, clock: Clock, grossly: Grossly
) -> None:
    """As a call that holds the GIL: nobody is there to see it late until it has its result."""
    hog.deadline_s, grossly.seconds = GENEROUS_S, 1.034
    hog._grossly = lambda call: "took 1,034 ms"  # type: ignore[method-assign]
    fail(hog, plugin.good, "took 1,034 ms")
    assert hog.breaker.state == "open"
    clock.now += RECOVERY_S - 1
    fail(hog, plugin.good, "switched off for now: took 1,034 ms")
    assert plugin.calls == 1
    clock.now += 1
    assert hog.breaker.state == "half-open"
    grossly.seconds = 0.0
    assert hog.call(plugin.good, accept) == "good"
    assert hog.breaker.state == "closed"


def test_the_reason_says_how_long_and_what_helps(
    hog: Guard, plugin: Plugin, grossly: Grossly
) -> None:
    grossly.seconds = 1.034
    fail(hog, plugin.good, HOW_LONG)
    fail(hog, plugin.good, f"switched off for now: {HOW_LONG}")


def test_what_comes_back_much_later_stays_out(
    hog: Guard, plugin: Plugin, clock: Clock, grossly: Grossly
) -> None:
    grossly.seconds = 0.06
    back = threading.Event()
    hog._came_back = signal_after(hog._came_back, back)  # type: ignore[method-assign]
    release = overrun(hog, plugin)
    assert hog.breaker.reason == "missed its deadline of 50 ms"
    grossly.seconds = 10.0
    release.set()
    assert back.wait(GENEROUS_S)
    assert hog.breaker.reason.startswith("took 10,000 ms")
    clock.now += RECOVERY_S - 1
    fail(hog, plugin.good, "switched off for now: took 10,000 ms")
    clock.now += 1
    grossly.seconds, hog.deadline_s = 0.0, GENEROUS_S
    assert hog.call(plugin.good, accept) == "good"


def test_a_failed_trial_that_is_gross_opens_again(
    hog: Guard, plugin: Plugin, clock: Clock, grossly: Grossly
) -> None:
    grossly.seconds = 1.034
    for _ in range(3):
        fail(hog, plugin.good, "took")
        clock.now += RECOVERY_S - 1
        fail(hog, plugin.good, "switched off")
        clock.now += 1


def test_no_more_threads_hang_in_a_plugin_than_a_few(
    hasty: Guard, plugin: Plugin, clock: Clock
) -> None:
    for _ in range(MAX_STRAYS):
        fail(hasty, plugin.hang, "missed its deadline")
        clock.now += RECOVERY_S
    fail(hasty, plugin.hang, f"switched off: {MAX_STRAYS} calls of it have not come back")


def test_figures(guard: Guard, plugin: Plugin) -> None:
    before = guard.tally.figures()
    assert (before.calls, before.failures, before.seconds) == (0, {}, 0.0)
    assert math.isnan(before.p50_s)
    guard.call(plugin.good, accept)
    for _ in range(FAILURES_TO_OPEN):
        fail(guard, plugin.bad, "LookupError")
    fail(guard, plugin.good, "switched off")
    figures = guard.tally.figures()
    assert figures.calls == 1 + FAILURES_TO_OPEN
    assert figures.failures == {"error": FAILURES_TO_OPEN, "open": 1}
    assert 0 < figures.p50_s <= figures.p95_s <= figures.seconds
    assert figures.buckets[-1] == figures.calls
    assert list(figures.buckets) == sorted(figures.buckets)


@pytest.mark.parametrize(
    ("cause", "effect", "state"),
    [("crash", "opens", "open"), ("error", "counts", "closed"), ("waiting", "undecided", "closed")],
)
def test_without_a_pool_the_function_says_how_it_failed(
    clock: Clock, cause: Any, effect: Any, state: str
) -> None:
    guard = Guard("apart", None, GENEROUS_S, RECOVERY_S, clock)

    def lost() -> None:
        raise Failure(cause, "the process died", effect)

    fail(guard, lost, "^the process died$")
    assert guard.breaker.state == state
    assert guard.tally.figures().failures == {cause: 1}


def test_a_trial_that_was_not_made_is_still_due(clock: Clock, plugin: Plugin) -> None:
    guard = Guard("apart", None, GENEROUS_S, RECOVERY_S, clock)

    def ends(cause: Any, effect: Any) -> Callable[[], None]:
        def call() -> None:
            raise Failure(cause, "no", effect)

        return call

    fail(guard, ends("crash", "opens"), "no")
    clock.now += RECOVERY_S
    fail(guard, ends("waiting", "undecided"), "no")
    assert guard.breaker.state == "half-open"
    assert guard.call(plugin.good, accept) == "good"
    assert guard.breaker.state == "closed"


def test_an_answer_that_is_refused_has_a_cause_of_its_own(guard: Guard, plugin: Plugin) -> None:
    def refuse(result: str) -> None:
        raise ValueError("too short")

    with pytest.raises(PluginFailed, match="ValueError: too short"):
        guard.call(plugin.good, refuse)
    assert guard.tally.figures().failures == {"answer": 1}


def test_a_plugins_own_timeout_counts_as_an_overrun(guard: Guard) -> None:
    def times_out() -> None:
        raise TimeoutError("the model server")

    for _ in range(FAILURES_TO_OPEN):
        fail(guard, times_out, "missed its deadline")
    fail(guard, times_out, "switched off")


def test_the_wait_for_a_thread_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where other threads hold the GIL until long after the deadline."""
    now = 0.0
    monkeypatch.setattr(guard_module.time, "perf_counter", lambda: now)
    call = Call(lambda: "done")
    asked: list[float] = []

    class Slow(Future[str]):
        def exception(self, timeout: float | None = None) -> BaseException | None:
            nonlocal now
            assert timeout is not None
            asked.append(timeout)
            now += timeout
            if len(asked) == 4:
                call.run()()
            return super().exception(0)

    call.future = Slow()
    assert call.result(0.5) == "done"
    assert asked == [PATIENCE_S, 0.5, 0.5, 0.5]


def test_what_has_begun_gets_its_deadline_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(guard_module.time, "perf_counter", lambda: now)
    call = Call(lambda: "never handed over")
    asked: list[float] = []

    class Slow(Future[str]):
        def exception(self, timeout: float | None = None) -> BaseException | None:
            nonlocal now
            assert timeout is not None
            asked.append(timeout)
            if len(asked) == 3:
                call.run()
                now += timeout / 2
            else:
                now += timeout
            return super().exception(0)

    call.future = Slow()
    with pytest.raises(TimeoutError):
        call.result(0.5)
    assert asked == [PATIENCE_S, 0.5, 0.5, 0.25]


def run(pool: DaemonPool, function: Callable[[], T]) -> T:
    return pool.submit(function).future.result(GENEROUS_S)


def test_threads_are_used_again(pool: DaemonPool) -> None:
    first = run(pool, threading.get_ident)
    assert {run(pool, threading.get_ident) for _ in range(50)} == {first}


def test_a_busy_thread_is_not_waited_for(pool: DaemonPool, plugin: Plugin) -> None:
    busy = pool.submit(lambda: (plugin.hang(), threading.get_ident())[1])
    assert run(pool, lambda: "beside") == "beside"
    assert not busy.future.done()
    plugin.release.set()
    idents = {busy.result(GENEROUS_S)}
    together = threading.Barrier(3)
    both = [
        pool.submit(lambda: (together.wait(GENEROUS_S), threading.get_ident())[1]) for _ in "ab"
    ]
    together.wait(GENEROUS_S)
    assert idents < {future.result(GENEROUS_S) for future in both}


def test_closing_ends_the_threads(plugin: Plugin) -> None:
    pool = DaemonPool()
    idle = run(pool, threading.current_thread)
    busy: list[threading.Thread] = []

    def close_while_busy() -> None:
        busy.append(threading.current_thread())
        pool.close()

    run(pool, close_while_busy)
    for thread in (idle, *busy):
        thread.join(GENEROUS_S)
        assert not thread.is_alive()


@pytest.fixture
def inline(guard: Guard) -> Guard:
    guard.call_in_place()
    return guard


def test_inline_it_runs_where_the_caller_does(inline: Guard) -> None:
    assert inline.call(threading.get_ident, accept) == threading.get_ident()
    assert inline.tally.figures().calls == 1


@pytest.mark.parametrize("error", [LookupError("no"), SystemExit("no")])
def test_inline_no_error_goes_through(inline: Guard, error: BaseException) -> None:
    def raises() -> None:
        raise error

    for _ in range(3):
        fail(inline, raises, f"^{type(error).__name__}: no$")
    fail(inline, raises, "switched off for now")
    assert inline.breaker.state == "open"


def test_inline_the_user_can_interrupt(inline: Guard) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inline.call(interrupted, accept)


def test_inline_a_gross_overrun_counts_once_and_opens(inline: Guard, plugin: Plugin) -> None:
    inline._gross_s = 0.0
    assert inline.call(plugin.good, accept) == "good"
    assert inline.breaker.state == "open"
    fail(inline, plugin.good, r"switched off for now: took .* set isolation = .thread. or")
    assert plugin.calls == 1


def test_inline_a_gross_overrun_that_fails_opens_at_once(inline: Guard, plugin: Plugin) -> None:
    inline._gross_s = 0.0
    fail(inline, plugin.bad, "^LookupError: no such thing$")
    fail(inline, plugin.bad, "switched off for now: took")
    assert plugin.calls == 1


def test_a_process_may_answer_late_where_the_server_was_busy(clock: Clock, plugin: Plugin) -> None:
    guard = Guard("apart", None, GENEROUS_S, RECOVERY_S, clock)
    guard._gross_s = 0.0
    assert guard.call(plugin.good, accept) == "good"
    assert guard.breaker.state == "closed"
