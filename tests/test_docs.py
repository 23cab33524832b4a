"""The documentation is true: links resolve, hooks are described, the tutorial runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from api import cli
from api.cli import COMMANDS
from engine import QueryPlan, RankingBatch, SearchRequest, Translator, hookspecs
from engine.conformance import examine
from engine.manager import PluginManager
from engine.settings import ProfileSettings, Settings, load_settings
from engine.testing import TranslatorContract
from models.query_tags import TYPES

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Folders of one machine; a pattern that does not match its own text.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/\w")


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_resolve(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in LINK.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), f"{target}: no such file"
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), f"{target}: no heading"


def test_every_hook_has_a_heading() -> None:
    hooks = [name for name in vars(hookspecs) if name.startswith("register_")]
    headings = re.findall(r"^### (register_\w+)$", page("docs/plugins.md"), re.MULTILINE)
    assert sorted(headings) == sorted(hooks)


def test_every_command_is_shown() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    missing = [name for name in COMMANDS if not re.search(rf"\bentrepot\s{name}\b", text)]
    assert missing == []


def test_every_decision_is_listed() -> None:
    index = page("docs/decisions/README.md")
    decisions = sorted(path.name for path in (ROOT / "docs/decisions").glob("[0-9]*.md"))
    assert decisions == sorted(re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", index))


def test_every_module_of_models_is_listed() -> None:
    section = page("docs/models.md").split("## Where it is in `models/`")[1].split("\n## ")[0]
    modules = {path.stem for path in (ROOT / "models").glob("*.py")} - {"__init__"}
    assert set(re.findall(r"`(\w+)`", section)) == modules


def test_ci_runs_the_readmes_test_command() -> None:
    commands = code_blocks(page("README.md"), "sh")
    assert commands[0].rstrip().endswith("entrepot demo")
    assert commands[1].rstrip().endswith("tox")
    assert commands[1] in page(".ci/run")


def test_no_tracked_file_names_a_folder_of_one_machine() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b"\0"
        if b"\0" not in content[:8192]:
            found = MACHINE_PATH.search(content.decode("utf-8", "replace"))
            assert not found, f"{name}: {found[0]}"


def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page("docs/plugins.md")
    code = code_blocks(text, "python")[0]
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 10, "ten lines, said the heading"
    (tmp_path / "thrifty.py").write_text(code, encoding="utf-8")
    manager = _install(tmp_path, code_blocks(text, "toml")[0], monkeypatch)
    ranker = manager.create("rankers", "thrifty")
    np.testing.assert_allclose(ranker.rank(_batch([0.0, 100.0, None])), [1.0, 0.5, 1.0])
    assert [finding for finding in examine("rankers", ranker) if finding.broken] == []


def test_the_example_of_a_plan_in_a_test_runs() -> None:
    (example,) = (b for b in code_blocks(page("docs/plugins.md"), "python") if "plan=plan" in b)
    said: dict[str, Any] = {}
    exec(example, said)
    said["test_a_brand_that_was_asked_for_rises"]()
    findings = examine("rankers", said["OwnBrand"]())
    assert [each for each in findings if each.broken] == []


class TestTheTranslatorOfThePluginPage(TranslatorContract):
    pair = ("de", "en")
    words = "rote schuhe"

    @pytest.fixture
    def translator(self) -> Translator:
        (code,) = (b for b in code_blocks(page("docs/plugins.md"), "python") if "FewWords" in b)
        said: dict[str, Any] = {}
        exec(code, said)
        offered: dict[str, Any] = {}
        said["register_translators"](offered.__setitem__)
        made: Translator = offered["few-words"](None)
        return made

    def test_it_translates(self, translator: Translator) -> None:
        assert translator.translate([self.words], *self.pair) == ["red shoes"]


def test_every_label_of_a_span_is_listed() -> None:
    paragraph = page("docs/understanding.md").split("the 17 of\n")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", paragraph)) == {*TYPES, "size", "negation"}


def test_options_are_under_the_table_that_settings_have() -> None:
    named = set(re.findall(r"`\[([a-z_]+)[.\]]", page("docs/reference/components.md")))
    assert {"store", "plugins"} <= named <= set(Settings.__struct_encode_fields__)


def test_the_settings_of_the_plugin_pages_are_settings(tmp_path: Path) -> None:
    """And a pipeline that adds a ranker adds it to the default ones."""
    for name in ("docs/plugins.md", "docs/plugin-tutorial.md", "examples/nearby_stock/README.md"):
        for block in code_blocks(page(name), "toml"):
            if "[profiles.default]" in block:
                file = tmp_path / "entrepot.toml"
                file.write_text(block, encoding="utf-8")
                named = load_settings(file).profiles["default"].rankers
                assert named[:-1] == ProfileSettings().rankers, name
    variable = re.search(r"RANKERS='(\[.*\])'", page("docs/plugin-tutorial.md"))
    assert variable is not None
    assert tuple(json.loads(variable[1]))[:-1] == ProfileSettings().rankers


def test_the_tutorials_commands_and_options_exist() -> None:
    """``tox -e example`` runs the tutorial; this notices at once when a command changes."""
    commands = [
        line.split("#")[0].split()[1:]
        for block in code_blocks(page("docs/plugin-tutorial.md"), "sh")
        for line in block.splitlines()
        if line.startswith("entrepot ")
    ]
    assert ["plugins", "new", "my-ranker"] in commands
    for words in commands:
        command: click.Command = cli.main
        context = click.Context(command)
        while isinstance(command, click.Group):
            found = command.get_command(context, words.pop(0))
            assert found is not None
            command = found
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_the_example_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ROOT / "examples" / "nearby_stock"
    monkeypatch.syspath_prepend(folder)
    manager = _install(tmp_path, (folder / "pyproject.toml").read_text("utf-8"), monkeypatch)
    ranker = manager.create("rankers", "nearby-stock", {"near": {"FR": ["lyon"]}})
    findings = list(examine("rankers", ranker))
    assert len(findings) > 10
    assert [finding for finding in findings if finding.broken] == []


def _install(where: Path, pyproject: str, monkeypatch: pytest.MonkeyPatch) -> PluginManager:
    """What ``pip install`` leaves behind, and the manager that finds it."""
    project = tomllib.loads(pyproject)["project"]
    info = where / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
        for module in entries.values():
            monkeypatch.delitem(sys.modules, module, raising=False)
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(where)
    manager = PluginManager()
    assert [status.error for status in manager.statuses if not status.builtin] == [""]
    return manager


def _batch(prices: list[float | None]) -> RankingBatch:
    return RankingBatch(
        ids=[str(i) for i in range(len(prices))],
        scores=np.ones(len(prices), np.float32),
        lane_ranks={},
        lane_scores={},
        plan=QueryPlan(),
        request=SearchRequest(),
        columns={"price": prices},
    )
