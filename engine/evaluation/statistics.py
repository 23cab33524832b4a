"""Intervals and tests over queries, and nDCG of arrays for training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Values = Sequence[float] | npt.NDArray[np.floating]

DEPTH = 10
RESAMPLES = 2000
"""Of a bootstrap: the end of a 95 % interval then rests on 50 resamples (Efron and Tibshirani,
An Introduction to the Bootstrap, 1993, 13.3 ask for at least 1,000)."""
PERMUTATIONS = 10_000
"""Of a randomization test; the least p is 1/10,001."""
_CHUNK = 4_000_000
"""Numbers drawn at once: 32 MB."""


def dcg(gains: Values, depth: int = DEPTH) -> float:
    """Σ gain / log2(1 + rank) over the first ``depth`` (Järvelin and Kekäläinen 2002)."""
    first = np.asarray(gains, dtype=np.float64)[:depth]
    return float((first / np.log2(np.arange(2, len(first) + 2))).sum())


def ndcg(gains: Values, judged: Iterable[float], depth: int = DEPTH) -> float:
    """``gains`` in the order ranked, by the best order of all that is ``judged``; NaN where
    nothing judged is relevant."""
    ideal = dcg(sorted(judged, reverse=True), depth)
    return dcg(gains, depth) / ideal if ideal else float("nan")


def bootstrap_interval(
    values: Values, confidence: float = 0.95, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean; of paired differences it is the paired one.
    NaN for no values."""
    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            array[rng.integers(0, len(array), (rows, len(array)))].mean(axis=1)
            for rows in _chunks(resamples, len(array))
        ]
    )
    tail = 50 * (1 - confidence)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def ratio_interval(
    numerators: Values, denominators: Values, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of Σ numerators / Σ denominators, both by shopper: searches
    of one shopper are not independent, shoppers are. NaN where nothing is counted."""
    if not np.sum(denominators):
        return float("nan"), float("nan")
    tail = 50 * (1 - confidence)
    drawn = _ratios(numerators, denominators, np.random.default_rng(seed))
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return float(low), float(high)


def ratio_change(
    first: tuple[Values, Values],
    second: tuple[Values, Values],
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Ratio of the second less that of the first, and its bootstrap interval, where both have
    shoppers of their own."""
    draws = [
        _ratios(*one, np.random.default_rng((seed, n))) for n, one in enumerate((first, second))
    ]
    size = min(map(len, draws))
    tail = 50 * (1 - confidence)
    low, high = np.percentile(draws[1][:size] - draws[0][:size], [tail, 100 - tail])
    values = [float(np.sum(above) / np.sum(below)) for above, below in (first, second)]
    return values[1] - values[0], float(low), float(high)


def _ratios(numerators: Values, denominators: Values, rng: np.random.Generator) -> Floats:
    """Of resamples; those without anything below the line are left out."""
    above = np.asarray(numerators, dtype=np.float64)
    below = np.asarray(denominators, dtype=np.float64)
    ratios = []
    for rows in _chunks(RESAMPLES, len(above)):
        drawn = rng.integers(0, len(above), (rows, len(above)))
        sums = below[drawn].sum(axis=1)
        ratios.append(above[drawn].sum(axis=1)[sums > 0] / sums[sums > 0])
    return np.concatenate(ratios)


def randomization_p(differences: Values, seed: int = 0) -> float:
    """Two-sided p of Fisher's paired randomization test: how often signs thrown at random give a
    mean difference as large (Smucker, Allan and Carterette, CIKM 2007). 1 without any difference.
    """
    array = np.asarray(differences, dtype=np.float64)
    array = array[array != 0]
    if not len(array):
        return 1.0
    rng = np.random.default_rng(seed)
    seen, least = 0, abs(array.sum()) * (1 - 1e-12)
    for rows in _chunks(PERMUTATIONS, len(array)):
        signs = rng.integers(0, 2, (rows, len(array)), dtype=np.int8) * 2 - 1
        seen += int((np.abs(signs @ array) >= least).sum())
    return (seen + 1) / (PERMUTATIONS + 1)


def _chunks(rows: int, width: int) -> Iterable[int]:
    most = max(1, _CHUNK // width)
    return [min(most, rows - start) for start in range(0, rows, most)]
