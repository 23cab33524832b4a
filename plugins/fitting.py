"""Which products of a window have what the words name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engine import RankingBatch


def fitting(batch: RankingBatch) -> npt.NDArray[np.bool_]:
    """The products that have the most of what the words name; all where they name nothing."""
    has: dict[str, npt.NDArray[np.bool_]] = {}
    for span in batch.plan.spans:
        if span.effect == "boost" and span.field in batch.columns:
            wanted = set(span.values)
            held = [not wanted.isdisjoint(values_of(value)) for value in batch.columns[span.field]]
            before = has.get(span.field, np.zeros(len(held), dtype=bool))
            has[span.field] = before | np.asarray(held)
    if not has:
        return np.ones(len(batch.ids), dtype=bool)
    counts = np.sum([*has.values()], axis=0)
    return np.asarray(counts == counts.max())


def values_of(value: Any) -> Sequence[Any]:
    """What a column holds for one product, as a sequence."""
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)
