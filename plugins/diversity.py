"""Arranger ``mmr``: the first places show different things, not one thing many times.

Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): place after place takes the
product with the highest ``λ·relevance − (1 − λ)·similarity``, where similarity is that to the
most similar product already placed.

- *Similarity* of two products is the weighted mean of the cosines of their text and their image
  vectors, over the spaces in which the placed one has a vector. Where the other lacks it, the
  mean over the window stands for it, so that products without a photo neither rise nor sink.
- *Relevance* is the score so far, scaled to 0…1 over the window, and never above that of a
  product placed before, so that what an earlier arranger put back stays back. Relevance by place
  would not depend on scores, but costs four times as much nDCG for the same similarity (measured,
  ``docs/diversity.md``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct, field

from engine import Arranger, RankingBatch, Register, Vectors, hookimpl

Weight = Annotated[float, Meta(ge=0)]


class MmrOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``lambda`` weighs relevance against novelty: 1 leaves the ranking as it is. ``depth`` is
    how many places are diversified; what is below keeps its order. ``text`` and ``image`` weigh
    the two similarities; a space that weighs 0 is not fetched.
    """

    trade_off: Annotated[float, Meta(ge=0, le=1)] = field(default=0.7, name="lambda")
    depth: Annotated[int, Meta(ge=1, le=1000)] = 50
    text: Weight = 0.5
    image: Weight = 0.5


class _Pick(Struct, frozen=True):
    """A product for the next place; ``like`` is the placed one that it resembles most, −1 where
    it resembles none."""

    row: int
    relevance: float
    similarity: float
    like: int


class Mmr:
    required_fields: Sequence[str] = ()

    def __init__(self, options: MmrOptions) -> None:
        self._trade_off = options.trade_off
        self._depth = options.depth
        weights = {"text": options.text, "image": options.image}
        self._weights = {using: weight for using, weight in weights.items() if weight}

    @property
    def required_vectors(self) -> Sequence[str]:
        return tuple(self._weights) if self._trade_off < 1 else ()

    def arrange(self, batch: RankingBatch) -> npt.NDArray[np.intp]:
        rows = np.arange(len(batch.ids), dtype=np.intp)
        if self._trade_off == 1:
            return rows
        placed = [pick.row for pick in self._picks(batch)]
        rest = np.ones(len(rows), dtype=bool)
        rest[placed] = False
        return np.concatenate([np.asarray(placed, dtype=np.intp), rows[rest]])

    def explain(
        self, batch: RankingBatch, rows: npt.NDArray[np.intp]
    ) -> list[Mapping[str, float | str]]:
        """The two terms of the sum that gave each product its place, and which product it
        resembles; nothing below the places that are diversified."""
        if self._trade_off == 1:
            return [{} for _ in rows]
        picks = {pick.row: pick for pick in self._picks(batch)}
        return [self._reasons(batch, picks.get(int(row))) for row in rows]

    def _reasons(self, batch: RankingBatch, pick: _Pick | None) -> Mapping[str, float | str]:
        if pick is None:
            return {}
        reasons: dict[str, float | str] = {"relevance": self._trade_off * pick.relevance}
        if pick.like >= 0:
            reasons["similarity"] = -(1 - self._trade_off) * pick.similarity
            reasons["most like"] = batch.ids[pick.like]
        return reasons

    def _picks(self, batch: RankingBatch) -> Iterator[_Pick]:
        """The products of the diversified places in their order; equals keep theirs."""
        spaces = [(w, _Space(batch.vectors[using])) for using, w in self._weights.items()]
        relevance = _relevance(batch.scores)
        n = len(relevance)
        gain, open_ = self._trade_off * relevance, np.zeros(n, dtype=np.float32)
        similarity, like = np.zeros(n, dtype=np.float32), np.full(n, -1, dtype=np.intp)
        for _ in range(min(self._depth, n)):
            row = int(np.argmax(gain - (1 - self._trade_off) * similarity + open_))
            yield _Pick(row, float(relevance[row]), float(similarity[row]), int(like[row]))
            open_[row] = -np.inf
            to_row = _similarity(spaces, row)
            if to_row is not None:
                nearer = (to_row > similarity) | (like < 0)
                similarity[nearer], like[nearer] = to_row[nearer], row


class _Space:
    """Unit rows ``[n, d]`` of the products that have a vector, and which these are."""

    def __init__(self, vectors: Vectors) -> None:
        # The mean of several photos is shorter than they are.
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        self.has = lengths[:, 0] > 0
        self.rows = vectors / np.where(lengths > 0, lengths, 1)

    def cosines(self, row: int) -> Vectors:
        """``[n]``, of all products to that of ``row``, which must have a vector."""
        cosines = self.rows @ self.rows[row]
        others = self.has.copy()
        others[row] = False
        return np.where(self.has, cosines, cosines[others].mean() if others.any() else 0)


def _similarity(spaces: Sequence[tuple[float, _Space]], row: int) -> Vectors | None:
    """``[n]``, of all products to that of ``row``; None where it has no vector to compare."""
    known = [(weight, space) for weight, space in spaces if space.has[row]]
    if not known:
        return None
    total = sum(weight for weight, _ in known)
    parts = [np.float32(weight / total) * space.cosines(row) for weight, space in known]
    summed: Vectors = np.sum(parts, axis=0, dtype=np.float32)
    return summed


def _relevance(scores: Vectors) -> Vectors:
    """Scores as 0…1, falling with the place."""
    falling = np.minimum.accumulate(scores)
    spread = falling[0] - falling[-1] if len(falling) else np.float32(0)
    return (falling - falling[-1]) / spread if spread > 0 else np.ones_like(falling)


@hookimpl
def register_arrangers(register: Register[Arranger]) -> None:
    register("mmr", Mmr, MmrOptions)
