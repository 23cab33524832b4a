"""The gate, over HTTP and by the command line: a worse generation does not go live."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from click.testing import CliRunner

from api.cli import main
from api.engines import check_generation, promote_generation
from api.evaluating import with_pictures
from api.running import Running, publish
from engine import Engine, GateRefused, Settings
from engine.settings import ComponentSettings, EncoderSettings, GenerationSettings
from tests.api.harness import (
    build,
    make_settings,
    problem,
    products,
    serving,
    write_catalogue,
)
from tests.api.judged import with_shuffled_titles, write_judgments
from tests.engine.conftest import copy_shop

pytest.importorskip("ir_measures", reason="needs the extra `eval`")

ALL = {product.id for product in products()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, photo_root: Path) -> Path:
    """g1 is live; g2 has wrong titles, g3 is like g1."""
    folder = tmp_path_factory.mktemp("judged")
    settings = make_settings(folder)
    build(settings, photo_root)
    build(settings, photo_root, "g2", live=False, items=with_shuffled_titles())
    build(settings, photo_root, "g3", live=False)
    return folder


@pytest.fixture
def settings(built: Path, tmp_path: Path) -> Settings:
    return make_settings(copy_shop(built, tmp_path / "data"))


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return write_judgments(tmp_path)


def promotion(gate: Path, force: bool = False) -> bytes:
    return msgspec.json.encode({"gate": with_pictures(gate), "force": force})


def live(client: httpx.Client) -> str:
    (name,) = (one["name"] for one in client.get("/v1/generations").json() if one["live"])
    return str(name)


class Writer(threading.Thread):
    """Puts and deletes products over HTTP until it is told to stop; knows what must be there."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__()
        self._client = client
        self._ended = threading.Event()
        self.there: set[str] = set()
        self.failed: list[str] = []
        self.writes = 0

    def run(self) -> None:
        while not self._ended.is_set():
            id = f"written-{self.writes}"
            line = json.dumps({"id": id, "title": f"Green thing {self.writes}"})
            headers = {"Content-Type": "application/x-ndjson"}
            put = self._client.put("/v1/products", content=line, headers=headers)
            self.there.add(id)
            gone = f"written-{self.writes - 2}"
            answers = [put]
            if gone in self.there and self.writes % 3:
                answers.append(self._client.delete(f"/v1/products/{gone}"))
                self.there.discard(gone)
            self.failed += [answer.text for answer in answers if answer.is_error]
            self.writes += 1

    def finish(self) -> None:
        self._ended.set()
        self.join(60)


@pytest.fixture
def writing(settings: Settings) -> Iterator[tuple[httpx.Client, Writer]]:
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        writer = Writer(client)
        writer.start()
        try:
            yield client, writer
        finally:
            writer.finish()


