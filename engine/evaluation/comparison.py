"""Measures of one configuration's answers, and the difference between two, query by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct

from .judgments import JudgedSearch, Qrels
from .measures import Measures
from .running import Answers
from .statistics import RESAMPLES, bootstrap_interval, randomization_p

COVERAGE_DEPTH = 10


class Mean(Struct, frozen=True):
    """A mean over the queries and its bootstrap interval."""

    value: float
    low: float
    high: float


class Change(Struct, frozen=True):
    """The last configuration minus the first, paired by query: mean, bootstrap interval, p of a
    randomization test, and on how many queries each was better."""

    value: float
    low: float
    high: float
    p: float
    wins: int
    losses: int
    ties: int


class MeasureResult(Struct, frozen=True):
    """One measure: its mean by configuration, and the change where there are two."""

    measure: str
    means: dict[str, Mean]
    change: Change | None = None


class Configuration(Struct, frozen=True):
    """One configuration's answers. ``coverage`` is the share of its first ten products that
    somebody judged; milliseconds are quantiles by nearest rank."""

    name: str
    coverage: float
    zero_results: float
    p50_ms: float
    p95_ms: float
    degraded: dict[str, int]


class QueryResult(Struct, frozen=True):
    """One query's values: measure → configuration → value."""

    id: str
    text: str
    values: dict[str, dict[str, float]]


class Report(Struct, frozen=True):
    """What was found; ``queries`` are in the order of their file. Everything here can be had
    again from the same files and ``seed``."""

    measures: list[MeasureResult]
    configurations: list[Configuration]
    queries: list[QueryResult]
    confidence: float
    seed: int
    resamples: int = RESAMPLES

    def differences(self, measure: str) -> list[tuple[float, QueryResult]]:
        """Change and query, the greatest loss first; nothing where one configuration stands
        alone."""
        found = []
        for query in self.queries:
            before, *after = query.values[measure].values()
            found += [(value - before, query) for value in after]
        return sorted(found, key=lambda pair: pair[0])


def evaluate(
    measures: Measures,
    names: Sequence[str],
    queries: Sequence[JudgedSearch],
    qrels: Qrels,
    answers: Mapping[str, Answers],
    *,
    relevant: float,
    confidence: float = 0.95,
    seed: int = 0,
) -> Report:
    """Measure one or two configurations by name; of two, the last is compared with the first.

    Raises:
        InvalidRequest: a measure that nobody knows.
    """
    judged = {query.id: qrels[query.id] for query in queries}
    values = {
        name: measures.per_query(names, judged, found.rankings, relevant)
        for name, found in answers.items()
    }
    return Report(
        [_measured(name, values, confidence, seed) for name in names],
        [_configuration(name, found, judged) for name, found in answers.items()],
        [
            QueryResult(
                query.id,
                query.text,
                {m: {name: found[m][query.id] for name, found in values.items()} for m in names},
            )
            for query in queries
        ],
        confidence,
        seed,
    )


def _measured(
    measure: str,
    values: Mapping[str, Mapping[str, Mapping[str, float]]],
    confidence: float,
    seed: int,
) -> MeasureResult:
    arrays = {name: np.asarray([*found[measure].values()]) for name, found in values.items()}
    means = {
        name: Mean(float(array.mean()), *bootstrap_interval(array, confidence, seed))
        for name, array in arrays.items()
    }
    change = None
    for before, after in pairwise(arrays.values()):
        difference = np.where(np.abs(after - before) < 1e-9, 0.0, after - before)
        change = Change(
            float(difference.mean()),
            *bootstrap_interval(difference, confidence, seed),
            randomization_p(difference, seed),
            int((difference > 0).sum()),
            int((difference < 0).sum()),
            int((difference == 0).sum()),
        )
    return MeasureResult(measure, means, change)


def _configuration(name: str, found: Answers, judged: Qrels) -> Configuration:
    shares = [
        sum(product in judged[query] for product in ranking[:COVERAGE_DEPTH])
        / len(ranking[:COVERAGE_DEPTH])
        for query, ranking in found.rankings.items()
        if ranking and query in judged
    ]
    took = np.asarray([*found.took_ms.values()] or [0.0])
    p50, p95 = np.percentile(took, [50, 95], method="inverted_cdf")
    return Configuration(
        name,
        float(np.mean(shares)) if shares else 0.0,
        found.zero_results,
        float(p50),
        float(p95),
        found.degraded,
    )
