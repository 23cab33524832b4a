"""Business rules over HTTP: edited by the API and by hand, tried, guarded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from api import cli
from api.running import Running, publish
from engine import Engine, load_settings
from tests.api.harness import build, make_settings, problem, serving, write_catalogue

PIN = {"id": "sale", "then": {"pins": {"blue-mug": 1}}, "when": {"query": {"phrase": "shoe"}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def shop(folder: Path, photo_root: Path) -> Iterator[httpx.Client]:
    settings = make_settings(folder)
    build(settings, photo_root)
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        yield client


def put(shop: httpx.Client, rule: dict[str, Any], version: str = "") -> httpx.Response:
    headers = {"If-Match": version} if version else {}
    return shop.put(f"/v1/rules/{rule['id']}", json=rule, headers=headers)


def first(shop: httpx.Client, text: str = "shoe") -> str:
    return str(shop.get("/v1/search", params={"q": text}).json()["hits"][0]["id"])


def test_a_rule_from_first_to_last(shop: httpx.Client, folder: Path) -> None:
    assert shop.get("/v1/rules").json() == {"rules": [], "problems": []}
    added = put(shop, PIN)
    assert added.status_code == 201
    assert added.json() == PIN
    assert first(shop) == "blue-mug"
    assert first(shop, "lamp") != "blue-mug"

    (listed,) = shop.get("/v1/rules").json()["rules"]
    one = shop.get("/v1/rules/sale")
    assert listed == {"rule": PIN, "etag": one.headers["etag"].strip('"')}
    assert one.json() == PIN
    assert json.loads((folder / "rules.json").read_text()) == {"rules": [PIN]}

    changed = {**PIN, "then": {"hide": [{"filters": {"color": "blue"}}]}}
    replaced = put(shop, changed, one.headers["etag"])
    assert replaced.status_code == 200
    assert replaced.headers["etag"] != one.headers["etag"]
    colors = shop.get("/v1/search", params={"q": "shoe", "facets": "color"}).json()["facets"]
    assert "blue" not in str(colors)

    problem(shop.delete("/v1/rules/sale"), 412)
    gone = shop.delete("/v1/rules/sale", headers={"If-Match": replaced.headers["etag"]})
    assert gone.status_code == 204
    problem(shop.get("/v1/rules/sale"), 404, "id")
    problem(shop.delete("/v1/rules/sale", headers={"If-Match": "*"}), 404, "id")
    assert first(shop).endswith("shoe")


def test_an_edit_by_hand_is_in_force_and_not_overwritten(shop: httpx.Client, folder: Path) -> None:
    version = put(shop, PIN).headers["etag"]
    by_hand = {**PIN, "note": "by hand", "then": {"pins": {"red-lamp": 1}}}
    (folder / "rules.json").write_text(json.dumps({"rules": [by_hand]}))
    assert first(shop) == "red-lamp"
    assert "changed meanwhile" in problem(put(shop, PIN, version), 412)
    assert "send If-Match" in problem(put(shop, PIN), 412)
    assert shop.get("/v1/rules/sale").json() == by_hand
    assert put(shop, PIN, "*").status_code == 200
    assert first(shop) == "blue-mug"


def test_a_broken_edit_is_told_and_keeps_the_last_good_rules(
    shop: httpx.Client, folder: Path
) -> None:
    put(shop, PIN)
    (folder / "rules.json").write_text('{"rules": [{"id": "sale", "than": {}}]}')
    assert first(shop) == "blue-mug"
    (told,) = shop.get("/v1/rules").json()["problems"]
    assert "rule 'sale': Object contains unknown field `than`" in told
    assert told in shop.get("/health/ready").json()["shops"]["test"]["problems"]
    assert "must be mended first" in problem(put(shop, {**PIN, "id": "other"}), 409)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"id": "other"}, "id", "is not the path's"),
        ({"priorty": 1}, "priorty", "unknown field"),
        ({"then": {}}, "then", "give pins, boost, bury or hide"),
        ({"then": {"pins": {"x": 0}}}, "then", "'x': place 0 is outside"),
        (
            {"then": {"hide": [{"filters": {"colour": "red"}}]}},
            "then.hide[0].filters",
            "unknown field 'colour'; did you mean 'color'?",
        ),
        ({"from": "2027-01-01T00:00:00"}, "from", "timezone"),
    ],
)
def test_a_wrong_rule_is_refused_by_its_field(
    shop: httpx.Client, changes: Any, field: str, words: str
) -> None:
    response = shop.put("/v1/rules/sale", json={**PIN, **changes})
    assert words in problem(response, 400, field)
    assert shop.get("/v1/rules").json()["rules"] == []


def test_a_dry_run_says_who_wins_and_why_not(shop: httpx.Client) -> None:
    put(shop, PIN)
    put(shop, {"id": "vip", "then": {"pins": {"red-mug": 1}}, "priority": 1})
    put(shop, {"id": "mx", "then": {"hide": [{"ids": ["red-sofa"]}]}, "when": {"market": "mx"}})
    until = "2027-01-01T00:00:00Z"
    put(shop, {"id": "old", "then": {"hide": [{"ids": ["red-shoe"]}]}, "until": until})

    def run(**asked: Any) -> dict[str, Any]:
        response = shop.post("/v1/rules/test", json={"at": "2027-06-01T00:00:00Z", **asked})
        assert response.status_code == 200, response.text
        return {rule["id"]: rule for rule in response.json()["rules"]}

    told = run(text="red shoe")
    assert list(told)[:2] == ["vip", "sale"]
    assert told["vip"]["pins"] == {"red-mug": 1}
    lost = {"product": "blue-mug", "place": 1, "why": "the place is taken", "to": "vip"}
    assert told["sale"]["lost"] == [lost]
    assert told["mx"]["skipped"] == "the market is ''"
    assert told["old"]["skipped"].startswith("it ended at 2027-01-01")
    earlier = run(at="2026-06-01T00:00:00Z", market="MX", text="lamp")
    assert earlier["old"]["hide"] == [{"ids": ["red-shoe"]}]
    assert earlier["mx"]["hide"] == [{"ids": ["red-sofa"]}]
    assert earlier["sale"]["skipped"] == "the words are others"
    page = run(filters={"color": "blue"})
    assert page["vip"]["lost"][0]["why"] == "the filters of the search leave it out"
    problem(shop.post("/v1/rules/test", json={"txt": "x"}), 400, "txt")
    problem(shop.post("/v1/rules/test", json={"text": " "}), 400, "text")
    problem(shop.post("/v1/rules/test", json={"at": "2027-06-01"}), 400, "at")


def test_an_answer_says_which_rules_worked_and_not_what_is_hidden(shop: httpx.Client) -> None:
    put(shop, PIN)
    put(shop, {"id": "secret", "then": {"hide": [{"ids": ["red-shoe"]}], "pins": {"red-shoe": 2}}})
    answer = shop.post("/v1/search", json={"text": "shoe", "explain": True})
    assert answer.json()["plan"]["rules"] == [
        {"id": "sale", "pins": {"blue-mug": 1}},
        {"id": "secret"},
    ]
    assert "red-shoe" not in answer.text
    assert "red-shoe" not in shop.get("/v1/understand", params={"q": "shoe"}).text
    reasons = answer.json()["hits"][0]["explain"]["reasons"]
    assert list(reasons["pins"]) == ["sale"]


def test_rules_can_be_written_before_anything_is_indexed(tmp_path: Path) -> None:
    with Engine.open(make_settings(tmp_path)) as engine, serving({"test": engine}) as client:
        hide = {"id": "early", "then": {"hide": [{"filters": {"not yet": "known"}}]}}
        assert put(client, hide).status_code == 201
        assert client.get("/v1/rules").json()["problems"] == []
        problem(client.post("/v1/rules/test", json={}), 503)


def test_only_who_may_write_sees_and_changes_rules(tmp_path: Path, photo_root: Path) -> None:
    settings = make_settings(tmp_path, api_key="secret")
    build(settings, photo_root)
    key = {"Authorization": "Bearer secret"}
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        requests: list[tuple[str, str, Any]] = [
            ("GET", "/v1/rules", None),
            ("PUT", "/v1/rules/sale", PIN),
            ("GET", "/v1/rules/sale", None),
            ("POST", "/v1/rules/test", {}),
            ("DELETE", "/v1/rules/sale", None),
        ]
        for method, path, body in requests:
            problem(client.request(method, path, json=body), 401)
            headers = {**key, "If-Match": "*"} if method == "DELETE" else key
            assert client.request(method, path, json=body, headers=headers).is_success


def test_writers_at_once_lose_nothing(shop: httpx.Client) -> None:
    rules: list[dict[str, Any]] = [
        {**PIN, "id": f"r{n}", "then": {"pins": {"red-mug": n + 1}}} for n in range(24)
    ]
    with ThreadPoolExecutor(8) as threads:
        assert {r.status_code for r in threads.map(lambda rule: put(shop, rule), rules)} == {201}
    found = shop.get("/v1/rules").json()["rules"]
    assert sorted(r["rule"]["id"] for r in found) == sorted(r["id"] for r in rules)


@pytest.fixture(params=["by itself", "through a running server"])
def config(tmp_path: Path, photo_root: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Settings of a shop with three rules, one of which does not fit it."""
    path = write_catalogue(tmp_path)
    settings = load_settings(path)
    build(settings, photo_root)
    odd = {"id": "odd", "then": {"bury": [{"filters": {"colour": "red"}}]}}
    off = {"id": "off", "enabled": False, "then": {"hide": [{"ids": ["red-mug", "red-sofa"]}]}}
    settings.rules_path.write_text(json.dumps({"rules": [PIN, odd, off]}))
    if request.param == "by itself":
        yield path
        return
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        publish(settings.data_path, Running(str(client.base_url), os.getpid()))
        yield path


