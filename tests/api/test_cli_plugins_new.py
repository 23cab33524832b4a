"""``entrepot plugins new``: what it writes passes its own check, its own tests, ruff and mypy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api import cli
from api.cli_plugins_new import KINDS
from tests.api.installed import install


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def invoke(*args: str) -> Result:
    return CliRunner().invoke(cli.main, ("plugins", *args), prog_name="entrepot")


def write(kind: str) -> Path:
    result = invoke("new", f"my-{kind}", "--kind", kind)
    assert result.exit_code == 0, result.output
    return Path(f"my-{kind}").absolute()


def run(folder: Path, *command: str) -> None:
    """A command in the written folder, with this process's modules; it must succeed."""
    paths = os.pathsep.join([str(folder), *(path for path in sys.path if path)])
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_written_passes_its_own_check_and_tests(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(kind)
    install(folder, f"my-{kind}", f"my_{kind.replace('-', '_')}", monkeypatch)
    checked = invoke("check", f"my-{kind}")
    assert checked.exit_code == 0, checked.output
    assert "0 broken, 0 not as advised" in checked.output
    assert "✓ answers alike in a process of its own" in checked.output
    run(folder, sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")


def test_what_is_written_is_clean_and_typed() -> None:
    ruff, mypy = (shutil.which(tool, path=_tools()) for tool in ("ruff", "mypy"))
    if not (ruff and mypy):
        pytest.skip("ruff and mypy are not installed; tox -e test installs them")
    for kind in KINDS:
        folder = write(kind)
        run(folder, ruff, "check", "--no-cache", ".")
        run(folder, ruff, "format", "--check", "--no-cache", ".")
        run(folder, mypy, "--cache-dir", str(folder.parent / "mypy-cache"))


def _tools() -> str:
    """Where this environment keeps its commands, and the shell's path."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def test_the_folder_is_chosen_and_nothing_is_overwritten() -> None:
    result = invoke("new", "my-ranker", "--folder", "elsewhere/mine")
    assert result.exit_code == 0, result.output
    files = {str(file.relative_to("elsewhere/mine")) for file in Path("elsewhere").rglob("*.*")}
    assert files == {"README.md", "pyproject.toml", "my_ranker.py", "tests/test_my_ranker.py"}
    kept = Path("elsewhere/mine/my_ranker.py")
    kept.write_text("mine")
    again = invoke("new", "my-ranker", "--folder", "elsewhere/mine")
    assert again.exit_code == 2
    assert "nothing is overwritten" in again.stderr
    assert kept.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("My-Ranker", "lower-case"),
        ("my_ranker", "lower-case"),
        ("../my-ranker", "lower-case"),
        ("1st", "lower-case"),
        ("my-", "lower-case"),
        ("a" * 41, "at most 40"),
        ("lambda", "uses this word"),
        ("ranker", "uses this word"),
        ("json", "a module 'json' is installed"),
        ("numpy", "a module 'numpy' is installed"),
        ("understood", "there is a ranker of this name"),
    ],
)
def test_names_that_cannot_be(name: str, says: str, tmp_path: Path) -> None:
    result = invoke("new", name)
    assert result.exit_code == 2
    assert says in result.stderr
    assert list(tmp_path.iterdir()) == []
