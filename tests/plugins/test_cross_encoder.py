"""Ranker ``cross-encoder``, on a model that counts the words of the query in a text."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine import (
    Explains,
    InvalidModel,
    InvalidSettings,
    PluginManager,
    Query,
    RankingBatch,
    Settings,
    Vectors,
)
from engine.manifest import FILE_NAME, load_manifest, save_manifest
from engine.testing.ranker_contract import RankerContract, make_batch
from plugins.cross_encoder import REMEMBERED, PairReader

MODEL = Path(__file__).parent / "golden" / "pair-overlap"
MANAGER = PluginManager()
TITLES = ["blue shirt", "red shoes", "red leather purse", "nike", "leather bags"]
"""For "red leather purse": 0, 1, 3, 0 and 1 of its words."""


def make(**options: object) -> Any:
    return MANAGER.create("rankers", "cross-encoder", {"model": str(MODEL), **options})


def window(titles: list[Any] = TITLES, **columns: list[Any]) -> RankingBatch:
    return make_batch(len(titles), {"title": titles, **columns})


def order(scores: Vectors) -> list[int]:
    return np.argsort(-scores, kind="stable").tolist()


class TestContract(RankerContract):
    @pytest.fixture(params=[{}, {"top": 200, "fields": ["title", "brand", "category"]}])
    def ranker(self, request: pytest.FixtureRequest) -> Any:
        return make(**request.param)


def test_the_model_decides_the_order() -> None:
    batch = window()
    scores = make().rank(batch)
    assert order(scores) == [2, 1, 4, 0, 3], "equals keep the order they had"
    assert sorted(scores) == sorted(batch.scores), "the same scores, dealt out again"


def test_only_the_top_is_read() -> None:
    batch = window([*TITLES, "red leather purse"])
    scores = make(top=3).rank(batch)
    assert order(scores) == [2, 1, 0, 3, 4, 5]
    np.testing.assert_array_equal(scores[3:], batch.scores[3:])


def test_the_top_is_that_of_the_ranking_so_far() -> None:
    """The window keeps its fused order, whatever rankers did before."""
    batch = msgspec.structs.replace(window(), scores=np.float32([1, 2, 3, 5, 4]))
    assert order(make(top=2).rank(batch)) == [4, 3, 2, 1, 0]


@given(st.lists(st.sampled_from([0.01, 0.02, 0.03]), min_size=2, max_size=12), st.integers(2, 12))
def test_equal_scores_do_not_undo_it(scores: list[float], top: int) -> None:
    titles = [TITLES[i % len(TITLES)] for i in range(len(scores))]
    falling = np.sort(np.float32(scores))[::-1]
    batch = msgspec.structs.replace(window(titles), scores=falling)
    found = make(top=top).rank(batch)
    ranker = make(top=top)
    relevance = ranker.reader.read("red leather purse", titles[:top])
    assert order(found)[:top] == order(relevance)
    assert order(found)[top:] == list(range(top, len(titles)))
    np.testing.assert_allclose(np.sort(found), np.sort(falling), rtol=1e-5)


@pytest.mark.parametrize(
    "query",
    [
        Query("red leather purse", image=Image.new("RGB", (8, 8))),
        Query("red leather purse", like=("p1",)),
    ],
)
def test_words_beside_something_else_are_not_read(query: Query) -> None:
    batch = window()
    request = msgspec.structs.replace(batch.request, query=query)
    asked = msgspec.structs.replace(batch, request=request)
    np.testing.assert_array_equal(make().rank(asked), batch.scores)
    assert make().explain(asked, np.arange(2)) == [{}, {}]


def test_a_query_without_words_is_not_read() -> None:
    batch = make_batch(5, {"title": TITLES}, text="")
    np.testing.assert_array_equal(make().rank(batch), batch.scores)


def test_the_searched_text_is_read() -> None:
    """A corrected one, then."""
    batch = window()
    plan = msgspec.structs.replace(batch.plan, original="red lether perse", text="nike")
    assert order(make().rank(msgspec.structs.replace(batch, plan=plan)))[0] == 3


def test_the_fields_in_their_order() -> None:
    ranker = make(fields=["brand", "title", "category", "color"])
    assert ranker.required_fields == ("brand", "title", "category", "color")
    read: list[Any] = []
    ranker.reader = _Recorder(read)
    batch = window(
        ["shirt", "purse"],
        brand=["nike", None],
        category=[["Women", "Women > Bags"], None],
        color=[["red", "blue"], 7.5],
    )
    ranker.rank(batch)
    text = batch.plan.text
    assert read == [(text, ("nike, shirt, Women > Bags, red, blue", "purse, 7.5"))]


class _Recorder:
    def __init__(self, read: list[Any]) -> None:
        self._read = read

    def read(self, query: str, texts: tuple[str, ...]) -> Vectors:
        self._read.append((query, texts))
        return np.arange(len(texts), dtype=np.float32)


def test_a_search_is_read_once() -> None:
    """Its pages and its explanation come from what was read first; another one is read."""
    ranker, read = make(), list[Any]()
    ranker.reader = _Recorder(read)
    ranker.rank(window())
    ranker.rank(window())
    ranker.explain(window(), np.arange(5))
    assert len(read) == 1
    ranker.rank(window([*TITLES[:4], "a"]))
    assert len(read) == 2
    for i in range(REMEMBERED):
        ranker.rank(window([*TITLES[:4], str(i)]))
    ranker.rank(window())
    assert len(read) == 3 + REMEMBERED, "the oldest is forgotten"


def test_it_says_how_relevant_it_finds_a_product() -> None:
    ranker = make(top=4)
    assert isinstance(ranker, Explains)
    reasons = ranker.explain(window(), np.asarray([2, 0, 4]))
    assert reasons == [
        {"relevance": "95%", "place": "3 → 1 of 4"},
        {"relevance": "50%", "place": "1 → 3 of 4"},
        {},
    ]


def test_long_pairs_are_cut() -> None:
    reader = make(max_tokens=8).reader
    words = "red " * 200
    np.testing.assert_array_equal(reader.read("red", [words]), reader.read("red", [words * 9]))


def test_a_pair_is_the_same_alone_and_in_a_batch() -> None:
    reader = make().reader
    texts = [*TITLES, "", "red " * 9, "男士黑色皮鞋", "half a pair \ud83d", "a"] * 4
    together = reader.read("red leather purse", texts)
    alone = [reader.read("red leather purse", [text])[0] for text in texts]
    np.testing.assert_array_equal(together, alone)


def test_a_folder_without_a_pair_tower() -> None:
    with pytest.raises(InvalidModel, match=r"has no pair tower.*import-cross-encoder"):
        make(model="product-clip")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match="no model at"):
        make(model=str(tmp_path / "nowhere"))


def test_a_graph_of_something_else(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    shutil.copyfile(MODEL.parent / "query-lookup" / "query.onnx", folder / "pair.onnx")
    save_manifest(folder, _manifest(folder))
    with pytest.raises(InvalidModel, match=r"not a pair tower.*import it again"):
        PairReader(folder, threads=1, max_tokens=16)


def _manifest(folder: Path) -> Any:
    """Of a folder whose files were changed."""
    manifest = load_manifest(MODEL)
    assert json.loads((folder / FILE_NAME).read_text())["pair"]["file"] == "pair.onnx"
    return manifest


@pytest.mark.parametrize(
    "options", [{"top": 1}, {"fields": []}, {"max_tokens": 4}, {"threads": 0}, {"first": 20}]
)
def test_wrong_options(options: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings, match="cross-encoder"):
        make(**options)


def test_the_model_must_be_named() -> None:
    with pytest.raises(InvalidSettings, match="model"):
        MANAGER.create("rankers", "cross-encoder", {})


def test_the_documented_settings_are_settings(root: Path) -> None:
    text = (root / "docs" / "cross-encoder.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    settings = msgspec.convert(tomllib.loads(block), Settings)
    assert "cross-encoder" in settings.profiles["default"].rankers
    options = dict(settings.plugins.options["cross-encoder"])
    assert make(**options | {"model": str(MODEL)}).required_fields == ("title", "brand")
    defaults = msgspec.convert({"model": "x"}, MANAGER.options_of("rankers", "cross-encoder"))
    rows = re.findall(r"^\| `(top|max_tokens|threads)` \| (\d+) \|", text, re.MULTILINE)
    assert {name: int(value) for name, value in rows} == {
        name: getattr(defaults, name) for name in ("top", "max_tokens", "threads")
    }
