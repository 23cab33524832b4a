"""Encoder ``tensorrt`` on a fake GPU: the encoder contract, CUDA graphs, every way to fall back.

The fake is tests/plugins/fake_gpu.py; tests/models/test_tensorrt.py has what needs a real one.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine import CompiledGraph, Encoder, InvalidModel, PluginManager, Profile
from engine.compiled import (
    FILE_NAME,
    CompiledParity,
    Library,
    Tensor,
    load_compiled,
    save_compiled,
)
from engine.encoders import BatchingEncoder, CachingEncoder, fallback_of
from engine.manifest import file_digest, load_manifest, save_manifest
from engine.testing.encoder_contract import EncoderContract, cosines, picture
from plugins.onnx_encoder import WEIGHTS
from plugins.tensorrt_encoder import TensorrtEncoder
from plugins.tensorrt_runtime import place

from .fake_gpu import FakeTensorrt, engine_file, install

TEXT_PROFILES = (
    Profile((1, 8), (1, 8), (1, 8)),
    Profile((1, 32), (1, 32), (1, 32)),
    Profile((1, 8), (4, 16), (4, 32)),
    Profile((1, 32), (4, 64), (4, 128)),
)


def image_profiles(size: int) -> tuple[Profile, ...]:
    one, many = (1, 3, size, size), (4, 3, size, size)
    return Profile(one, one, one), Profile(one, many, many)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, where its files can be linked from."""
    return shutil.copytree(
        WEIGHTS / "product-clip", tmp_path_factory.mktemp("shipped") / "product-clip"
    )


def compiled_model(shipped: Path, folder: Path, library: Library = "tensorrt_rtx") -> Path:
    """The shipped model with fake engines of both towers, for compute capability 8.6."""
    shutil.copytree(shipped, folder, copy_function=os.link)
    manifest = load_manifest(shipped)
    assert manifest.text
    assert manifest.image
    size = manifest.image.size
    text = Tensor("input_ids", "int64", (-1, -1)), manifest.text, TEXT_PROFILES
    image = Tensor("pixels", "float32", (-1, 3, size, size)), manifest.image, image_profiles(size)
    engines = []
    (folder / "engines").mkdir()
    for source, tower, profiles in (text, image):
        shapes = [(p.min, p.opt, p.max) for p in profiles]
        data = engine_file(shipped / tower.file, source.name, shapes)
        (folder / "engines" / f"{tower.file}.engine").write_bytes(data)
        engines.append(
            CompiledGraph(
                key="0123456789abcdef",
                graph=tower.file,
                graph_sha256=manifest.files[tower.file],
                file=f"{tower.file}.engine",
                sha256=hashlib.sha256(data).hexdigest(),
                library=library,
                version="1.7.1",
                capabilities=("8.6",),
                precision="fp16",
                input=source,
                outputs=tuple(
                    Tensor(space, "float32", (-1, manifest.spaces[space].dim))
                    for space in tower.spaces
                ),
                profiles=profiles,
            )
        )
    save_compiled(folder, tuple(engines))
    return folder


def make(folder: Path, **options: object) -> TensorrtEncoder:
    made = PluginManager().create("encoders", "tensorrt", {"model": str(folder), **options})
    assert isinstance(made, TensorrtEncoder)
    return made


def change(folder: Path, **fields: object) -> None:
    """Rewrite fields of the text tower's engine in ``engines.json``."""
    first, *rest = load_compiled(folder)
    save_compiled(folder, (msgspec.structs.replace(first, **fields), *rest))


