"""``entrepot recommend``: from events to a collaborative model that is live, and what is in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from api.cli import main
from engine import (
    Event,
    Interactions,
    InvalidModel,
    InvalidRequest,
    NotFound,
    load_settings,
    open_events,
    read_interactions,
)
from engine.conformance import an_occasion
from engine.testing import RecommenderContract
from engine.testing.event_data import NOW, make_event
from plugins.recommenders import training
from plugins.recommenders.collaborative import Collaborative, CollaborativeOptions, fold_in
from plugins.recommenders.models import FOLDER, KEPT, Factors, Figures, Manifest, Versions

implicit = pytest.importorskip("implicit", reason="the extra `recommend` is not installed")
scipy = pytest.importorskip("scipy.sparse")
threadpoolctl = pytest.importorskip("threadpoolctl")

CONFIG = 'data_dir = "data"\n[events]\nanonymity = 3\n'
SHOPPERS, VISITS, TASTES = 60, 4, 4
RARE = "seen-by-one"
Run = Callable[..., Result]


def events(now: datetime, *, tastes: int = TASTES) -> list[Event]:
    """Shoppers who come back for more of their kind of product; ``p000`` to ``p039``."""
    rng = np.random.default_rng(3)
    found = []
    for shopper in range(SHOPPERS):
        liked = np.arange(shopper % tastes, 40, tastes)
        picked = rng.permutation(liked)[: 2 * VISITS]
        for visit in range(VISITS):
            at = now - timedelta(days=30 - 7 * visit, minutes=shopper)
            who = {"user_id": f"shopper-{shopper}", "session_id": f"{shopper}-{visit}"}
            mine = [f"p{n:03}" for n in picked[2 * visit : 2 * visit + 2]]
            found += [make_event("click", [id], time=at, **who) for id in mine]
    found.append(make_event("click", [RARE], user_id="shopper-1", time=now - timedelta(days=9)))
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "entrepot.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "REGULARIZATIONS", (1.0, 30.0))
    return tmp_path


@pytest.fixture
def run() -> Run:
    return lambda *args: CliRunner().invoke(main, ["recommend", *args])


def store(given: Sequence[Event]) -> None:
    kept = open_events(load_settings(Path("entrepot.toml")))
    assert kept is not None
    with closing(kept):
        assert set(kept.append(given)) == {"accepted"}


def versions(folder: Path) -> Versions:
    return Versions(folder / "data")


def test_from_events_to_a_live_model(run: Run, folder: Path) -> None:
    store(events(datetime.now(UTC)))
    served = Collaborative(CollaborativeOptions(str(folder / "data")))
    assert list(served.recommend(an_occasion(), 10)) == []
    trained = run("train", "--factors", "8")
    assert trained.exit_code == 0, trained.output
    assert "v1 is live" in trained.output
    manifest = versions(folder).manifest("v1")
    assert manifest.figures.hit_rate > manifest.figures.baseline
    assert manifest.interactions == len(events(NOW))
    assert manifest.shoppers == SHOPPERS
    shown = run("show")
    assert shown.exit_code == 0
    assert shown.output.startswith("* v1")
    # One that runs already follows on a thread of its own.
    served.recommend(an_occasion(), 10)
    for thread in threading.enumerate():
        if thread.name == "recommend-model":
            thread.join(30)
    found = served.recommend(an_occasion(seeds=["p000"]), 5)
    assert [int(each.id[1:]) % TASTES for each in found] == [0] * 5
    assert {each.kind for each in found} == {"taste"}


def test_no_shopper_is_in_a_model(run: Run, folder: Path) -> None:
    """Products' factors alone, of products that enough shoppers saw."""
    store(events(datetime.now(UTC)))
    assert run("train", "--factors", "8").exit_code == 0
    kept = {path.name: path.read_bytes() for path in (folder / "data" / FOLDER / "v1").iterdir()}
    assert set(kept) == {"factors.npy", "model.json"}
    manifest = versions(folder).manifest("v1")
    factors = versions(folder).load("v1")
    assert factors.products.shape == (len(manifest.products), 8)
    assert RARE not in manifest.products
    assert not any(b"shopper-" in data for data in kept.values())
    settings = load_settings(Path("entrepot.toml"))
    events_kept = open_events(settings)
    assert events_kept is not None
    with closing(events_kept):
        events_kept.erase("shopper-7", datetime.now(UTC))
    everything = [path for path in (folder / "data").rglob("*") if path.is_file()]
    assert not [path for path in everything if b"shopper-7" in path.read_bytes()]


def test_a_model_that_is_no_better_does_not_go_live(run: Run, folder: Path) -> None:
    """Everybody wants the same, which popularity knows already."""
    now = datetime.now(UTC)
    same = [
        make_event("click", [f"p{n:03}"], user_id=f"u{s}", session_id=f"u{s}-{n}",
                   time=now - timedelta(days=20 - n, seconds=s))
        for n in range(20)
        for s in range(30)
    ]  # fmt: skip
    store(same)
    failed = run("train", "--factors", "8")
    assert failed.exit_code == 1
    assert "no better than popularity" in failed.output
    assert versions(folder).names() == ["v1"]
    assert versions(folder).live() == ""
    refused = run("use", "v1")
    assert refused.exit_code == 1


