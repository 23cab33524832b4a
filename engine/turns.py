"""Lets no more searches compute at once than the machine is quickest with; the others wait in the
order they came.

A search keeps two cores busy by itself: both models run at the same time, and the embedded store
scans on two threads. Searches side by side take each other's cores and caches: on two cores four
clients got 59 searches a second with all at once and 75 in turn, and of all at once some missed
the deadlines of their plugins (docs/benchmarks.md).
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

CORES_PER_SEARCH = 2
_held = threading.local()


class Turns:
    """``at_once`` searches have a turn, by default one for every two cores. Thread-safe."""

    def __init__(self, at_once: int | None = None) -> None:
        self._free = at_once or max(1, (os.cpu_count() or 1) // CORES_PER_SEARCH)
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Have a turn; what is yielded are the milliseconds that it was waited for. A thread that
        has one, for it searches in a search, goes on with that."""
        if getattr(_held, "turns", None) is not None:
            yield 0.0
            return
        waited = self._take()
        _held.turns = self
        try:
            yield waited
        finally:
            _held.turns = None
            self._give()

    def _take(self, *, first: bool = False) -> float:
        with self._lock:
            if self._free:
                self._free -= 1
                return 0.0
            called = threading.Event()
            (self._waiting.appendleft if first else self._waiting.append)(called)
        began = time.perf_counter()
        try:
            called.wait()
        except BaseException:  # a KeyboardInterrupt must not take the turn with it
            self._leave(called)
            raise
        return (time.perf_counter() - began) * 1000

    def _leave(self, called: threading.Event) -> None:
        with self._lock:
            if not called.is_set():
                self._waiting.remove(called)
                return
        self._give()

    def _give(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1


@contextmanager
def aside() -> Iterator[None]:
    """Let another search compute while this thread, which may have a turn, waits for something that
    needs no core of this machine: an answer from the network. It is the next to go on then."""
    turns: Turns | None = getattr(_held, "turns", None)
    if turns is None:
        yield
        return
    turns._give()
    try:
        yield
    finally:
        turns._take(first=True)
