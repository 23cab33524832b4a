"""TensorRT-RTX compiles a query tower, here, without a GPU; and how it is judged on one."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from engine import CompiledGraph, load_compiled
from engine.compiled import FOLDER, CompiledParity
from engine.manifest import load_manifest
from models import tensorrt_parity
from models.cli import models as commands
from models.compile import compile_served
from models.query_parity import QUERIES, TorchSession
from models.tensorrt_build import Wanted, build_engines
from plugins.onnx_encoder import WEIGHTS
from plugins.query_reader import QueryReader
from plugins.tensorrt_encoder import TensorrtReader
from tests.models.test_tensorrt import has_gpu
from tests.models.tiny_query import LONGEST, TOWER, TinyQuery

WANTED = Wanted("tensorrt_rtx", "fp16", ("8.0",))


@pytest.fixture(scope="module")
def folder(tiny_query: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(tiny_query, tmp_path_factory.mktemp("trt-query") / "model"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> CompiledGraph:
    (built,) = build_engines(folder, WANTED)
    assert not built.cached
    return built.engine


def test_the_query_tower_is_compiled(folder: Path, engine: CompiledGraph) -> None:
    assert load_compiled(folder) == (engine,)
    assert engine.graph == TOWER.file
    assert f"{engine.graph} {engine.key}".encode() in (folder / FOLDER / engine.file).read_bytes()
    assert (engine.input.name, engine.input.dtype, engine.input.shape) == (
        *("input_ids", "int64", (-1, -1)),
    )
    assert {o.name: o.shape for o in engine.outputs} == {
        "tags": (-1, -1, len(TOWER.labels)),
        "categories": (-1, len(TOWER.categories)),
    }
    assert engine.pad == TOWER.pad_id
    assert engine.agreement > 0.99999


def test_profiles_are_narrow_for_lone_queries(engine: CompiledGraph) -> None:
    assert [p.opt for p in engine.profiles if p.exact] == [(1, 8), (1, 16), (1, 32)]
    assert any(profile.takes((32, LONGEST)) for profile in engine.profiles)


def test_what_is_there_is_not_compiled_again(folder: Path, engine: CompiledGraph) -> None:
    (again,) = build_engines(folder, WANTED)
    assert (again.cached, again.engine) == (True, engine)


def test_the_int8_variant_is_compiled(tiny_query: Path, tmp_path: Path) -> None:
    compile_served(tiny_query, tmp_path / "int8", "int8")
    (built,) = build_engines(tmp_path / "int8", WANTED)
    assert 0.9 < built.engine.agreement <= 1.0


def test_the_shipped_query_tower_is_compiled(tmp_path: Path) -> None:
    """A failure means that it can no longer be served from an engine."""
    model = Path(shutil.copytree(WEIGHTS / "query-bert", tmp_path / "model"))
    (built,) = build_engines(model, WANTED)
    tower = load_manifest(model).query
    assert tower
    assert {o.name: o.shape for o in built.engine.outputs} == {
        "tags": (-1, -1, len(tower.labels)),
        "categories": (-1, len(tower.categories)),
    }
    assert any(profile.takes((32, tower.max_tokens)) for profile in built.engine.profiles)
    assert 0.9 < built.engine.agreement <= 1.0


def test_without_a_gpu_it_is_read_on_onnx_runtime(folder: Path, engine: CompiledGraph) -> None:
    if has_gpu():
        pytest.skip("there is a GPU")
    reader = TensorrtReader(folder, threads=1)
    assert "no GPU" in reader.fallback
    assert reader.read("red dress") == QueryReader(folder, threads=1).read("red dress")


def judged(folder: Path, engine: CompiledGraph, reader: Any) -> CompiledParity:
    arguments = (folder, [engine.key], None, None, None, lambda *_: reader)
    (found,) = tensorrt_parity.report(*arguments)
    assert load_compiled(folder) == (found,)
    return found.parity


def test_engines_are_judged_by_the_tags_of_words(
    folder: Path, engine: CompiledGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for a GPU: this engine's reader, on torch."""
    plain = QueryReader(folder, threads=1)
    monkeypatch.setattr(tensorrt_parity, "served_reader", lambda *_: plain)
    monkeypatch.setattr(tensorrt_parity, "reference_of", lambda *_: plain)
    fallen = SimpleNamespace(fallback="TensorRT is off, ONNX Runtime serves: no GPU (…)")
    assert judged(folder, engine, fallen) == CompiledParity("not run", "no GPU")
    passed = judged(folder, engine, plain.over(TorchSession(TinyQuery())))
    assert (passed.status, passed.figures) == ("passed", {"tags": (1.0, 1.0)})
    changed = TinyQuery()
    changed.tags.bias.data[3] += 1.0
    failed = judged(folder, engine, plain.over(TorchSession(changed)))
    assert failed.status == "failed"
    assert "of tags are the same, at least 99.0% is asked" in failed.reason


def test_the_command(tiny_query: Path, tmp_path: Path) -> None:
    """As CI runs it: compiled, and parity not run for want of a GPU."""
    model = Path(shutil.copytree(tiny_query, tmp_path / "model"))
    result = CliRunner().invoke(commands, ["tensorrt", str(model), "--capability", "8.0"])
    assert result.exit_code == 0, result.output
    assert f"{TOWER.file}: built query-" in result.output
    assert ("parity not run: no GPU" in result.output) != has_gpu()


@pytest.mark.gpu
@pytest.mark.skipif(not has_gpu(), reason="no GPU")
def test_a_gpu_reads_the_same(tiny_query: Path, tmp_path: Path) -> None:
    """The real thing: an engine for every GPU, loaded, checked at parity, and asked."""
    model = Path(shutil.copytree(tiny_query, tmp_path / "model"))
    build_engines(model, Wanted("tensorrt_rtx"))
    reader, plain = TensorrtReader(model), QueryReader(model)
    assert reader.fallback == ""
    for found, expected in zip(reader.tagged(QUERIES), plain.tagged(QUERIES), strict=True):
        np.testing.assert_allclose(found.tags, expected.tags, atol=0.02)
        np.testing.assert_allclose(found.categories, expected.categories, atol=0.02)
