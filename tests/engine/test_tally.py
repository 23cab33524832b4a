"""Figures of a component's calls."""

from __future__ import annotations

import math

from engine.tally import RECENT, SECONDS, Tally


def test_before_the_first_call() -> None:
    figures = Tally().figures()
    assert figures.calls == 0
    assert figures.buckets == (0,) * (len(SECONDS) + 1)
    assert math.isnan(figures.p50_s)
    assert math.isnan(figures.p95_s)


def test_buckets_are_cumulative_and_their_bounds_included() -> None:
    tally = Tally()
    for seconds in (0.0, SECONDS[0], SECONDS[0] * 1.01, 60.0):
        tally.called(seconds)
    figures = tally.figures()
    assert figures.buckets == (2, 3) + (3,) * (len(SECONDS) - 2) + (4,)
    assert figures.calls == 4
    assert figures.seconds == sum((0.0, SECONDS[0], SECONDS[0] * 1.01, 60.0))


def test_quantiles_are_by_nearest_rank() -> None:
    tally = Tally()
    for n in range(100, 0, -1):
        tally.called(n / 1000)
    assert (tally.figures().p50_s, tally.figures().p95_s) == (0.050, 0.095)


def test_quantiles_forget_what_was_long_ago() -> None:
    tally = Tally()
    for seconds in (9.0,) * RECENT + (0.001,) * RECENT:
        tally.called(seconds)
    assert tally.figures().p95_s == 0.001
    assert tally.figures().calls == 2 * RECENT


def test_failures_by_cause() -> None:
    tally = Tally()
    for cause in ("deadline", "error", "error"):
        tally.failed(cause)  # type: ignore[arg-type]
    assert tally.figures().failures == {"deadline": 1, "error": 2}
