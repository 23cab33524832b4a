"""Generations change under searches and writes without losing either."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL.Image import Image

from engine import (
    Engine,
    IndexMismatch,
    NoIndex,
    NotFound,
    Product,
    Query,
    SearchRequest,
    Settings,
    StoreError,
    StoreLocked,
)
from engine.core import JOURNAL_FILE
from engine.journal import Journal

from . import shop as small
from .conftest import OpenShop
from .shop import PRODUCTS, ids, open_engine, photo, renamed

ALL = len(PRODUCTS)
TIMEOUT_S = 60.0


def absorbed(settings: Settings, generation: str) -> int:
    journal = Journal(settings.data_path / JOURNAL_FILE)
    seq = journal.absorbed(generation)
    journal.close()
    return seq


def entries(settings: Settings) -> list[int]:
    journal = Journal(settings.data_path / JOURNAL_FILE)
    found = [entry.seq for batch in journal.after(0) for entry in batch]
    journal.close()
    return found


def put(engine: Engine, *products: Product) -> None:
    assert {r.status for r in engine.put([(p, []) for p in products])} == {"stored"}


# Without an index


def test_an_engine_without_an_index(tmp_path: Path) -> None:
    with open_engine(small.settings_for(tmp_path)) as engine:
        for use in (
            lambda: engine.search(SearchRequest()),
            lambda: engine.get("mug-red"),
            lambda: engine.put([(PRODUCTS["mug-red"], [])]),
            lambda: engine.delete("mug-red"),
            lambda: engine.schema,
            lambda: engine.image_root,
        ):
            with pytest.raises(NoIndex, match="entrepot index"):
                use()
        health = engine.health()
        assert (health.ready, health.generation, health.products) == (False, "", 0)
        assert health.problems[0] == "nothing is indexed yet"
        assert health.encoders == {"text": "hash", "image": "hash"}
        assert engine.generations() == []
        with pytest.raises(NotFound, match="no older generation"):
            engine.rollback()
        small.build(engine.settings, "g1", PRODUCTS.values())
        engine.promote("g1")
        assert engine.search(SearchRequest()).total == ALL


def test_the_five_lines(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "entrepot.toml"
    file.write_text(
        '[encoders]\ntext = { plugin = "hash" }\nimage = { plugin = "hash" }\n', encoding="utf-8"
    )
    with Engine.open(file) as engine, pytest.raises(NoIndex):
        engine.search(SearchRequest())
    monkeypatch.setenv("ENTREPOT_DATA_DIR", "data")
    with Engine.open(str(file)) as engine:
        assert engine.search(SearchRequest(Query(text="red mug"))).total == ALL
        assert engine.schema == small.SCHEMA
        assert Path(engine.image_root).is_dir()
    monkeypatch.chdir(folder)
    with Engine.open() as engine:
        assert engine.health().ready


# Promotion, rollback, drop


def test_promotion_rollback_and_drop(fresh: Engine, settings: Settings) -> None:
    small.build(settings, "g2", [PRODUCTS["mug-red"], PRODUCTS["mug-blue"]])
    with fresh._slot.lease():  # a search that still runs keeps the old one readable
        pass
    put(fresh, renamed("mug-red", "written-meanwhile"))
    fresh.promote("g2")
    assert fresh.search(SearchRequest()).total == 3
    assert fresh.search(SearchRequest()).generation == "g2"
    statuses = fresh.generations()
    assert [(s.name, s.live, s.products, s.usable) for s in statuses] == [
        ("g1", False, ALL, True),
        ("g2", True, 2, True),
    ]
    put(fresh, renamed("mug-red", "written-later"))
    fresh.delete("mug-blue")
    fresh.promote("g2")  # already
    assert fresh.rollback() == "g1"
    found = set(ids(fresh.search(SearchRequest(limit=1000)).hits))
    assert found == (set(PRODUCTS) | {"written-meanwhile", "written-later"}) - {"mug-blue"}
    with pytest.raises(NotFound, match="no older"):
        fresh.rollback()
    with pytest.raises(StoreError, match="live"):
        fresh.drop("g1")
    with pytest.raises(NotFound):
        fresh.promote("g9")
    fresh.drop("g2")
    assert [s.name for s in fresh.generations()] == ["g1"]
    assert entries(settings) == []  # the only generation left holds them all


def test_the_generation_before_can_be_dropped_at_once(fresh: Engine, settings: Settings) -> None:
    """Even while a search still reads it when the promotion begins."""
    small.build(settings, "g2", PRODUCTS.values())
    reading, go = threading.Event(), threading.Event()

    def read() -> int:
        with fresh._slot.lease() as live:
            assert live is not None
            reading.set()
            go.wait(TIMEOUT_S)
            return len(live.store.get(["mug-red"]))

    with ThreadPoolExecutor(2) as threads:
        reader = threads.submit(read)
        reading.wait(TIMEOUT_S)
        promotion = threads.submit(fresh.promote, "g2")
        while fresh._stores.current() != "g2":
            put(fresh, renamed("mug-red", "beside"))  # writes go on
        go.set()
        assert reader.result(TIMEOUT_S) == 1
        promotion.result(TIMEOUT_S)
        fresh.drop("g1")
    assert fresh.search(SearchRequest()).generation == "g2"


def test_a_failed_promotion_changes_nothing(
    fresh: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.build(settings, "g2", [PRODUCTS["mug-red"]])

    def refuse(generation: str) -> None:
        raise StoreError("read-only disk")

    with monkeypatch.context() as patch:
        patch.setattr(fresh._stores, "promote", refuse)
        with pytest.raises(StoreError, match="read-only disk"):
            fresh.promote("g2")
    assert fresh.search(SearchRequest()).generation == "g1"
    put(fresh, renamed("mug-red", "after"))
    fresh.promote("g2")  # it was let go of, so that it can be opened again
    assert fresh.search(SearchRequest()).total == 2


def test_writes_and_searches_throughout(fresh: Engine, settings: Settings) -> None:
    """Three threads write and one searches while generations change to and fro."""
    small.build(settings, "g2", PRODUCTS.values())
    stop = threading.Event()

    def write(worker: int) -> dict[str, str | None]:
        """What the last acknowledged write of each id left: a title, or nothing."""
        left: dict[str, str | None] = {}
        round_ = 0
        while not stop.is_set() or round_ < 3:
            for n in range(4):
                id, title = f"w{worker}-{n}", f"round {round_}"
                put(fresh, renamed("mug-red", id, title=title))
                left[id] = title
            fresh.delete(f"w{worker}-{round_ % 4}")
            left[f"w{worker}-{round_ % 4}"] = None
            round_ += 1
        return left

    def search() -> set[str]:
        seen = set()
        while not stop.is_set():
            answer = fresh.search(SearchRequest(Query(text="red shoe"), facets=("brand",)))
            assert answer.total >= ALL
            seen.add(answer.generation)
        return seen

    with ThreadPoolExecutor(4) as threads:
        writers: list[Future[dict[str, str | None]]] = [
            threads.submit(write, worker) for worker in range(3)
        ]
        searcher = threads.submit(search)
        try:
            for name in ("g2", "g1", "g2", "g1", "g2"):
                fresh.promote(name)
        finally:
            stop.set()
        expected = {id: t for w in writers for id, t in w.result(TIMEOUT_S).items()}
        assert searcher.result(TIMEOUT_S) <= {"g1", "g2"}
    for generation in ("g2", "g1"):
        fresh.promote(generation)
        assert fresh.search(SearchRequest()).generation == generation
        for id, title in expected.items():
            if title is None:
                with pytest.raises(NotFound):
                    fresh.get(id)
            else:
                assert fresh.get(id).title == title


# Another model


def test_an_index_of_another_model_is_refused_until_it_is_replaced(
    folder: Path, open_shop: OpenShop, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        engine = open_shop(salt="new")
    reason = "generation 'g1' was made by hash 1, this engine runs hash 1: index again"
    assert reason in caplog.text
    for use in (lambda: engine.search(SearchRequest()), lambda: engine.delete("mug-red")):
        with pytest.raises(IndexMismatch, match="index again, or set the encoders back"):
            use()
    health = engine.health()
    assert not health.ready
    assert reason in health.problems[0]
    assert [(s.name, s.live, s.usable) for s in engine.generations()] == [("g1", True, False)]
    small.build(engine.settings, "g2", [PRODUCTS["mug-red"]])
    engine.promote("g2")
    assert engine.search(SearchRequest(Query(text="mug"))).total == 1
    assert engine.health().ready
    with pytest.raises(IndexMismatch, match="g1"):
        engine.rollback()
    assert engine.search(SearchRequest()).generation == "g2"


def test_a_replay_after_a_change_of_model_embeds_again(folder: Path) -> None:
    """From the photos in the shop's folder; one that cannot be read costs the photo only."""
    old, new = small.settings_for(folder), small.settings_for(folder, salt="new")
    red = photo("sofa", "red").rotate(45)
    red.save(folder / "red.png")
    written = renamed("mug-red", "written", title="Turquoise teapot", images=("red.png",))
    lost = renamed("mug-red", "lost", title="Lost thing", images=("gone.png", "../no.png"))
    with open_engine(old) as engine:
        small.build(new, "g2", [PRODUCTS["mug-blue"]])
        assert [r.status for r in engine.put([(written, [red]), (lost, [])])] == ["stored"] * 2
    with open_engine(new) as engine:
        engine.promote("g2")
        assert engine.search(SearchRequest()).total == 3
        by_text = engine.search(SearchRequest(Query(text="turquoise teapot"), profile="words"))
        assert by_text.hits[0].id == "written"
        by_photo = engine.search(SearchRequest(Query(image=red), explain=True))
        assert by_photo.hits[0].id == "written"
        assert by_photo.hits[0].explain is not None
        assert by_photo.hits[0].explain.lanes["photo"].score == pytest.approx(1, abs=1e-3)
        assert "lost" not in ids(by_photo.hits)


