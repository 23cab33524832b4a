"""The query tower on an engine, with the fake GPU: the same readings, and ways to fall back."""

from __future__ import annotations

import hashlib
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine import CompiledGraph, InvalidModel, Profile
from engine.compiled import Tensor, save_compiled
from engine.manifest import load_manifest
from plugins.query_reader import QueryReader
from plugins.tensorrt_encoder import TensorrtReader

from .fake_gpu import FakeTensorrt, engine_file, install

LOOKUP = Path(__file__).parent / "golden" / "query-lookup"
PROFILES = (
    Profile((1, 8), (1, 8), (1, 8)),
    Profile((1, 16), (1, 16), (1, 16)),
    Profile((1, 8), (4, 16), (4, 16)),
)
TEXTS = ["red dress", "", "navy blue running shoes for women", "nike", "x", "dress " * 30]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The tiny tower with a fake engine of it."""
    model = Path(shutil.copytree(LOOKUP, tmp_path / "model"))
    manifest = load_manifest(model)
    tower = manifest.query
    assert tower
    data = engine_file(model / tower.file, "input_ids", [(p.min, p.opt, p.max) for p in PROFILES])
    (model / "engines").mkdir()
    (model / "engines" / "query.engine").write_bytes(data)
    compiled = CompiledGraph(
        key="0123456789abcdef",
        graph=tower.file,
        graph_sha256=manifest.files[tower.file],
        file="query.engine",
        sha256=hashlib.sha256(data).hexdigest(),
        library="tensorrt_rtx",
        version="1.7.1",
        capabilities=("8.6",),
        precision="fp16",
        input=Tensor("input_ids", "int64", (-1, -1)),
        outputs=(
            Tensor("tags", "float32", (-1, -1, len(tower.labels))),
            Tensor("categories", "float32", (-1, len(tower.categories))),
        ),
        profiles=PROFILES,
        pad=tower.pad_id,
    )
    save_compiled(model, (compiled,))
    return model


@pytest.fixture
def trt(monkeypatch: pytest.MonkeyPatch) -> FakeTensorrt:
    return install(monkeypatch)


def test_probabilities_are_those_of_onnx_runtime(trt: FakeTensorrt, folder: Path) -> None:
    """Whatever the batch and the length were padded to."""
    reader = TensorrtReader(folder, threads=1)
    assert reader.fallback == ""
    plain = QueryReader(folder, threads=1)
    for texts in (TEXTS, TEXTS[:1], TEXTS * 3):
        for found, expected in zip(reader.tagged(texts), plain.tagged(texts), strict=True):
            assert found.words == expected.words
            np.testing.assert_allclose(found.tags, expected.tags, atol=1e-6)
            np.testing.assert_allclose(found.categories, expected.categories, atol=1e-6)
    assert {shape for context in trt.contexts for shape in context.runs} <= {
        *((1, 8), (1, 16), (2, 8), (2, 16), (4, 8), (4, 16))
    }


def test_without_a_gpu_onnx_runtime_reads(
    trt: FakeTensorrt, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trt.cuda.fail.add("cudaGetDeviceCount")
    with caplog.at_level(logging.WARNING):
        reader = TensorrtReader(folder, threads=1)
    assert "no GPU" in reader.fallback
    assert reader.fallback in caplog.text
    assert reader.read("red dress") == QueryReader(folder, threads=1).read("red dress")


def test_a_folder_without_engines_is_read(trt: FakeTensorrt) -> None:
    reader = TensorrtReader(LOOKUP, threads=1)
    assert "query.onnx has no fp16 engine" in reader.fallback
    assert [span.value for span in reader.read("red dress").spans] == ["red", "dress"]


def test_an_engine_that_reads_differently_is_not_used(trt: FakeTensorrt, folder: Path) -> None:
    trt.off_by = 0.1
    reader = TensorrtReader(folder, threads=1)
    assert "query.engine differs from ONNX Runtime" in reader.fallback


def test_a_gpu_lost_while_serving_loses_no_query(trt: FakeTensorrt, folder: Path) -> None:
    reader = TensorrtReader(folder, threads=1)
    trt.refused_runs = 1
    assert [span.value for span in reader.read("red dress").spans] == ["red", "dress"]
    assert "the device is lost" in reader.fallback


def test_a_damaged_model_is_an_error_not_a_fallback(trt: FakeTensorrt, folder: Path) -> None:
    (folder / "tokenizer.json").write_bytes(b"half copied")
    with pytest.raises(InvalidModel, match="copy the model again"):
        TensorrtReader(folder)
