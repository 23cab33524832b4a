"""Synonyms over HTTP and by commands: edited, imported, mined, decided on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from api import cli
from api.running import Running, publish
from engine import Engine, Event, EventProduct, Product, load_settings
from tests.api.harness import build, make_settings, problem, serving, write_catalogue

FOOTWEAR = {"id": "footwear", "words": ["shoe", "footgear"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def engine(folder: Path, photo_root: Path) -> Iterator[Engine]:
    settings = make_settings(folder)
    build(settings, photo_root)
    with Engine.open(settings) as engine:
        yield engine


@pytest.fixture
def shop(engine: Engine) -> Iterator[httpx.Client]:
    with serving({"test": engine}) as client:
        yield client


def put(shop: httpx.Client, synonym: dict[str, Any], version: str = "") -> httpx.Response:
    headers = {"If-Match": version} if version else {}
    return shop.put(f"/v1/synonyms/{synonym['id']}", json=synonym, headers=headers)


def test_a_synonym_from_first_to_last(shop: httpx.Client, folder: Path) -> None:
    assert shop.get("/v1/synonyms").json() == {"synonyms": [], "problems": []}
    added = put(shop, FOOTWEAR)
    assert added.status_code == 201
    assert added.json() == FOOTWEAR
    one = shop.get("/v1/synonyms/footwear")
    (listed,) = shop.get("/v1/synonyms").json()["synonyms"]
    assert listed == {"synonym": FOOTWEAR, "etag": one.headers["etag"].strip('"')}
    assert json.loads((folder / "synonyms.json").read_text()) == {"synonyms": [FOOTWEAR]}

    problem(put(shop, FOOTWEAR), 412)
    problem(put(shop, {**FOOTWEAR, "id": "other"} | {"words": ["a"]}), 400)
    problem(shop.put("/v1/synonyms/x", json=FOOTWEAR), 400, "id")
    changed = put(shop, {**FOOTWEAR, "status": "rejected"}, one.headers["etag"])
    assert changed.status_code == 200
    gone = shop.delete("/v1/synonyms/footwear", headers={"If-Match": changed.headers["etag"]})
    assert gone.status_code == 204
    problem(shop.get("/v1/synonyms/footwear"), 404, "id")


def test_lines_are_imported_all_or_none(shop: httpx.Client) -> None:
    def add(text: str, locale: str = "") -> httpx.Response:
        return shop.post("/v1/synonyms/import", json={"text": text, "locale": locale})

    problem(add("shoe, footgear\nodd"), 400, "text")
    assert shop.get("/v1/synonyms").json()["synonyms"] == []
    found = add("shoe, footgear\ntablet => ipad\n", "en").json()
    assert [(s.get("words"), s.get("from"), s["locale"]) for s in found["added"]] == [
        (["shoe", "footgear"], None, "en"),
        (None, ["tablet"], "en"),
    ]
    assert add("shoe, footgear", "en").json() == {"added": [], "known": 1}
    assert len(add("shoe, footgear", "de").json()["added"]) == 1
    problem(add("shoe, footgear", "x!"), 400, "locale")


def test_a_broken_file_is_told_and_keeps_what_was_in_force(
    shop: httpx.Client, folder: Path
) -> None:
    put(shop, FOOTWEAR)
    (folder / "synonyms.json").write_text("{")
    found = shop.get("/v1/synonyms").json()
    assert [view["synonym"] for view in found["synonyms"]] == [FOOTWEAR]
    assert "not JSON" in found["problems"][0]
    problem(put(shop, FOOTWEAR, "*"), 409)


def test_strangers_may_not(folder: Path, photo_root: Path) -> None:
    settings = make_settings(folder, api_key="secret")
    build(settings, photo_root)
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        for method, path in (
            ("GET", "/v1/synonyms"),
            ("PUT", "/v1/synonyms/a"),
            ("DELETE", "/v1/synonyms/a"),
            ("POST", "/v1/synonyms/import"),
            ("POST", "/v1/synonyms/mine"),
        ):
            problem(client.request(method, path), 401)


def test_candidates_come_from_what_shoppers_do_and_wait(shop: httpx.Client, engine: Engine) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    for n in range(engine.settings.events.anonymity):
        session = f"s{n}"
        click = (EventProduct("red-shoe"),)
        events = [
            Event(f"{n}a", "impression", now, session_id=session, query="kicks", results=0),
            Event(
                f"{n}b",
                "click",
                now + timedelta(seconds=20),
                session_id=session,
                products=click,
                query="shoe",
            ),
        ]
        assert {r.status for r in engine.record(events)} == {"accepted"}
    (found,) = shop.post("/v1/synonyms/mine").json()["added"]
    assert (found["from"], found["to"], found["status"]) == (["kicks"], ["shoe"], "candidate")
    assert engine.synonyms.current().of("en") == {}
    assert shop.post("/v1/synonyms/mine").json() == {"added": [], "known": 0}
    version = shop.get(f"/v1/synonyms/{found['id']}").headers["etag"]
    assert put(shop, {**found, "status": "active"}, version).status_code == 200
    assert engine.synonyms.current().of("en") == {"kicks": ("shoe",)}


def test_a_shop_without_events_gets_candidates_of_its_own_words(
    shop: httpx.Client, engine: Engine
) -> None:
    told = "A comfortable sofa, also known as settee."
    colors = ("Pink", "Mint", "Grey", "Teal")
    titles = [f"{color} cotton {shirt}" for color in colors for shirt in ("T-shirt", "tshirt")]
    tools = ("Hammer", "Pliers", "Chisel", "Wrench", "Spanner", "Mallet", "Drill", "Sander")
    titles += [f"{tool} holder" for tool in tools for _ in range(3)]
    products = [Product(f"p{n}", title) for n, title in enumerate(titles)]
    products += [Product(f"s{n}", f"Corner sofa {n}", told) for n in range(3)]
    engine.put([(product, []) for product in products])
    found = shop.post("/v1/synonyms/mine").json()
    assert found["known"] == 0
    by_words = {tuple(synonym["words"]): synonym for synonym in found["added"]}
    assert by_words.keys() == {("settee", "sofa"), ("t shirt", "tshirt")}
    for synonym in by_words.values():
        assert (synonym["status"], synonym["locale"]) == ("candidate", "en")
    assert by_words["t shirt", "tshirt"]["evidence"].startswith("in 4 and 4 titles, never in one")
    assert "3 descriptions say" in by_words["settee", "sofa"]["evidence"]
    assert engine.synonyms.current().of("en") == {}

    refused = {**by_words["settee", "sofa"], "status": "rejected"}
    version = shop.get(f"/v1/synonyms/{refused['id']}").headers["etag"]
    assert put(shop, refused, version).status_code == 200
    assert shop.post("/v1/synonyms/mine").json() == {"added": [], "known": 0}


def invoke(*args: object) -> Result:
    return CliRunner().invoke(cli.main, ["synonyms", *map(str, args)], prog_name="entrepot")


@pytest.fixture(params=["by itself", "through a running server"])
def config(tmp_path: Path, photo_root: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    path = write_catalogue(tmp_path)
    settings = load_settings(path)
    build(settings, photo_root)
    if request.param == "by itself":
        yield path
        return
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        publish(settings.data_path, Running(str(client.base_url), os.getpid()))
        yield path


def test_the_command_line_lists_adds_and_decides(config: Path, tmp_path: Path) -> None:
    added = invoke("add", "sofa", "couch", "--config", config)
    assert added.exit_code == 0, added.output
    assert "added: 1, there already: 0" in added.output
    file = tmp_path / "lines.txt"
    file.write_text("sofa, couch\ntablet => ipad\n")
    assert "added: 1, there already: 1" in invoke("import", file, "--config", config).output
    assert "added: 0" in invoke("mine", "--config", config).output
    id = added.output.split(":")[0]
    assert invoke("reject", id, "--config", config).output == f"{id}: rejected\n"
    rejected = invoke("list", "--status", "rejected", "--config", config).output
    assert "sofa, couch" in rejected
    assert "tablet" not in rejected
    assert invoke("approve", id, "--config", config).exit_code == 0
    assert "tablet => ipad" in invoke("list", "--status", "active", "--config", config).output
    wrong = invoke("approve", "nobody", "--config", config)
    assert wrong.exit_code == 1
    assert "no synonym 'nobody'" in wrong.stderr
    assert invoke("add", "sofa", "--config", config).exit_code == 2