def test_what_cannot_be_embedded_again_is_logged(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out of the new generation; the journal keeps it as long as the old one."""
    old, new = small.settings_for(folder), small.settings_for(folder, salt="new")
    broken = photo("mug", "red")
    broken.close()
    with open_engine(old) as engine:
        small.build(new, "g2", [PRODUCTS["mug-blue"]])
        put(engine, renamed("mug-red", "good"), renamed("mug-red", "bad"))
        engine.delete("sofa-red")

    def load(product: Product, root: str) -> list[Image]:
        return [broken] if product.id == "bad" else []

    with open_engine(new, load_images=load) as engine, caplog.at_level(logging.ERROR):
        engine.promote("g2")
        assert set(ids(engine.search(SearchRequest()).hits)) == {"mug-blue", "good"}
    assert "journalled product 'bad' is not replayed: cannot be embedded" in caplog.text


def test_photos_may_come_from_elsewhere(folder: Path) -> None:
    old, new = small.settings_for(folder), small.settings_for(folder, salt="new")
    with open_engine(old) as engine:
        small.build(new, "g2", [PRODUCTS["mug-blue"]])
        put(engine, renamed("mug-red", "written", images=("https://example.com/a.jpg",)))
    asked: list[tuple[str, str]] = []

    def load(product: Product, root: str) -> list[object]:
        asked.append((product.id, root))
        raise OSError("no network")

    with open_engine(new, load_images=load) as engine:
        with pytest.raises(OSError, match="no network"):
            engine.promote("g2")
        assert engine.generations()[-1].usable
    assert asked == [("written", str(folder))]


# One process, and crashes


def test_two_engines_on_one_folder(fresh: Engine, settings: Settings) -> None:
    with pytest.raises(StoreLocked, match="another process"):
        open_engine(settings)
    assert fresh.search(SearchRequest()).total == ALL
    fresh.close()
    with open_engine(settings) as other:
        assert other.search(SearchRequest()).total == ALL


def test_closing(settings: Settings) -> None:
    engine = open_engine(settings)
    put(engine, renamed("mug-red", "written"))
    engine.close()
    engine.close()
    with pytest.raises(NoIndex):
        engine.search(SearchRequest())
    assert absorbed(settings, "g1") == 1


def test_a_start_that_fails_lets_go_of_everything(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.writing import Writer

    def fail(*args: object) -> int:
        raise StoreError("replay failed")

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "replay", fail)
        with pytest.raises(StoreError, match="replay failed"):
            open_engine(settings)
    with open_engine(settings) as engine:
        assert engine.health().ready


def test_health_of_a_store_that_fails(fresh: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(filter: object) -> int:
        raise StoreError("connection refused")

    with fresh._slot.lease() as live:
        assert live is not None
        monkeypatch.setattr(live.store, "count", fail)
    health = fresh.health()
    assert (health.ready, health.generation) == (False, "g1")
    assert health.problems[0] == "connection refused"


WRITER = """
import sys
from pathlib import Path
from tests.engine.shop import open_engine, photo, renamed, settings_for

engine = open_engine(settings_for(Path(sys.argv[1])))
for n in range(100_000):
    batch = [(renamed("mug-red", f"n{n}-{k}"), [photo("mug", "red")]) for k in range(3)]
    engine.put(batch)
    if n % 5 == 4:
        engine.delete(f"n{n - 2}-1")
    print(n, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [3, 110])
def test_kill_9_loses_nothing_acknowledged(
    folder: Path, settings: Settings, root: Path, acknowledged: int
) -> None:
    """Once before and once after the live generation has said how far it is."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child.stdout as acks:
        for line in acks:
            if int(line) == acknowledged:
                break
        os.kill(child.pid, signal.SIGKILL)
        last = max([acknowledged, *(int(line) for line in acks if line.endswith("\n"))])
    assert child.wait(TIMEOUT_S) == -signal.SIGKILL
    deleted = {f"n{n - 2}-1" for n in range(4, last + 1, 5)}
    with open_engine(settings) as engine:
        for n in range(last + 1):
            for k in range(3):
                id = f"n{n}-{k}"
                if id in deleted:
                    with pytest.raises(NotFound):
                        engine.get(id)
                else:
                    assert engine.get(id).id == id
        answer = engine.search(SearchRequest(Query(text="red mug"), limit=1000))
        assert deleted.isdisjoint(ids(answer.hits))
