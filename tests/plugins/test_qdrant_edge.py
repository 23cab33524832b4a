"""Qdrant Edge keeps the store contract, searching exactly, by HNSW and by int8 vectors; and
what only an embedded store promises: crashes, locks, files."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import msgspec
import numpy as np
import pytest

from engine.errors import NotFound, StoreError, StoreLocked
from engine.protocols import Point, VectorStore, VectorStores
from engine.testing.store_contract import StoreContract
from engine.testing.store_data import (
    IMAGE_DIM,
    SCHEMA,
    TEXT_DIM,
    make_point,
    make_points,
    make_spec,
    unit_rows,
)
from engine.testing.store_fixtures import EVERYTHING, POINTS, fill, text_lane
from engine.testing.store_searching import StoreSearching
from engine.types import Product
from plugins.qdrant_common import chunks, point_id
from plugins.qdrant_docvalues import DocValues
from plugins.qdrant_edge import EdgeOptions, EdgeStores


class TestQdrantEdge(StoreContract):
    @classmethod
    def make_stores(cls, folder: Path) -> EdgeStores:
        return EdgeStores(EdgeOptions(data_dir=str(folder)))


class SplitStores(EdgeStores):
    """Cuts a generation into segments, however small it is."""

    split_from_kb = 0


class TestQdrantEdgeInSegments(StoreContract):
    recall_points = 3000
    recall_dim = 64

    @classmethod
    def make_stores(cls, folder: Path) -> EdgeStores:
        return SplitStores(EdgeOptions(data_dir=str(folder)))


class TestQdrantEdgeHnsw(StoreSearching):
    """20,000 vectors of 64 dimensions are 5 MB, so this threshold builds the graph."""

    recall_points = 20_000
    recall_dim = 64

    @classmethod
    def make_stores(cls, folder: Path) -> EdgeStores:
        return EdgeStores(EdgeOptions(data_dir=str(folder), exact_below_kb=1000))


class TestQdrantEdgeQuantized(StoreSearching):
    """The filters' subsets are larger than this threshold, so each goes through the graph."""

    recall_points = 3000
    recall_dim = 64

    @classmethod
    def make_stores(cls, folder: Path) -> EdgeStores:
        options = EdgeOptions(data_dir=str(folder), quantization="scalar", exact_below_kb=50)
        return EdgeStores(options)


def segments(stores: EdgeStores, expected: int, points: Sequence[Point]) -> int:
    """Of a generation with ``points``, of which so many were ``expected``; with the one for what
    comes later."""
    store = stores.create("g", make_spec(products=expected))
    for chunk in chunks(points, 16):
        store.upsert(chunk)
    store.build(SCHEMA, len(points))
    assert sorted(store.scroll(EVERYTHING, 999)) == sorted(p.product.id for p in points)
    count = store.shard.info().segments_count
    store.close()
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize(
    ("expected", "options", "count"),
    [
        (150, {}, 3),
        (150, {"search_threads": 4}, 5),
        (140, {}, 3),
        (160, {}, 3),
        (0, {}, 1),
        (150, {"search_threads": 1}, 1),
        (150, {"exact_below_kb": 1}, 2),  # with a graph
    ],
)
def test_what_is_scanned_is_cut_into_segments(
    tmp_path: Path, expected: int, options: dict[str, Any], count: int
) -> None:
    stores = SplitStores(EdgeOptions(data_dir=str(tmp_path), **options))
    assert segments(stores, expected, POINTS) == count


def test_what_is_small_is_one_segment(stores: EdgeStores) -> None:
    assert segments(stores, 150, POINTS) == 1


def test_many_photos_need_a_graph(tmp_path: Path) -> None:
    """150 texts are 9 KiB, 150 times 40 photos 562."""
    rows = unit_rows(np.random.default_rng(1), 40, IMAGE_DIM)
    points = [msgspec.structs.replace(point, images=rows) for point in POINTS]
    stores = SplitStores(EdgeOptions(data_dir=str(tmp_path), exact_below_kb=100))
    assert segments(stores, 150, points) < 3
    store = stores.open("g")
    assert store.shard.info().indexed_vectors_count >= len(points)
    store.close()


@pytest.fixture
def stores(tmp_path: Path) -> EdgeStores:
    return EdgeStores(EdgeOptions(data_dir=str(tmp_path)))


