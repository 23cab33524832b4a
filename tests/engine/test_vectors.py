"""Means of products' vectors."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.vectors import means


@given(st.lists(st.integers(0, 4), max_size=6), st.integers(1, 3))
def test_each_product_has_the_mean_of_its_rows(counts: list[int], dim: int) -> None:
    random = np.random.default_rng(sum(counts))
    rows = [random.standard_normal((n, dim)).astype(np.float32) for n in counts]
    found = means(rows)
    assert found.dtype == np.float32
    assert found.shape == ((len(rows), dim) if rows else (0, 0))
    for mean, own in zip(found, rows, strict=True):
        expected = own.mean(axis=0) if len(own) else np.zeros(dim)
        np.testing.assert_allclose(mean, expected, atol=1e-6)
