"""Compiles a served directory's graphs with TensorRT, into ``engines/`` beside them.

Two libraries share the code, for their Python interface is the same: ``tensorrt_rtx`` builds
ahead of time, without a GPU, for the kinds of GPU named or for every one from Ampere on;
``tensorrt`` (data centre) times kernels, so it builds only on the kind of GPU that will run
the engine. What an engine's content depends on is hashed into its key; what is already there
under its key is not built again.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import onnx
from msgspec import Struct
from onnx import helper

from engine import CompiledGraph, InvalidModel, InvalidSettings, NoAccelerator, Profile
from engine.compiled import FOLDER, Tensor, load_compiled, save_compiled
from engine.manifest import Manifest, file_digest, load_manifest

from .half_precision import Precision, in_precision
from .plain_graph import plain

log = logging.getLogger(__name__)

Library = Literal["tensorrt_rtx", "tensorrt"]
LIBRARIES: tuple[Library, ...] = ("tensorrt_rtx", "tensorrt")
PACKAGES = {"tensorrt_rtx": "pip install 'entrepot[tensorrt]'", "tensorrt": "see docs/tensorrt.md"}
RECIPE = 1
"""Raised when the conversion of graphs changes, so that old engines are not taken for new."""

BATCH = 32
LONE_LENGTHS = (8, 16, 32)
"""A shopper's query is one text of at most 32 tokens nearly always; each length gets a profile
of its own, small enough for a CUDA graph."""
TIMING_CACHE = "timing.cache"


class Wanted(Struct, frozen=True):
    """What to compile for. No ``capabilities``: with RTX every GPU from Ampere on, with
    ``tensorrt`` the GPU that is here."""

    library: Library
    precision: Precision = "fp16"
    capabilities: tuple[str, ...] = ()


class Built(Struct, frozen=True):
    """An engine and whether it was there already."""

    engine: CompiledGraph
    cached: bool


def build_engines(folder: Path, wanted: Wanted) -> list[Built]:
    """Compile every tower of the served directory ``folder`` that is not compiled yet.

    Raises:
        InvalidModel: the directory is damaged, or TensorRT refuses a graph; its words are told.
        NoAccelerator: the library is not installed, or needs a GPU that is not here.
        InvalidSettings: a compute capability that the library does not know.
    """
    manifest = load_manifest(folder)
    trt = import_library(wanted.library)
    if wanted.library == "tensorrt":
        wanted = msgspec.structs.replace(wanted, capabilities=(_present_capability(),))
    (folder / FOLDER).mkdir(exist_ok=True)
    return [_build_tower(trt, folder, file, manifest, wanted) for file in _graphs(manifest)]


def import_library(library: str) -> Any:
    """The module. Raises NoAccelerator with the command that installs it."""
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise NoAccelerator(f"{library} is not installed: {PACKAGES[library]}") from error


def profiles_of(shape: Sequence[int], max_tokens: int) -> tuple[Profile, ...]:
    """Narrow profiles for an input of ``shape`` (-1: dynamic), each fast for few shapes.

    Images, and texts of a fixed length: one row, and up to ``BATCH``. Texts of any length: one
    row of each of ``LONE_LENGTHS``, and batches of titles and of longer texts.
    """
    rest = tuple(shape[1:])
    if -1 not in rest:
        lone, many = (1, *rest), (BATCH, *rest)
        return Profile(lone, lone, lone), Profile(lone, many, many)
    lengths = [length for length in LONE_LENGTHS if length <= max_tokens]
    if not lengths:
        return (Profile((1, 1), (BATCH, max_tokens), (BATCH, max_tokens)),)
    lone_texts = [Profile((1, t), (1, t), (1, t)) for t in lengths]
    longest = lengths[-1]
    ranges = [Profile((1, lengths[0]), (BATCH, min(16, longest)), (BATCH, longest))]
    if max_tokens > longest:
        half = max(longest, max_tokens // 2)
        ranges.append(Profile((1, longest), (BATCH, half), (BATCH, max_tokens)))
    return (*lone_texts, *ranges)


def _graphs(manifest: Manifest) -> list[str]:
    return [tower.file for tower in (manifest.text, manifest.image) if tower is not None]


def _build_tower(trt: Any, folder: Path, file: str, manifest: Manifest, wanted: Wanted) -> Built:
    model = onnx.load(folder / file)
    source, *more = model.graph.input
    if more:
        raise InvalidModel(f"{file}: {len(more) + 1} inputs; a served graph has one")
    tensor = _described(source)
    limit = manifest.text.max_tokens if manifest.text else 0
    profiles = profiles_of(tensor.shape, limit)
    version = str(trt.__version__)
    key = engine_key(manifest.files[file], version, wanted, profiles)
    engines = load_compiled(folder)
    for engine in engines:
        path = folder / FOLDER / engine.file
        if engine.key == key and path.is_file() and file_digest(path) == engine.sha256:
            return Built(engine, cached=True)
    graph = in_precision(plain(model), wanted.precision)
    name = f"{Path(file).stem}-{key}.engine"
    data = _compile(trt, graph, f"{file} {key}", profiles, wanted, folder / FOLDER / TIMING_CACHE)
    (folder / FOLDER / name).write_bytes(data)
    engine = CompiledGraph(
        key=key,
        graph=file,
        graph_sha256=manifest.files[file],
        file=name,
        sha256=hashlib.sha256(data).hexdigest(),
        library=wanted.library,
        version=version,
        capabilities=wanted.capabilities,
        precision=wanted.precision,
        input=tensor,
        outputs=tuple(_described(output) for output in model.graph.output),
        profiles=profiles,
    )
    replaced = [old for old in engines if _same_purpose(old, engine)]
    save_compiled(folder, (*(old for old in engines if old not in replaced), engine))
    for old in replaced:
        if old.file != name:
            (folder / FOLDER / old.file).unlink(missing_ok=True)
    return Built(engine, cached=False)


def engine_key(digest: str, version: str, wanted: Wanted, profiles: Sequence[Profile]) -> str:
    """16 hexadecimal digits that differ where anything differs that an engine depends on."""
    parts = (RECIPE, digest, version, msgspec.to_builtins(wanted), msgspec.to_builtins(profiles))
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:16]


def _same_purpose(a: CompiledGraph, b: CompiledGraph) -> bool:
    return (a.graph, a.library, a.precision, a.capabilities) == (
        *(b.graph, b.library, b.precision, b.capabilities),
    )


def _described(value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in kind.shape.dim)
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)).name
    return Tensor(value.name, dtype, shape)


def _compile(
    trt: Any,
    graph: onnx.ModelProto,
    name: str,
    profiles: Sequence[Profile],
    wanted: Wanted,
    timings: Path,
) -> bytes:
    """The serialized engine; ``name`` is kept in it."""
    words = _log_of(trt)
    builder = trt.Builder(words)
    strongly_typed = int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(1 << strongly_typed)
    parser = trt.OnnxParser(network, words)
    if not parser.parse(graph.SerializeToString()):
        errors = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise InvalidModel(f"{name}: TensorRT cannot read the graph: {errors}")
    network.name = name
    _check_network(trt, network, graph, name)
    config = builder.create_builder_config()
    if wanted.library == "tensorrt_rtx":
        _set_capabilities(trt, config, wanted.capabilities)
    source = network.get_input(0).name
    for shapes in profiles:
        profile = builder.create_optimization_profile()
        profile.set_shape(source, shapes.min, shapes.opt, shapes.max)
        if config.add_optimization_profile(profile) < 0:
            raise InvalidModel(f"{name}: TensorRT refuses {shapes}: {words.last}")
    cache = _timing_cache(config, timings) if wanted.library == "tensorrt" else None
    data = builder.build_serialized_network(network, config)
    if data is None:
        raise InvalidModel(f"{name}: TensorRT cannot compile the graph: {words.last}")
    if cache is not None:
        timings.write_bytes(bytes(cache.serialize()))
    return bytes(data)


def _check_network(trt: Any, network: Any, graph: onnx.ModelProto, name: str) -> None:
    """What was parsed takes and gives what the graph says, in the same types."""
    tensors = [network.get_input(i) for i in range(network.num_inputs)]
    tensors += [network.get_output(i) for i in range(network.num_outputs)]
    parsed = [(t.name, np.dtype(trt.nptype(t.dtype)).name) for t in tensors]
    declared = [_described(value) for value in (*graph.graph.input, *graph.graph.output)]
    if parsed != [(tensor.name, tensor.dtype) for tensor in declared]:
        raise InvalidModel(f"{name}: TensorRT reads the graph's ends as {parsed}: {declared}")


def _set_capabilities(trt: Any, config: Any, capabilities: Sequence[str]) -> None:
    if not capabilities:
        return  # the library's own default: every GPU from 8.0 on
    config.num_compute_capabilities = len(capabilities)
    for i, capability in enumerate(capabilities):
        value = getattr(trt.ComputeCapability, f"SM{capability.replace('.', '')}", None)
        if value is None or not config.set_compute_capability(value, i):
            names = [n[2:] for n in trt.ComputeCapability.__members__ if n.startswith("SM")]
            known = ", ".join(f"{n[:-1]}.{n[-1]}" for n in sorted(names, key=int))
            raise InvalidSettings(
                f"TensorRT-RTX {trt.__version__} does not compile for compute capability "
                f"{capability!r}; it knows {known}",
                field="capability",
            )


def _timing_cache(config: Any, path: Path) -> Any:
    """Kernel timings of earlier builds on this GPU; RTX has none, it does not time kernels."""
    cache = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
    config.set_timing_cache(cache, True)  # one of another GPU or version is ignored
    return cache


def _present_capability() -> str:
    """The compute capability of the first GPU, for ``tensorrt`` builds for no other."""
    import torch

    if not torch.cuda.is_available():
        raise NoAccelerator(
            "tensorrt builds engines on the kind of GPU that runs them and there is none here: "
            "build there, or with --library tensorrt_rtx"
        )
    major, minor = torch.cuda.get_device_capability()
    return f"{major}.{minor}"


def _log_of(trt: Any) -> Any:
    """TensorRT's log in ours; ``last`` is its last error, for it returns None without a word."""

    class Log(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.last = "it does not say why"

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                self.last = message
                log.error("TensorRT: %s", message)
            else:
                log.debug("TensorRT: %s", message)

    return Log()
