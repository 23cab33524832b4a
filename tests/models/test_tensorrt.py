"""TensorRT-RTX compiles both towers of the shipped model, here, without a GPU.

A failure of ``built`` means that the export can no longer be compiled.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from engine import (
    CompiledGraph,
    EntrepotError,
    InvalidModel,
    InvalidSettings,
    NoAccelerator,
    PluginManager,
    Profile,
    load_compiled,
)
from engine.compiled import FOLDER, CompiledParity, save_compiled
from engine.encoders import fallback_of
from engine.manifest import load_manifest
from models import tensorrt_build
from models.cli import models as commands
from models.compile import compile_served
from models.half_precision import in_precision
from models.plain_graph import plain
from models.tensorrt_build import Wanted, build_engines, engine_key, profiles_of
from models.tensorrt_library import compile_graph, import_library
from models.tensorrt_parity import judged, report
from plugins.onnx_encoder import WEIGHTS

WANTED = Wanted("tensorrt_rtx", "fp16", ("8.0",))


def has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(WEIGHTS / "product-clip", tmp_path_factory.mktemp("trt") / "model")


@pytest.fixture(scope="module")
def built(folder: Path) -> dict[str, CompiledGraph]:
    """Both engines, by graph."""
    found = build_engines(folder, WANTED)
    assert [each.cached for each in found] == [False, False]
    return {each.engine.graph: each.engine for each in found}


def test_both_towers_are_compiled(folder: Path, built: dict[str, CompiledGraph]) -> None:
    manifest = load_manifest(folder)
    assert manifest.text
    assert manifest.image
    assert set(built) == {manifest.text.file, manifest.image.file}
    assert load_compiled(folder) == tuple(built.values())
    for graph, engine in built.items():
        data = (folder / FOLDER / engine.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == engine.sha256
        # TensorRT keeps the network's name, which holds our key, in the engine.
        assert f"{graph} {engine.key}".encode() in data
        assert engine.graph_sha256 == manifest.files[graph]
        assert (engine.library, engine.capabilities) == ("tensorrt_rtx", ("8.0",))
        assert engine.version == import_library("tensorrt_rtx").__version__
        assert (engine.parity.status, engine.parity.reason) == ("not run", "no GPU")


def test_inputs_and_outputs_are_the_manifests(
    folder: Path, built: dict[str, CompiledGraph]
) -> None:
    manifest = load_manifest(folder)
    for tower in (manifest.text, manifest.image):
        assert tower
        engine = built[tower.file]
        assert {o.name: o.shape for o in engine.outputs} == {
            space: (-1, manifest.spaces[space].dim) for space in tower.spaces
        }
        assert {o.dtype for o in engine.outputs} == {"float32"}
    assert manifest.text
    assert manifest.image
    text, image = built[manifest.text.file], built[manifest.image.file]
    side = manifest.image.size
    assert (text.input.name, text.input.dtype, text.input.shape) == ("input_ids", "int64", (-1, -1))
    assert (image.input.name, image.input.dtype) == ("pixels", "float32")
    assert image.input.shape == (-1, 3, side, side)
    assert text.pad == manifest.text.pad_id


def test_profiles_cover_what_is_asked(folder: Path, built: dict[str, CompiledGraph]) -> None:
    """Lone queries of 8, 16 and 32 tokens exactly; batches of 32 of the longest texts."""
    manifest = load_manifest(folder)
    assert manifest.text
    assert manifest.image
    text = built[manifest.text.file].profiles
    exact = [profile.opt for profile in text if profile.exact]
    assert exact == [(1, 8), (1, 16), (1, 32)]
    for shape in ((32, 8), (1, manifest.text.max_tokens), (32, manifest.text.max_tokens)):
        assert any(profile.takes(shape) for profile in text)
    side = manifest.image.size
    image = built[manifest.image.file].profiles
    assert [profile.max for profile in image] == [(1, 3, side, side), (32, 3, side, side)]


def test_what_is_compiled_computes_what_is_served(built: dict[str, CompiledGraph]) -> None:
    """Plain weights lose nothing; the graph's rounding, if it has any, is known."""
    for engine in built.values():
        assert 0.99 <= engine.agreement <= 1.0
        for rows, profile in zip(engine.probes(), engine.profiles, strict=True):
            assert profile.takes(rows.shape)
            assert rows.dtype == engine.input.dtype


