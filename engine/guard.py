"""Runs plugin code so that it can neither stop nor spoil a search.

Each guarded component has a deadline, a check of what it returns, a circuit breaker and figures
of what it cost. A call runs on a daemon thread, in a process of its own
(:mod:`engine.isolation`), or, of a component that promises to be prompt
(:class:`engine.window.Prompt`), right where the search runs, which saves two changes of threads.
One that overruns on a thread is left behind, for a thread cannot be killed, and the breaker opens
until it comes back, so that at most a few threads hang in one plugin. After three failures in a
row, or one gross overrun, it opens for the whole recovery time, however soon the calls came back.
Then one trial call is let through.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Generic, Literal, TypeVar

from .breaker import Breaker, Open
from .errors import PluginError
from .tally import Cause, Tally
from .turns import aside

T = TypeVar("T")

GROSS = 5.0
"""A call on a thread is a gross overrun where it took so many times its deadline,"""
GROSS_AT_LEAST_S = 0.25
"""and no less than this: a busy machine alone makes short calls late by tens of milliseconds."""
PATIENCE_S = 0.02
"""A search that waits longer for a call lets another compute meanwhile: built-in components are
done by then, and what takes longer waits for something itself."""
MAX_STRAYS = 4
"""While so many calls hang in a component, no other is tried."""


class PluginFailed(PluginError):
    """A guarded call gave nothing usable; the message says why."""


class Failure(Exception):
    """Why a call gave nothing usable, and what that means to the breaker: it ``counts``; it
    ``opens`` it at once; the call was not made and is ``undecided``; or it was ``told`` already."""

    def __init__(
        self,
        cause: Cause,
        reason: str,
        effect: Literal["counts", "opens", "undecided", "told"] = "counts",
    ) -> None:
        super().__init__(reason)
        self.cause: Cause = cause
        self.effect = effect


class Call(Generic[T]):
    """A function on its way through a thread."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._began: float | None = None
        self._ended: float | None = None
        self.future: Future[T] = Future()

    def run(self) -> Callable[[], object]:
        """Call the function; returned is what hands its outcome over."""
        self._began = time.perf_counter()
        try:
            answer = self._function()
            return partial(self.future.set_result, answer)
        except Exception as error:
            return partial(self.future.set_exception, error)
        # SystemExit and the like: they may end neither the worker nor the caller, in whom a
        # KeyboardInterrupt of its own must stay one.
        except BaseException as error:
            failed = PluginFailed(f"{type(error).__name__}: {error}")
            return partial(self.future.set_exception, failed)
        finally:
            self._ended = time.perf_counter()

    @property
    def took(self) -> float:
        """Seconds it has run, until it ended; 0 where it has not begun."""
        if self._began is None:
            return 0.0
        return (self._ended or time.perf_counter()) - self._began

    def result(self, deadline_s: float) -> T:
        """The function's result, or TimeoutError when it has run for ``deadline_s``.

        The wait for a turn does not count: a store call that holds the GIL, or a machine
        with more to do than it can, would make every plugin late (measured: eight searches
        at once on two busy cores cost 389 of 400 of them a plugin).
        """
        if not self._done_within(min(deadline_s, PATIENCE_S)):
            with aside():
                while (left := self._left(deadline_s)) > 0 and not self._done_within(left):
                    pass
        if not self.future.done():
            raise TimeoutError
        return self.future.result()

    def _left(self, deadline_s: float) -> float:
        return deadline_s - (time.perf_counter() - self._began if self._began is not None else 0.0)

    def _done_within(self, seconds: float) -> bool:
        try:
            self.future.exception(seconds)
        except TimeoutError:  # at the last moment, or one of its own
            return self.future.done()
        return True


