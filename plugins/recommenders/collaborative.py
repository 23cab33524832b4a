"""Recommender ``collaborative``: what shoppers of a like taste went for, by matrix factorization.

Implicit-feedback alternating least squares (Hu, Koren and Volinsky, "Collaborative Filtering for
Implicit Feedback Datasets", ICDM 2008), trained by ``entrepot recommend train``. A model holds the
products' factors alone. A shopper's factors are solved for when they ask, from the seeds:

    (YᵀY + Yᵀ(C − I)Y + λI) u = YᵀC1

with the seeds' rows of ``Y`` and their confidences ``C``. So nobody's taste is ever on disk, a
visitor is known after the first click, and what a shopper had erased tells on nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from engine import Occasion, Recommended, Vectors

from .models import Factors, Served


class CollaborativeOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``data_dir`` is filled in by the engine."""

    data_dir: str = ""


class Collaborative:
    """Recommends nothing until a model is trained, and follows each that goes live."""

    def __init__(self, options: CollaborativeOptions) -> None:
        self._served = Served(options.data_dir)

    def recommend(self, occasion: Occasion, n: int) -> list[Recommended]:
        factors = self._served.latest()
        if factors is None:
            return []
        known = [(row, weight) for row, weight in _rows(factors, occasion) if weight > 0]
        if not known:
            return []
        rows = np.asarray([row for row, _ in known])
        # The most important seed as sure as one strong signal, the others in proportion.
        weights = np.asarray([weight for _, weight in known])
        taste = fold_in(factors, rows, weights / weights.max() * STRENGTH)
        scores = factors.products @ taste
        deep = min(len(scores), 4 * n + len(rows))
        order = np.argpartition(-scores, deep - 1)[:deep]
        order = order[np.lexsort((order, -scores[order]))]
        ids = [factors.ids[i] for i in order if scores[i] > 0]
        by_id = {factors.ids[i]: float(scores[i]) for i in order}
        return [
            Recommended(id, by_id[id], "taste", "shoppers with your taste like it")
            for id in occasion.assortment.admitted(ids, n)
        ]


STRENGTH = 5.0
"""What a purchase weighs (:data:`engine.EVENT_WEIGHTS`)."""


def _rows(factors: Factors, occasion: Occasion) -> list[tuple[int, float]]:
    pairs = zip(occasion.seeds, occasion.weights.tolist(), strict=True)
    return [(factors.row[id], weight) for id, weight in pairs if id in factors.row]


def fold_in(factors: Factors, rows: npt.NDArray[np.intp], weights: Vectors) -> Vectors:
    """The factors of a shopper who showed interest ``weights`` ``[m]`` in the products of ``rows``
    ``[m]``, float32 ``[d]``; as :mod:`implicit` would have fitted them."""
    own = factors.products[rows].astype(np.float64)
    confidence = 1.0 + factors.alpha * np.asarray(weights, dtype=np.float64)
    matrix = factors.gram + own.T @ (own * (confidence - 1.0)[:, None])
    matrix[np.diag_indices_from(matrix)] += factors.regularization
    return np.linalg.solve(matrix, own.T @ confidence).astype(np.float32)
