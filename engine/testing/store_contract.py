"""What every vector store must do. Inherit :class:`StoreContract`, say how stores are made::

class TestMyStore(StoreContract):
    def make_stores(self, folder):
        return MyStores(MyOptions(data_dir=str(folder)))
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from engine.errors import GenerationLive, IndexMismatch, InvalidRequest, NotFound, StoreError
from engine.protocols import LaneQuery, VectorStore, VectorStores
from engine.types import Product

from .store_data import (
    IMAGE_DIM,
    SCHEMA,
    TEXT_DIM,
    count_values,
    make_point,
    make_points,
    make_spec,
    unit_rows,
)
from .store_fixtures import (
    BY_ID,
    EVERYTHING,
    POINTS,
    QUERY_IMAGE,
    QUERY_TEXT,
    bm25_lane,
    fill,
    text_lane,
)
from .store_searching import StoreSearching


class StoreContract(StoreSearching):
    """Everything asked of a store; see the fixtures for what a subclass may override."""

    # What goes in comes out

    def test_products_come_back_whole(self, built: VectorStore) -> None:
        ids = [*BY_ID, "unknown"]
        assert built.get(ids) == [*(p.product for p in POINTS), None]
        assert built.count(EVERYTHING) == len(POINTS)

    def test_columns_follow_the_ids(self, built: VectorStore) -> None:
        ids = ["unknown", *reversed(BY_ID)]
        columns = built.columns(ids, ["title", *SCHEMA.names(), "undeclared"])
        assert columns["title"] == [None, *(p.product.title for p in reversed(POINTS))]
        assert columns["undeclared"] == [None] * len(ids)
        for name in SCHEMA.names():
            assert columns[name] == [None, *(p.fields.get(name) for p in reversed(POINTS))]

    def test_vectors_come_back(self, built: VectorStore) -> None:
        texts = built.vectors([*BY_ID, "unknown"], "text")
        images = built.vectors([*BY_ID, "unknown"], "image")
        assert texts[-1].shape == (0, TEXT_DIM)
        assert images[-1].shape == (0, IMAGE_DIM)
        for point, text, photos in zip(POINTS, texts[:-1], images[:-1], strict=True):
            assert text.dtype == photos.dtype == np.float32
            np.testing.assert_allclose(text, point.text[None], atol=1e-6)
            np.testing.assert_allclose(photos, point.images, atol=1e-6)

    def test_half_precision(self, stores: VectorStores) -> None:
        """Scores stay within 1e-3 (random rows; 1e-4 of real embeddings), and what was read can be
        written again as often as one likes."""
        store = stores.create("half", replace(make_spec(), precision="float16"))
        store.upsert(POINTS)
        ids = [point.product.id for point in POINTS]
        read = store.vectors(ids, "text")
        rows = np.concatenate(read)
        np.testing.assert_allclose(rows, [point.text for point in POINTS], atol=1e-3)
        (hits,) = store.search_batch([text_lane()], EVERYTHING, len(POINTS))
        scores = {point.product.id: float(point.text @ QUERY_TEXT) for point in POINTS}
        assert {hit.id: hit.score for hit in hits} == pytest.approx(scores, abs=1e-3)
        store.upsert([replace(p, text=row[0]) for p, row in zip(POINTS, read, strict=True)])
        np.testing.assert_array_equal(np.concatenate(store.vectors(ids, "text")), rows)
        store.close()

    @pytest.mark.parametrize("batch", [1, 64, 1000])
    def test_iterate_gives_every_point_once(self, built: VectorStore, batch: int) -> None:
        batches = list(built.iterate(batch))
        seen = {p.product.id: p for points in batches for p in points}
        assert sum(map(len, batches)) == len(seen) == len(POINTS)
        assert max(map(len, batches)) <= batch
        for id, point in BY_ID.items():
            assert seen[id].product == point.product
            assert seen[id].fields == point.fields
            np.testing.assert_allclose(seen[id].text, point.text, atol=1e-6)
            np.testing.assert_allclose(seen[id].images, point.images, atol=1e-6)

    @pytest.mark.parametrize("id", ["a b", "ü/ö?#%", "日本語", "x" * 256, "💡", "..", "0"])
    def test_any_product_id(self, empty: VectorStore, id: str) -> None:
        empty.upsert([make_point(Product(id=id, title="Thing"), QUERY_TEXT)])
        assert [hit.id for hit in empty.search_batch([text_lane()], EVERYTHING, 9)[0]] == [id]
        empty.delete([id])
        assert empty.scroll(EVERYTHING, 9) == []

    def test_nothing_in_nothing_out(self, empty: VectorStore) -> None:
        empty.upsert([])
        empty.delete([])
        empty.delete(["unknown"])
        assert empty.get([]) == empty.vectors([], "text") == empty.scroll(EVERYTHING, 10) == []
        assert empty.columns([], ["title"]) == {"title": []}
        assert empty.search_batch([], EVERYTHING, 10) == []
        lanes = [text_lane(), LaneQuery("i", "image", QUERY_IMAGE), bm25_lane("red")]
        assert empty.search_batch(lanes, EVERYTHING, 10) == [[], [], []]
        assert list(empty.iterate()) == []
        assert empty.count(EVERYTHING) == 0

    def test_limit_zero(self, built: VectorStore) -> None:
        assert built.search_batch([text_lane()], EVERYTHING, 0) == [[]]
        assert built.scroll(EVERYTHING, 0) == []
        assert built.facet("brand", EVERYTHING, 0) == []

    # Writing

    def test_upsert_replaces_everything(self, empty: VectorStore) -> None:
        first, other = POINTS[5], POINTS[6]
        assert len(first.images) == 2
        product = msgspec.structs.replace(other.product, id=first.product.id)
        empty.upsert([first])
        assert empty.vectors([product.id], "image")[0].shape == (2, IMAGE_DIM)
        np.testing.assert_allclose(empty.vectors([product.id], "text")[0][0], first.text, atol=1e-6)
        empty.upsert([make_point(product, other.text)])
        np.testing.assert_allclose(empty.vectors([product.id], "text")[0][0], other.text, atol=1e-6)
        assert empty.get([product.id]) == [product]
        assert empty.columns([product.id], ["title"]) == {"title": [product.title]}
        assert empty.count(EVERYTHING) == 1
        assert empty.vectors([product.id], "image")[0].shape == (0, IMAGE_DIM)
        assert empty.search_batch([LaneQuery("i", "image", QUERY_IMAGE)], EVERYTHING, 9) == [[]]
        empty.delete([product.id])
        assert empty.vectors([product.id], "text")[0].shape == (0, TEXT_DIM)

    def test_writing_twice_is_writing_once(self, empty: VectorStore) -> None:
        for _ in range(2):
            empty.upsert(POINTS[:20])
        empty.upsert([*POINTS[:3], *POINTS[:3]])
        for _ in range(2):
            empty.delete([POINTS[0].product.id, "unknown"])
        assert empty.scroll(EVERYTHING, 99) == [p.product.id for p in POINTS[1:20]]

    def test_a_deleted_product_is_nowhere(self, stores: VectorStores) -> None:
        store, gone = fill(stores, "g", POINTS[:60]), POINTS[5].product
        store.delete([gone.id])
        lanes = [text_lane(), LaneQuery("i", "image", QUERY_IMAGE), bm25_lane(gone.title)]
        hits = store.search_batch(lanes, EVERYTHING, 99)
        assert gone.id not in {hit.id for lane in hits for hit in lane}
        assert store.get([gone.id]) == [None]
        assert store.count(EVERYTHING) == 59
        left = [p for p in POINTS[:60] if p.product.id != gone.id]
        assert store.facet("brand", EVERYTHING, 99) == count_values(left, "brand", EVERYTHING)
        store.close()

    @pytest.mark.parametrize("using", ["text", "image"])
    def test_vectors_of_another_model_are_refused(self, empty: VectorStore, using: str) -> None:
        wrong = unit_rows(np.random.default_rng(0), 1, 5)
        key, value = ("text", wrong[0]) if using == "text" else ("images", wrong)
        with pytest.raises(IndexMismatch, match="5"):
            empty.upsert([POINTS[1], msgspec.structs.replace(POINTS[2], **{key: value})])
        assert empty.count(EVERYTHING) == 0
        with pytest.raises(IndexMismatch, match="5"):
            empty.search_batch([text_lane(using=using, vector=wrong[0])], EVERYTHING, 3)

    def test_a_vector_of_nan_is_refused(self, empty: VectorStore) -> None:
        broken = np.full(TEXT_DIM, np.nan, np.float32)
        with pytest.raises(StoreError, match="finite"):
            empty.upsert([msgspec.structs.replace(POINTS[1], text=broken)])

    # Generations

    def test_a_generation_shows_once_it_is_built(self, stores: VectorStores) -> None:
        store = stores.create("g1", make_spec())
        store.upsert(POINTS[:3])
        for use in (stores.open, stores.describe, stores.promote):
            with pytest.raises(NotFound, match="g1"):
                use("g1")
        assert (stores.generations(), stores.current()) == ([], None)
        store.build(SCHEMA, 3)
        expected = msgspec.structs.replace(make_spec(), schema=SCHEMA, products=3)
        assert store.spec == stores.describe("g1") == expected
        assert (stores.generations(), stores.current()) == (["g1"], None)
        store.close()

    def test_unknown_and_taken_names(self, stores: VectorStores) -> None:
        for use in (stores.open, stores.describe, stores.promote, stores.drop):
            with pytest.raises(NotFound, match="nowhere"):
                use("nowhere")
        stores.create("half", make_spec()).close()
        fill(stores, "whole", POINTS[:3]).close()
        for name in ("half", "whole"):
            with pytest.raises(StoreError, match="exists"):
                stores.create(name, make_spec())
        for name in ("", "../up", "a/b", "a--b", "x" * 101):
            with pytest.raises(InvalidRequest):
                stores.create(name, make_spec())

    def test_promotion_rollback_and_drop(self, stores: VectorStores) -> None:
        for name in ("g1", "g2"):
            fill(stores, name, POINTS[:3]).close()
        for name in ("g1", "g2", "g1", "g2"):
            stores.promote(name)
            assert stores.current() == name
        with pytest.raises(GenerationLive):
            stores.drop("g2")
        stores.drop("g1")
        stores.create("half", make_spec()).close()
        stores.drop("half")
        assert (stores.generations(), stores.current()) == (["g2"], "g2")
        fill(stores, "g1", POINTS[:2]).close()

    def test_a_new_process_finds_everything(self, stores: VectorStores, tmp_path: Path) -> None:
        store = fill(stores, "g1", POINTS)
        store.upsert(make_points(5, start=900))
        store.delete([POINTS[0].product.id])
        before = store.search_batch([text_lane()], EVERYTHING, 50)
        store.close()
        stores.promote("g1")
        again = self.reopen(stores, tmp_path)
        live = again.open(again.current() or "")
        assert live.count(EVERYTHING) == len(POINTS) + 4
        assert live.get([POINTS[1].product.id, POINTS[0].product.id]) == [POINTS[1].product, None]
        assert live.search_batch([text_lane()], EVERYTHING, 50) == before
        assert live.search_batch([bm25_lane("sofa 902")], EVERYTHING, 1)[0][0].id == "sku/00902"
        assert live.columns(["sku/00902"], ["in_stock"]) == {"in_stock": [True]}
        assert live.facet("in_stock", EVERYTHING, 1)[0].value is True
        live.close()

    def test_writes_go_on_while_another_generation_is_built(self, stores: VectorStores) -> None:
        live, rebuild = fill(stores, "g1", POINTS[:50]), stores.create("g2", make_spec())
        stores.promote("g1")
        for point in POINTS[50:60]:
            live.upsert([point])
            rebuild.upsert([POINTS[0], point])
        rebuild.build(SCHEMA, 11)
        stores.promote("g2")
        assert (live.count(EVERYTHING), rebuild.count(EVERYTHING)) == (60, 11)
        live.close()
        rebuild.close()

    def test_closing_twice_does_nothing(self, stores: VectorStores) -> None:
        store = fill(stores, "g1", POINTS[:3])
        store.close()
        store.close()

    def test_readers_and_a_writer_at_once(self, stores: VectorStores) -> None:
        store = fill(stores, "g1", POINTS)
        more, done = make_points(60, seed=1, start=1000), threading.Event()
        failures: list[BaseException] = []
        known = set(BY_ID) | {p.product.id for p in more}

        def read() -> None:
            while not done.is_set():
                lanes = [text_lane(), bm25_lane("lamp sofa")]
                for hits in store.search_batch(lanes, EVERYTHING, 50):
                    assert {hit.id for hit in hits} <= known
                store.columns(sorted(known)[::9], ["title", "price"])
                assert store.facet("brand", EVERYTHING, 3)

        def write() -> None:
            for i in range(0, len(more), 6):
                store.upsert(more[i : i + 6])
                store.delete([more[i].product.id])

        readers = [_thread(read, failures) for _ in range(4)]
        writer = _thread(write, failures)
        writer.join()
        done.set()
        for reader in readers:
            reader.join()
        assert failures == []
        assert store.count(EVERYTHING) == len(POINTS) + 50
        store.close()


def _thread(work: Callable[[], None], failures: list[BaseException]) -> threading.Thread:
    def guarded() -> None:
        try:
            work()
        except BaseException as exc:
            failures.append(exc)

    thread = threading.Thread(target=guarded)
    thread.start()
    return thread
