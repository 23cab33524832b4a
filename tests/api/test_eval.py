"""``entrepot eval`` and experiments, in process and through a running server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result

from api import evaluating
from api.cli import main
from api.evaluating import Asked
from api.running import Running, forget, publish
from engine import Engine, Settings, load_settings
from engine.evaluation.running import Answers
from tests.api.harness import build, problem, serving
from tests.api.judged import with_shuffled_titles, write_judgments

pytest.importorskip("ir_measures", reason="needs the extra `eval`")

CONFIG = """
shop = "test"
data_dir = "data"
[encoders]
text = { plugin = "hash" }
image = { plugin = "hash" }
[profiles.default]
weights = { image = 0.0 }
[profiles.keywords]
query_processors = ["normalize"]
rankers = []
weights = { image = 0.0, text = 0.0 }
[experiments.trial]
profiles = { default = 1, keywords = 1 }
[experiments.quiet]
profiles = { default = 1, keywords = 1 }
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, photo_root: Path) -> Path:
    """g1 is live, g2 has wrong titles; judgments of the whole shop."""
    folder = tmp_path_factory.mktemp("judged")
    (folder / "entrepot.toml").write_text(CONFIG, encoding="utf-8")
    settings = load_settings(folder / "entrepot.toml")
    build(settings, photo_root)
    build(settings, photo_root, "g2", live=False, items=with_shuffled_titles())
    write_judgments(folder)
    return folder


