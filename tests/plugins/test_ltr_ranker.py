"""Ranker ``ltr``: its contract, what its scores and explanations say, its log, its versions."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from engine import (
    Engine,
    InvalidModel,
    NotFound,
    PluginError,
    PluginManager,
    Query,
    Ranker,
    SearchRequest,
)
from engine.settings import PluginSettings, ProfileSettings
from engine.testing.ranker_contract import RankerContract, make_batch
from plugins.ltr import booster, features
from plugins.ltr.feature_log import read_line
from plugins.ltr.models import FOLDER, MANIFEST, TREES, Versions
from plugins.ltr.ranker import Ltr, LtrOptions
from tests.engine import shop as small
from tests.engine.conftest import copy_shop

from . import ltr_data


def make(data_dir: Path, **options: object) -> Ltr:
    return Ltr(LtrOptions(data_dir=str(data_dir), **options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a live model; for reading."""
    folder = tmp_path_factory.mktemp("trained")
    ltr_data.live_model(folder)
    return folder


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """One to change."""
    ltr_data.live_model(tmp_path)
    return tmp_path


class TestContract(RankerContract):
    @pytest.fixture
    def ranker(self, trained: Path) -> Ranker:
        return make(trained)


def window(n: int = 30) -> Any:
    titles = [f"{'red ' if i % 2 else ''}{'leather ' if i % 3 else ''}purse {i}" for i in range(n)]
    return make_batch(n, {"title": titles})


def test_scores_are_odds_below_the_best_score_before(trained: Path) -> None:
    batch, model = window(), Versions(trained / FOLDER).load("v1")
    margins = model.trees.margins(features.matrix(batch))
    scores = make(trained).rank(batch)
    assert scores.max() == batch.scores.max()
    np.testing.assert_allclose(
        np.log(scores[3] / scores[4]), margins[3] - margins[4], rtol=1e-4, atol=1e-6
    )
    assert (scores > 0).all()
    np.testing.assert_array_equal(np.argsort(-scores), np.argsort(-margins))


def test_it_orders_by_what_it_learned(trained: Path) -> None:
    batch = window()
    told = features.matrix(batch)[:, features.NAMES.index(ltr_data.TELLS)]
    best = np.argsort(-make(trained).rank(batch))[:5]
    assert told[best].min() > np.median(told)


def test_contributions_sum_to_the_margin(trained: Path) -> None:
    model = Versions(trained / FOLDER).load("v1")
    values = features.matrix(window())
    parts = model.trees.contributions(values)
    assert parts.shape == (30, len(features.NAMES) + 1)
    np.testing.assert_allclose(parts.sum(1), model.trees.margins(values), atol=1e-9)


def test_explanations_name_the_weightiest_features(trained: Path) -> None:
    batch, model = window(), Versions(trained / FOLDER).load("v1")
    found = make(trained).explain(batch, np.asarray([4, 1]))
    margins = model.trees.margins(features.matrix(batch))
    for row, causes in zip((4, 1), found, strict=True):
        *parts, margin = [float(str(words).split()[0]) for words in causes.values()]
        assert list(causes)[-2:] == ["all else", "margin"]
        assert margin == pytest.approx(margins[row], abs=1e-4)
        assert sum(parts) == pytest.approx(margin, abs=1e-3)
        weights = np.abs(parts[:-1])
        assert (np.diff(weights) <= 1e-4).all(), "the weightiest first"
        values = dict(zip(features.NAMES, features.matrix(batch)[row].tolist(), strict=True))
        for name, words in list(causes.items())[:-2]:
            value = "no value" if np.isnan(values[name]) else f"{values[name]:.4g}"
            assert str(words).endswith(f" log-odds at {value}")


