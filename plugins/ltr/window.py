"""How each candidate stands among those of its window: like the best of them, or behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine import Vectors

from .overlap import Titles
from .text import Text

Bools = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.floating[Any]]

BEHIND: Final = ("query_in_title", "trigrams_in_title", "fuzzy_words_idf", "title_consensus")
"""Features that are also told by the distance to the best of the window: half of a query's words
is much where no title has more of them, and little where others have them all."""


def consensus(titles: Titles, asked: Text, best: Bools, leaders: Bools) -> dict[str, Vectors]:
    """How alike each title is to the ``best`` and to the fewer ``leaders``, float32 ``[n]`` each;
    none in a window without words."""
    if not len(titles.words):
        return {}
    _, ids = np.unique(titles.words, return_inverse=True)
    shared = _sharing(titles, ids, best)
    own = ~np.isin(titles.words, asked.words)
    wordy = titles.lengths > 0
    opening = np.where(wordy, titles.starts, -1)
    heads = np.where(wordy, titles.starts + titles.heads, -1)
    found = {
        "title_consensus": _mean(titles.owner, shared[ids], len(titles)),
        "leaders_consensus": _mean(titles.owner, _sharing(titles, ids, leaders)[ids], len(titles)),
        "other_words_consensus": _mean(titles.owner[own], shared[ids[own]], len(titles)),
        "opening_consensus": _same(ids, opening, best),
        "head_consensus": _same(ids, heads, best),
    }
    return {name: column.astype(np.float32) for name, column in found.items()}


def standing(found: Mapping[str, npt.ArrayLike]) -> dict[str, Numbers]:
    """What columns that were ``found`` say once the whole window is known: how far each of
    :data:`BEHIND` is behind the best (0 or less), which share of the window has less of
    ``fuzzy_words_idf``, and how many titles have all words of the query."""
    columns: dict[str, Numbers] = {}
    for name in BEHIND:
        if name in found:
            values = np.asarray(found[name], dtype=np.float64)
            columns[f"{name}_behind"] = values - np.fmax.reduce(values)
    if "fuzzy_words_idf" in found:
        columns["fuzzy_words_place"] = places(np.asarray(found["fuzzy_words_idf"]))
    if "query_words_missing" in found:
        missing = np.asarray(found["query_words_missing"])
        columns["whole_matches"] = np.full(len(missing), np.log1p(np.sum(missing == 0)))
    return columns


def places(values: Numbers) -> npt.NDArray[np.float64]:
    """The share of the known values that lie below each, equal ones counted half."""
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return values.astype(np.float64)
    below, upto = np.searchsorted(known, values), np.searchsorted(known, values, "right")
    return np.where(np.isnan(values), np.nan, (below + upto) / (2 * len(known)))


def _sharing(titles: Titles, ids: npt.NDArray[np.intp], chosen: Bools) -> Numbers:
    """The share of the ``chosen`` titles that each word is in, by ``ids``, the words' numbers."""
    count = int(ids.max()) + 1
    leading = chosen[titles.owner]
    pairs = np.unique(titles.owner[leading] * count + ids[leading])
    return np.bincount(pairs % count, minlength=count) / max(1, int(chosen.sum()))


def _mean(owner: npt.NDArray[np.intp], values: Numbers, n: int) -> Numbers:
    """The mean of each owner's ``values``; NaN without any."""
    counts = np.bincount(owner, minlength=n)
    means = np.full(n, np.nan)
    np.divide(np.bincount(owner, values, n), counts, out=means, where=counts > 0)
    return means


def _same(ids: npt.NDArray[np.intp], at: npt.NDArray[np.intp], best: Bools) -> Numbers:
    """The share of the ``best`` with the same word ``at`` such a place; NaN where that is −1."""
    there = at >= 0
    words = ids[at]
    leading = np.bincount(words[there & best], minlength=int(ids.max()) + 1)
    return np.where(there, leading[words] / max(1, int(best.sum())), np.nan)
