"""Live writes: searchable and durable once acknowledged, a bad item alone in its failure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine import (
    Engine,
    NotFound,
    Product,
    Query,
    SearchRequest,
    Settings,
    StoreError,
    Vectors,
    WriteResult,
)
from engine.core import JOURNAL_FILE
from engine.journal import Journal
from engine.writing import CHECKPOINT_EVERY, CHUNK

from .shop import PRODUCTS, ids, open_engine, photo, renamed

TEAPOT = Product(
    id="teapot",
    title="Turquoise teapot",
    brand="Acme",
    price=12.0,
    attributes={"color": "turquoise", "spout": "long", "lid": True},
)


def put(shop: Engine, *products: Product) -> list[WriteResult]:
    return shop.put([(product, []) for product in products])


def find(shop: Engine, **query: Any) -> list[str]:
    return ids(shop.search(SearchRequest(Query(**query), limit=3, profile="words")).hits)


def journalled(settings: Settings) -> list[str]:
    journal = Journal(settings.data_path / JOURNAL_FILE)
    found = [entry.id for batch in journal.after(0) for entry in batch]
    journal.close()
    return found


def test_a_new_product_is_found_in_every_way(fresh: Engine) -> None:
    picture = Image.effect_noise((32, 32), 90).convert("RGB")
    (result,) = fresh.put([(TEAPOT, [photo("mug", "red"), picture])])
    assert result == WriteResult(
        "teapot",
        "stored",
        warning="stored, but cannot be filtered until the next full index: lid, spout",
    )
    assert fresh.get("teapot") == TEAPOT
    assert find(fresh, text="turquoise teapot")[0] == "teapot"
    assert find(fresh, image=picture)[0] == "teapot"
    answer = fresh.search(SearchRequest(filters={"color": "turquoise"}, facets=("brand",)))
    assert ids(answer.hits) == ["teapot"]
    assert answer.facets["brand"].values[0].value == "Acme"
    assert fresh.health().products == len(PRODUCTS) + 1


def test_putting_again_replaces(fresh: Engine) -> None:
    for title in ("First", "Second"):
        (result,) = put(fresh, renamed("mug-red", "mug-red", title=title))
        assert result == WriteResult("mug-red", "stored")
    assert fresh.get("mug-red").title == "Second"
    assert fresh.health().products == len(PRODUCTS)
    assert "mug-red" not in find(fresh, image=photo("mug", "red"))[:1]  # its photo is gone


def test_of_one_id_in_one_call_the_last_counts(fresh: Engine) -> None:
    results = put(fresh, renamed("mug-red", "x", title="One"), renamed("mug-red", "x", title="Two"))
    assert [r.status for r in results] == ["stored", "stored"]
    assert fresh.get("x").title == "Two"


def test_deleting(fresh: Engine) -> None:
    fresh.delete("mug-red")
    for gone in ("mug-red", "never-there"):
        with pytest.raises(NotFound, match=gone):
            fresh.delete(gone)
        with pytest.raises(NotFound, match=gone):
            fresh.get(gone)
    assert "mug-red" not in find(fresh, image=photo("mug", "red"))
    assert put(fresh, PRODUCTS["mug-red"])[0].status == "stored"
    assert fresh.get("mug-red") == PRODUCTS["mug-red"]


def test_like_a_product_without_photos(fresh: Engine) -> None:
    put(fresh, TEAPOT)
    answer = fresh.search(SearchRequest(Query(like=("teapot",)), explain=True))
    assert {lane for hit in answer.hits if hit.explain for lane in hit.explain.lanes} == {
        "like_text"
    }


def test_nothing_to_put(fresh: Engine) -> None:
    assert fresh.put([]) == []


def test_one_bad_photo_fails_alone(fresh: Engine, settings: Settings) -> None:
    broken = Image.new("RGB", (4, 4))
    broken.close()
    items = [
        (renamed("mug-red", f"p{i}"), [broken if i == 70 else photo("mug", "red")])
        for i in range(CHUNK + 20)
    ]
    results = fresh.put(items)
    assert [r.id for r in results] == [p.id for p, _ in items]
    assert [r.id for r in results if r.status == "failed"] == ["p70"]
    assert results[70].error == "cannot be embedded: ValueError"
    assert fresh.health().products == len(PRODUCTS) + CHUNK + 19
    assert "p70" not in journalled(settings)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "id": ({"id": ""}, "length >= 1"),
    "long id": ({"id": "x" * 257}, "length <= 256"),
    "title": ({"title": ""}, "length >= 1.*title"),
    "price": ({"price": -1.0}, ">= 0.*price"),
    "date": ({"updated_at": "yesterday"}, "updated_at: .*'yesterday'"),
    "attribute": ({"attributes": {"color": None}}, "color|attributes"),
    "type": ({"brand": 3}, "Expected `str`"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_product_that_could_not_be_read_again_never_enters(
    fresh: Engine, settings: Settings, case: str
) -> None:
    """Once in the journal it would fail every replay, and so every start."""
    changes, reason = BAD[case]
    good, bad = renamed("mug-red", "good"), renamed("mug-red", **{"id": "bad", **changes})
    results = put(fresh, good, bad, renamed("mug-red", "also-good"))
    assert [r.status for r in results] == ["stored", "failed", "stored"]
    assert results[1].id == bad.id
    assert re.search(reason, results[1].error)
    fresh.close()
    assert journalled(settings) == ["good", "also-good"]
    with open_engine(settings) as again:
        assert again.health().products == len(PRODUCTS) + 2


def test_an_embedding_that_is_not_finite_never_enters(
    fresh: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = fresh._text.encode_texts

    def sometimes(texts: Sequence[str], role: Any) -> Vectors:
        rows = encode(texts, role)
        rows[["poison" in text for text in texts]] = np.nan
        return rows

    monkeypatch.setattr(fresh._text, "encode_texts", sometimes)
    good, bad = renamed("mug-red", "good"), renamed("mug-red", "bad", title="poison")
    results = put(fresh, good, bad)
    assert [r.status for r in results] == ["stored", "failed"]
    assert "not finite" in results[1].error
    assert journalled(settings) == ["good"]


def test_writes_survive_a_restart(fresh: Engine, settings: Settings) -> None:
    put(fresh, TEAPOT)
    fresh.delete("mug-red")
    fresh.close()
    with open_engine(settings) as again:
        assert again.get("teapot") == TEAPOT
        assert find(again, text="turquoise teapot")[0] == "teapot"
        with pytest.raises(NotFound):
            again.get("mug-red")


def test_what_was_journalled_but_not_applied_is_applied_at_the_next_start(
    fresh: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the process had died between the two."""
    put(fresh, renamed("mug-red", "first"))
    with fresh._slot.lease() as live:
        assert live is not None

        def dies(*args: object) -> None:
            raise StoreError("power cut")

        with monkeypatch.context() as patch:
            patch.setattr(live.store, "upsert", dies)
            patch.setattr(live.store, "delete", dies)
            patch.setattr(fresh._writer, "checkpoint", lambda generation: None)
            with pytest.raises(StoreError, match="power cut"):
                put(fresh, TEAPOT)
            with pytest.raises(StoreError, match="power cut"):
                fresh.delete("mug-red")
    monkeypatch.setattr(fresh._writer, "checkpoint", lambda generation: None)
    fresh.close()
    with open_engine(settings) as again:
        assert again.get("teapot") == TEAPOT
        assert find(again, text="turquoise teapot")[0] == "teapot"
        with pytest.raises(NotFound):
            again.get("mug-red")


def test_the_generation_says_now_and_then_how_far_it_is(fresh: Engine, settings: Settings) -> None:
    journal = Journal(settings.data_path / JOURNAL_FILE)
    many = [renamed("mug-red", f"p{i}") for i in range(CHECKPOINT_EVERY - 1)]
    put(fresh, *many)
    assert journal.absorbed("g1") == 0
    put(fresh, TEAPOT)
    assert journal.absorbed("g1") == journal.last() == CHECKPOINT_EVERY
    fresh.delete("teapot")
    assert journal.absorbed("g1") == CHECKPOINT_EVERY
    fresh.close()
    assert journal.absorbed("g1") == journal.last() == CHECKPOINT_EVERY + 1
    journal.close()
