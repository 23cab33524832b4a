"""``entrepot ltr`` from judgments or clicks to a live model, in the small shop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli import main
from engine import Engine, Query, SearchRequest, load_settings
from plugins.ltr import cli, training
from plugins.ltr.models import FOLDER, Figures, Versions
from tests.engine import shop as small
from tests.engine.conftest import copy_shop

from . import ltr_data

CONFIG = """
data_dir = "data"
[encoders]
text = {plugin = "hash"}
image = {plugin = "hash"}
[plugins]
deadline_ms = 60000
"""
WITH_LTR = '[profiles.default]\nrankers = ["ltr", "availability"]\n'
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    settings = small.settings_for(folder)
    small.build(settings, "g1", small.PRODUCTS.values())
    small.make_live(settings, "g1")
    (folder / "entrepot.toml").write_text(CONFIG + WITH_LTR)
    queries, qrels, events = [], [], []
    for kind in small.KINDS:
        mine = [p for p in small.PRODUCTS.values() if p.id.startswith(kind)]
        dear_first = sorted(mine, key=lambda p: -(p.price or 0.0))
        for color in small.COLORS:
            id, text = f"{kind}-{color}", f"{color} {kind}"
            queries.append({"id": id, "text": text})
            qrels += [f"{id} 0 {p.id} {4 - i}" for i, p in enumerate(dear_first[:4])]
            shown = [p.id for p in mine]
            events += [{"query": text, "shown": shown, "clicked": [dear_first[0].id]}] * 3
            events += [{"query": text, "shown": shown[::-1], "clicked": [dear_first[1].id]}]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (folder / "qrels.tsv").write_text("\n".join(qrels))
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, events)))
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In this folder the commands find a shop that likes dear products."""
    copied = copy_shop(built, tmp_path / "shop")
    monkeypatch.chdir(copied)
    # Fewer sizes to compare: the queries are few, and so are the tests' seconds.
    monkeypatch.setattr(training, "TREES", (20,))
    return copied


@pytest.fixture
def run(folder: Path) -> Run:
    return lambda *args: CliRunner().invoke(main, ["ltr", *args])


JUDGED = ("--queries", "queries.jsonl", "--qrels", "qrels.tsv")


def versions(folder: Path) -> Versions:
    return Versions(folder / "data" / FOLDER)


def test_from_judgments_to_a_search(run: Run, folder: Path) -> None:
    trained = run("train", *JUDGED, "--seed", "3")
    assert trained.exit_code == 0, trained.output
    assert "v1 is live" in trained.output
    manifest = versions(folder).manifest("v1")
    assert manifest.figures.low > 0
    assert (manifest.source, manifest.seed, manifest.figures.queries) == ("judgments", 3, 48)
    assert "price_place" in list(manifest.importances)[:5]
    with Engine(load_settings(folder / "entrepot.toml")) as shop:
        found = shop.search(SearchRequest(Query("red mug"), explain=True))
    assert not found.degraded
    assert found.hits[0].explain is not None
    assert "margin" in found.hits[0].explain.reasons["ltr"]
    dear = max(small.PRODUCTS.values(), key=lambda p: (p.id.startswith("mug"), p.price or 0.0))
    assert dear.id in [hit.id for hit in found.hits[:3]]

    listed = run("show")
    assert f"* v1    {manifest.trained_at}  nDCG@10" in listed.output
    shown = run("show", "v1")
    assert "v1 (live)" in shown.output
    assert "48 queries, 5 folds" in shown.output
    assert "price_place" in shown.output
    measured = run("eval", *JUDGED)
    assert measured.exit_code == 0, measured.output
    assert [line.split()[0] for line in measured.output.splitlines()[1:]] == [
        "order",
        "v1",
        "change",
    ]


