"""Favours cheap products: a score shrinks by half for every ``half_price`` a product costs.

Switch it on in ``entrepot.toml``::

    [profiles.default]
    rankers = ["availability", "thrifty"]

    [plugins.options.thrifty]
    half_price = 200.0
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from engine import Ranker, RankingBatch, Register, Vectors, hookimpl


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    half_price: Annotated[float, Meta(gt=0)] = 100.0


class Thrifty:
    required_fields = ("price",)
    required_vectors = ()

    def __init__(self, options: Options) -> None:
        self._half_price = options.half_price

    def rank(self, batch: RankingBatch) -> Vectors:
        """A product without a price keeps its score."""
        prices = np.array([price or 0.0 for price in batch.columns["price"]], dtype=np.float32)
        return (batch.scores * 0.5 ** (prices / self._half_price)).astype(np.float32)


@hookimpl
def register_rankers(register: Register[Ranker]) -> None:
    register("thrifty", Thrifty, Options)
