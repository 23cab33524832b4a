"""Encoder ``tensorrt``: a served model on its compiled engines, on ONNX Runtime without them.

The same directory, options, preprocessing and embeddings as encoder ``onnx``, so an index made
by one is served by the other. Each tower's engine is checked against ONNX Runtime when it is
loaded; whatever is wrong with it, then or later, that tower goes on with ONNX Runtime and says
why, once in the log and in the shop's health.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from engine import (
    CompiledGraph,
    CompiledMismatch,
    Encoder,
    EncoderError,
    Manifest,
    Register,
    Vectors,
    agreement,
    hookimpl,
    load_compiled,
    load_manifest,
    read_compiled,
)

from .cuda_device import Cuda
from .onnx_encoder import (
    OnnxOptions,
    ServedEncoder,
    ServedModel,
    Session,
    model_folder,
    onnx_session,
    shared_model,
)
from .query_reader import QueryReader
from .tensorrt_runtime import TensorrtEngine, import_tensorrt

log = logging.getLogger(__name__)


class TensorrtOptions(OnnxOptions, frozen=True, forbid_unknown_fields=True):
    """As of encoder ``onnx``; ``precision`` is that of the engines."""

    precision: Literal["fp16", "bf16", "fp32"] = "fp16"


class EngineSession:
    """A tower's graph on its engine; on ``plain``, ONNX Runtime, once that has failed."""

    def __init__(self, plain: Session, load: Callable[[Session], TensorrtEngine]) -> None:
        self._plain = plain
        self._engine: TensorrtEngine | None = None
        self.trouble = ""
        try:
            self._engine = load(plain)
        except Exception as error:  # whatever the vendors raise, there is another way
            self.trouble = _words(error)

    def run(self, outputs: list[str], inputs: dict[str, npt.NDArray[Any]]) -> list[Vectors]:
        engine = self._engine
        if engine is not None:
            (rows,) = inputs.values()
            try:
                rows_by_name = engine.run(rows)
                found = [rows_by_name[name] for name in outputs]
                if not all(np.isfinite(part).all() for part in found):
                    raise CompiledMismatch("the engine gave rows that are not finite")
                return found
            except Exception as error:
                if self._engine is not None:
                    self._engine, self.trouble = None, _words(error)
                    log.error("%s", _fallback(self.trouble))
        return self._plain.run(outputs, inputs)


class Engines:
    """Opens a directory's graphs on their engines, as far as these can be used here."""

    def __init__(self, folder: Path, threads: int, precision: str) -> None:
        self.manifest = load_manifest(folder)
        self._folder, self._threads, self._precision = folder, threads, precision
        self._sessions: list[EngineSession] = []

    def open(self, path: Path) -> Session:
        """The graph in ``path``, on its engine or with the reason in ``fallback``."""
        session = EngineSession(
            onnx_session(path, self._threads),
            lambda plain: _engine(self._folder, self.manifest, path.name, self._precision, plain),
        )
        self._sessions.append(session)
        return session

    def warn(self) -> None:
        """Log why ONNX Runtime serves a graph, where it does."""
        if reason := self.fallback:
            log.warning("%s", reason)

    @property
    def fallback(self) -> str:
        """Why ONNX Runtime serves a graph; empty while engines serve all that are open."""
        reasons = dict.fromkeys(s.trouble for s in self._sessions if s.trouble)
        return _fallback("; ".join(reasons)) if reasons else ""


class TensorrtModel(ServedModel):
    """A directory's towers on engines."""

    def __init__(self, folder: Path, threads: int, precision: str) -> None:
        self.engines = Engines(folder, threads, precision)
        super().__init__(folder, self.engines.manifest, self.engines.open)
        self.engines.warn()


class TensorrtReader(QueryReader):
    """The query tower in ``folder`` on TensorRT, or on ONNX Runtime with the reason in
    ``fallback``.

    Raises:
        InvalidModel: as :class:`QueryReader` does.
    """

    def __init__(self, folder: Path, threads: int = 2, precision: str = "fp16") -> None:
        self._engines = Engines(folder, threads, precision)
        super().__init__(folder, threads, self._engines.open)
        self._engines.warn()

    @property
    def fallback(self) -> str:
        return self._engines.fallback


