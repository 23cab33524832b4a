"""How near the relevances of a served pair tower are to those of what it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct

from engine import Vectors

from .evaluation import served_pairs
from .parity import verdict

EXACT = 1e-3
"""The share of the spread of relevances that one may be off: export and batching only."""
ORDER = 0.99
"""The rank correlation with the original from which a variant may stand for it."""
PAIRS = (
    ("red leather purse", "Red leather PURSE, size 7½ – “new”"),
    ("red leather purse", "Nike Men Blue Running Shoes"),
    ("red leather purse", "a"),
    ("a", "three-seat sofa in light grey linen with oak legs"),
    ("sofa", ""),
    ("", "sofa"),
    ("👟🏽", "🎉 sneakers"),
    ("男士黑色皮鞋", "男士黑色皮鞋，特价！"),
    ("crème brûlée torch", "crème brûlée à l'orange & more"),
    ("don't_miss", "50% off #1"),
    ("running shoes", "long text " * 300),
    ("long query " * 200, "running shoes"),
)
"""What every import is compared on: empty, long, other scripts, punctuation."""


class Gap(Struct, frozen=True):
    """The largest difference of two relevances, as a share of how far they spread, and how well
    they agree in order (Spearman's rank correlation); each with its bound."""

    what: str
    error: float
    order: float
    most: float = EXACT
    least: float = -1.0

    @property
    def kept(self) -> bool:
        """Whether both bounds are kept."""
        return self.error <= self.most and self.order >= self.least

    def __str__(self) -> str:
        bound = f"error ≤ {self.most:g}" if self.least == -1.0 else f"order ≥ {self.least:g}"
        figures = f"error {self.error:.1e}   order {self.order:.4f}   {bound}"
        return f"{self.what:44} {figures}{verdict(self.kept)}"


def relevances(folder: Path) -> tuple[Vectors, Vectors]:
    """The relevances of :data:`PAIRS` as ranker ``cross-encoder`` reads them: one by one, and all
    in a batch (those of one query; the others are shown beside it).

    Raises:
        InvalidModel: the folder is damaged, or has no pair tower.
    """
    reader = served_pairs(folder)
    alone = [reader.read(query, [text])[0] for query, text in PAIRS]
    texts = [text for _, text in PAIRS]
    batch = [reader.read(query, texts)[i] for i, (query, _) in enumerate(PAIRS)]
    return np.asarray(alone, dtype=np.float32), np.asarray(batch, dtype=np.float32)


def gaps(expected: Sequence[float], served: tuple[Vectors, Vectors]) -> list[Gap]:
    """Of what is served alone, and in a batch, to ``expected``."""
    names = "pairs: torch, served alone", "pairs: torch, served in a batch"
    return [gap(name, expected, found) for name, found in zip(names, served, strict=True)]


def report(folder: Path, reference: Path) -> Iterator[Gap]:
    """A served folder against the one it was made from, and alone against in a batch."""
    (expected, _), (alone, batch) = relevances(reference), relevances(folder)
    yield gap("pairs: against the reference", expected, alone, most=1.0, least=ORDER)
    yield gap("pairs: alone against in a batch", alone, batch)


def gap(
    what: str,
    expected: Sequence[float] | Vectors,
    found: Vectors,
    most: float = EXACT,
    least: float = -1.0,
) -> Gap:
    """Compare relevances in pairs."""
    wanted = np.asarray(expected, dtype=np.float64)
    spread = float(np.ptp(wanted)) or 1.0
    error = float(np.abs(wanted - found).max()) / spread
    before, after = (np.argsort(np.argsort(values)) for values in (wanted, found))
    return Gap(what, error, float(np.corrcoef(before, after)[0, 1]), most, least)
