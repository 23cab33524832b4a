"""The command line: in process through click's runner, and as a real process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result

from api import cli, cli_demo
from api.plugin_components import shop_kinds
from api.running import SERVER_FILE
from engine.manager import PluginManager
from engine.schema import FieldKind
from engine.settings import FILE_NAME, Settings, load_settings
from tests.api.harness import make_photos, png, products, write_catalogue
from tests.api.processes import Server, run_entrepot


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of an indexed shop."""
    config = write_catalogue(make_photos(tmp_path_factory.mktemp("shop") / "catalogue"))
    assert run_entrepot("index", "--config", str(config)).returncode == 0
    return config


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server process of a shop, with its index."""
    config = write_catalogue(make_photos(tmp_path_factory.mktemp("served") / "catalogue"))
    assert run_entrepot("index", "--config", str(config)).returncode == 0
    with Server(config) as running:
        yield running


def invoke(*args: str) -> Result:
    return CliRunner().invoke(cli.main, args, prog_name="entrepot")


def test_help_names_every_command() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    assert set(cli.COMMANDS) <= set(result.output.split())


def test_the_groups_help_is_the_commands_own() -> None:
    context = click.Context(cli.main)
    for name, text in cli.COMMANDS.items():
        command = cli.main.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(200) == text


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_has_help(name: str) -> None:
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert "Usage: entrepot" in result.output


def test_version() -> None:
    assert invoke("--version").output.startswith("entrepot, version ")


def test_index_reports_and_goes_live(tmp_path: Path) -> None:
    config = write_catalogue(make_photos(tmp_path / "catalogue"))
    first = run_entrepot("index", "--config", str(config))
    assert first.returncode == 0, first.stderr
    assert f"{len(products())} of {len(products())} products" in first.stdout
    assert "is live" in first.stdout
    second = run_entrepot("index", "--config", str(config), "--json", "--no-promote")
    report = json.loads(second.stdout)
    assert report["counts"]["indexed"] == len(products())
    assert report["counts"]["embedded"] == 0
    listed = run_entrepot("generations", "list", "--config", str(config)).stdout
    assert listed.count("live") == 1
    assert report["generation"] in listed


def test_index_tells_by_its_exit_status(tmp_path: Path) -> None:
    config = write_catalogue(make_photos(tmp_path / "catalogue"))
    source = tmp_path / "catalogue" / "products.jsonl"
    with source.open("a") as lines:
        lines.write('{"id": "untitled"}\n')
    some = run_entrepot("index", str(source), "--config", str(config))
    assert some.returncode == 1
    assert "title" in some.stdout
    source.write_text('{"id": "untitled"}\n')
    nothing = run_entrepot("index", "--config", str(config))
    assert nothing.returncode == 2
    missing = run_entrepot("index", "nowhere.jsonl", "--config", str(config))
    assert missing.returncode == 2
    assert missing.stderr.startswith("Error: ")
    assert "Traceback" not in missing.stderr


def test_search_without_a_server(config: Path, tmp_path: Path) -> None:
    result = invoke("search", "red shoe", "--config", str(config), "--limit", "2")
    assert result.exit_code == 0, result.output
    assert "red-shoe" in result.output
    photo = tmp_path / "photo.png"
    photo.write_bytes(png("green"))
    found = invoke(
        *("search", "--image", str(photo), "--config", str(config), "--json"),
        *("--filter", "price.lte=25", "--filter", "color=green"),
    )
    assert [h["id"] for h in json.loads(found.stdout)["hits"]] == ["green-lamp", "green-shoe"]


def test_search_says_why(config: Path) -> None:
    """By the profile that was asked for: the sum, and each ranker's part of it."""
    args = ("search", "black shoe", "--config", str(config), "--limit", "3")
    shown = invoke(*args, "--explain").output
    assert re.search(r" 1  \d\.\d{4} = 0\.\d{4} text \+ 0\.\d{4} bm25", shown), shown
    assert " = " not in invoke(*args).output
    explained = json.loads(invoke(*args, "--explain", "--json").stdout)["hits"][0]["explain"]
    assert set(explained["rankers"]) == {"understood", "availability", "rules"}
    unknown = invoke(*args, "--profile", "nobody")
    assert unknown.exit_code == 2
    assert "nobody" in unknown.stderr