WRITER = """
import sys
import msgspec
import numpy as np
from engine.testing.store_data import TEXT_DIM, make_point
from engine.types import Product
from plugins.qdrant_edge import EdgeOptions, EdgeStores

store = EdgeStores(EdgeOptions(data_dir=sys.argv[1])).open("g")
vector = np.ones(TEXT_DIM, np.float32)
for line in sys.stdin:
    step = int(line)
    store.upsert([make_point(Product(f"p{step + k}", "Mug", price=step), vector) for k in range(9)])
    store.delete([f"p{step + 8}"])
    print(step, flush=True)
"""


def run_writer(folder: Path, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_acknowledged_writes_survive_kill_9(stores: EdgeStores, tmp_path: Path, root: Path) -> None:
    """Ten processes in turn are killed in the middle of writing, at a different moment each."""
    fill(stores, "g", []).close()
    expected: dict[str, float] = {}
    for seed in range(10):
        writer = run_writer(tmp_path, root)
        assert writer.stdin
        assert writer.stdout
        steps = [10 * step for step in range(seed, seed + random.Random(seed).randrange(2, 40))]
        for step in steps[:-1]:
            print(step, file=writer.stdin, flush=True)
            assert int(writer.stdout.readline()) == step
            expected.update({f"p{step + k}": step for k in range(8)})
        print(steps[-1], file=writer.stdin, flush=True)  # killed before it can answer
        writer.kill()
        writer.communicate()
        store = stores.open("g")
        unsure = {f"p{steps[-1] + k}" for k in range(9)}
        sure = [id for id in expected if id not in unsure]
        assert [p and p.price for p in store.get(sure)] == [expected[id] for id in sure]
        assert set(store.scroll(EVERYTHING, 9999)) - unsure == set(sure)
        assert store.columns(sure, ["price"])["price"] == [expected[id] for id in sure]
        expected.update(zip(unsure, store.columns(list(unsure), ["price"])["price"], strict=True))
        expected = {id: price for id, price in expected.items() if price is not None}
        store.close()


def test_one_process_holds_a_generation(stores: EdgeStores, tmp_path: Path, root: Path) -> None:
    fill(stores, "g", POINTS[:3]).close()
    writer = run_writer(tmp_path, root)
    assert writer.stdin
    assert writer.stdout
    print(0, file=writer.stdin, flush=True)
    writer.stdout.readline()
    for use in (stores.open, stores.drop):
        with pytest.raises(StoreLocked, match="another process"):
            use("g")
    assert stores.generations() == ["g"]
    writer.communicate()
    store = stores.open("g")
    assert store.count(EVERYTHING) == 11
    with pytest.raises(StoreLocked, match="g"):
        stores.open("g")
    store.close()


def test_a_shard_whose_points_have_uuids_is_read_and_written(
    stores: EdgeStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a Qdrant server writes them."""
    with monkeypatch.context() as patch:
        patch.setattr(DocValues, "number", lambda docs, ids: [point_id(id) for id in ids])
        fill(stores, "g", POINTS[:20]).close()
    store = stores.open("g")
    store.upsert([msgspec.structs.replace(POINTS[0], text=POINTS[1].text), *POINTS[20:23]])
    store.delete([POINTS[2].product.id])
    ids = sorted(p.product.id for p in (*POINTS[:2], *POINTS[3:23]))
    for _ in range(2):
        assert store.scroll(EVERYTHING, 99) == ids
        hits = store.search_batch([text_lane()], EVERYTHING, 99)[0]
        assert sorted(hit.id for hit in hits) == ids
        first, second = store.vectors(ids[:2], "text")
        np.testing.assert_array_equal(first, second)
        store.close()
        store = stores.open("g")


def half_written(stores: EdgeStores, monkeypatch: pytest.MonkeyPatch) -> VectorStore:
    """Three products; the write of two more failed after it had reached the shard."""
    store = fill(stores, "g", POINTS[:3])
    with monkeypatch.context() as patch:
        patch.setattr(DocValues, "put", Mock(side_effect=MemoryError))
        with pytest.raises(MemoryError):
            store.upsert(POINTS[3:5])
    return store


def test_a_write_that_failed_leaves_nothing_and_can_be_repeated(
    stores: EdgeStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = half_written(stores, monkeypatch)
    assert len(store.search_batch([text_lane()], EVERYTHING, 9)[0]) == 3
    store.upsert([POINTS[5], POINTS[3], POINTS[4]])
    expected = sorted(p.product.id for p in POINTS[:6])
    assert sorted(h.id for h in store.search_batch([text_lane()], EVERYTHING, 9)[0]) == expected
    store.close()
    assert stores.open("g").scroll(EVERYTHING, 9) == expected


@pytest.mark.parametrize("remedy", ["write", "delete"])
def test_a_part_of_a_write_that_failed_is_repeated(
    stores: EdgeStores, monkeypatch: pytest.MonkeyPatch, remedy: str
) -> None:
    """Or deleted, for it may have reached the shard, which is read when it is opened again."""
    store = half_written(stores, monkeypatch)
    if remedy == "write":
        store.upsert([POINTS[4]])
        store.upsert([POINTS[3]])
    else:
        store.delete([POINTS[4].product.id])
        store.delete([POINTS[3].product.id])
    expected = sorted(p.product.id for p in POINTS[: 5 if remedy == "write" else 3])
    for _ in range(2):
        (hits,) = store.search_batch([text_lane()], EVERYTHING, 9)
        assert sorted(hit.id for hit in hits) == expected
        assert store.scroll(EVERYTHING, 9) == expected
        store.close()
        store = stores.open("g")
    store.close()


def test_a_closed_store_says_so(stores: EdgeStores) -> None:
    store = fill(stores, "g", POINTS[:3])
    store.close()
    with pytest.raises(StoreError, match="g is closed"):
        store.search_batch([text_lane()], EVERYTHING, 3)


def test_a_large_batch_goes_in_chunks_and_is_flushed(stores: EdgeStores, tmp_path: Path) -> None:
    """The log stays short however much is written."""
    store = stores.create("g", make_spec())
    vector = np.ones(TEXT_DIM, np.float32)
    long = make_point(Product("p", "Mug", description="word " * 2000), vector)
    for _ in range(3):
        store.upsert([long] * 5000)
    segments = list((tmp_path / "generations/g/shard/wal").glob("*"))
    assert store.count(EVERYTHING) == 1
    assert sum(file.stat().st_blocks * 512 for file in segments) < 100_000_000
    store.close()


def test_a_broken_spec_is_told(stores: EdgeStores, tmp_path: Path) -> None:
    fill(stores, "g", POINTS[:3]).close()
    (tmp_path / "generations/g/generation.json").write_text('{"schema": ')
    for use in (stores.open, stores.describe, stores.promote):
        with pytest.raises(StoreError, match=r"generation\.json cannot be read.*index again"):
            use("g")
    stores.drop("g")


def test_a_broken_shard_is_told(stores: EdgeStores, tmp_path: Path) -> None:
    fill(stores, "g", POINTS[:3]).close()
    (tmp_path / "generations/g/shard/edge_config.json").write_text("{}}")
    with pytest.raises(StoreError, match="Qdrant Edge failed on"):
        stores.open("g")


def test_a_crash_while_dropping_leaves_nothing_visible(stores: EdgeStores, tmp_path: Path) -> None:
    fill(stores, "g", POINTS[:3]).close()
    (tmp_path / "generations/g/generation.json").unlink()
    assert stores.generations() == []
    with pytest.raises(NotFound, match="no finished generation 'g'"):
        stores.open("g")
    stores.drop("g")
    assert list((tmp_path / "generations").iterdir()) == []


def test_live_writes_are_searched_without_building(stores: VectorStores) -> None:
    store = fill(stores, "g", POINTS)
    more = make_points(100, seed=4, start=5000)
    store.upsert(more)
    for point in more[:10]:
        best = store.search_batch([text_lane(vector=point.text)], EVERYTHING, 1)[0]
        assert best[0].id == point.product.id
    store.close()


def test_a_value_that_json_cannot_hold_is_told(stores: EdgeStores) -> None:
    store = stores.create("g", make_spec())
    with pytest.raises(StoreError, match="NaN"):
        store.upsert([msgspec.structs.replace(POINTS[0], fields={"price": float("nan")})])
    assert store.count(EVERYTHING) == 0
    store.close()
