"""What the store contract stands on: fixtures, lanes and a shop of 150 products."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from engine.filters import Filter
from engine.protocols import LaneQuery, Point, VectorStore, VectorStores

from .store_data import (
    SCHEMA,
    make_points,
    make_spec,
    unit_rows,
)

EVERYTHING = Filter()
POINTS = make_points(150)
BY_ID = {p.product.id: p for p in POINTS}
QUERY_TEXT, QUERY_IMAGE = (unit_rows(np.random.default_rng(9), 1, d)[0] for d in (16, 24))
INHERITED = settings(
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
    max_examples=100,
)


def text_lane(**changes: Any) -> LaneQuery:
    return msgspec.structs.replace(LaneQuery("text", "text", QUERY_TEXT), **changes)


def bm25_lane(text: str, **changes: Any) -> LaneQuery:
    return msgspec.structs.replace(LaneQuery("bm25", "bm25", text=text), **changes)


def fill(stores: VectorStores, name: str, points: list[Point], locale: str = "en") -> VectorStore:
    """A built generation, open."""
    store = stores.create(name, make_spec(locale=locale, products=len(points)))
    store.upsert(points)
    store.build(SCHEMA, len(points))
    return store


class StoreFixtures:
    """How stores are made; ``recall_points`` products go into the recall test."""

    recall_points = 600
    recall_dim = 32

    @classmethod
    def make_stores(cls, folder: Path) -> VectorStores:
        """A fresh backend; ``folder`` is empty at first."""
        raise NotImplementedError

    def reopen(self, stores: VectorStores, folder: Path) -> VectorStores:
        """The same backend as a new process would find it."""
        stores.close()
        return self.make_stores(folder)

    @classmethod
    def dispose(cls, stores: VectorStores) -> None:
        """Clean up what would outlive the folder."""
        stores.close()

    @pytest.fixture
    def stores(self, tmp_path: Path) -> Iterator[VectorStores]:
        made = self.make_stores(tmp_path)
        yield made
        self.dispose(made)

    @pytest.fixture(scope="class")
    @classmethod
    def built(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorStore]:
        """``POINTS``, built; only for reading."""
        stores = cls.make_stores(tmp_path_factory.mktemp("built"))
        store = fill(stores, "built", POINTS)
        yield store
        store.close()
        cls.dispose(stores)

    @pytest.fixture
    def empty(self, stores: VectorStores) -> Iterator[VectorStore]:
        store = stores.create("empty", make_spec())
        yield store
        store.close()