def test_the_same_key_is_not_built_again(
    folder: Path, built: dict[str, CompiledGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt_build, "compile_graph", None)
    again = build_engines(folder, WANTED)
    assert {each.engine.graph: each.engine for each in again} == built
    assert all(each.cached for each in again)


def test_a_damaged_engine_is_built_again_and_a_new_one_takes_its_place(
    folder: Path, built: dict[str, CompiledGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_compiled(folder)
    (folder / FOLDER / f"{before[0].key}-8.6.kernels").write_bytes(b"kernels")
    kept = {file: file.read_bytes() for file in (folder / FOLDER).iterdir()}
    monkeypatch.setattr(tensorrt_build, "compile_graph", lambda *arguments: b"an engine")
    (folder / FOLDER / before[1].file).write_bytes(b"damaged")
    try:
        assert [each.cached for each in build_engines(folder, WANTED)] == [True, False]
        assert len([*(folder / FOLDER).glob("*.kernels")]) == 1
        assert (folder / FOLDER / before[1].file).read_bytes() == b"an engine"
        monkeypatch.setattr(tensorrt_build, "RECIPE", 2)
        again = build_engines(folder, WANTED)
        assert [each.cached for each in again] == [False, False]
        assert load_compiled(folder) == tuple(each.engine for each in again)
        files = {path.name for path in (folder / FOLDER).glob("*.engine")}
        assert files == {each.engine.file for each in again}, "the replaced are removed"
        assert not [*(folder / FOLDER).glob("*.kernels")], "and what was compiled from them"
    finally:
        for file in (folder / FOLDER).iterdir():
            file.unlink()
        for file, data in kept.items():
            file.write_bytes(data)


def test_keys_differ_with_everything_that_matters() -> None:
    profiles = profiles_of((-1, -1), 128)
    keys = {
        engine_key("a" * 64, "1.7.1", WANTED, profiles),
        engine_key("b" * 64, "1.7.1", WANTED, profiles),
        engine_key("a" * 64, "1.8.0", WANTED, profiles),
        engine_key("a" * 64, "1.7.1", replace(WANTED, precision="bf16"), profiles),
        engine_key("a" * 64, "1.7.1", replace(WANTED, capabilities=("8.6",)), profiles),
        engine_key("a" * 64, "1.7.1", replace(WANTED, library="tensorrt"), profiles),
        engine_key("a" * 64, "1.7.1", WANTED, profiles[:-1]),
    }
    assert len(keys) == 7


@pytest.mark.parametrize(
    ("shape", "limit", "expected"),
    [
        ((-1, -1), 6, [((1, 1), (32, 6), (32, 6))]),
        ((-1, -1), 16, [((1, 8),) * 3, ((1, 16),) * 3, ((1, 8), (32, 16), (32, 16))]),
        ((-1, 64), 64, [((1, 64),) * 3, ((1, 64), (32, 64), (32, 64))]),
    ],
)
def test_profiles(shape: tuple[int, int], limit: int, expected: list[object]) -> None:
    found = profiles_of(shape, limit)
    assert [(p.min, p.opt, p.max) for p in found] == expected


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_what_is_exported_today_is_compiled(
    precision: Literal["fp32", "int8"], tiny: Path, tmp_path: Path
) -> None:
    """Small towers, by the exporter of this version, and their int8 variant for ONNX Runtime."""
    compile_served(tiny, tmp_path / "variant", precision)
    engines = [each.engine for each in build_engines(tmp_path / "variant", WANTED)]
    assert [engine.graph for engine in engines] == ["text.onnx", "image.onnx"]
    for engine in engines:
        least = 0.99999 if precision == "fp32" else 0.98
        assert least <= engine.agreement <= 1.0


def test_bfloat16_is_compiled(folder: Path) -> None:
    """The image tower, which is the quick one, for every GPU from Ampere on."""
    trt = import_library("tensorrt_rtx")
    graph = in_precision(plain(onnx.load(folder / "image.onnx")), "bf16")
    side = graph.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    one = (1, 3, side, side)
    assert compile_graph(trt, graph, "bf16", [Profile(one, one, one)], (), folder)


class TestErrors:
    def test_an_unknown_gpu(self, folder: Path) -> None:
        with pytest.raises(InvalidSettings, match=r"capability '6.1'; it knows 7.5, 8.0"):
            build_engines(folder, replace(WANTED, capabilities=("6.1",)))

    def test_no_library(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def absent(name: str) -> None:
            raise ModuleNotFoundError(name)

        monkeypatch.setattr("importlib.import_module", absent)
        with pytest.raises(NoAccelerator, match=r"not installed: pip install 'entrepot\[tensorrt"):
            build_engines(folder, WANTED)

    def test_a_graph_that_tensorrt_cannot_read(self, folder: Path) -> None:
        graph = plain(onnx.load(folder / "image.onnx"))
        graph.graph.node[0].op_type = "NoSuchOperator"
        one = (1, 3, 8, 8)
        with pytest.raises(InvalidModel, match=r"cannot read the graph: .*NoSuchOperator"):
            compile_graph(
                import_library("tensorrt_rtx"), graph, "x", [Profile(one, one, one)], (), folder
            )

    def test_a_profile_that_does_not_fit(self, folder: Path) -> None:
        graph = in_precision(plain(onnx.load(folder / "image.onnx")), "fp32")
        wrong = (1, 3, 8, 8)
        with pytest.raises(EntrepotError, match="TensorRT"):
            compile_graph(
                import_library("tensorrt_rtx"),
                graph,
                "x",
                [Profile(wrong, wrong, wrong)],
                (),
                folder,
            )


def test_the_command(folder: Path, built: dict[str, CompiledGraph]) -> None:
    arguments = ["tensorrt", str(folder), "--capability", "8.0"]
    result = CliRunner().invoke(commands, arguments)
    assert result.exit_code == 0, result.output
    for engine in built.values():
        assert f"{engine.graph}: kept {engine.file}" in result.output
    assert ("parity not run: no GPU" in result.output) != has_gpu()


def test_compile_with_the_runtime_tensorrt_is_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr("models.cli_compile.compile_tensorrt", lambda *args: calls.append(args))
    arguments = ["compile", str(folder), "--runtime", "tensorrt", "--precision", "bf16"]
    assert CliRunner().invoke(commands, arguments).exit_code == 0
    assert calls == [(folder, "bf16")]
    refused = CliRunner().invoke(commands, [*arguments[:-1], "int8"])
    assert (refused.exit_code, "tensorrt has no int8" in refused.output) == (2, True)
    elsewhere = CliRunner().invoke(commands, [*arguments, "--out", "there"])
    assert (elsewhere.exit_code, "written into MODEL" in elsewhere.output) == (2, True)


def test_a_report_is_judged_by_its_worst_row_and_figure() -> None:
    a = np.eye(3, 8, dtype=np.float32)
    assert judged(0.999, [(a, a)], {"R@10": (0.5, 0.496)}).status == "passed"
    off = a.copy()
    off[2, 3] = 0.1
    failed = judged(0.999, [(a, a), (a, off)], {"R@10": (0.5, 0.49)})
    assert failed.status == "failed"
    assert failed.reason == (
        "cosine 0.99500, at least 0.99900 is asked; R@10 falls from 0.5000 to 0.4900"
    )
    assert failed.error == pytest.approx(0.1)
    assert judged(0.999, [(a, a * np.nan)], {}).status == "failed"


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_a_verdict_stays_where_none_can_be_had(
    status: Literal["passed", "failed"], built: dict[str, CompiledGraph], tmp_path: Path
) -> None:
    """Also the encoder refuses a failed engine: that must not make it good to serve."""
    engine = replace(built["text.onnx"], parity=CompiledParity(status, "judged before"))
    save_compiled(tmp_path, (engine,))
    fallen = SimpleNamespace(fallback="TensorRT is off, ONNX Runtime serves: no GPU")
    assert report(tmp_path, [engine.key], None, None, lambda *_: fallen) == [engine]
    assert load_compiled(tmp_path) == (engine,)


@pytest.mark.gpu
@pytest.mark.skipif(not has_gpu(), reason="no GPU")
@pytest.mark.parametrize("space", ["joint", "sentence"])
def test_a_gpu_gives_the_same_rows(space: str, tmp_path: Path, folder: Path) -> None:
    """The real thing: engines for every GPU, loaded, checked at parity, and asked."""
    model = shutil.copytree(WEIGHTS / "product-clip", tmp_path / "model")
    build_engines(model, Wanted("tensorrt_rtx"))
    manager = PluginManager()
    options = {"model": str(model), "space": space}
    ours = manager.create("encoders", "tensorrt", options)
    assert fallback_of(ours) == ""
    theirs = manager.create("encoders", "onnx", options)
    texts = ["red shoes", "a", "three-seat sofa in light grey linen", "word " * 200]
    rows = ours.encode_texts(texts, "query") * theirs.encode_texts(texts, "query")
    assert rows.sum(axis=1).min() >= 0.999