def test_the_popularity_field_comes_from_the_model(tmp_path: Path) -> None:
    ltr_data.live_model(tmp_path, rule="popularity", popularity="sold")
    ranker = make(tmp_path)
    assert "sold" in ranker.required_fields
    batch = make_batch(10, {"sold": [0.0] * 9 + [2.0]})
    assert np.argmax(ranker.rank(batch)) == 9


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small shop, indexed; copied, never opened."""
    folder = tmp_path_factory.mktemp("shop")
    settings = small.settings_for(folder)
    small.build(settings, "g1", small.PRODUCTS.values())
    small.make_live(settings, "g1")
    return folder


def in_shop(built: Path, folder: Path, **options: object) -> Engine:
    """The small shop with ``ltr`` alone in its default profile, and ``plain`` without it."""
    copy_shop(built, folder)
    ltr_data.live_model(folder / "data")
    profiles = {"default": ProfileSettings(rankers=("ltr",)), "plain": ProfileSettings(rankers=())}
    settings = small.settings_for(folder, **profiles)
    plugins = PluginSettings(deadline_ms=60_000, options={"ltr": dict(options)})
    return small.open_engine(msgspec.structs.replace(settings, plugins=plugins))


def test_features_are_logged_exactly_as_scored(built: Path, tmp_path: Path) -> None:
    file = tmp_path / "features.jsonl"
    with in_shop(built, tmp_path / "shop", log=str(file), sample=1.0) as shop:
        request = SearchRequest(
            Query("Red Shoe"), user_id="somebody", session_id="somewhere", limit=5, explain=True
        )
        answer = shop.search(request)
        again = shop.window(SearchRequest(Query("Red Shoe"), profile="plain"), features.fields())
    (text,) = file.read_bytes().splitlines()
    line, values = read_line(text)
    assert (line.query, line.model, line.ids) == ("Red Shoe", "v1", again.ids)
    assert values.tobytes() == features.matrix(again).tobytes()
    assert b"some" not in text, "who searched is not written down"
    assert "margin" in answer.hits[0].explain.reasons["ltr"]  # type: ignore[union-attr]
    assert not answer.degraded


@pytest.mark.parametrize(("share", "lines"), [(0.0, 0), (1.0, 3)])
def test_a_share_of_searches_is_logged(data_dir: Path, share: float, lines: int) -> None:
    file = data_dir / "log"
    ranker = make(data_dir, log=str(file), sample=share)
    for _ in range(3):
        ranker.rank(window())
    assert (file.read_bytes().count(b"\n") if file.exists() else 0) == lines


def test_a_log_that_cannot_be_written_spoils_no_search(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ranker = make(data_dir, log=str(data_dir), sample=1.0)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert len(ranker.rank(window())) == 30
    assert [record.message for record in caplog.records] == [
        f"features are not logged: {data_dir}: Is a directory"
    ]


def test_features_are_collected_before_there_is_a_model(tmp_path: Path) -> None:
    ranker = make(tmp_path, log=str(tmp_path / "log"), sample=1.0)
    batch = window()
    np.testing.assert_array_equal(ranker.rank(batch), batch.scores)
    assert ranker.explain(batch, np.asarray([0])) == [{}]
    line, _ = read_line((tmp_path / "log").read_bytes())
    assert line.model == ""


def test_without_a_model_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"no live model.*entrepot ltr train"):
        make(tmp_path)
    with pytest.raises(InvalidModel, match=r"no ranking model at .*v7"):
        make(tmp_path, model=str(tmp_path / "v7"))


def wait_for_reload() -> None:
    for thread in threading.enumerate():
        if thread.name == "ltr-model":
            thread.join()


def test_a_new_live_version_is_followed(data_dir: Path) -> None:
    ranker, batch = make(data_dir), window()
    first = ranker.rank(batch)
    versions = Versions(data_dir / FOLDER)
    other = ltr_data.trees(rule="title_words", seed=1)
    versions.promote(versions.add(ltr_data.manifest(), other))
    np.testing.assert_array_equal(ranker.rank(batch), first)
    wait_for_reload()
    assert not np.array_equal(ranker.rank(batch), first)


def test_a_broken_new_version_leaves_the_old_one_at_work(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ranker, batch = make(data_dir), window()
    first = ranker.rank(batch)
    versions = Versions(data_dir / FOLDER)
    (versions.folder / "v2").mkdir()
    versions.pointer.unlink()
    versions.pointer.write_text("v2")
    ranker.rank(batch)
    wait_for_reload()
    np.testing.assert_array_equal(ranker.rank(batch), first)
    assert "the new ranking model is not used" in caplog.text


def test_a_chosen_version_stays(data_dir: Path) -> None:
    versions = Versions(data_dir / FOLDER)
    second = versions.add(ltr_data.manifest(), ltr_data.trees(rule="title_words"))
    ranker, batch = make(data_dir, model="v1"), window()
    first = ranker.rank(batch)
    versions.promote(second)
    ranker.rank(batch)
    wait_for_reload()
    np.testing.assert_array_equal(ranker.rank(batch), first)
    np.testing.assert_array_equal(
        make(data_dir, model=str(versions.folder / "v1")).rank(batch), first
    )


def test_versions_are_kept_and_named_in_order(data_dir: Path) -> None:
    versions = Versions(data_dir / FOLDER)
    fitted = ltr_data.trees()
    for _ in range(10):
        versions.add(ltr_data.manifest(), fitted)
    assert versions.names() == [f"v{n}" for n in range(1, 12)]
    assert versions.live() == "v1"
    with pytest.raises(NotFound, match=r"no ranking model 'v99'.*v11"):
        versions.promote("v99")


def damage(folder: Path, what: str) -> None:
    path = folder / MANIFEST
    if what == "no manifest":
        path.unlink()
    elif what == "no trees":
        (folder / TREES).unlink()
    elif what == "other trees":
        (folder / TREES).write_bytes((folder / TREES).read_bytes() + b" ")
    elif what == "cut manifest":
        path.write_bytes(path.read_bytes()[:100])
    else:
        found = msgspec.json.decode(path.read_bytes())
        if what == "newer format":
            found["format"] = 99
        elif what == "other version":
            found["features_version"] = 0
        else:
            found["features"] = ["moon_phase", *found["features"][1:]]
        path.write_bytes(msgspec.json.encode(found))


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("no manifest", "no ranking model at"),
        ("no trees", r"model\.txt.*train again"),
        ("other trees", "damaged or was changed"),
        ("cut manifest", "does not describe"),
        ("newer format", "format 99 is newer"),
        ("other version", "other features.*version 0, here"),
        ("other names", "unknown here: moon_phase; not in the model: score"),
    ],
)
def test_a_damaged_or_foreign_model_is_refused(data_dir: Path, what: str, reason: str) -> None:
    versions = Versions(data_dir / FOLDER)
    damage(versions.folder / "v1", what)
    with pytest.raises(InvalidModel, match=reason):
        make(data_dir)
    with pytest.raises(InvalidModel):
        versions.promote("v1")


def test_what_is_no_model_at_all_is_refused(data_dir: Path) -> None:
    versions = Versions(data_dir / FOLDER)

    class Text:
        def text(self) -> str:
            return "tree\nversion=v4\nnum_class=what\n"

    name = versions.add(ltr_data.manifest(), Text())  # type: ignore[arg-type]
    with pytest.raises(InvalidModel, match="is not a LightGBM model"):
        versions.load(name)


def test_the_engine_says_where_the_models_are(built: Path, tmp_path: Path) -> None:
    with in_shop(built, tmp_path / "shop") as shop:
        found = shop.search(SearchRequest(Query("red shoe"), explain=True))
    assert not found.degraded
    assert found.hits[0].explain.rankers.keys() == {"ltr"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("trouble", "remedy"),
    [
        (ImportError("no"), r"pip install 'entrepot\[ltr\]'"),
        (OSError("libgomp.so.1: cannot open"), "libgomp1"),
    ],
)
def test_without_lightgbm_it_says_what_to_install(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception, remedy: str
) -> None:
    def fail(name: str) -> None:
        raise trouble

    monkeypatch.setattr(booster.importlib, "import_module", fail)
    with pytest.raises(PluginError, match=remedy):
        make(data_dir)


def test_it_is_a_builtin() -> None:
    assert "ltr" in PluginManager().names("rankers")
