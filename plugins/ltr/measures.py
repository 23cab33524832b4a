"""nDCG and intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DEPTH = 10
RESAMPLES = 2000


def dcg(gains: Sequence[float] | Floats, depth: int = DEPTH) -> float:
    """Σ gain / log2(1 + rank) over the first ``depth`` (Järvelin and Kekäläinen 2002)."""
    first = np.asarray(gains, dtype=np.float64)[:depth]
    return float((first / np.log2(np.arange(2, len(first) + 2))).sum())


def ndcg(gains: Sequence[float] | Floats, judged: Iterable[float], depth: int = DEPTH) -> float:
    """``gains`` in the order ranked, by the best order of all that is ``judged``; NaN where
    nothing judged is relevant."""
    ideal = dcg(sorted(judged, reverse=True), depth)
    return dcg(gains, depth) / ideal if ideal else float("nan")


def interval(values: Floats, seed: int = 0) -> tuple[float, float]:
    """95 % percentile bootstrap of the mean, float; of differences it is the paired one."""
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
