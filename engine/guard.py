"""Runs plugin code so that it can neither stop nor spoil a search.

Each guarded component has a deadline, a check of what it returns and a circuit breaker. A
call runs on a daemon thread; one that overruns is left behind (a thread cannot be killed) and
the breaker opens until it comes back, so that at most a few threads hang in one plugin. After
three failures in a row it opens for the whole recovery time, however soon the calls came
back. Then one trial call is let through.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Generic, TypeVar

from .errors import PluginError

T = TypeVar("T")

FAILURES_TO_OPEN = 3


class PluginFailed(PluginError):
    """A guarded call gave nothing usable; the message says why."""


class Call(Generic[T]):
    """A function on its way through a thread."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._began: float | None = None
        self.future: Future[T] = Future()

    def run(self) -> Callable[[], object]:
        """Call the function; returned is what hands its outcome over."""
        self._began = time.perf_counter()
        try:
            return partial(self.future.set_result, self._function())
        except Exception as error:
            return partial(self.future.set_exception, error)
        # SystemExit and the like: they may end neither the worker nor the caller, in whom a
        # KeyboardInterrupt of its own must stay one.
        except BaseException as error:
            failed = PluginFailed(f"{type(error).__name__}: {error}")
            return partial(self.future.set_exception, failed)

    def result(self, deadline_s: float) -> T:
        """The function's result, or TimeoutError when it has run for ``deadline_s``.

        The wait for a turn does not count: a store call that holds the GIL, or a machine
        with more to do than it can, would make every plugin late (measured: eight searches
        at once on two busy cores cost 389 of 400 of them a plugin).
        """
        left = deadline_s
        while True:
            try:
                return self.future.result(left)
            except TimeoutError:
                if self.future.done():  # at the last moment, or with a TimeoutError of its own
                    return self.future.result()
            left = deadline_s
            if self._began is not None:
                left -= time.perf_counter() - self._began
                if left <= 0:
                    raise TimeoutError


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
    """The deadline and circuit breaker of one component; thread-safe.

    ``deadline_s`` and ``recovery_s`` are seconds; ``clock`` is monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        pool: DaemonPool,
        deadline_s: float,
        recovery_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._pool = pool
        self._deadline_s = deadline_s
        self._recovery_s = recovery_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until: float | None = None
        self._reason = ""

    @property
    def open_reason(self) -> str:
        """Why the breaker is open; empty while it is closed."""
        return self._reason if self._open_until is not None else ""

    def call(self, function: Callable[[], T], check: Callable[[T], None]) -> T:
        """``function()`` within the deadline, passed by ``check`` (which raises ValueError).

        Raises:
            PluginFailed: overrun, any exception, a refused result, or an open breaker.
        """
        trial = self._admit()
        call = self._pool.submit(function)
        try:
            result = call.result(self._deadline_s)
            check(result)
        except TimeoutError as error:
            # A TimeoutError of the plugin's own making counts as an overrun too.
            reason = f"missed its deadline of {self._deadline_s * 1000:g} ms"
            failed = self._failed(reason, trial, opens=True)
            call.future.add_done_callback(self._came_back)
            raise failed from error
        except PluginFailed as error:
            raise self._failed(str(error), trial) from error
        except Exception as error:
            raise self._failed(f"{type(error).__name__}: {error}", trial) from error
        with self._lock:
            # A call that began before the breaker opened says nothing against opening it.
            if trial or self._open_until is None:
                self._failures, self._open_until, self._reason = 0, None, ""
        return result

    def _admit(self) -> bool:
        """Whether this call is the trial of a half-open breaker."""
        with self._lock:
            if self._open_until is None:
                return False
            if self._clock() < self._open_until:
                raise PluginFailed(f"switched off for now: {self._reason}", field=self.name)
            # Half-open: this call is the trial, the others keep out until it has ended.
            self._open_until = self._clock() + self._recovery_s
            return True

    def _failed(self, reason: str, trial: bool, *, opens: bool = False) -> PluginFailed:
        with self._lock:
            # Calls that ran side by side and fail after it opened are the same failure.
            if trial or self._open_until is None:
                self._failures += 1
                self._reason = reason
                if trial or opens or self._failures >= FAILURES_TO_OPEN:
                    self._open_until = self._clock() + self._recovery_s
        return PluginFailed(reason, field=self.name)

    def _came_back(self, late: Future[T]) -> None:
        """A busy machine makes good plugins late: such a one may try again at once."""
        with self._lock:
            if self._open_until is not None and self._failures < FAILURES_TO_OPEN:
                self._open_until = self._clock()