class DaemonPool:
    """Threads for guarded calls; a new one is started where all others are busy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._closed = False

    def submit(self, function: Callable[[], T]) -> Call[T]:
        """Run ``function`` on another thread."""
        with self._lock:
            worker = self._idle.pop() if self._idle else _Worker(self._rest)
        call = Call(function)
        worker.tasks.put(call.run)
        return call

    def close(self) -> None:
        """End the idle threads; a busy one ends with its call."""
        with self._lock:
            self._closed = True
            for worker in self._idle:
                worker.tasks.put(None)
            self._idle.clear()

    def _rest(self, worker: _Worker) -> None:
        with self._lock:
            if self._closed:
                worker.tasks.put(None)
            else:
                self._idle.append(worker)


class _Worker:
    def __init__(self, rest: Callable[[_Worker], None]) -> None:
        self.tasks: SimpleQueue[Callable[[], Callable[[], object]] | None] = SimpleQueue()
        self._rest = rest
        threading.Thread(target=self._loop, name="entrepot-plugin", daemon=True).start()

    def _loop(self) -> None:
        while (task := self.tasks.get()) is not None:
            answer = task()
            self._rest(self)  # first, so that whom the answer wakes finds this thread idle
            answer()


class Guard:
    """The deadline, circuit breaker and figures of one component; thread-safe.

    Calls are made on threads of ``pool``; where that is None, in the caller's thread: then the
    function keeps ``deadline_s`` itself and raises :class:`Failure`. ``deadline_s`` and
    ``recovery_s`` are seconds; ``clock`` is monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        pool: DaemonPool | None,
        deadline_s: float,
        recovery_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.deadline_s = deadline_s
        self.breaker = Breaker(name, recovery_s, clock)
        self.tally = Tally()
        self._pool = pool
        self._gross_s = max(GROSS * deadline_s, GROSS_AT_LEAST_S)
        self._strays: set[object] = set()
        self._in_place = False

    def call_in_place(self) -> None:
        """From now on make calls in the caller's thread, without a deadline."""
        self._pool, self._in_place = None, True

    @property
    def open_reason(self) -> str:
        """Why the breaker is not closed; empty while it is."""
        return self.breaker.reason

    def call(self, function: Callable[[], T], check: Callable[[T], None]) -> T:
        """``function()`` within the deadline, passed by ``check`` (which raises ValueError).

        Raises:
            PluginFailed: overrun, any exception, a refused result, or an open breaker.
        """
        trial = self._admit()
        began = time.perf_counter()
        try:
            result = self._result(function, trial)
            _check(check, result)
        except Failure as failure:
            failed = self._failed(failure, trial)
            self._blocked(time.perf_counter() - began, trial)
            raise failed from failure
        finally:
            self.tally.called(time.perf_counter() - began)
        if not self._blocked(time.perf_counter() - began, trial):
            self.breaker.succeeded(trial=trial)
        return result

    def _admit(self) -> bool:
        """Whether this call is the trial of a half-open breaker."""
        try:
            if len(self._strays) >= MAX_STRAYS:
                raise Open(f"switched off: {len(self._strays)} calls of it have not come back")
            return self.breaker.admit()
        except Open as error:
            self.tally.failed("open")
            raise PluginFailed(str(error), field=self.name) from None

    def _result(self, function: Callable[[], T], trial: bool) -> T:
        """What ``function`` returns; raises Failure."""
        try:
            if self._pool is None:
                return function()
            call = self._pool.submit(function)
            try:
                result = call.result(self.deadline_s)
            except TimeoutError as error:
                # A TimeoutError of the plugin's own making counts as an overrun too.
                raise self._overrun(call, trial) from error
            # What holds the GIL lets nobody see that it is late until it is done.
            if call.took >= self._gross_s:
                raise self._overrun(call, trial)
            return result
        except Failure:
            raise
        except PluginFailed as error:
            raise Failure("error", str(error)) from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a SystemExit of a plugin ends no search
            raise Failure("error", _told(error)) from error

    def _overrun(self, call: Call[T], trial: bool) -> Failure:
        """Open the breaker until the call comes back or, after a gross one, for the whole
        recovery time."""
        reason = f"missed its deadline of {self.deadline_s * 1000:g} ms"
        if call.took >= self._gross_s:
            reason = self._grossly(call)
            self.breaker.condemn(reason, trial=trial)
        else:
            self.breaker.failed(reason, trial=trial, opens=True)
        self._strays.add(call)
        call.future.add_done_callback(lambda _: self._came_back(call))
        return Failure("deadline", reason, "told")

    def _came_back(self, call: Call[T]) -> None:
        self._strays.discard(call)
        if call.took >= self._gross_s:
            self.breaker.stay(self._grossly(call))
        else:
            self.breaker.came_back()

    def _blocked(self, took: float, trial: bool) -> bool:
        """Whether a call in place was a gross overrun: what cannot be interrupted is at least not
        called again for the whole recovery time."""
        if not self._in_place or took < self._gross_s:
            return False
        self.breaker.condemn(
            f'took {took * 1000:,.0f} ms of the search itself; set isolation = "thread" or '
            f'"process" under [plugins.limits.{self.name}]',
            trial=trial,
        )
        return True

    def _grossly(self, call: Call[T]) -> str:
        return (
            f"took {call.took * 1000:,.0f} ms, with a deadline of {self.deadline_s * 1000:g} ms "
            'that no thread can be held to; set isolation = "process" under '
            f"[plugins.limits.{self.name}]"
        )

    def _failed(self, failure: Failure, trial: bool) -> PluginFailed:
        reason = str(failure)
        self.tally.failed(failure.cause)
        if failure.effect == "undecided":
            self.breaker.undecided(trial=trial)
        elif failure.effect != "told":
            self.breaker.failed(reason, trial=trial, opens=failure.effect == "opens")
        return PluginFailed(reason, field=self.name)


def _check(check: Callable[[T], None], result: T) -> None:
    try:
        check(result)
    except Exception as error:
        raise Failure("answer", _told(error)) from error


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
