"""The embedded store's call against the bare Qdrant Edge query, per depth and filter.

Both ask three lanes (text, image, BM25) in one batch; ``bare`` stops at Qdrant's own answer,
``store`` goes on to product ids, cut-offs and a fixed order.

    OMP_NUM_THREADS=2 python -m benchmarks.stores --products 18000 --dim 256
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import qdrant_edge as q

from engine import EncoderInfo, Filter, GenerationSpec, LaneQuery, Point, Product, Range, Terms
from engine.documents import keyword_fields
from engine.protocols import Vectors
from engine.schema import FieldKind, IndexSchema, field_values
from plugins.qdrant_bm25 import question
from plugins.qdrant_edge import EdgeOptions, EdgeStores
from plugins.qdrant_edge_store import EdgeStore, compile_filter

SCHEMA = IndexSchema({"color": FieldKind.KEYWORD})
WORDS = [f"word{i}" for i in range(400)]
FILTERS = {
    "none": Filter(),
    "keyword 1/20": Filter((Terms("color", ("color 1", "color 2")),)),
    "range and flag 1/10": Filter((Range("price", gte=10, lt=110), Terms("in_stock", (True,)))),
}


def make_vectors(rng: np.random.Generator, n: int, dim: int) -> Vectors:
    """Unit rows around 300 centres, as embeddings are."""
    rows = rng.standard_normal((300, dim))[rng.integers(0, 300, n)]
    rows = rows + 0.7 * rng.standard_normal((n, dim))
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def make_store(folder: str, vectors: Vectors, rng: np.random.Generator) -> EdgeStore:
    n, dim = vectors.shape
    encoder = EncoderInfo("benchmark", "1", dim, ("text", "image"), "none")
    store = EdgeStores(EdgeOptions(data_dir=folder)).create(
        "g", GenerationSpec(SCHEMA, encoder, encoder)
    )
    points = []
    for i in range(n):
        title = " ".join(rng.choice(WORDS, 6))
        product = Product(
            f"sku-{i}", title, price=i % 500, in_stock=i % 2 == 0,
            attributes={"color": f"color {i % 40}"}, images=(f"{i}.jpg",),
        )  # fmt: skip
        fields = field_values(product, SCHEMA)
        points.append(
            Point(product, vectors[i], vectors[i : i + 1], keyword_fields(product), fields)
        )
    began = time.perf_counter()
    store.upsert(points)
    upserted = time.perf_counter()
    store.build(SCHEMA, n)
    built = time.perf_counter()
    print(f"upsert {n / (upserted - began):,.0f} points/s; build {built - upserted:.1f} s\n")
    return store


def percentiles(work: Callable[[int], object], repeat: int) -> str:
    times = []
    for i in range(repeat):
        began = time.perf_counter()
        work(i)
        times.append((time.perf_counter() - began) * 1e3)
    return "".join(f"{value:9.2f}" for value in np.percentile(times, (50, 95, 99)))


def compare(store: EdgeStore, queries: Vectors, repeat: int) -> None:
    print(f"{'depth':>6} {'filter':22}{'bare p50':>9}{'p95':>9}{'p99':>9}{'store p50':>11}"
          f"{'p95':>9}{'p99':>9}   ms")  # fmt: skip
    for depth in (20, 100, 1000):
        for name, filter in FILTERS.items():

            def text(i: int) -> str:
                return " ".join(WORDS[(i * k) % 400] for k in (7, 11, 13))

            def bare(i: int, depth: int = depth, filter: Filter = filter) -> object:
                row = queries[i % len(queries)].tolist()
                sparse = question(LaneQuery("b", "bm25", text=text(i)), store.spec)
                assert sparse
                asked = [q.Query.Nearest(v, using=u) for v, u in
                         ((row, "text"), (row, "image"), (sparse, "bm25"))]  # fmt: skip
                compiled = compile_filter(filter, lambda ids: [])
                requests = [
                    q.QueryRequest(limit=depth, query=one, filter=compiled, params=store.params)
                    for one in asked
                ]
                return store.shard.query_batch(q.QueryBatchRequest(requests))

            def ours(i: int, depth: int = depth, filter: Filter = filter) -> object:
                row = queries[i % len(queries)]
                lanes = [LaneQuery("t", "text", row), LaneQuery("i", "image", row),
                         LaneQuery("b", "bm25", text=text(i))]  # fmt: skip
                return store.search_batch(lanes, filter, depth)

            print(f"{depth:6} {name:22}{percentiles(bare, repeat)}  {percentiles(ours, repeat)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=18_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=1000)
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
          f"qdrant-edge-py {version('qdrant-edge-py')}, numpy {np.__version__}; "
          f"{options.products:,} products of 2 x {options.dim} dimensions, "
          f"{options.repeat} distinct queries per cell")  # fmt: skip
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(folder, make_vectors(rng, options.products, options.dim), rng)
        compare(store, make_vectors(rng, options.repeat, options.dim), options.repeat)
        store.close()


if __name__ == "__main__":
    main()
