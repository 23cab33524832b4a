"""The commands around the product CLIP hand on what they were given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from open_clip.model import CustomTextCLIP

from models.ablation import VARIANTS
from models.cli import models as commands
from models.towers import load_checkpoint, save_checkpoint, trained_state
from models.training import Recipe


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(commands, [*map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def assert_alike(found: CustomTextCLIP, expected: CustomTextCLIP) -> None:
    """But for the checkpoint's float16."""
    for name, tensor in trained_state(expected).items():
        torch.testing.assert_close(trained_state(found)[name], tensor, atol=1e-3, rtol=1e-3)


def test_train_writes_a_checkpoint_in_a_folder_that_is_new(
    model: CustomTextCLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Recipe] = []

    def train(data: Path, work: Path, recipe: Recipe, report: object) -> tuple[Any, Any]:
        given.append(recipe)
        return model, {}

    monkeypatch.setattr("models.training.train", train)
    out = tmp_path / "new" / "clip.safetensors"
    options = ("--data", tmp_path, "--work", tmp_path, "--out", out)
    run("train", *options)
    run("train", *options, "--epochs", 2)
    assert given == [Recipe(), Recipe(epochs=2)]
    assert_alike(load_checkpoint(out), model)


def test_export_writes_the_checkpoints_model(
    model: CustomTextCLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Any, Path, str]] = []
    monkeypatch.setattr(
        "models.product.export_product_clip",
        lambda model, folder, *, version: given.append((model, folder, version)),
    )
    save_checkpoint(model, tmp_path / "clip.safetensors")
    run("export", tmp_path / "clip.safetensors", tmp_path / "out", "--version", "7")
    ((found, folder, version),) = given
    assert (folder, version) == (tmp_path / "out", "7")
    assert_alike(found, model)


def test_ablate_trains_every_variant_without_the_development_products(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Recipe] = []

    def train(
        data: Path, work: Path, recipe: Recipe, report: object, dev: bool = False
    ) -> tuple[None, dict[str, float]]:
        assert dev
        given.append(recipe)
        return None, {"R@1": 0.25}

    monkeypatch.setattr("models.ablation.train", train)
    lines = run("ablate", "--data", data, "--work", tmp_path, "--epochs", 2).stdout.splitlines()
    assert [line.startswith("plain image tower: ") for line in lines] == (
        [True] * 3 + [False] * len(VARIANTS)
    )
    assert lines[3:] == [f"{name}   R@1 0.250" for name in VARIANTS]
    assert len(set(given)) == len(VARIANTS)
    assert {recipe.epochs for recipe in given} == {2}
