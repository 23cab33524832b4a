"""What a component's calls cost and how they failed: the figures behind ``/metrics``."""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections import Counter, deque
from typing import Literal

from msgspec import Struct

Cause = Literal["deadline", "error", "answer", "crash", "memory", "waiting", "open"]
"""Why a call gave nothing: it was late; it raised; its answer was refused; its process died, or
needed more memory than it may have; its process was busy or starting; the breaker was open, or
the component could not be built."""

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the histogram's buckets; the default deadline is one of them."""
RECENT = 512
"""Calls that the quantiles speak of."""


class Figures(Struct, frozen=True):
    """``calls`` that were made since the start, ``failures`` by cause, seconds that searches
    spent on them (``buckets`` count the calls up to each of :data:`SECONDS`, and all), and
    quantiles of the last :data:`RECENT`, NaN before the first."""

    calls: int
    failures: dict[Cause, int]
    seconds: float
    buckets: tuple[int, ...]
    p50_s: float
    p95_s: float


class Tally:
    """Counts one component's calls; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: Counter[Cause] = Counter()
        self._counts = [0] * (len(SECONDS) + 1)
        self._seconds = 0.0
        self._recent: deque[float] = deque(maxlen=RECENT)

    def called(self, seconds: float) -> None:
        """A call was made, well or not, and a search spent ``seconds`` on it."""
        with self._lock:
            self._counts[bisect_left(SECONDS, seconds)] += 1
            self._seconds += seconds
            self._recent.append(seconds)

    def failed(self, cause: Cause) -> None:
        with self._lock:
            self._failures[cause] += 1

    def figures(self) -> Figures:
        with self._lock:
            counts, seconds = list(self._counts), self._seconds
            failures, recent = dict(self._failures), sorted(self._recent)
        buckets = tuple(sum(counts[: i + 1]) for i in range(len(counts)))
        p50, p95 = (_quantile(recent, q) for q in (0.50, 0.95))
        return Figures(buckets[-1], failures, seconds, buckets, p50, p95)


def _quantile(ordered: list[float], share: float) -> float:
    """By nearest rank."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else math.nan
