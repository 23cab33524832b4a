"""What is exported is what torch computes, for any batch and length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from onnxruntime import InferenceSession
from open_clip.model import CustomTextCLIP
from torch import Tensor, nn

from engine import InvalidModel, Manifest, PluginManager, load_manifest, pixels
from engine.manifest import Space, TextTower
from engine.testing.encoder_contract import SIZES, EncoderContract, picture
from models.check import report
from models.cli import models as commands
from models.features import preprocess
from models.product import PROVENANCE, export_product_clip
from models.served import TextPart, write_served
from models.towers import TRUNK, save_checkpoint
from tests.models.tiny import SIDE, TinyImage, TinyText, tiny_tokenizer, write_tiny

# torch.export and its ONNX exporter warn about each other's deprecations.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def run(folder: Path, file: str, name: str, value: Tensor) -> list[np.ndarray]:
    session = InferenceSession(folder / file, providers=["CPUExecutionProvider"])
    rows: list[np.ndarray] = session.run(None, {name: value.numpy()})
    return rows


@pytest.mark.parametrize(("count", "length"), [(1, 3), (5, 1), (3, 40)])
def test_texts_are_torchs(tiny: Path, count: int, length: int) -> None:
    ids = torch.randint(4, 100, (count, length), generator=torch.Generator().manual_seed(1))
    ids[-1, 2:] = 0
    with torch.inference_mode():
        expected = TinyText()(ids)
    for rows, torchs in zip(run(tiny, "text.onnx", "input_ids", ids), expected, strict=True):
        np.testing.assert_allclose(rows, torchs.numpy(), atol=1e-5)


@pytest.mark.parametrize("count", [1, 7])
def test_images_are_torchs(tiny: Path, count: int) -> None:
    found = torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) - 0.5
    with torch.inference_mode():
        expected = TinyImage()(found)
    (rows,) = run(tiny, "image.onnx", "pixels", found)
    np.testing.assert_allclose(rows, expected.numpy(), atol=1e-5)


class TestExported(EncoderContract):
    @pytest.fixture
    def encoder(self, tiny: Path) -> object:
        return PluginManager().create("encoders", "onnx", {"model": str(tiny)})


def test_no_path_of_this_machine_is_exported(tiny: Path) -> None:
    for file in tiny.glob("*.onnx"):
        assert b".py" not in file.read_bytes()


def test_a_tower_that_looks_at_its_padding_takes_one_length(tmp_path: Path) -> None:
    write_tiny(tmp_path / "fixed", pad_to=16)
    (ids,) = onnx.load(tmp_path / "fixed" / "text.onnx").graph.input
    assert ids.type.tensor_type.shape.dim[1].dim_value == 16
    assert not ids.type.tensor_type.shape.dim[0].dim_value


class Constant(nn.Module):
    """A unit row per text, whatever it says."""

    def __init__(self) -> None:
        super().__init__()
        self.row = nn.Parameter(torch.full((1, 4), 0.5))

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.row.expand(input_ids.shape[0], -1)


def write(folder: Path, text: bool = True) -> Manifest:
    tower = TextTower("text.onnx", "tokenizer.json", 16, ("joint",))
    tokenizer = tiny_tokenizer(folder.parent / "tokenizer.json")
    return write_served(
        folder,
        name="constant",
        version="1",
        licence="CC0-1.0",
        provenance="made up",
        spaces={"joint": Space(4)},
        text=TextPart(Constant(), tower, tokenizer) if text else None,
        image=None,
    )


def test_a_model_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_text("mine")
    with pytest.raises(InvalidModel, match="exists: name another folder"):
        write(tmp_path / "model")
    assert (tmp_path / "model" / "manifest.json").read_text() == "mine"


def test_a_model_without_towers(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match="constant: no tower to serve"):
        write(tmp_path / "model", text=False)


def test_a_failed_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.onnx_export.LARGEST", 8)
    with pytest.raises(InvalidModel, match="choose a smaller model"):
        write(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]


@pytest.fixture(scope="module")
def product(model: CustomTextCLIP, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("product") / "fp32"
    export_product_clip(model, folder, version="9", provenance="random heads")
    return folder


def test_the_product_clip_is_torchs(model: CustomTextCLIP, product: Path, tmp_path: Path) -> None:
    """From the checkpoint, with the tokens and pixels of training. Its float16 costs 1e-6."""
    save_checkpoint(model, tmp_path / "model.safetensors")
    lines = list(report(product, tmp_path / "model.safetensors", 0.9999, None))
    assert len(lines) == 6
    assert all(line.kept for line in lines), "\n".join(map(str, lines))


def test_manifest_says_what_was_exported(product: Path) -> None:
    manifest = load_manifest(product)
    assert (manifest.version, manifest.provenance) == ("9", "random heads")
    assert manifest.info("joint").modalities == ("text", "image")
    assert manifest.info("sentence").dim == 384


def test_provenance_names_the_towers() -> None:
    lite = TRUNK.removeprefix("tf_efficientnet_").capitalize()
    assert f"EfficientNet-{lite} (ImageNet) and all-MiniLM-L6-v2" in PROVENANCE


def test_pixels_are_the_same_in_training_and_serving(product: Path) -> None:
    tower = load_manifest(product).image
    assert tower is not None
    photos = [picture(size, seed=i) for i, size in enumerate(SIZES)]
    np.testing.assert_allclose(pixels(photos, tower), preprocess(photos), atol=1e-5)


def test_measuring_writes_figures_and_floors(product: Path, data: Path) -> None:
    result = CliRunner().invoke(commands, ["measure", str(product), "--data", str(data)])
    assert result.exit_code == 0, result.output
    assert "title → photo R@10 (all)" in result.output
    manifest = load_manifest(product)
    assert set(manifest.spaces["joint"].min_score) == {"text", "image"}
    assert set(manifest.spaces["sentence"].min_score) == {"text"}
    assert all(0.0 <= figure <= 1.0 for figure in manifest.quality.values())
