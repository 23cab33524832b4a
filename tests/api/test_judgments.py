"""Rating products: pooled without a word on who found them, kept durably, exported."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from api.cli import main
from engine import Engine, read_qrels, read_queries
from engine.evaluation.judgment_book import FILE, JudgedQuery, JudgmentBook, Rating
from tests.api.harness import build, make_settings, problem, serving

RED_MUG = JudgedQuery("red mug")


def pooled(client: httpx.Client, **asked: object) -> dict[str, Any]:
    response = client.post("/v1/judgments/pool", json={"query": {"text": "red mug"}, **asked})
    assert response.status_code == 200, response.text
    return dict(response.json())


def rated(client: httpx.Client, *ratings: tuple[str, int | None], rater: str = "") -> None:
    body = [
        {"query": {"text": "red mug"}, "product": id, "grade": grade, "rater": rater}
        for id, grade in ratings
    ]
    assert client.post("/v1/judgments", json=body).json() == {"stored": len(body)}


def test_a_pool_does_not_say_what_found_what(shop: httpx.Client) -> None:
    pool = pooled(shop, depth=5)
    products = [shown["product"] for shown in pool["products"]]
    assert len(products) == 5
    assert {"id", "title", "image_urls"} <= set(products[0])
    assert "score" not in json.dumps(pool)
    ranked = shop.post("/v1/search", json={"text": "red mug", "limit": 5}).json()["hits"]
    orders = {
        tuple(shown["product"]["id"] for shown in pooled(shop, depth=5, rater=name)["products"])
        for name in "abcdef"
    }
    assert all(set(order) == {hit["id"] for hit in ranked} for order in orders)
    assert len(orders) > 1, "another order for another rater"
    assert pooled(shop, depth=5) == pool, "the same for the same"
    problem(shop.post("/v1/judgments/pool", json={"query": {"text": ""}}), 400, "query.text")
    wrong = {"query": {"text": "a"}, "profiles": ["none"]}
    problem(shop.post("/v1/judgments/pool", json=wrong), 400, "profile")


def test_ratings_are_kept_and_exported(own_shop: httpx.Client, tmp_path: Path) -> None:
    rated(own_shop, ("red-mug", 3), ("red-shoe", 1), rater="ada")
    rated(own_shop, ("red-mug", 2), ("red-lamp", 1), rater="ben")
    rated(own_shop, ("red-shoe", 0), rater="ada")  # thought better of it
    rated(own_shop, ("red-lamp", None), rater="ben")  # took it back
    found = own_shop.get("/v1/judgments").json()
    assert found["qrels"] == {RED_MUG.id: {"red-mug": 2.5, "red-shoe": 0.0}}
    grades = {
        shown["product"]["id"]: shown["grade"]
        for shown in pooled(own_shop, rater="ada", depth=20)["products"]
    }
    assert (grades["red-mug"], grades["red-shoe"], grades["red-lamp"]) == (3, 0, None)

    config = tmp_path / "entrepot.toml"
    config.write_text('data_dir = "data"\n')
    for form in ("trec", "jsonl"):
        files = [str(tmp_path / "q"), str(tmp_path / "r")]
        command = ["judgments", "export", *files, "--format", form, "--config", str(config)]
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0, result.output
        assert result.stdout == "1 searches, 2 judged products\n"
        assert read_qrels(tmp_path / "r") == found["qrels"]
        assert [q.text for q in read_queries(tmp_path / "q")] == ["red mug"]


def test_wrong_ratings_are_refused(own_shop: httpx.Client) -> None:
    good = {"query": {"text": "red mug"}, "product": "red-mug", "grade": 1}
    for change, field in (
        ({"grade": 4}, "0.grade"),
        ({"rater": "ada@example.com"}, "0.rater"),
        ({"query": {"text": "x" * 2001}}, "0.query.text"),
        ({"mark": 1}, "mark"),
        ({"query": {"text": " "}}, "text"),
        ({"query": {"text": "red", "locale": "no tag"}}, "locale"),
    ):
        answer = own_shop.post("/v1/judgments", json=[{**good, **change}])
        problem(answer, 400, field)
    assert own_shop.get("/v1/judgments").json() == {"queries": [], "qrels": {}}


def test_rating_is_writing(tmp_path: Path, photo_root: Path) -> None:
    settings = make_settings(tmp_path / "data", api_key="secret")
    build(settings, photo_root)
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        asked = {"query": {"text": "red mug"}}
        problem(client.post("/v1/judgments/pool", json=asked), 401)
        problem(client.post("/v1/judgments", json=[]), 401)
        problem(client.get("/v1/judgments"), 401)
        key = {"Authorization": "Bearer secret"}
        assert client.post("/v1/judgments/pool", json=asked, headers=key).status_code == 200
        assert client.get("/judge.html").status_code == 200, "the page itself holds nothing"


def test_many_raters_at_once(tmp_path: Path) -> None:
    book = JudgmentBook(tmp_path)

    def rate(n: int) -> None:
        for product in range(20):
            book.add([Rating(RED_MUG, f"p{product}", 2, f"rater-{n}")])

    threads = [threading.Thread(target=rate, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert book.judgments().qrels[RED_MUG.id] == {f"p{n}": 2.0 for n in range(20)}
    assert (tmp_path / FILE).read_bytes().count(b"\n") == 80


def test_a_line_cut_short_by_a_crash_costs_nothing_else(tmp_path: Path) -> None:
    book = JudgmentBook(tmp_path)
    book.add([Rating(RED_MUG, "p1", 3)])
    whole = (tmp_path / FILE).read_bytes()
    for cut in (1, len(whole) // 2, len(whole) - 1):
        (tmp_path / FILE).write_bytes(whole + whole[:cut])
        book.add([Rating(RED_MUG, "p2", 1)])
        assert book.judgments().qrels == {RED_MUG.id: {"p1": 3.0, "p2": 1.0}}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (JudgedQuery("Red  MUG "), RED_MUG, True),
        (JudgedQuery("red mug", {"a": 1, "b": 2}), JudgedQuery("red mug", {"b": 2, "a": 1}), True),
        (JudgedQuery("red mug", {"a": 1}), RED_MUG, False),
        (JudgedQuery("red mug", locale="de"), RED_MUG, False),
    ],
)
def test_what_is_the_same_search(one: JudgedQuery, other: JudgedQuery, same: bool) -> None:
    assert (one.id == other.id) is same


def test_ids_with_spaces_are_exported_as_json(tmp_path: Path) -> None:
    folder = tmp_path / "entrepot-data"
    folder.mkdir()
    JudgmentBook(folder).add([Rating(RED_MUG, "a b", 3)])
    (tmp_path / "entrepot.toml").write_text("")
    command = ["judgments", "export", str(tmp_path / "q"), str(tmp_path / "r")]
    config = ["--config", str(tmp_path / "entrepot.toml")]
    refused = CliRunner().invoke(main, [*command, *config])
    assert refused.exit_code == 2
    assert "JSON" in refused.stderr
    assert CliRunner().invoke(main, [*command, "--format", "jsonl", *config]).exit_code == 0
    assert read_qrels(tmp_path / "r") == {RED_MUG.id: {"a b": 3.0}}
