"""Variants: the weights that training rounded to, embeddings near the original's, and honest
manifests; the report that compares them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession
from torch import nn

from engine import Encoder, InvalidModel, PluginManager, load_manifest
from engine.manifest import FILE_NAME
from engine.testing.encoder_contract import EncoderContract, cosines, picture
from models.blocks import BLOCK, SMALLEST, quantize_blocks
from models.calibration import quantize_convolutions
from models.cli_compile import check, compile_command
from models.compile import CALIBRATE, HELD_OUT, compile_served, pictures_in
from models.int8 import quantize_matrices
from models.onnx_export import round_to_served
from models.parity import Loss, Parity
from models.plain_graph import plain

TEXTS = ["red leather purse", "a", "", "blue running shoes for men", "word " * 60]
PHOTOS = CALIBRATE + HELD_OUT


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many pictures as calibration wants, some below another folder."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    for i in range(PHOTOS):
        picture((40, 40), seed=i).save(folder / ("more" if i % 2 else "") / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def variants(tiny: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("variants")
    compile_served(tiny, folder / "fp32", "fp32")
    compile_served(tiny, folder / "fp16", "fp16")
    compile_served(tiny, folder / "int8", "int8", pictures_in(photos))
    compile_served(tiny, folder / "float-convolutions", "int8")
    return folder


def served(folder: Path, space: str = "joint") -> Encoder:
    options = {"model": str(folder), "space": space}
    encoder: Encoder = PluginManager().create("encoders", "onnx", options)
    return encoder


@given(rows=st.integers(1, 4), blocks=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_quantizing_twice_changes_nothing(rows: int, blocks: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(scale=10.0 ** rng.integers(-6, 6), size=(rows, blocks * BLOCK))
    quantized, scale = quantize_blocks(values.astype(np.float32))
    unpacked = quantized * np.repeat(scale, BLOCK, axis=1)
    again, _ = quantize_blocks(unpacked)
    np.testing.assert_array_equal(again, quantized)


def graph_of(node: onnx.NodeProto, weights: dict[str, Any], kind: int, rank: int = 2) -> Any:
    """One ``node`` from ``x [?, ?]`` to ``y`` of as many axes as ``rank``."""
    return helper.make_model(
        helper.make_graph(
            [node],
            "one",
            [helper.make_tensor_value_info("x", kind, [None, None])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank)],
            [numpy_helper.from_array(value, name) for name, value in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", 21)],
        ir_version=10,
    )


def weight(seed: int, rows: int, columns: int) -> nn.Linear:
    """A layer of more than :data:`SMALLEST` weights, and its bias."""
    torch.manual_seed(seed)
    assert rows * columns >= SMALLEST
    return nn.Linear(columns, rows)


def matmul(layer: nn.Linear) -> Any:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return graph_of(node, {"w": layer.weight.detach().numpy().T.copy()}, TensorProto.FLOAT)


def gemm(layer: nn.Linear) -> Any:
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
    weights = {"w": layer.weight.detach().numpy(), "b": np.zeros(layer.out_features, np.float32)}
    return graph_of(node, weights, TensorProto.FLOAT)


@pytest.mark.parametrize("made", [matmul, gemm])
@settings(max_examples=10)
@given(seed=st.integers(0, 1000), rows=st.integers(32, 96), blocks=st.integers(2, 4))
def test_products_use_the_weights_that_training_rounded_to(
    made: Callable[[nn.Linear], Any], seed: int, rows: int, blocks: int
) -> None:
    """To the bit as they are stored; and as ONNX Runtime multiplies them, for rows of the unit
    matrix are exact in int8, but for its float32 sums."""
    layer = weight(seed, rows, blocks * BLOCK)
    model = made(layer)
    quantize_matrices(model)
    assert [node.op_type for node in model.graph.node] == ["MatMulNBits"]
    round_to_served(layer)
    rounded = layer.weight.detach().numpy().T
    stored = [numpy_helper.to_array(tensor) for tensor in plain(model).graph.initializer]
    np.testing.assert_array_equal(next(w for w in stored if w.ndim == 2), rounded)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.eye(blocks * BLOCK, dtype=np.float32)})
    np.testing.assert_allclose(found, rounded, rtol=0, atol=1e-7)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_lookups_give_the_rows_that_training_rounded_to(seed: int) -> None:
    torch.manual_seed(seed)
    table = nn.Embedding(64, 2 * BLOCK)
    node = helper.make_node("Gather", ["w", "x"], ["y"])
    model = graph_of(node, {"w": table.weight.detach().numpy()}, TensorProto.INT64, 3)
    quantize_matrices(model)
    assert [node.op_type for node in model.graph.node] == ["GatherBlockQuantized"]
    round_to_served(table)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.arange(64).reshape(8, 8)})
    np.testing.assert_array_equal(found.reshape(64, -1), table.weight.detach().numpy())


def test_a_matrix_used_both_ways_is_packed_for_each() -> None:
    """As a weight and as its transpose; square, so that no shape tells them apart."""
    values = np.random.default_rng(0).normal(size=(BLOCK, BLOCK)).astype(np.float32)
    model = matmul_of(values)
    model.graph.node.insert(0, helper.make_node("Gemm", ["x", "w"], ["z"], transB=1))
    model.graph.node[1].input[0] = "z"
    quantize_matrices(model)
    assert [node.op_type for node in model.graph.node] == ["MatMulNBits"] * 2
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.eye(BLOCK, dtype=np.float32)
    (found,) = session.run(None, {"x": x})
    assert cosines(found, x @ values.T @ values).min() > 0.999


def small() -> Any:
    return matmul_of(np.ones((BLOCK, 2), np.float32))


def broken_blocks() -> Any:
    return matmul_of(np.ones((BLOCK + 1, 80), np.float32))


def half() -> Any:
    return matmul_of(np.ones((BLOCK, BLOCK), np.float16))


def scaled() -> Any:
    node = helper.make_node("Gemm", ["x", "w"], ["y"], alpha=2.0)
    weights = {"w": np.ones((BLOCK, BLOCK), np.float32)}
    return graph_of(node, weights, TensorProto.FLOAT)


def matmul_of(values: Any) -> Any:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return graph_of(node, {"w": values}, TensorProto.FLOAT)


@pytest.mark.parametrize("made", [small, broken_blocks, half, scaled])
def test_what_does_not_fit_stays(made: Callable[[], Any]) -> None:
    model = made()
    before = model.SerializeToString()
    quantize_matrices(model)
    assert model.SerializeToString() == before


class TestInt8(EncoderContract):
    @pytest.fixture
    def encoder(self, variants: Path) -> Encoder:
        return served(variants / "int8")


class TestInt8Sentence(EncoderContract):
    @pytest.fixture
    def encoder(self, variants: Path) -> Encoder:
        return served(variants / "int8", "sentence")


class TestFp16(EncoderContract):
    @pytest.fixture
    def encoder(self, variants: Path) -> Encoder:
        return served(variants / "fp16")


@pytest.mark.parametrize(
    ("variant", "least"),
    [("fp32", 0.999999), ("fp16", 0.9999), ("float-convolutions", 0.99), ("int8", 0.98)],
)
def test_variants_are_near_the_original(
    tiny: Path, variants: Path, variant: str, least: float
) -> None:
    images = [picture(seed=i) for i in range(6)]
    for space in ("joint", "sentence"):
        original, found = served(tiny, space), served(variants / variant, space)
        rows = original.encode_texts(TEXTS, "query")
        assert cosines(rows, found.encode_texts(TEXTS, "query")).min() > least
    original, found = served(tiny), served(variants / variant)
    assert cosines(original.encode_images(images), found.encode_images(images)).mean() > least


def operators(file: Path) -> set[str]:
    return {node.op_type for node in onnx.load(file).graph.node}


def test_int8_computes_in_int8(variants: Path) -> None:
    text = operators(variants / "int8" / "text.onnx")
    assert {"MatMulNBits", "GatherBlockQuantized"} <= text
    assert "QuantizeLinear" in operators(variants / "int8" / "image.onnx")
    assert "QuantizeLinear" not in operators(variants / "float-convolutions" / "image.onnx")


def test_the_first_convolutions_stay_float(variants: Path) -> None:
    graph = onnx.load(variants / "int8" / "image.onnx").graph
    made = {name: node for node in graph.node for name in node.output}
    first, *_, last = (node for node in graph.node if node.op_type == "Conv")
    assert first.input[0] == "pixels"
    assert made[last.input[0]].op_type == "DequantizeLinear"


def test_convolutions_stay_float_where_none_is_near_enough(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.calibration.COSINE", 2.0)
    noise = np.random.default_rng(0).random((4, 3, 32, 32), dtype=np.float32)
    found = quantize_convolutions(tiny / "image.onnx", noise, noise)
    assert found == onnx.load(tiny / "image.onnx")


def test_weights_are_stored_small(tiny: Path, variants: Path) -> None:
    sizes = [
        (folder / "text.onnx").stat().st_size
        for folder in (tiny, variants / "fp16", variants / "int8")
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] < 0.8 * sizes[0]


@pytest.mark.parametrize("variant", ["fp32", "fp16", "int8"])
def test_a_manifest_promises_nothing_that_was_not_measured(
    tiny: Path, variants: Path, variant: str
) -> None:
    before, after = load_manifest(tiny), load_manifest(variants / variant)
    assert after.provenance == f"random; {variant} for ONNX Runtime"
    assert (after.quality, after.speed) == ({}, {})
    assert after.spaces == before.spaces
    assert (after.name, after.version, after.licence) == ("tiny", "1", "CC0-1.0")


def test_each_precision_has_its_own_fingerprint(tiny: Path, variants: Path) -> None:
    folders = [tiny, *(variants / name for name in ("fp16", "int8", "float-convolutions"))]
    assert len({load_manifest(folder).info("joint").fingerprint for folder in folders}) == 4


def test_a_variant_can_be_compiled_again(variants: Path, tmp_path: Path) -> None:
    compile_served(variants / "float-convolutions", tmp_path / "back", "fp32")
    assert "MatMulNBits" not in operators(tmp_path / "back" / "text.onnx")
    rows = served(tmp_path / "back").encode_texts(TEXTS, "query")
    before = served(variants / "float-convolutions").encode_texts(TEXTS, "query")
    assert cosines(rows, before).min() > 0.99


def test_a_model_is_not_written_over(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InvalidModel, match="exists: name another folder"):
        compile_served(tiny, tmp_path, "fp16")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def damaged(folder: Path) -> None:
    with (folder / "text.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")


def newer(folder: Path) -> None:
    plain = json.loads((folder / FILE_NAME).read_text())
    (folder / FILE_NAME).write_text(json.dumps(plain | {"format": 99}))


@pytest.mark.parametrize(("spoil", "words"), [(damaged, "copy the model again"), (newer, "newer")])
def test_a_bad_source_leaves_nothing(
    tiny: Path, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for path in tiny.iterdir():
        (source / path.name).write_bytes(path.read_bytes())
    spoil(source)
    with pytest.raises(InvalidModel, match=words):
        compile_served(source, tmp_path / "out", "int8")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_too_few_photos(tiny: Path, photos: Path, tmp_path: Path) -> None:
    few = pictures_in(photos)[: PHOTOS - 1]
    with pytest.raises(InvalidModel, match=f"{PHOTOS - 1} photos: calibration needs {PHOTOS}"):
        compile_served(tiny, tmp_path / "out", "int8", few)
    assert not any(tmp_path.iterdir())


def test_a_folder_without_pictures(tiny: Path, tmp_path: Path) -> None:
    """Said, for without photos convolutions would stay in float."""
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    arguments = [str(tiny), f"--out={out}", "--precision=int8", f"--photos={tmp_path / 'empty'}"]
    result = CliRunner().invoke(compile_command, arguments)
    assert "empty: no pictures (.jpeg, .jpg, .png, .webp)" in str(result.exception)
    assert not out.exists()


def test_a_photo_that_is_none(tiny: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"not a picture")
    with pytest.raises(InvalidModel, match=r"bad\.jpg: not a picture"):
        compile_served(tiny, tmp_path / "out", "int8", [tmp_path / "bad.jpg"] * PHOTOS)


def test_the_commands(tiny: Path, photos: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "int8")
    arguments = [str(tiny), "--out", out, "--precision", "int8", "--photos", str(photos)]
    made = CliRunner().invoke(compile_command, arguments, catch_exceptions=False)
    assert made.exit_code == 0
    assert f"{out}: tiny 1 in int8, " in made.output
    kept = CliRunner().invoke(check, [out, "--against", str(tiny), "--cosine", "0.9"])
    assert kept.exit_code == 0, kept.output
    assert kept.output.count("cosine mean") == 6
    assert "BROKEN" not in kept.output
    broken = CliRunner().invoke(check, [out, "--against", str(tiny), "--cosine", "1.0"])
    assert broken.exit_code == 1
    assert "joint: texts against the reference" in broken.output
    assert f"3 bounds are broken: do not serve {out}" in broken.output


def test_retrieval_is_compared_where_there_is_data(tiny: Path, variants: Path, data: Path) -> None:
    arguments = [str(variants / "fp16"), "--against", str(tiny), "--data", str(data)]
    result = CliRunner().invoke(check, arguments)
    assert result.exit_code == 0, result.output
    assert "titles to photos among them: R@10" in result.output
    assert "+0.00%" in result.output


def test_a_checkpoint_is_of_the_product_clip(variants: Path, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"not one")
    arguments = [str(variants / "fp16"), "--against", str(tmp_path / "model.safetensors")]
    with pytest.raises(InvalidModel, match="is not a checkpoint"):
        CliRunner().invoke(check, arguments, catch_exceptions=False)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (Parity("x", 0.2, 0.1, 0.996, 0.995), True),
        (Parity("x", 0.2, 0.1, 0.994, 0.995), False),
        (Parity("x", 0.9998, 0.1, 1.0, 0.9999, whole=True), False),
        (Loss("x", 0.5, 0.4951), True),
        (Loss("x", 0.5, 0.4949), False),
        (Loss("x", 0.5, 0.6), True),
    ],
)
def test_bounds(line: Parity | Loss, kept: bool) -> None:
    assert line.kept is kept
    assert ("BROKEN" in str(line)) is not kept
