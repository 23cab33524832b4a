"""A translator that somebody else registers: in searches over HTTP, in processes, in commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner

from api import cli
from engine import Engine, PluginManager, Settings, Translator, UnknownPlugin
from engine.settings import LimitSettings, PluginSettings, ProfileSettings
from engine.testing import TranslatorContract
from tests.api.harness import build, make_settings, serving
from tests.api.installed import install_source

SOURCE = """
import threading

from engine import PluginError, hookimpl
from msgspec import Struct, field

RELEASED = threading.Event()


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    words: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    api_key: str = ""


class Toy:
    def __init__(self, options):
        self.options = options

    def pairs(self):
        if self.options.fault == "pairs":
            raise RuntimeError("no idea")
        return {("de", "en"), ("en", "de")}

    def translate(self, texts, source, target):
        if (source, target) not in self.pairs():
            raise PluginError("not that pair")
        match self.options.fault:
            case "raises":
                raise RuntimeError("out of paper")
            case "hangs":
                RELEASED.wait(60)
            case "numbers":
                return [1 for _ in texts]
            case "one string":
                return "red shoe"
            case "nothing":
                return None
            case "too many":
                return [*texts, "and more"]
        words = self.options.words
        return [" ".join(words.get(w, w) for w in text.split()) or text for text in texts]

    def close(self):
        if self.options.fault == "closing":
            raise RuntimeError("stuck")


@hookimpl
def register_translators(register):
    register("toy-words", Toy, Options)
"""
WORDS = {"rote": "red", "schuhe": "shoe"}
ASKED = {"text": "rote schuhe", "locale": "de", "explain": True}
Serve = Callable[..., httpx.Client]


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_source(tmp_path / "plugins", "toy-translators", SOURCE, monkeypatch)


@pytest.fixture
def serve(tmp_path: Path, photo_root: Path) -> Iterator[Serve]:
    """A server of a shop with these options of the toy and of ``translate``."""
    with ExitStack() as stack:

        def serve(toy: dict[str, Any], limits: LimitSettings, *isolated: str) -> httpx.Client:
            order = ["toy-words"]
            options = {
                "toy-words": {"words": WORDS, **toy},
                "translate": {"translators": order, "shop_words": False},
            }
            settings = msgspec.structs.replace(
                make_settings(tmp_path / "data"),
                profiles={
                    "default": ProfileSettings(
                        query_processors=("normalize", "translate"),
                        rankers=(),
                        weights={"image": 0.0},
                    )
                },
                plugins=PluginSettings(
                    isolated=isolated,
                    deadline_ms=60_000,
                    options=options,
                    limits={"translate": limits},
                ),
            )
            build(settings, photo_root)
            engine = stack.enter_context(Engine.open(settings))
            return stack.enter_context(serving({"test": engine}))

        yield serve


PATIENT = LimitSettings(deadline_ms=20_000)


def ask(client: httpx.Client) -> dict[str, Any]:
    response = client.post("/v1/search", json=ASKED)
    assert response.status_code == 200, response.text
    return dict(response.json())


class TestContract(TranslatorContract):
    pair = ("de", "en")
    words = "rote schuhe"

    @pytest.fixture
    def translator(self) -> Translator:
        made: Translator = PluginManager().create("translators", "toy-words", {"words": WORDS})
        return made


@pytest.mark.parametrize(
    ("isolation", "isolated"), [("thread", ()), ("process", ()), ("thread", ("plugins.translate",))]
)
def test_a_search_is_translated_by_it(
    serve: Serve, isolation: Any, isolated: tuple[str, ...]
) -> None:
    """Also where ``translate`` runs in a process, which finds what others registered, and where
    nothing of it is imported here."""
    client = serve({}, LimitSettings(deadline_ms=20_000, isolation=isolation), *isolated)
    answer = ask(client)
    assert answer["degraded"] == []
    assert answer["plan"]["translations"] == {"en": "red shoe"}
    assert answer["hits"][0]["id"] == "red-shoe"
    assert any(lane.endswith(":en") for lane in answer["hits"][0]["explain"]["lanes"])
    assert "toy-words" in client.get("/v1/plugins").json()["components"]["translators"]


@pytest.mark.parametrize("fault", ["raises", "numbers", "one string", "nothing", "too many"])
def test_a_broken_one_costs_the_translation_alone(serve: Serve, fault: str) -> None:
    answer = ask(serve({"fault": fault}, PATIENT))
    assert [each["component"] for each in answer["degraded"]] == ["translate"]
    assert "toy-words: " in answer["degraded"][0]["reason"]
    assert answer["plan"]["translations"] == {}
    assert answer["hits"]


def test_one_that_cannot_say_its_languages_is_not_asked(serve: Serve) -> None:
    answer = ask(serve({"fault": "pairs"}, PATIENT))
    assert (answer["degraded"], answer["plan"]["translations"]) == ([], {})
    assert answer["hits"]


def test_one_that_cannot_be_closed_holds_nothing_up(serve: Serve) -> None:
    assert ask(serve({"fault": "closing"}, PATIENT))["plan"]["translations"]


def test_a_hanging_one_costs_the_deadline(serve: Serve) -> None:
    import toy_translators  # type: ignore[import-not-found]

    toy_translators.RELEASED.set()  # the start waits for a translator's first answer
    client = serve({"fault": "hangs"}, LimitSettings(deadline_ms=20))
    toy_translators.RELEASED.clear()
    try:
        answer = ask(client)
    finally:
        toy_translators.RELEASED.set()
    assert [each["component"] for each in answer["degraded"]] == ["translate"]
    assert answer["hits"]


def test_a_catalogue_is_translated_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the settings that ``--config`` names, wherever the command runs; again where they are
    others, but for a key."""
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "products.jsonl").write_text('{"id": "1", "title": "red shoe"}\n')
    monkeypatch.chdir(tmp_path)

    def run(**options: Any) -> tuple[str, str]:
        """The title, and what was reported."""
        table = {"words": '{ red = "roter", shoe = "Schuh" }', **options}
        (shop / "entrepot.toml").write_text(
            'log_level = "error"\n[catalogue]\nsource = "products.jsonl"\n'
            '[plugins.options.translate]\ntranslators = ["toy-words"]\n'
            "[plugins.options.toy-words]\n"
            + "".join(f"{name} = {value}\n" for name, value in table.items())
        )
        words = ["translate", "--to", "de", "--config", str(shop / "entrepot.toml")]
        result = CliRunner().invoke(cli.main, words)
        assert result.exit_code == 0, result.output
        (line,) = (shop / "products.translated.jsonl").read_text(encoding="utf-8").splitlines()
        return json.loads(line)["translations"]["de"]["title"], result.output

    title, said = run()
    assert (title, "1 texts translated" in said) == ("roter Schuh", True)
    title, said = run(api_key='"another"')
    assert (title, "1 known from before" in said) == ("roter Schuh", True)
    assert run(words='{ red = "rote" }')[0] == "rote shoe"


def test_a_name_that_nobody_registered_stops_the_start(tmp_path: Path) -> None:
    lacking = tuple(status.name for status in PluginManager().missing)  # by this environment
    settings: Settings = msgspec.structs.replace(
        make_settings(tmp_path / "data"),
        profiles={"default": ProfileSettings(query_processors=("translate",))},
        plugins=PluginSettings(
            disabled=lacking, options={"translate": {"translators": ["toy-wrods"]}}
        ),
    )
    with pytest.raises(UnknownPlugin, match="did you mean 'toy-words'"):
        Engine(settings)
