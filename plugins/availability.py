"""Ranker ``availability``: what cannot be bought sinks below what can.

Out-of-stock products keep a share of their score, so that a perfect match still shows, under
the alternatives that can be had.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from engine import Ranker, RankingBatch, Register, Vectors, hookimpl


class AvailabilityOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``keep`` is the share of its score that an out-of-stock product keeps."""

    keep: Annotated[float, Meta(ge=0, le=1)] = 0.5


class Availability:
    prompt = True
    required_fields: Sequence[str] = ("in_stock",)
    required_vectors: Sequence[str] = ()

    def __init__(self, options: AvailabilityOptions) -> None:
        self._keep = options.keep

    def rank(self, batch: RankingBatch) -> Vectors:
        sold_out = np.asarray([value is False for value in batch.columns["in_stock"]], dtype=bool)
        return np.where(sold_out, batch.scores * self._keep, batch.scores).astype(np.float32)


@hookimpl
def register_rankers(register: Register[Ranker]) -> None:
    register("availability", Availability, AvailabilityOptions)
