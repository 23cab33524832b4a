"""What is done with vectors in more than one place."""

from __future__ import annotations

import numpy as np

from .protocols import Vectors


def unit(vector: Vectors) -> Vectors:
    """``vector`` ``[d]`` at length 1, float32; zeros stay zeros."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), dtype=np.float32)