def test_the_same_command_gives_the_same_model(run: Run, folder: Path) -> None:
    assert run("train", *JUDGED).exit_code == run("train", *JUDGED).exit_code == 0
    one, two = (versions(folder).manifest(name) for name in ("v1", "v2"))
    assert (one.sha256, one.figures) == (two.sha256, two.figures)
    assert versions(folder).live() == "v2"


def test_from_clicks(run: Run, folder: Path) -> None:
    trained = run("train", "--events", "events.jsonl")
    assert trained.exit_code == 0, trained.output
    assert "384 pairs of query and product, 384 of them shown at several places" in trained.output
    assert versions(folder).manifest("v1").source == "events"


def test_from_logged_features_without_the_index(run: Run, folder: Path) -> None:
    log = folder / "features.jsonl"
    settings = CONFIG + WITH_LTR + f'[plugins.options.ltr]\nlog = "{log}"\nsample = 1.0\n'
    (folder / "entrepot.toml").write_text(settings)
    with Engine(load_settings(folder / "entrepot.toml")) as shop:
        for color in small.COLORS:
            for kind in small.KINDS:
                shop.search(SearchRequest(Query(f"{color} {kind}")))
        trained = run("train", *JUDGED, "--features", str(log))  # while the shop is open
    assert trained.exit_code == 0, trained.output
    searched = run("train", *JUDGED)
    assert searched.exit_code == 0, searched.output
    one, two = (versions(folder).manifest(name) for name in ("v1", "v2"))
    assert one.sha256 == two.sha256, "what was logged is what a search sees"


def test_a_worse_model_does_not_go_live(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("train", *JUDGED).exit_code == 0
    worse = training.Outcome(ltr_data.np.full(48, 0.4), ltr_data.np.full(48, 0.5), (20,) * 5)
    monkeypatch.setattr(training, "cross_validate", lambda *args: worse)
    refused = run("train", *JUDGED)
    assert refused.exit_code == 1
    assert "v2 does not go live, for it is not better" in refused.output
    assert "nDCG@10 0.4000, order before 0.5000, change -0.1000" in refused.output
    assert versions(folder).live() == "v1"
    assert run("use", "v2").exit_code == 1
    with pytest.raises(cli.NoImprovement):
        CliRunner().invoke(
            main, ["--debug", "ltr", "use", "v2"], standalone_mode=False, catch_exceptions=False
        )
    assert versions(folder).live() == "v1"


def test_going_back(run: Run, folder: Path) -> None:
    kept = versions(folder)
    fitted = ltr_data.trees()
    for _ in range(2):
        kept.promote(kept.add(ltr_data.manifest(), fitted))
    assert run("use", "v1").output == "v1 is live\n"
    assert kept.live() == "v1"
    assert run("use", "v9").exit_code == 1


def test_without_a_model(run: Run) -> None:
    assert "train one with `entrepot ltr train`" in run("show").output
    measured = run("eval", *JUDGED)
    assert measured.exit_code == 0, measured.output
    assert len(measured.output.splitlines()) == 2


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        ([], "give --queries and --qrels, or --events"),
        ([*JUDGED, "--events", "events.jsonl"], "give --queries and --qrels, or --events"),
        (["--queries", "queries.jsonl"], "give --queries and --qrels, or --events"),
        ([*JUDGED, "--profile", "nobody"], "no profile 'nobody'; there are: default"),
        (["--events", "none.jsonl"], "cannot read none.jsonl"),
        ([*JUDGED, "--features", "queries.jsonl"], "queries.jsonl:1"),
    ],
)
def test_wrong_usage(run: Run, args: list[str], complaint: str) -> None:
    result = run("train", *args)
    assert result.exit_code == 2
    assert complaint in result.output


def test_figures_say_what_they_are() -> None:
    text = str(Figures(1200, 5, 0.5, 0.4, 0.05, 0.15))
    assert text == (
        "nDCG@10 0.5000, order before 0.4000, change +0.1000 (+0.0500 to +0.1500), 1,200 queries"
    )