def invoke(*args: object) -> Result:
    return CliRunner().invoke(cli.main, ["rules", *map(str, args)], prog_name="entrepot")


def test_the_command_line_lists_checks_and_tries(config: Path) -> None:
    listed = invoke("list", "--config", config)
    assert listed.exit_code == 0, listed.output
    assert "pins 1" in listed.output
    assert "not enabled" in listed.output
    checked = invoke("check", "--config", config)
    assert checked.exit_code == 1
    assert "rule 'odd' does not apply: then.bury[0].filters: unknown field" in checked.stderr
    assert "rules in force: 3, problems: 1" in checked.stdout
    tried = invoke("test", "red shoes", "--filter", "color=red", "--config", config)
    assert "sale: no, the words are others" in tried.stdout
    tried = invoke("test", "shoe", "--filter", "color=red", "--config", config)
    told = "  does not pin blue-mug to place 1: the filters of the search leave it out"
    assert told in tried.stdout.splitlines()
    assert "  pins blue-mug to place 1" in invoke("test", "shoe", "--config", config).stdout
    assert "off: no, it is not enabled" in invoke("test", "--config", config).stdout
    wrong = invoke("test", "--at", "soon", "--config", config)
    assert wrong.exit_code == 2
    assert "RFC3339" in wrong.stderr
