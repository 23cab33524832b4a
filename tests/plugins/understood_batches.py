"""Batches with spans, for tests of what was understood."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from engine import PluginManager, QueryPlan, Ranker, RankingBatch, Span
from engine.testing.ranker_contract import make_batch


def make(**options: object) -> Ranker:
    ranker: Ranker = PluginManager().create("rankers", "understood", options)
    return ranker


def span(
    field: str,
    *values: str,
    confidence: float = 1.0,
    effect: Any = "boost",
    label: str = "color",
) -> Span:
    return Span(0, 3, label, "red", confidence, field, values, effect)


def batch_with(*spans: Span, read: str = "red", **columns: list[Any]) -> RankingBatch:
    n = len(next(iter(columns.values())))
    batch = make_batch(n, {"title": [""] * n, **columns})
    plan = QueryPlan(text=read, read=read, spans=spans)
    return msgspec.structs.replace(batch, plan=plan, scores=np.ones(n, dtype=np.float32))


def kept(batch: RankingBatch, strength: float = 1.0) -> list[float]:
    """The share of its score that each product keeps."""
    shares = (make(strength=strength).rank(batch) / batch.scores).astype(np.float64)
    return [round(share, 4) for share in shares.tolist()]
