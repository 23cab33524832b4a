"""Compiles a served directory's graphs with TensorRT, into ``engines/`` beside them.

What an engine's content depends on is hashed into its key; what is already there under its key
is not built again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import onnx
import onnxruntime
from msgspec import Struct

from engine import CompiledGraph, InvalidModel, Profile, agreement
from engine.compiled import FOLDER, Library, load_compiled, save_compiled
from engine.manifest import (
    ImageTower,
    Manifest,
    Tower,
    file_digest,
    load_manifest,
    rounds_activations,
)

from .half_precision import Precision, in_precision
from .plain_graph import plain
from .tensorrt_library import (
    compile_graph,
    described,
    import_library,
    present_capability,
)

RECIPE = 1
"""Raised when the conversion of graphs changes, so that old engines are not taken for new."""

BATCH = 32
LONE_LENGTHS = (8, 16, 32)
"""A shopper's query is one text of at most 32 tokens nearly always; each length gets a profile
of its own, small enough for a CUDA graph."""


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
        wanted = msgspec.structs.replace(wanted, capabilities=(present_capability(),))
    (folder / FOLDER).mkdir(exist_ok=True)
    return [_build_tower(trt, folder, tower, manifest, wanted) for tower in manifest.towers]


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


def _build_tower(trt: Any, folder: Path, tower: Tower, manifest: Manifest, wanted: Wanted) -> Built:
    file = tower.file
    model = onnx.load(folder / file)
    source, *more = model.graph.input
    if more:
        raise InvalidModel(f"{file}: {len(more) + 1} inputs; a served graph has one")
    tensor = described(source)
    limit, pad = (0, 0) if isinstance(tower, ImageTower) else (tower.max_tokens, tower.pad_id)
    profiles = profiles_of(tensor.shape, limit)
    version = str(trt.__version__)
    key = engine_key(manifest.files[file], version, wanted, profiles)
    engines = load_compiled(folder)
    for engine in engines:
        path = folder / FOLDER / engine.file
        if engine.key == key and path.is_file() and file_digest(path) == engine.sha256:
            return Built(engine, cached=True)
    plain_model = plain(model)
    graph = in_precision(plain_model, wanted.precision)
    name = f"{Path(file).stem}-{key}.engine"
    data = compile_graph(
        trt, graph, f"{file} {key}", profiles, wanted.capabilities, folder / FOLDER
    )
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
        outputs=tuple(described(output) for output in model.graph.output),
        profiles=profiles,
        pad=pad,
    )
    near = _agreement(engine, folder / file, plain_model)
    engine = msgspec.structs.replace(engine, agreement=near)
    replaced = [old for old in engines if _same_purpose(old, engine)]
    save_compiled(folder, (*(old for old in engines if old not in replaced), engine))
    for old in replaced:
        if old.file != name:
            (folder / FOLDER / old.file).unlink(missing_ok=True)
            for kernels in (folder / FOLDER).glob(f"{old.key}-*.kernels"):
                kernels.unlink()
    return Built(engine, cached=False)


def engine_key(digest: str, version: str, wanted: Wanted, profiles: Sequence[Profile]) -> str:
    """16 hexadecimal digits that differ where anything differs that an engine depends on."""
    parts = (RECIPE, digest, version, msgspec.to_builtins(wanted), msgspec.to_builtins(profiles))
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:16]


def _agreement(engine: CompiledGraph, served: Path, compiled: onnx.ModelProto) -> float:
    """ONNX Runtime's rows of the served graph against those of its plain form: what a graph
    that rounds activations, as int8 variants do, loses beside any engine."""
    theirs, ours = (
        _as_served(graph) for graph in (served.read_bytes(), compiled.SerializeToString())
    )
    names = [output.name for output in engine.outputs]
    return min(
        agreement(a, b)
        for rows in engine.probes()
        for a, b in zip(
            *(session.run(names, {engine.input.name: rows}) for session in (theirs, ours)),
            strict=True,
        )
    )


def _as_served(graph: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    if not rounds_activations(graph):
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _same_purpose(a: CompiledGraph, b: CompiledGraph) -> bool:
    return (a.graph, a.library, a.precision, a.capabilities) == (
        *(b.graph, b.library, b.precision, b.capabilities),
    )