def test_worse_is_refused_better_goes_live_and_no_write_is_lost(
    writing: tuple[httpx.Client, Writer], gate: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client, writer = writing
    path = "/v1/generations/{}/promote"
    refused = client.post(path.format("g2"), content=promotion(gate))
    assert "worse than the live one" in problem(refused, 409, "generation")
    assert refused.json()["type"] == "urn:entrepot:gate-refused"
    evidence = refused.json()["evidence"]
    assert evidence["verdict"] == "worse"
    assert (evidence["generation"], evidence["live"]) == ("g2", "g1")
    (found,) = evidence["measures"]
    assert found["means"]["live"]["value"] > 0.9 > found["means"]["new"]["value"]
    assert found["change"]["high"] < 0
    worst = evidence["worst"][0]
    assert worst["new"] < worst["live"]
    assert worst["first_new"] != worst["first_live"]
    assert live(client) == "g1"

    with caplog.at_level(logging.WARNING, "engine.evaluation.gate"):
        forced = client.post(path.format("g2"), content=promotion(gate, force=True))
    assert forced.json()["evidence"]["verdict"] == "worse"
    assert "the gate was forced" in caplog.text
    assert live(client) == "g2"

    better = client.post(path.format("g3"), content=promotion(gate))
    assert better.status_code == 200, better.text
    assert better.json()["evidence"]["measures"][0]["change"]["low"] > 0
    assert live(client) == "g3"
    assert client.post("/v1/generations/rollback").json() == {"live": "g2"}

    writer.finish()
    assert writer.failed == []
    assert writer.writes > 0
    for generation in ("g2", "g3"):  # what was rolled back from has them, too
        client.post(path.format(generation))
        found = client.post("/v1/search", json={"filters": {}, "limit": 1000}).json()["hits"]
        assert {hit["id"] for hit in found} == ALL | writer.there, generation


def test_too_little_evidence_is_said_as_such(settings: Settings, tmp_path: Path) -> None:
    few = write_judgments(tmp_path, min_queries=1000, min_coverage=0.99)
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        refused = client.post("/v1/generations/g3/promote", content=promotion(few))
        detail = problem(refused, 409, "generation")
        assert "20 judged queries, the gate asks for 1000" in detail
        assert "are judged, the gate asks for 99%" in detail
        assert refused.json()["evidence"]["verdict"] == "unproven"
        assert live(client) == "g1"


def test_what_was_refused_is_not_rolled_back_to(settings: Settings, gate: Path) -> None:
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        assert client.post("/v1/generations/g2/promote", content=promotion(gate)).is_error
        assert client.post("/v1/generations/g3/promote", content=promotion(gate)).is_success
        assert client.post("/v1/generations/rollback").json() == {"live": "g1"}


def test_what_it_was_compared_with_is_what_it_replaces(settings: Settings, gate: Path) -> None:
    with Engine.open(settings) as engine:
        evidence = check_generation(engine, "g3", with_pictures(gate))
        assert evidence is not None
        assert evidence.live == "g1"
        engine.promote("g2")
        with pytest.raises(GateRefused, match="g2 is live by now"):
            promote_generation(engine, "g3", evidence)
        assert engine.health().generation == "g2"
        promote_generation(engine, "g3", check_generation(engine, "g3", with_pictures(gate)))
        assert engine.health().generation == "g3"


def test_after_a_change_of_models_there_is_nothing_to_compare_with(
    settings: Settings, gate: Path, photo_root: Path
) -> None:
    salted = ComponentSettings("hash", {"salt": "other"})
    other = msgspec.structs.replace(settings, encoders=EncoderSettings(salted, salted))
    build(other, photo_root, "g4", live=False)
    with Engine.open(other) as engine:
        evidence = check_generation(engine, "g4", with_pictures(gate))
        assert evidence is not None
        assert evidence.verdict == "nothing live"
        promote_generation(engine, "g4", evidence)
        assert engine.health().generation == "g4"


def test_the_settings_gate_holds_without_being_named(settings: Settings, gate: Path) -> None:
    gated = msgspec.structs.replace(settings, generations=GenerationSettings(str(gate)))
    with Engine.open(gated) as engine, serving({"test": engine}) as client:
        assert client.post("/v1/generations/g2/promote").status_code == 409
        assert client.post("/v1/generations/g3/promote").json()["evidence"]["verdict"] == "passed"


def test_a_wrong_gate_is_the_senders_mistake(settings: Settings, gate: Path) -> None:
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        for rules, field in (
            ({"measure": "quality"}, "measures"),
            ({"profile": "x"}, "gate.profile"),
        ):
            sent = msgspec.to_builtins(with_pictures(gate))
            sent["rules"] |= rules
            answer = client.post("/v1/generations/g3/promote", json={"gate": sent})
            problem(answer, 400, field)
        assert client.post("/v1/generations/g9/promote", content=promotion(gate)).status_code == 404


def test_the_command_line_shows_the_evidence(
    settings: Settings, gate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "entrepot.toml").write_text(
        'shop = "test"\ndata_dir = "data"\n'
        '[encoders]\ntext = { plugin = "hash" }\nimage = { plugin = "hash" }\n'
        "[profiles.default]\nweights = { image = 0.0 }\n"
    )
    monkeypatch.chdir(tmp_path)
    promote = ["generations", "promote"]
    refused = CliRunner().invoke(main, [*promote, "g2", "--gate", str(gate)])
    assert refused.exit_code == 1
    assert "nDCG@10" in refused.stderr
    assert "worse than the live one" in refused.stderr
    passed = CliRunner().invoke(main, [*promote, "g3", "--gate", str(gate)])
    assert passed.exit_code == 0, passed.output
    assert "not worse by more than 0.01" in passed.stderr
    assert passed.stdout == "g3 is live\n"
    forced = CliRunner().invoke(main, [*promote, "g2", "--gate", str(gate), "--force"])
    assert forced.exit_code == 0
    assert forced.stdout == "g2 is live\n"


def test_the_command_line_asks_a_running_server(
    settings: Settings, gate: Path, tmp_path: Path
) -> None:
    config = tmp_path / "entrepot.toml"
    config.write_text('shop = "test"\ndata_dir = "data"\n')
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        publish(settings.data_path, Running(str(client.base_url).rstrip("/"), os.getpid()))
        given = ["--gate", str(gate), "--config", str(config)]
        refused = CliRunner().invoke(main, ["generations", "promote", "g2", *given])
        assert (refused.exit_code, live(client)) == (1, "g1")
        assert "worse than the live one" in refused.stderr
        passed = CliRunner().invoke(main, ["generations", "promote", "g3", *given])
        assert (passed.exit_code, live(client)) == (0, "g3")
        assert "not worse by more than" in passed.stderr


def test_indexing_goes_through_the_gate(tmp_path: Path) -> None:
    config = write_catalogue(tmp_path)
    gate = write_judgments(tmp_path)
    config.write_text(config.read_text() + f"[generations]\ngate = {json.dumps(gate.name)}\n")
    first = CliRunner().invoke(main, ["index", "--config", str(config)])
    assert "nothing is live to compare it with" in first.stderr, first.output
    rows = [json.loads(line) for line in (tmp_path / "products.jsonl").read_text().splitlines()]
    for row, title in zip(rows, [r["title"] for r in rows[1:] + rows[:1]], strict=True):
        row |= {"title": title, "category": "", "color": ""}
    (tmp_path / "products.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    refused = CliRunner().invoke(main, ["index", "--config", str(config)])
    assert refused.exit_code == 1
    assert "worse than the live one" in refused.stderr
    listed = CliRunner().invoke(main, ["generations", "list", "--config", str(config)]).stdout
    assert [line.endswith("live ") for line in listed.splitlines()[1:]] == [True, False]
    forced = CliRunner().invoke(main, ["index", "--force", "--config", str(config)])
    assert forced.exit_code in (0, 1)
    assert "is live" in forced.stdout