@pytest.fixture(scope="module")
def on_gpu(
    shipped: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FakeTensorrt, Path]]:
    """RTX, and the folder it serves."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        trt = install(monkeypatch)
        yield trt, compiled_model(shipped, tmp_path_factory.mktemp("rtx") / "model")


@pytest.fixture(scope="module")
def joint(on_gpu: tuple[FakeTensorrt, Path]) -> TensorrtEncoder:
    return make(on_gpu[1])


@pytest.fixture(scope="module")
def plain() -> Encoder:
    encoder: Encoder = PluginManager().create("encoders", "onnx")
    return encoder


class TestOnEngines(EncoderContract):
    @pytest.fixture
    def encoder(self, joint: TensorrtEncoder) -> Encoder:
        assert joint.fallback == ""
        return joint


def test_embeddings_are_those_of_onnx_runtime(joint: TensorrtEncoder, plain: Encoder) -> None:
    """Also where a batch is cut, for profiles end at four rows."""
    assert joint.info == plain.info
    texts = [f"red shoe {'of many words ' * (i % 9)}{i}" for i in range(11)]
    images = [picture(seed=seed) for seed in range(6)]
    for ours, theirs in (
        (joint.encode_texts(texts, "query"), plain.encode_texts(texts, "query")),
        (joint.encode_images(images), plain.encode_images(images)),
    ):
        assert cosines(ours, theirs).min() > 0.9999


def test_shapes_are_padded_to_few(
    on_gpu: tuple[FakeTensorrt, Path], joint: TensorrtEncoder
) -> None:
    trt, _ = on_gpu
    for context in trt.contexts:
        context.runs.clear()
    joint.encode_texts(["shoe"], "query")
    joint.encode_texts(["a red leather purse with a golden chain"], "query")
    joint.encode_texts(["boots", "hats", "a red dress"], "query")
    joint.encode_texts(["long " * 50], "query")
    runs = [(c.profile, shape) for c in trt.contexts for shape in c.runs]
    assert sorted(runs) == [(0, (1, 8)), (2, (1, 16)), (2, (4, 8)), (3, (1, 64))]


def test_spaces_share_the_engines(
    on_gpu: tuple[FakeTensorrt, Path], joint: TensorrtEncoder
) -> None:
    trt, folder = on_gpu
    before = len(trt.contexts)
    sentence = make(folder, space="sentence")
    assert len(trt.contexts) == before
    assert sentence.encode_texts(["shoe"], "query").shape == (1, 384)


def test_compiled_kernels_are_kept(
    on_gpu: tuple[FakeTensorrt, Path], joint: TensorrtEncoder
) -> None:
    _, folder = on_gpu
    (kept,) = {f.read_bytes() for f in (folder / "engines").glob("*-8.6.kernels")}
    assert kept.startswith(b"kernels")


def test_device_memory_is_given_back(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trt = install(monkeypatch)
    encoder = make(compiled_model(shipped, tmp_path / "model"))
    assert trt.cuda.memory
    trt.contexts.clear()
    del encoder
    assert not trt.cuda.memory
    assert trt.orphans == [False] * 6, "contexts go before the kernels that they use"


def test_prefixes_and_a_fixed_length_are_the_manifests(
    shipped: Path, tmp_path: Path, plain: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    trt = install(monkeypatch)
    folder = compiled_model(shipped, tmp_path / "model")
    manifest = load_manifest(folder)
    (folder / "manifest.json").unlink()  # a link to the shipped one
    tower = msgspec.structs.replace(
        manifest.text, max_tokens=16, pad_to=16, query_prefix="find: ", document_prefix="sold: "
    )
    save_manifest(folder, msgspec.structs.replace(manifest, text=tower))
    encoder = make(folder)
    for context in trt.contexts:
        context.runs.clear()
    rows = encoder.encode_texts(["shoe"], "query"), encoder.encode_texts(["shoe"], "document")
    expected = plain.encode_texts(["find: shoe", "sold: shoe"], "query")
    assert cosines(np.concatenate(rows), expected).min() > 0.9999
    assert cosines(*rows).max() < 0.9999, "the prefixes tell"
    assert {shape for c in trt.contexts for shape in c.runs} == {(1, 16)}


@pytest.fixture
def datacentre(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[FakeTensorrt, Path]:
    return install(monkeypatch, "tensorrt"), compiled_model(shipped, tmp_path / "model", "tensorrt")


def test_a_lone_query_replays_a_cuda_graph(
    datacentre: tuple[FakeTensorrt, Path], plain: Encoder
) -> None:
    trt, folder = datacentre
    encoder = make(folder)
    assert encoder.fallback == ""
    launched = trt.cuda.launched
    for text in ("red shoes", "blue hats"):
        rows = encoder.encode_texts([text], "query")
        assert cosines(rows, plain.encode_texts([text], "query")).min() > 0.9999
    encoder.encode_texts(["boots", "bags"], "query")
    assert trt.cuda.launched == launched + 2


def test_without_capture_the_engine_still_runs(datacentre: tuple[FakeTensorrt, Path]) -> None:
    trt, folder = datacentre
    trt.cuda.fail = {"cudaGraphInstantiate"}
    encoder = make(folder)
    encoder.encode_texts(["red shoes"], "query")
    assert encoder.fallback == ""
    assert trt.cuda.launched == 0


@pytest.fixture
def folder(shipped: Path, tmp_path: Path) -> Path:
    return compiled_model(shipped, tmp_path / "model")


@pytest.fixture
def trt(monkeypatch: pytest.MonkeyPatch) -> FakeTensorrt:
    return install(monkeypatch)


def falls_back(folder: Path, plain: Encoder, caplog: pytest.LogCaptureFixture) -> str:
    """The reason, seen in the log once and through the wrappers; answers stay right."""
    caplog.clear()
    encoder = make(folder)
    rows = encoder.encode_texts(["red shoes"], "query")
    assert cosines(rows, plain.encode_texts(["red shoes"], "query")).min() > 0.9999
    assert encoder.fallback.startswith("TensorRT is off, ONNX Runtime serves: ")
    assert [r.message for r in caplog.records if "TensorRT" in r.message] == [encoder.fallback]
    wrapped = CachingEncoder(BatchingEncoder(encoder), 10)
    assert fallback_of(wrapped) == encoder.fallback
    return encoder.fallback


class TestFallback:
    @pytest.fixture(autouse=True)
    def _parts(self, plain: Encoder, caplog: pytest.LogCaptureFixture, folder: Path) -> None:
        caplog.set_level(logging.INFO)
        self.plain, self.caplog, self.folder = plain, caplog, folder

    def reason(self) -> str:
        return falls_back(self.folder, self.plain, self.caplog)

    def test_nothing_is_compiled(self, trt: FakeTensorrt) -> None:
        shutil.rmtree(self.folder / "engines")
        reason = self.reason()
        assert "text.onnx has no fp16 engine" in reason
        assert f"`entrepot models tensorrt {self.folder} --precision fp16`" in reason

    def test_another_precision(self, trt: FakeTensorrt) -> None:
        change(self.folder, precision="bf16")
        assert "text.onnx has no fp16 engine" in self.reason()

    def test_another_graph(self, trt: FakeTensorrt) -> None:
        change(self.folder, graph_sha256="0" * 64)
        assert "text.onnx has changed since it was compiled" in self.reason()

    def test_another_version(self, trt: FakeTensorrt) -> None:
        trt.__version__ = "1.8.0"
        reason = self.reason()
        assert "compiled by tensorrt_rtx 1.7.1 and 1.8.0 is installed" in reason
        assert "`entrepot models tensorrt" in reason

    def test_another_gpu(self, trt: FakeTensorrt) -> None:
        trt.cuda.capability = (9, 0)
        reason = self.reason()
        assert "compiled for compute capability 8.6 and Fake RTX has 9.0" in reason
        assert "--capability 9.0" in reason

    def test_a_portable_engine_on_an_old_gpu(self, trt: FakeTensorrt) -> None:
        change(self.folder, capabilities=())
        trt.cuda.capability = (7, 5)
        assert "compiled for compute capability 8.0 and later" in self.reason()

    def test_no_package(self, trt: FakeTensorrt, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
        reason = "tensorrt_rtx is not installed: pip install 'entrepot[tensorrt]'"
        assert reason in self.reason()

    def test_no_bindings(self, trt: FakeTensorrt, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
        reason = "cuda-bindings is not installed: pip install 'entrepot[tensorrt]'"
        assert reason in self.reason()

    def test_no_gpu(self, trt: FakeTensorrt) -> None:
        trt.cuda.fail = {"cudaGetDeviceCount"}
        reason = self.reason()
        assert "no GPU (cudaGetDeviceCount: CUDA driver version is insufficient" in reason
        assert "install NVIDIA's driver" in reason
        assert reason.count("no GPU") == 1, "both towers have one reason"

    def test_a_damaged_engine(self, trt: FakeTensorrt) -> None:
        file = self.folder / "engines" / "text.onnx.engine"
        file.write_bytes(file.read_bytes() + b" ")
        reason = self.reason()
        assert "text.onnx.engine: the engine file is damaged: compile again" in reason
        assert "image" not in reason

    def test_a_missing_engine(self, trt: FakeTensorrt) -> None:
        (self.folder / "engines" / "text.onnx.engine").unlink()
        assert "text.onnx.engine: No such file" in self.reason()

    def test_a_damaged_description(self, trt: FakeTensorrt) -> None:
        (self.folder / "engines" / FILE_NAME).write_text("{")
        assert "remove engines/ and compile again" in self.reason()

    def test_tensorrt_refuses_the_engine(self, trt: FakeTensorrt) -> None:
        trt.refuses = "Target GPU SM 9.0 is not supported by this TensorRT release"
        reason = self.reason()
        assert f"tensorrt_rtx 1.7.1 refuses text.onnx.engine: {trt.refuses}" in reason

    def test_another_engine_than_described(self, trt: FakeTensorrt) -> None:
        change(self.folder, profiles=TEXT_PROFILES[:2])
        assert "is not the engine that engines.json describes" in self.reason()

    def test_another_input_than_described(self, trt: FakeTensorrt) -> None:
        change(self.folder, input=Tensor("tokens", "int64", (-1, -1)))
        assert "is not the engine that engines.json describes" in self.reason()

    def test_a_failed_parity_report(self, trt: FakeTensorrt) -> None:
        change(self.folder, parity=CompiledParity("failed", "cosine 0.9 < 0.999"))
        assert "failed its parity check (cosine 0.9 < 0.999)" in self.reason()

    @pytest.mark.parametrize("off_by", [0.05, np.nan])
    def test_wrong_results(self, trt: FakeTensorrt, off_by: float) -> None:
        trt.off_by = off_by
        assert "differs from ONNX Runtime at (1, 8)" in self.reason()

    def test_a_full_gpu(self, trt: FakeTensorrt) -> None:
        trt.cuda.fail = {"cudaMalloc"}
        assert "cudaMalloc: " in self.reason()
        assert not trt.cuda.memory, "page-locked memory is given back"

    def test_an_error_of_the_vendors_own(
        self, trt: FakeTensorrt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr(FakeTensorrt, "Runtime")
        assert "AttributeError" in self.reason()


def test_a_gpu_lost_while_serving(
    trt: FakeTensorrt, folder: Path, plain: Encoder, caplog: pytest.LogCaptureFixture
) -> None:
    """The query that meets it is answered too, and the log is not flooded."""
    encoder = make(folder)
    assert encoder.fallback == ""
    trt.refused_runs = 10
    trt.cuda.fail = {"cudaFree", "cudaFreeHost"}
    with caplog.at_level(logging.ERROR):
        for text in ("red shoes", "blue shoes"):
            rows = encoder.encode_texts([text], "query")
            assert cosines(rows, plain.encode_texts([text], "query")).min() > 0.9999
    assert "TensorRT refuses the run: the device is lost" in encoder.fallback
    assert len(caplog.records) == 1
    assert trt.refused_runs == 9


def test_a_folder_that_cannot_be_written_costs_only_time(trt: FakeTensorrt, folder: Path) -> None:
    (folder / "engines" / "0123456789abcdef-8.6.partial").mkdir()
    assert make(folder).fallback == ""


def test_a_damaged_model_is_an_error_not_a_fallback(trt: FakeTensorrt, folder: Path) -> None:
    manifest = load_manifest(folder)
    (folder / "text.onnx").unlink()
    (folder / "text.onnx").write_bytes(b"not a model")
    with pytest.raises(InvalidModel, match="damaged"):
        make(folder)
    (folder / "manifest.json").unlink()
    save_manifest(folder, manifest)
    with pytest.raises(InvalidModel, match="ONNX Runtime cannot load it"):
        make(folder)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 3), (0, (1, 8))),
        ((1, 8), (0, (1, 8))),
        ((1, 9), (2, (1, 16))),
        ((1, 17), (1, (1, 32))),
        ((2, 3), (2, (2, 8))),
        ((3, 20), (2, (4, 32))),
        ((1, 33), (3, (1, 64))),
        ((4, 128), (3, (4, 128))),
    ],
)
def test_the_least_padding_wins(
    shape: tuple[int, ...], expected: tuple[int, tuple[int, ...]]
) -> None:
    assert place(TEXT_PROFILES, shape) == expected


def test_fakes_are_of_the_shipped_model() -> None:
    """The profiles above reach as far as the model's texts do."""
    manifest = load_manifest(WEIGHTS / "product-clip")
    assert manifest.text
    assert manifest.text.max_tokens == TEXT_PROFILES[-1].max[1]
    assert file_digest(WEIGHTS / "product-clip" / "text.onnx") == manifest.files["text.onnx"]
