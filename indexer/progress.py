"""Progress of a build as events; drawing them is the caller's."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

Stage = Literal["scan", "embed", "build"]


class Progress(Struct, frozen=True):
    """Where a build stands. ``scan`` validates rows (``total`` 0: unknown), ``embed`` is the
    long part, ``build`` makes the search index, without steps of its own. ``rate`` is
    products per second over the last ten seconds, ``eta_s`` the seconds left of the stage
    (0: unknown)."""

    stage: Stage
    done: int
    total: int
    rate: float = 0.0
    eta_s: float = 0.0


OnProgress = Callable[[Progress], None]
_EVERY_S = 0.2
_WINDOW_S = 10.0


class Ticker:
    """Turns counts into :class:`Progress`, at most five times a second."""

    def __init__(self, stage: Stage, total: int, report: OnProgress) -> None:
        self._stage = stage
        self._total = total
        self._report = report
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        report(Progress(stage, 0, total))

    def tick(self, done: int) -> None:
        """``done`` items are finished."""
        now = time.monotonic()
        if now - self._marks[-1][0] >= _EVERY_S:
            self._send(now, done)

    def finish(self, done: int) -> None:
        """The stage is over."""
        self._send(time.monotonic(), done)

    def _send(self, now: float, done: int) -> None:
        self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[0][0] > _WINDOW_S:
            self._marks.popleft()
        (then, before) = self._marks[0]
        rate = (done - before) / (now - then) if now > then else 0.0
        left = (self._total - done) / rate if rate > 0 and self._total > done else 0.0
        self._report(Progress(self._stage, done, self._total, round(rate, 1), round(left, 1)))
