"""What is served is what was trained: export, compact weights, parity, measuring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from open_clip.model import CustomTextCLIP
from PIL import Image

from engine import Encoder, PluginManager
from engine.manifest import load_manifest
from engine.testing.encoder_contract import SIZES, picture
from models.cli import models as commands
from models.features import preprocess
from models.served import check, export
from plugins.onnx_encoder import _pixels

TEXTS = ["red leather purse", "a", "", "Nike Men Blue Running Shoes", "男士黑色皮鞋", "word " * 300]
# torch.export and its ONNX exporter warn about each other's deprecations.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def folder(model: CustomTextCLIP, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served")
    export(model, path, version="9", provenance="random heads")
    return path


def served(folder: Path, space: str = "joint") -> Encoder:
    options = {"model": str(folder), "space": space}
    encoder: Encoder = PluginManager().create("encoders", "onnx", options)
    return encoder


def photos() -> list[Image.Image]:
    return [picture(size, seed=i) for i, size in enumerate(SIZES)]


def test_served_embeddings_are_torchs(model: CustomTextCLIP, folder: Path) -> None:
    for parity in check(model, served(folder), TEXTS, photos()):
        assert parity.cosine >= (0.9999 if "batch" in parity.what else 0.999), parity


def test_weights_are_stored_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) < 34_000_000


def test_no_path_of_this_machine_is_exported(folder: Path) -> None:
    for file in folder.glob("*.onnx"):
        assert b".py" not in file.read_bytes()


def test_manifest_says_what_was_exported(folder: Path) -> None:
    manifest = load_manifest(folder)
    assert (manifest.version, manifest.provenance) == ("9", "random heads")
    assert manifest.info("joint").modalities == ("text", "image")
    assert manifest.info("sentence").dim == 384


def test_pixels_are_the_same_in_training_and_serving(folder: Path) -> None:
    tower = load_manifest(folder).image
    assert tower is not None
    np.testing.assert_allclose(_pixels(photos(), tower), preprocess(photos()), atol=1e-5)


def test_measuring_writes_figures_and_floors(folder: Path, data: Path) -> None:
    result = CliRunner().invoke(commands, ["measure", str(folder), "--data", str(data)])
    assert result.exit_code == 0, result.output
    assert "title → photo R@10 (all)" in result.output
    manifest = load_manifest(folder)
    assert set(manifest.spaces["joint"].min_score) == {"text", "image"}
    assert set(manifest.spaces["sentence"].min_score) == {"text"}
    assert all(0.0 <= figure <= 1.0 for figure in manifest.quality.values())