def test_nothing_to_learn_from(run: Run, folder: Path) -> None:
    assert "no model in" in run("show").output
    assert "events: no two shoppers came back" in run("train").output
    store(events(datetime.now(UTC))[:30])
    failed = run("train")
    assert failed.exit_code > 0
    assert "train when more has happened" in failed.output
    (folder / "entrepot.toml").write_text('data_dir = "data"\n[events]\nplugin = ""\n')
    assert "keeps no events" in run("train").output


def test_old_versions_go(run: Run, folder: Path) -> None:
    store(events(datetime.now(UTC)))
    for _ in range(KEPT + 2):
        assert run("train", "--factors", "8").exit_code == 0
    assert versions(folder).names() == ["v3", "v4"]
    assert run("use", "v3").output == "v3 is live\n"
    assert versions(folder).live() == "v3"
    unknown = run("use", "v9")
    assert unknown.exit_code == 1
    assert "there are: v3, v4" in unknown.output


def test_versions_that_never_went_live_go_too(run: Run, folder: Path) -> None:
    store(events(datetime.now(UTC)))
    assert run("train", "--factors", "8").exit_code == 0
    held = versions(folder)
    for _ in range(KEPT + 2):
        held.add(held.manifest("v1"), held.load("v1").products)
    assert held.names() == ["v1", "v4", "v5"], "the live one and the newest"


@pytest.fixture(scope="module")
def seen() -> Interactions:
    return read_interactions([events(NOW)], NOW)


RECIPE = training.Recipe(factors=8, least=3, regularization=3.0)


def test_the_same_seed_gives_the_same_model(seen: Interactions) -> None:
    one, other = training.fit(seen, RECIPE), training.fit(seen, RECIPE)
    np.testing.assert_array_equal(one.products, other.products)


def test_a_shopper_is_folded_in_as_implicit_would_fit_them(seen: Interactions) -> None:
    factors = training.fit(seen, RECIPE)

    rows, weights = np.asarray([0, 4, 7]), np.asarray([1.0, 5.0, 2.0], dtype=np.float32)
    with threadpoolctl.threadpool_limits(1, "blas"):
        model = implicit.cpu.als.AlternatingLeastSquares(
            factors=8, regularization=RECIPE.regularization, use_cg=False
        )
    model.item_factors = factors.products
    confidences = 1 + RECIPE.alpha * weights
    history = scipy.csr_matrix(
        (confidences, ([0, 0, 0], rows)), shape=(1, len(factors.ids)), dtype=np.float32
    )
    expected = model.recalculate_user(0, history)
    np.testing.assert_allclose(fold_in(factors, rows, weights), expected, rtol=1e-3, atol=1e-4)


def test_too_few_shoppers(seen: Interactions) -> None:
    recipe = msgspec.structs.replace(RECIPE, least=SHOPPERS + 1)
    with pytest.raises(InvalidRequest, match="train when more has happened"):
        training.fit(seen, recipe)


def a_model(folder: Path, seen: Interactions) -> Versions:
    factors = training.fit(seen, RECIPE)
    kept = Versions(folder)
    kept.promote(kept.add(manifest_of(factors), factors.products))
    return kept


def manifest_of(factors: Factors) -> Manifest:
    return Manifest(
        products=factors.ids,
        factors=8,
        alpha=factors.alpha,
        regularization=factors.regularization,
        iterations=15,
        seed=0,
        interactions=1,
        shoppers=1,
        trained_at="",
        implicit="",
        figures=Figures(1, 1.0, 0.0, 0.0, 1.0),
    )


class TestCollaborative(RecommenderContract):
    @pytest.fixture
    def recommender(self, tmp_path: Path, seen: Interactions) -> Collaborative:
        a_model(tmp_path, seen)
        return Collaborative(CollaborativeOptions(str(tmp_path)))


@pytest.mark.parametrize("damage", ["factors.npy", "model.json", "newer"])
def test_damaged_models_are_refused(tmp_path: Path, seen: Interactions, damage: str) -> None:
    kept = a_model(tmp_path, seen)
    folder = tmp_path / FOLDER / "v1"
    if damage == "newer":
        newer = msgspec.structs.replace(kept.manifest("v1"), format=99)
        (folder / "model.json").write_bytes(msgspec.json.encode(newer))
    else:
        (folder / damage).write_bytes((folder / damage).read_bytes()[:-9])
    with pytest.raises(InvalidModel, match="train again"):
        kept.load("v1")
    with pytest.raises(InvalidModel, match="train again"):
        Collaborative(CollaborativeOptions(str(tmp_path)))
    with pytest.raises(NotFound, match="there are: v1"):
        kept.load("v2")


def test_a_damaged_new_version_leaves_the_old_one_in_place(
    tmp_path: Path, seen: Interactions, caplog: pytest.LogCaptureFixture
) -> None:
    kept = a_model(tmp_path, seen)
    served = Collaborative(CollaborativeOptions(str(tmp_path)))
    before = served.recommend(an_occasion(), 5)
    factors = kept.load("v1")
    kept.point(kept.write({"factors.npy": b"", "model.json": b"{}"}))
    served.recommend(an_occasion(), 5)
    for thread in threading.enumerate():
        if thread.name == "recommend-model":
            thread.join(30)
    assert served.recommend(an_occasion(), 5) == before
    assert "is not used" in caplog.text
    assert factors.ids