def test_bench_on_searches_of_the_shop(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.cli_plugins_bench.CALLS", 2)
    for name, what in (
        ("understood", r"\d+ searches, \d+ each"),
        ("normalize", r"\d+ titles, small shop"),
    ):
        output = invoke("plugins", "bench", name, "--config", str(config)).output
        assert "no real searches" not in output
        for mode in ("bare", "thread", "process"):
            assert re.search(rf"{what} +{mode} +\d", output), output


def test_check_knows_the_shops_fields(config: Path) -> None:
    """An attribute's kind is the shop's: ``size`` is a number there."""
    checked = invoke("plugins", "check", "variants", "--config", str(config))
    assert checked.exit_code == 0, checked.output
    settings = load_settings(config)
    kinds = shop_kinds(settings, PluginManager(settings.plugins))
    assert kinds == {"color": FieldKind.KEYWORD, "size": FieldKind.NUMBER}


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (["search", "x", "--config", "nowhere.toml"], 2, "nowhere.toml"),
        (["search", "x", "--image", "nowhere.jpg"], 2, "nowhere.jpg"),
        (["search", "x", "--filter", "color"], 2, "FIELD=VALUE"),
        (["search", "x", "--limit", "many"], 2, "many"),
        (["search", "x"], 1, "entrepot index"),
        (["generations", "rollback"], 1, "no older generation"),
        (["generations", "promote", "nope"], 1, "nope"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_errors_are_one_clear_line(
    args: list[str], status: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_catalogue(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = invoke(*args)
    assert result.exit_code == status, result.output
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_debug_shows_the_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_catalogue(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = invoke("--debug", "search", "x")
    assert type(result.exception).__name__ == "NoIndex"


def test_plugins_list(config: Path) -> None:
    output = invoke("plugins", "list", "--config", str(config)).output
    assert "plugins.hash_encoder" in output
    assert "qdrant-edge" in output


def test_commands_of_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are listed and run; one that cannot be built says so and breaks nothing else."""
    real_names, real_create = PluginManager.names, PluginManager.create

    def names(self: PluginManager, kind: str) -> list[str]:
        return ["broken", "greet"] if kind == "commands" else real_names(self, kind)

    def create(self: PluginManager, kind: str, name: str, options: object = None) -> object:
        if kind != "commands":
            return real_create(self, kind, name, None)
        if name == "broken":
            raise ImportError("no module named 'heavy'")
        return click.Command("greet", callback=lambda: click.echo("hello"), help="Say hello.")

    monkeypatch.setattr(PluginManager, "names", names)
    monkeypatch.setattr(PluginManager, "create", create)
    shown = invoke("--help")
    assert "Say hello." in shown.output
    assert "heavy" in shown.output
    assert invoke("greet").output == "hello\n"
    broken = invoke("broken")
    assert broken.exit_code == 1
    assert "heavy" in broken.stderr


def test_texts_of_a_catalogue_are_no_markup_on_a_terminal(server: Server) -> None:
    line = json.dumps({"id": "odd-1", "title": "[/b] unheard [red]of[/red]"})
    headers = {"Content-Type": "application/x-ndjson"}
    assert server.client.put("/v1/products", content=line, headers=headers).json()["stored"] == 1
    for words in (["search", "unheard"], ["rules", "test", "[/b] unheard"]):
        found = invoke(*words, "--config", str(server.config))
        assert found.exit_code == 0, found.output
        assert "[/b] unheard" in found.stdout


def test_commands_go_through_a_running_server(server: Server) -> None:
    config = str(server.config)
    found = invoke("search", "red shoe", "--config", config, "--json", "--filter", "price.lt=15")
    assert json.loads(found.stdout)["hits"][0]["id"] == "red-shoe", found.output
    wrong = invoke("search", "red shoe", "--config", config, "--filter", "colour=red")
    assert wrong.exit_code == 2
    assert "did you mean 'color'" in wrong.stderr
    before = server.client.get("/v1/generations").json()
    indexed = invoke("index", "--config", config)
    assert indexed.exit_code == 0, indexed.output
    after = server.client.get("/v1/generations").json()
    assert [g["live"] for g in after] == [False, True]
    assert invoke("generations", "rollback", "--config", config).exit_code == 0
    assert server.client.get("/v1/generations").json()[0]["live"]
    assert before[0]["name"] in invoke("generations", "list", "--config", config).output
    newest = after[-1]["name"]
    assert invoke("generations", "drop", newest, "--config", config).exit_code == 0
    live = before[0]["name"]
    refused = invoke("generations", "drop", live, "--config", config)
    assert refused.exit_code == 1
    assert "live" in refused.stderr


def test_a_second_server_is_refused(server: Server) -> None:
    second = run_entrepot(*("serve", "--config", str(server.config), "--port", "0", "--no-browser"))
    assert second.returncode == 1
    assert str(server.client.base_url).rstrip("/") in second.stderr
    assert f"process {server.process.pid}" in second.stderr
    assert "ENTREPOT_DATA_DIR" in second.stderr
    assert server.client.get("/health/ready").status_code == 200


def test_a_port_that_is_taken(server: Server, tmp_path: Path) -> None:
    config = write_catalogue(tmp_path)
    port = str(server.client.base_url.port)
    result = run_entrepot("serve", "--config", str(config), "--port", port, "--no-browser")
    assert result.returncode == 1
    assert "--port" in result.stderr


@pytest.mark.parametrize("command", [["serve", "--port", "0", "--no-browser"], ["index"]])
def test_a_wrong_qdrant_url(tmp_path: Path, command: list[str]) -> None:
    config = write_catalogue(make_photos(tmp_path / "catalogue"))
    store = '[store]\nplugin = "qdrant-server"\noptions = { url = "http://127.0.0.1:1" }\n'
    config.write_text(config.read_text() + store)
    result = run_entrepot(*command, "--config", str(config))
    assert result.returncode == 1
    assert "http://127.0.0.1:1" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_dead_servers_address_is_not_believed(tmp_path: Path) -> None:
    config = write_catalogue(make_photos(tmp_path / "catalogue"))
    assert run_entrepot("index", "--config", str(config)).returncode == 0
    with Server(config) as server:
        server.kill()
        assert (config.parent / "entrepot-data" / SERVER_FILE).exists()
        assert run_entrepot("search", "red shoe", "--config", str(config)).returncode == 0


def test_sigterm_ends_a_server_cleanly(tmp_path: Path) -> None:
    config = write_catalogue(make_photos(tmp_path / "catalogue"))
    with Server(config) as server:
        assert server.stop() == 0
    assert not (config.parent / "entrepot-data" / SERVER_FILE).exists()


def test_the_demo_is_ready_and_reuses_its_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole demo with hashed embeddings; the real ones are the end-to-end test's."""
    environment = {
        "ENTREPOT_DATA_DIR": str(tmp_path / "demo"),
        "ENTREPOT_ENCODERS__TEXT__PLUGIN": "hash",
        "ENTREPOT_ENCODERS__IMAGE__PLUGIN": "hash",
    }
    with Server(None, environment) as server:
        answer = server.client.post("/v1/search", json={"text": "red leather purse"}).json()
        assert "rds-25" in [hit["id"] for hit in answer["hits"]]
        photo = server.client.get(answer["hits"][0]["product"]["image_urls"][0])
        assert photo.headers["content-type"] == "image/jpeg"
        first = answer["generation"]
        assert server.stop() == 0
    with Server(None, environment) as server:
        again = server.client.get("/v1/generations").json()
        assert [g["name"] for g in again] == [first]


def test_the_demo_takes_profiles_and_plugins_from_the_file_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENTREPOT_PLUGINS__RECOVERY_S", "7")
    plain = cli_demo.demo_settings()
    assert plain.profiles == Settings().profiles
    Path(FILE_NAME).write_text(
        'shop = "mine"\n[catalogue]\nlocale = "de"\n[server]\nport = 1\n'
        '[profiles.default]\nrankers = ["mine"]\n[plugins]\nrecovery_s = 1\ndeadline_ms = 9\n'
    )
    found = cli_demo.demo_settings()
    assert found.profiles["default"].rankers == ("mine",)
    assert (found.plugins.deadline_ms, found.plugins.recovery_s) == (9, 7)
    others = {"profiles": plain.profiles, "plugins": plain.plugins}
    assert msgspec.structs.replace(found, **others) == plain
    result = invoke("demo", "--no-browser", "--port", "0")
    assert f"[profiles] and [plugins] are those of {tmp_path / FILE_NAME}" in result.stdout
    assert (result.exit_code, "no ranker named 'mine'" in result.stderr) == (2, True)


def test_a_misspelt_component_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_catalogue(tmp_path)
    monkeypatch.chdir(tmp_path)
    variable = "ENTREPOT_PROFILES__DEFAULT__RANKERS"
    monkeypatch.setenv(variable, '["availabilty"]')
    result = invoke("search", "x")
    assert result.exit_code == 2
    assert "did you mean 'availability'?" in result.stderr
    monkeypatch.delenv(variable)
    monkeypatch.setenv("ENTREPOT_PLUGINS__OPTIONS", "{ availabilty = {} }")
    result = invoke("search", "x")
    assert result.exit_code == 2
    assert "plugins.options.availabilty: no component is called" in result.stderr


def test_where_the_demo_keeps_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cli_demo.demo_settings().data_path == tmp_path / "entrepot" / "demo"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENTREPOT_DATA_DIR", "here")
    assert cli_demo.demo_settings().data_path == tmp_path / "here"


def test_help_is_quick_to_import() -> None:
    """``entrepot --help`` loads neither the web framework nor a server."""
    code = "import sys, api.cli; print(sorted({'litestar', 'uvicorn', 'httpx'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_clients_ignore_proxies_of_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert isinstance(server.client, httpx.Client)
    assert invoke("search", "shoe", "--config", str(server.config)).exit_code == 0
