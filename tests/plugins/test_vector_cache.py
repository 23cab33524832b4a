"""Vectors kept beside an embedded shard."""

from __future__ import annotations

import numpy as np
import pytest

from engine import Vectors
from plugins.vector_cache import OVERHEAD, VectorCache

ROW = 16 * 4 + OVERHEAD
"""Bytes of one product's row of 16 numbers."""


def rows(value: float, n: int = 1) -> Vectors:
    return np.full((n, 16), value, dtype=np.float32)


def known(cache: VectorCache, *ids: str) -> dict[str, float | None]:
    return {id: float(r[0, 0]) if len(r) else None for id, r in cache.find(ids)[0].items()}


def test_what_was_kept_is_found() -> None:
    cache = VectorCache(10 * ROW)
    found, writes = cache.find(["a", "b"])
    assert found == {}
    cache.keep({"a": rows(1), "b": rows(0, n=0)}, writes)
    assert known(cache, "b", "a", "c") == {"b": None, "a": 1.0}


def test_what_is_written_is_forgotten() -> None:
    cache = VectorCache(10 * ROW)
    cache.keep({"a": rows(1), "b": rows(2)}, 0)
    cache.drop(["a", "unknown"])
    assert known(cache, "a", "b") == {"b": 2.0}


def test_what_was_read_before_a_write_is_not_kept_after_it() -> None:
    cache = VectorCache(10 * ROW)
    _, writes = cache.find(["a"])
    cache.drop(["a"])
    cache.keep({"a": rows(1)}, writes)
    assert known(cache, "a") == {}


def test_the_least_recently_used_go_first() -> None:
    cache = VectorCache(2 * ROW)
    cache.keep({"a": rows(1), "b": rows(2)}, 0)
    cache.find(["a"])
    cache.keep({"c": rows(3)}, 0)
    assert known(cache, "a", "b", "c") == {"a": 1.0, "c": 3.0}


def test_the_limit_is_in_bytes() -> None:
    cache = VectorCache(2 * ROW)
    cache.keep({"a": rows(1)}, 0)
    cache.keep({"a": rows(1)}, 0)
    cache.keep({"b": rows(2)}, 0)
    assert known(cache, "a", "b") == {"a": 1.0, "b": 2.0}, "a product counts once"
    cache.keep({"c": rows(3, n=2)}, 0)
    assert known(cache, "a", "b", "c") == {"c": 3.0}
    cache.keep({"d": rows(4, n=50)}, 0)
    assert known(cache, "c", "d") == {}, "more than the limit alone"


def test_what_is_handed_out_cannot_be_changed() -> None:
    cache = VectorCache(10 * ROW)
    cache.keep({"a": rows(1)}, 0)
    with pytest.raises(ValueError, match="read-only"):
        cache.find(["a"])[0]["a"][:] = 0
