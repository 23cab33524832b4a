"""From clicks to judgments: the position-based model, fitted by expectation maximization.

A product is clicked when its place is looked at and it attracts: P(click) = examination(place) ·
attraction(query, product) (Craswell et al., WSDM 2008; EM as in Chuklin, Markov and de Rijke, Click
Models for Web Search, 2015, 4.1). The places' part is known apart from the products' only as far as
products were shown at several places.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from .judgments import Impression, JudgedQuery, normal

Floats = npt.NDArray[np.float64]

PLACES = 50
"""Places told apart; what is further down counts as the last."""
ROUNDS = 100
_LEAST = 1e-3
"""Examination is not taken for less, lest one lucky click weigh as much as a thousand."""


class Clicks(Struct, frozen=True, eq=False):
    """Counts by pair of query and product, and place: ``shown`` and ``clicked`` ``[pairs, places]``
    for ``pairs`` (query, product)."""

    pairs: list[tuple[str, str]]
    shown: Floats
    clicked: Floats

    @property
    def moved(self) -> int:
        """Pairs that were shown at more than one place."""
        return int(((self.shown > 0).sum(1) > 1).sum())


class ClickModel(Struct, frozen=True, eq=False):
    """``examination`` ``[places]``, 1 at the place looked at most; ``attraction`` ``[pairs]`` in
    (0, 1), and 0 of what is never clicked at all."""

    examination: Floats
    attraction: Floats


def count(impressions: Sequence[Impression]) -> Clicks:
    """A product that a list repeats counts at its first place."""
    rows: dict[tuple[str, str], int] = {}
    cells: list[tuple[int, int, bool]] = []
    for seen in impressions:
        query, clicked = normal(seen.query), set(seen.clicked)
        for place, product in enumerate(dict.fromkeys(seen.shown)):
            row = rows.setdefault((query, product), len(rows))
            cells.append((row, min(place, PLACES - 1), product in clicked))
    table = np.asarray(cells, dtype=np.intp).reshape(len(cells), 3)
    places = int(table[:, 1].max()) + 1 if len(cells) else 1
    shown = np.zeros((len(rows), places))
    clicked_at = np.zeros_like(shown)
    np.add.at(shown, (table[:, 0], table[:, 1]), 1)
    np.add.at(clicked_at, (table[:, 0], table[:, 1]), table[:, 2])
    return Clicks(list(rows), shown, clicked_at)


def fit(clicks: Clicks, *, positions: bool = True) -> ClickModel:
    """Expectation maximization from ``1 / √place``; without ``positions`` every place counts as
    looked at, and attraction is the share of clicks. Attractions are drawn to the mean by one
    click's worth (a Beta prior), so that what was shown once is not sure."""
    shown, clicked = clicks.shown, clicks.clicked
    missed, total = shown - clicked, shown.sum(0)
    places = shown.shape[1]
    examination = 1 / np.sqrt(np.arange(1, places + 1)) if positions else np.ones(places)
    mean = min(0.5, clicked.sum() / max(1.0, (shown * examination).sum()))
    attraction = np.full(len(shown), mean)
    for _ in range(ROUNDS):
        both = examination[None, :] * attraction[:, None]
        looked = clicked + missed * (examination[None, :] - both) / (1 - both + 1e-12)
        drawn = clicked + missed * (attraction[:, None] - both) / (1 - both + 1e-12)
        attraction = (drawn.sum(1) + 1) / (shown.sum(1) + 1 / mean)
        if positions:
            examination = looked.sum(0) / np.maximum(total, 1)
            examination = np.clip(examination / examination.max(), _LEAST, 1)
    return ClickModel(examination, np.where(clicked.sum(1) > 0, attraction, 0.0))


def judged(clicks: Clicks, model: ClickModel) -> list[JudgedQuery]:
    """Attractions as judgments, by the best of each query: 1 for it, 0 for what is not clicked."""
    gains: dict[str, dict[str, float]] = {}
    for (query, product), value in zip(clicks.pairs, model.attraction.tolist(), strict=True):
        gains.setdefault(query, {})[product] = value
    best = {query: max(found.values()) for query, found in gains.items()}
    return [
        JudgedQuery(query, query, {p: round(v / best[query], 2) for p, v in found.items()})
        for query, found in gains.items()
        if best[query] > 0
    ]


def log_loss(clicks: Clicks, held_out: Clicks, model: ClickModel) -> float:
    """Mean −log P of what was clicked and what was not in lists the model was not fitted to, of
    the pairs that it knows."""
    attraction = dict(zip(clicks.pairs, model.attraction.tolist(), strict=True))
    rows = [i for i, pair in enumerate(held_out.pairs) if pair in attraction]
    known = np.asarray([attraction[held_out.pairs[i]] for i in rows])
    places = min(held_out.shown.shape[1], len(model.examination))
    p = np.clip(known[:, None] * model.examination[None, :places], 1e-6, 1 - 1e-6)
    shown, clicked = held_out.shown[rows, :places], held_out.clicked[rows, :places]
    loss = -(clicked * np.log(p) + (shown - clicked) * np.log1p(-p)).sum()
    return float(loss / shown.sum())