@pytest.fixture
def folder(built: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """It, being the current folder; nothing here changes the shop."""
    monkeypatch.chdir(built)
    return built


@pytest.fixture
def server(folder: Path) -> Iterator[tuple[httpx.Client, Settings]]:
    """A server of that shop, found by the command line as a real one is."""
    settings = load_settings(folder / "entrepot.toml")
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        publish(settings.data_path, Running(str(client.base_url).rstrip("/"), os.getpid()))
        yield client, settings
    forget(settings.data_path)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def evaluate(*words: str) -> dict[str, Any]:
    """The JSON of an evaluation."""
    files = ("--queries", "queries.jsonl", "--qrels", "qrels.tsv")
    result = run("eval", *files, "--json", "-", *words)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


class Outside(HTMLParser):
    """Finds what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {k}={v}" for k, v in attrs if k in ("src", "href", "style")]
        self.found += [tag] if tag in ("script", "link", "iframe", "img") else []
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_one_configuration(folder: Path) -> None:
    report = evaluate()
    found = {each["measure"]: each for each in report["measures"]}
    assert list(found) == ["nDCG@10", "condensed nDCG@10", "RR@10", "R@100", "P@10"]
    assert found["nDCG@10"]["means"]["default"]["value"] > 0.9
    assert found["RR@10"]["means"]["default"]["value"] == 1.0
    assert found["nDCG@10"]["change"] is None
    (configuration,) = report["configurations"]
    assert 0 < configuration["coverage"] < 1
    assert len(report["queries"]) == 20


def test_two_profiles_settings_or_generations(folder: Path) -> None:
    against_profile = evaluate("--against", "keywords", "--measure", "nDCG@10")
    assert [c["name"] for c in against_profile["configurations"]] == ["keywords", "default"]
    worse = evaluate("--generation", "g2", "--against-generation", "g1", "--measure", "nDCG@10")
    change = worse["measures"][0]["change"]
    assert change["high"] < 0
    assert change["p"] < 0.001
    assert [c["name"] for c in worse["configurations"]] == ["@g1", "@g2"]
    other = CONFIG.replace("weights = { image = 0.0 }", "weights = { image = 0.0, bm25 = 0.0 }")
    (folder / "dense.toml").write_text(other, encoding="utf-8")
    dense = evaluate("--against-config", "dense.toml", "--measure", "RR@10")
    assert [c["name"] for c in dense["configurations"]] == ["dense", "default"]


def test_each_side_is_asked_first_for_half_of_the_queries(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It pays for the embeddings that the other finds in the cache."""
    asked: list[tuple[str, list[str]]] = []
    ask = evaluating.Here.answers

    def noted(self: evaluating.Here, generation: str, what: Asked, *rest: Any) -> list[Answers]:
        asked.append((what.profile, [query.id for query in what.queries]))
        return ask(self, generation, what, *rest)

    monkeypatch.setattr(evaluating.Here, "answers", noted)
    report = evaluate("--against", "keywords", "--measure", "nDCG@10")
    every = [query["id"] for query in report["queries"]]
    assert asked == [
        *(("keywords", every[::2]), ("default", every[::2])),
        *(("default", every[1::2]), ("keywords", every[1::2])),
    ]


def test_a_sweep_reports_on_held_out_queries(folder: Path) -> None:
    found = evaluate("--sweep", "weights.bm25=0,1", "--sweep", "depth=1,50", "--measure", "nDCG@10")
    assert len(found["tried"]) == 4
    means = [tried["mean"] for tried in found["tried"]]
    assert means == sorted(means, reverse=True)
    assert found["tried"][0]["values"]["depth"] == 50
    held_out = {query["id"] for query in found["held_out"]["queries"]}
    assert 0 < len(held_out) == 20 - found["development"]


def test_a_page_stands_alone(folder: Path) -> None:
    (folder / "odd.jsonl").write_text('{"id": "q-red-mug", "text": "<script>red</script>"}\n')
    for words in ([], ["--against", "keywords"]):
        files = ["--queries", "odd.jsonl", "--qrels", "qrels.tsv", "--html", "page.html"]
        result = run("eval", *files, *words)
        assert result.exit_code == 0, result.output
        assert "nDCG@10" in result.stdout
        text = (folder / "page.html").read_text(encoding="utf-8")
        parser = Outside()
        parser.feed(text)
        assert (parser.found, parser.open) == ([], [])
        assert "<svg" in text
        assert "&lt;script&gt;red" in text


def test_names_of_configurations_are_text_on_the_page(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "<b>other.toml"
    config.write_text(CONFIG.replace('"data"', json.dumps(str(folder / "data"))))
    files = ["--queries", "queries.jsonl", "--qrels", "qrels.tsv", "--html", "page.html"]
    result = run("eval", *files, "--against-config", str(config))
    assert result.exit_code == 0, result.output
    text = (folder / "page.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;other" in text
    assert "<b>other" not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sweep", "rrf_k=nan"], "no number to try"),
        (["--measure", "quality"], "no measure 'quality'"),
        (["--profile", "none"], "no profile 'none'"),
        (["--against", "default"], "both sides are the same"),
        (["--sweep", "bm25"], "write NAME=V1,V2"),
        (["--sweep", "nonsense=1"], "what can"),
        (["--generation", "g9"], "g9"),
    ],
)
def test_mistakes_are_named(words: list[str], said: str, folder: Path) -> None:
    result = run("eval", "--queries", "queries.jsonl", "--qrels", "qrels.tsv", *words)
    assert result.exit_code in (1, 2)
    assert said in result.stderr


def test_a_running_server_gives_the_same_figures(
    server: tuple[httpx.Client, Settings], folder: Path
) -> None:
    client, _ = server
    there = evaluate("--generation", "g2", "--against-generation", "live", "--measure", "nDCG@10")
    swept = evaluate("--sweep", "weights.bm25=0,1", "--measure", "nDCG@10")
    named = evaluate("--server", str(client.base_url), "--measure", "nDCG@10")
    assert there["measures"][0]["change"]["high"] < 0
    assert len(swept["tried"]) == 2
    assert named["configurations"][0]["name"] == "default"


@pytest.mark.parametrize(
    "other", ['rules_file = "others.json"\n', '[localization]\nmarkets = { at = "EUR" }\n']
)
def test_a_running_server_does_not_pretend_to_have_other_settings(
    other: str, server: tuple[httpx.Client, Settings], folder: Path, tmp_path: Path
) -> None:
    text = CONFIG.replace('"data"', json.dumps(str(folder / "data")))
    config = tmp_path / "other.toml"
    config.write_text(other + text if other.startswith("rules") else text + other)
    files = ["--queries", "queries.jsonl", "--qrels", "qrels.tsv"]
    result = run("eval", *files, "--against-config", str(config))
    assert result.exit_code == 2, result.output
    assert "stop it to compare those" in result.stderr


def test_the_route_is_for_those_who_may_write(server: tuple[httpx.Client, Settings]) -> None:
    client, _ = server
    path = "/v1/generations/live/evaluate"
    asked = {"queries": [{"id": "a", "text": "red mug"}], "depth": 3}
    answers = client.post(path, json=asked).json()
    assert answers[0]["rankings"]["a"][0] == "red-mug"
    assert len(answers[0]["rankings"]["a"]) == 3
    strange = {"Origin": "https://elsewhere.example"}
    problem(client.post(path, json=asked, headers=strange), 403)
    problem(client.get("/v1/experiments/trial/report", headers=strange), 403)
    problem(client.post("/v1/generations/g9/evaluate", json=asked), 404)
    wrong = {**asked, "variants": [{"weights.nonsense": 1}]}
    problem(client.post(path, json=wrong), 400, "weights.nonsense")
    wrong = {**asked, "profiles": {"default": {"rankers": ["nonsense"]}}}
    problem(client.post(path, json=wrong), 400, "profiles")
    problem(client.post(path, json={**asked, "depth": 0}), 400, "depth")


def test_an_experiment_from_search_to_report(server: tuple[httpx.Client, Settings]) -> None:
    client, _ = server
    for n in range(60):
        asked = {"text": "red mug", "user_id": f"u{n}", "profile": "trial"}
        response = client.post("/v1/search", json=asked)
        answer = response.json()
        assert answer["arm"] in ("trial:default", "trial:keywords")
        told = {
            "user_id": f"u{n}",
            "search_id": response.headers["x-request-id"],
            "variant": answer["arm"],
        }
        shown = [{"id": hit["id"], "position": i} for i, hit in enumerate(answer["hits"], 1)]
        more = {"results": answer["total"], "took_ms": answer["took_ms"]}
        seen = {"id": f"i{n}", "type": "impression", "products": shown, **more, **told}
        click = {"id": f"c{n}", "type": "click", "products": shown[1:2], **told}
        sent = client.post("/v1/events", json=[seen, click] if n % 2 else [seen])
        assert sent.json()["rejected"] == 0
    result = run("experiment", "report", "trial", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert {arm["profile"] for arm in report["arms"]} == {"default", "keywords"}
    assert sum(arm["shoppers"] for arm in report["arms"]) == 60
    searches = sum(arm["searches"] * arm["figures"]["CTR@10"]["value"] for arm in report["arms"])
    assert searches == pytest.approx(30)
    assert "u1" not in result.stdout.split('"')
    table = run("experiment", "report", "trial")
    assert "MRR of clicks" in table.stdout
    problem(client.get("/v1/experiments/none/report"), 404, "name")
    problem(client.get("/v1/experiments/trial/report?days=0"), 400, "days")


def test_an_experiment_is_reported_without_a_server(folder: Path) -> None:
    result = run("experiment", "report", "quiet")
    assert result.exit_code == 0, result.output
    assert "fewer than 10 shoppers" in result.stdout
    assert msgspec.json.decode(run("experiment", "report", "quiet", "--json").stdout)["arms"]
