"""``entrepot plugins list | check | bench``, on plugins that are good, broken or odd."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api import cli
from tests.api.installed import install, install_source

HEAD = """
import numpy as np
from msgspec import Struct
from engine import hookimpl

class Options(Struct, frozen=True, forbid_unknown_fields=True):
    strength: float = 1.0

class Mine:
    required_fields, required_vectors = ("price",), ()
    def __init__(self, options):
        self.strength = options.strength
    def rank(self, batch):
        {rank}

@hookimpl
def register_rankers(register):
    register("mine", Mine, Options)
"""
GOOD = "return batch.scores * np.float32(1 + self.strength)"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the checkout, and nothing indexed."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")


def ranker(rank: str) -> str:
    return HEAD.replace("{rank}", rank)


def invoke(*args: str) -> Result:
    return CliRunner().invoke(cli.main, ("plugins", *args), prog_name="entrepot")


def check(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *args: str) -> Result:
    install_source(tmp_path / "site", "mine", source, monkeypatch)
    return invoke("check", *(args or ("mine",)))


def test_a_good_plugin_is_green(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = check(ranker(GOOD), tmp_path, monkeypatch)
    assert result.exit_code == 0, result.output
    assert "✗" not in result.output
    for line in ("✓ loads", "✓ can be built", "✓ answers alike in a process of its own"):
        assert line in result.output
    assert "mine 1.0" in result.output


def test_who_is_prompt_is_told_what_that_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ranker("return batch.scores").replace("class Mine:", "class Mine:\n    prompt = True")
    assert (
        "– prompt: called in the search's own thread" in check(source, tmp_path, monkeypatch).output
    )


def test_who_never_comes_back_is_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.cli_plugins_check.DEADLINE_S", 0.2)
    result = check(ranker("import threading; threading.Event().wait()"), tmp_path, monkeypatch)
    assert result.exit_code == 1
    assert "✗ comes back" in result.output
    assert "a search cannot wait" in result.output


def test_who_is_late_is_advised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("entrepot.toml").write_text("[plugins.limits.mine]\ndeadline_ms = 0.000001\n")
    result = check(ranker(GOOD), tmp_path, monkeypatch)
    assert result.exit_code == 0, result.output
    assert "! answers within its deadline" in result.output
    assert "[plugins.limits.mine]" in result.output


def test_who_misses_its_deadline_grossly_is_red(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first call may load something; a later one that hangs is not waited for.
    late = "self.n = getattr(self, 'n', 0) + 1; import threading; threading.Event().wait("
    late += "0.3 if self.n == 1 else None); return batch.scores"
    result = check(ranker(late), tmp_path, monkeypatch)
    assert result.exit_code == 1
    assert "✗ answers within its deadline" in result.output
    assert "its deadline is 50 ms" in result.output
    assert "the other clauses are not tried" in result.output
    assert "answers in every size" not in result.output


def test_a_misspelt_option_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("entrepot.toml").write_text("[plugins.options.mine]\nlfit = 0.5\n")
    result = check(ranker(GOOD), tmp_path, monkeypatch)
    assert result.exit_code == 1
    assert [line.strip() for line in result.output.splitlines() if "✗" in line] == [
        "✗ can be built"
    ]
    assert "no option 'lfit'; it knows: strength" in result.output


def test_one_mistake_is_one_red_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = check(ranker("return batch.scores * np.nan"), tmp_path, monkeypatch)
    marked = [line.strip() for line in result.output.splitlines() if line.strip()[:1] in "✗!"]
    assert marked == ["✗ answers in every size"], result.output
    assert "broken by the cause of 'answers in every size', too: copes with" in result.output
    assert "1 broken, 0 not as advised" in result.output


def test_a_plugin_that_is_isolated_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("entrepot.toml").write_text('[plugins]\nisolated = ["mine"]\n')
    monkeypatch.setattr("api.cli_plugins_bench.CALLS", 2)
    processor = """
