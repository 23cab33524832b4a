"""What is done with vectors in more than one place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .protocols import Vectors


def unit(vector: Vectors) -> Vectors:
    """``vector`` ``[d]`` at length 1, float32; zeros stay zeros."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), dtype=np.float32)


def means(rows: Sequence[Vectors]) -> Vectors:
    """The mean of each product's rows ``[n_i, d]``, float32 ``[n, d]``; zeros where it has none."""
    if not rows:
        return np.zeros((0, 0), dtype=np.float32)
    counts = np.asarray([len(own) for own in rows])
    stacked = np.concatenate(rows)
    if (counts == 1).all():
        return stacked
    found = np.zeros((len(rows), stacked.shape[1]), dtype=np.float32)
    held = counts > 0
    if held.any():
        starts = (np.cumsum(counts) - counts)[held]
        # reduceat wants no empty stretch.
        found[held] = np.add.reduceat(stacked, starts, axis=0) / counts[held, None]
    return found