class TensorrtEncoder(ServedEncoder):
    """A served model on TensorRT, or on ONNX Runtime with the reason in ``fallback``.

    Raises:
        InvalidModel: the directory is missing, damaged, newer, or lacks the space.
    """

    def __init__(self, options: TensorrtOptions) -> None:
        folder, threads, precision = model_folder(options.model), options.threads, options.precision
        model = shared_model(
            ("tensorrt", folder, threads, precision),
            lambda: TensorrtModel(folder, threads, precision),
        )
        super().__init__(model, options.space)
        assert isinstance(model, TensorrtModel)
        self._engines = model.engines

    @property
    def fallback(self) -> str:
        return self._engines.fallback


def find_compiled(
    folder: Path, manifest: Manifest, graph: str, precision: str
) -> list[CompiledGraph]:
    """The engines of ``graph`` that the installed libraries can load.

    Raises:
        InvalidModel: ``engines.json`` is damaged.
        NoAccelerator: the library is missing.
        CompiledMismatch: there is none, or none that fits; the message says what differs.
    """
    again = _command(folder, precision)
    found = [c for c in load_compiled(folder) if (c.graph, c.precision) == (graph, precision)]
    if not found:
        raise CompiledMismatch(f"{graph} has no {precision} engine: {again}")
    found = [c for c in found if c.graph_sha256 == manifest.files[graph]]
    if not found:
        raise CompiledMismatch(f"{graph} has changed since it was compiled: {again}")
    usable: list[CompiledGraph] = []
    wrong: EncoderError | None = None
    for compiled in found:
        try:
            _fits_library(compiled, again)
            usable.append(compiled)
        except EncoderError as error:
            wrong = error
    if not usable and wrong is not None:
        raise wrong
    return usable


def _fits_library(compiled: CompiledGraph, again: str) -> None:
    version = str(import_tensorrt(compiled.library).__version__)
    if compiled.version != version:
        raise CompiledMismatch(
            f"{compiled.file} was compiled by {compiled.library} {compiled.version} and {version} "
            f"is installed: {again}"
        )
    if compiled.parity.status == "failed":
        raise CompiledMismatch(
            f"{compiled.file} failed its parity check ({compiled.parity.reason}): compile with "
            "--precision fp32 and serve that"
        )


def fitting(found: list[CompiledGraph], gpu: Cuda, again: str) -> CompiledGraph:
    """The engine for this GPU, one made for its kind before one made for many.

    Raises:
        CompiledMismatch: there is none.
    """
    fits = [c for c in found if c.runs_on(gpu.capability)]
    if not fits:
        kinds = ", ".join(sorted({kind for c in found for kind in c.capabilities}))
        raise CompiledMismatch(
            f"{found[0].file} is compiled for compute capability {kinds or '8.0 and later'} and "
            f"{gpu.name} has {gpu.capability}: {again}, with --capability {gpu.capability}"
        )
    return max(fits, key=lambda c: bool(c.capabilities))


def _engine(
    folder: Path, manifest: Manifest, graph: str, precision: str, plain: Session
) -> TensorrtEngine:
    """The tower's engine, loaded, warm, and checked against ``plain`` in each profile."""
    found = find_compiled(folder, manifest, graph, precision)
    cuda = Cuda()
    compiled = fitting(found, cuda, _command(folder, precision))
    data = read_compiled(folder, compiled)
    cache = folder / "engines" / f"{compiled.key}-{cuda.capability}.kernels"
    engine = TensorrtEngine(import_tensorrt(compiled.library), cuda, compiled, data, cache)
    for rows in compiled.probes():
        _check(engine, compiled, plain, rows)
    engine.save_kernels()
    return engine


def _check(
    engine: TensorrtEngine, compiled: CompiledGraph, plain: Session, rows: npt.NDArray[Any]
) -> None:
    """Twice: the second run replays the CUDA graph that the first may have left."""
    names = [output.name for output in compiled.outputs]
    expected = plain.run(names, {compiled.input.name: rows})
    for found in (engine.run(rows), engine.run(rows)):
        near = min(agreement(a, found[name]) for name, a in zip(names, expected, strict=True))
        if not near >= compiled.bound:  # not: NaN too
            raise CompiledMismatch(
                f"{compiled.file} differs from ONNX Runtime at {rows.shape} (cosine {near:.5f}, "
                f"at least {compiled.bound:.5f} is asked): compile with --precision fp32"
            )


def _command(folder: Path, precision: str) -> str:
    return f"`entrepot models tensorrt {folder} --precision {precision}`"


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, EncoderError) else f"{type(error).__name__}: {error}"


def _fallback(reason: str) -> str:
    return f"TensorRT is off, ONNX Runtime serves: {reason}"


@hookimpl
def register_encoders(register: Register[Encoder]) -> None:
    register("tensorrt", TensorrtEncoder, TensorrtOptions)