@hookimpl
def register_query_processors(register):
    register("same", lambda options: Same())
class Same:
    def process(self, plan, shop):
        return plan
"""
    result = check(ranker(GOOD) + processor, tmp_path, monkeypatch)
    assert result.exit_code == 0, result.output
    assert result.output.count("✓ can be built in a process of its own") == 2
    assert "✓ gives the same from any thread" in result.output
    rows = [line.split() for line in invoke("bench", "mine").output.splitlines()]
    assert {row[3] for row in rows if row[1:3] == ["made", "up"]} == {"process"}


def test_without_names_third_parties_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_source(tmp_path / "site", "mine", ranker("return batch.scores[:-1]"), monkeypatch)
    result = invoke("check")
    assert result.exit_code == 1
    assert "plugin mine" in result.output
    assert "availability" not in result.output


@pytest.mark.parametrize(
    ("rank", "clause", "hint"),
    [
        ("return batch.scores[:-1]", "answers in every size", "one float32 per id"),
        ("return batch.scores * np.nan", "answers in every size", "one float32 per id"),
        ("return [None] * len(batch.ids)", "answers in every size", "one float32 per id"),
        ("return batch.scores + sum(batch.columns['price'])", "missing values", "holds None"),
        ("return batch.scores * batch.lane_ranks['text']", "photo alone", "only the lane `photo`"),
        (
            "batch.scores[:] = 1; return batch.scores",
            "answers in every size",
            "batch.scores.copy()",
        ),
        ("batch.ids.sort(key=lambda i: i[::-1]); return batch.scores", "the batch alone", "Copy"),
        (
            "self.calls = getattr(self, 'calls', 0) + 1; return batch.scores * self.calls",
            "gives the same again",
            "seed a generator",
        ),
    ],
)
def test_what_breaks_the_contract_is_red_with_a_hint(
    rank: str, clause: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = check(ranker(rank), tmp_path, monkeypatch)
    assert result.exit_code == 1
    red = [line for line in result.output.splitlines() if "✗" in line]
    assert any(clause in line for line in red), result.output
    assert hint in result.output


def test_advice_is_yellow_and_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = check(ranker("return -batch.scores"), tmp_path, monkeypatch)
    assert result.exit_code == 0
    assert "! keeps scores positive" in result.output
    assert "1 not as advised" in result.output


def test_another_answer_in_another_process_is_red(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTREPOT_TEST_SECRET", "3")  # settings do not reach a plugin's process
    source = ranker(
        "import os; return batch.scores * len(os.environ.get('ENTREPOT_TEST_SECRET', ''))"
    )
    result = check(source, tmp_path, monkeypatch)
    assert result.exit_code == 1
    assert "✗ answers alike in a process of its own" in result.output
    assert "must follow from its options" in result.output


@pytest.mark.parametrize(
    ("source", "says", "hint"),
    [
        ("import no_such_vendor", "No module named 'no_such_vendor'", "Install 'no_such_vendor'"),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence", "See the traceback"),
        ("ENTREPOT_API = 99", "made for plugin API 99", "Install a version of the plugin"),
        ("ENTREPOT_API = '1'", "ENTREPOT_API is '1'", "→"),
        (
            "from engine import hookimpl\n@hookimpl\ndef register_ranker(register): pass",
            "unknown hook 'register_ranker'",
            "Did you mean register_rankers?",
        ),
        (
            ranker(GOOD).replace('register("mine"', 'register("availability"'),
            "already registered",
            "Rename one of the two",
        ),
    ],
)
def test_what_does_not_load_says_why_and_what_to_do(
    source: str, says: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = check(source, tmp_path, monkeypatch)
    assert result.exit_code == 1
    assert "✗ loads" in result.output
    listed = invoke("list").output
    for text in (says, hint):
        assert text in result.output, result.output
        assert text in listed


def test_a_missing_module_of_the_plugin_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "mine", "mine_that_is_not_there", monkeypatch)
    assert "its wheel lacks it" in invoke("check", "mine").output


@pytest.mark.parametrize(
    ("change", "says", "hint"),
    [
        (("strength: float = 1.0", "strength: float"), "strength", "[plugins.options.mine]"),
        (("options.strength", "options.nothing"), "AttributeError", "A factory gets its options"),
    ],
)
def test_what_cannot_be_built_is_red(
    change: tuple[str, str], says: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = check(ranker(GOOD).replace(*change), tmp_path, monkeypatch)
    assert result.exit_code == 1
    for text in ("✗ can be built", says, hint):
        assert text in result.output, result.output


def test_options_come_from_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("entrepot.toml").write_text("[plugins.options.mine]\nstrength = 0.5\n")
    source = ranker(GOOD).replace("strength: float = 1.0", "strength: float")
    assert check(source, tmp_path, monkeypatch).exit_code == 0
    Path("entrepot.toml").write_text("[plugins.options.mine]\nstrenght = 0.5\n")
    wrong = invoke("check", "mine")
    assert wrong.exit_code == 1
    assert "strenght" in wrong.output


def test_an_attributes_kind_can_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rank = "return batch.scores * np.float32(1 + sum(m > 3 for m in batch.columns['margin'] if m))"
    source = ranker(rank).replace('("price",)', '("margin",)')
    assert check(source, tmp_path, monkeypatch).exit_code == 0  # found out
    assert check_again("--field", "margin=number").exit_code == 0
    assert check_again("--field", "margin=keyword").exit_code == 1
    assert check_again("--field", "margin").exit_code == 2
    assert check_again("--field", "margin=money").exit_code == 2


def check_again(*args: str) -> Result:
    return invoke("check", "mine", *args)


def test_built_in_components_by_name() -> None:
    result = invoke("check", "availability", "normalize", "variants", "jsonl")
    assert result.exit_code == 0, result.output
    for text in ("ranker availability", "query processor normalize", "source jsonl"):
        assert text in result.output
    assert "ranker understood" not in result.output


def test_commands_are_checked_as_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
import click
from engine import hookimpl
@hookimpl
def register_commands(register):
    register("greet", lambda options: click.Command("greet"))
    register("shout", lambda options: "no command")
"""
    result = check(source, tmp_path, monkeypatch)
    assert result.exit_code == 1
    assert "✓ is a click command" in result.output
    assert "the factory returned 'no command'" in result.output


