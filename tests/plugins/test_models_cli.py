"""Command group ``models``: listed and helpful with or without the extra it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from engine import PluginManager


@pytest.fixture
def group() -> click.Group:
    made: Any = PluginManager().create("commands", "models")
    assert isinstance(made, click.Group)
    return made


def test_commands_are_listed(group: click.Group) -> None:
    result = CliRunner().invoke(group, ["--help"])
    assert result.exit_code == 0
    assert set(group.commands) >= {
        *("train", "ablate", "export", "measure", "import", "finetune"),
        *("compile", "tensorrt", "check", "bench"),
    }
    for name in group.commands:
        assert f"\n  {name} " in result.output


def test_says_what_to_install(
    group: click.Group, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("importlib.import_module", absent)
    folders = [f"--{option}={tmp_path}" for option in ("data", "work")]
    folders.append(f"--out={tmp_path}/clip.safetensors")
    result = CliRunner().invoke(group, ["train", *folders])
    assert result.exit_code == 1
    assert "torch is not installed: pip install 'entrepot[models]'" in result.output