def test_nothing_installed_is_no_error() -> None:
    result = invoke("check")
    assert result.exit_code == 0
    assert "entrepot plugins new" in result.output


@pytest.mark.parametrize("command", ["check", "bench"])
def test_unknown_names(command: str) -> None:
    result = invoke(command, "nobody")
    assert result.exit_code == 2
    assert "no plugin or component 'nobody'" in result.stderr
    assert "availability" in result.stderr


def test_list_shows_components_with_their_options() -> None:
    output = invoke("list").output
    assert "availability · keep" in output
    assert "plugins.hash_encoder" in output
    Path("entrepot.toml").write_text('[plugins]\ndisabled = ["plugins.variants"]\n')
    output = invoke("list").output
    assert "disabled in the settings" in output
    assert "Take 'plugins.variants' out of `disabled`" in output


def test_bench_times_each_way_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.cli_plugins_bench.CALLS", 5)
    result = invoke("bench", "availability")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()]
    for size in ("50", "200", "1000"):
        modes = [row[3] for row in rows if row[:3] == [size, "made", "up"]]
        assert modes == ["bare", "thread", "process"]
    assert "no real searches" in result.output
    assert "deadline 50 ms" in result.output


def test_bench_is_about_what_runs_in_a_search() -> None:
    result = invoke("bench", "jsonl")
    assert result.exit_code == 2
    assert "no ranker, arranger or query processor" in result.stderr
