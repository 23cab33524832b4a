"""Runs a compiled engine: every call of TensorRT is in this file, those of CUDA in cuda_device.

The library is loaded by name, for which one an engine needs is known only from
``engines.json``: ``tensorrt_rtx`` or ``tensorrt``, whose Python interfaces agree.
"""

from __future__ import annotations

import importlib
import logging
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine import CompiledGraph, CompiledMismatch, EncoderError, NoAccelerator, Profile, Vectors

from .cuda_device import Array, Buffer, Cuda, Shape

log = logging.getLogger(__name__)

INSTALL = {
    "tensorrt_rtx": "pip install 'entrepot[tensorrt]'",
    "tensorrt": "install NVIDIA's package `tensorrt`, or compile with --library tensorrt_rtx",
}


def import_tensorrt(library: str) -> Any:
    """The module ``tensorrt_rtx`` or ``tensorrt``. Raises NoAccelerator without it."""
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise NoAccelerator(f"{library} is not installed: {INSTALL[library]}") from error


def place(profiles: Sequence[Profile], shape: Shape) -> tuple[int, Shape]:
    """The profile that takes ``shape`` with the least padding, and the padded shape.

    Dimensions are padded to powers of two, so that few shapes occur: TensorRT-RTX compiles
    kernels for each. A profile of one shape is preferred, for its CUDA graph.

    Raises:
        CompiledMismatch: no profile takes it.
    """
    fits = [
        (math.prod(padded), not profile.exact, i, padded)
        for i, profile in enumerate(profiles)
        if profile.takes(shape)
        for padded in (_padded(profile, shape),)
    ]
    if not fits:
        raise CompiledMismatch(f"no profile of the engine takes {shape}: compile again")
    _, _, index, padded = min(fits)
    return index, padded


def _padded(profile: Profile, shape: Shape) -> Shape:
    sizes = zip(shape, profile.min, profile.max, strict=True)
    return tuple(min(max(1 << (d - 1).bit_length(), low), high) for d, low, high in sizes)


def _resolved(declared: Shape, given: Shape) -> Shape:
    """An output's shape for an input of the shape ``given``."""
    return tuple(given[i] if d < 0 else d for i, d in enumerate(declared))


class TensorrtEngine:
    """One engine: a context per profile, buffers for the largest batch; thread-safe.

    ``cache`` is where TensorRT-RTX keeps the kernels that it compiles for this GPU, so that the
    next start finds them.

    Raises:
        CompiledMismatch: TensorRT refuses the engine (its words are told), or the engine is
            not what ``compiled`` says.
        EncoderError: CUDA fails.
    """

    def __init__(
        self, trt: Any, cuda: Cuda, compiled: CompiledGraph, data: bytes, cache: Path
    ) -> None:
        self._contexts: list[Any] = []
        self._cuda, self._compiled = cuda, compiled
        self._words = _log_of(trt)
        self._runtime = trt.Runtime(self._words)
        self._engine = self._runtime.deserialize_cuda_engine(data)
        if self._engine is None:
            raise CompiledMismatch(
                f"{compiled.library} {trt.__version__} refuses {compiled.file}: "
                f"{self._words.last}: compile again on this machine"
            )
        self._check(trt)
        most = max(profile.max[0] for profile in compiled.profiles)
        self._rows = most
        largest = max(math.prod(profile.max) for profile in compiled.profiles)
        self._input = Buffer(cuda, largest * np.dtype(compiled.input.dtype).itemsize)
        self._outputs = {
            t.name: Buffer(
                cuda,
                max(math.prod(_resolved(t.shape, p.max)) for p in compiled.profiles)
                * np.dtype(t.dtype).itemsize,
            )
            for t in compiled.outputs
        }
        self._captures = compiled.library == "tensorrt"
        self._cache = cache
        self._kernels: Any = None
        config = None if self._captures else self._rtx_config(trt)
        self._contexts = [self._context(i, config) for i in range(len(compiled.profiles))]
        self._graphs: dict[int, Any] = {}
        self._lock = threading.Lock()

    def __del__(self) -> None:
        # Before the cache of kernels, which TensorRT's binding does not keep for them.
        self._contexts.clear()

    def run(self, rows: Array) -> dict[str, Vectors]:
        """Every output for the input ``rows`` (any number of them), in order."""
        parts = []
        with self._lock:
            for start in range(0, len(rows), self._rows):
                parts.append(self._run_part(rows[start : start + self._rows]))
        return {t.name: np.concatenate([p[t.name] for p in parts]) for t in self._compiled.outputs}

    def save_kernels(self) -> None:
        """Keep what RTX compiled so far; a folder that cannot be written costs only time."""
        if self._kernels is None:
            return
        partial = self._cache.with_suffix(".partial")
        try:
            partial.write_bytes(bytes(self._kernels.serialize()))
            partial.replace(self._cache)
        except OSError as error:
            log.info("%s: kernels are not kept: %s", self._cache, error)

    def _run_part(self, rows: Array) -> dict[str, Vectors]:
        index, shape = place(self._compiled.profiles, rows.shape)
        view = self._input.view(self._compiled.input.dtype, shape)
        view[...] = self._compiled.pad
        view[tuple(slice(0, d) for d in rows.shape)] = rows
        # A row of nothing but padding would be NaN; copies of a real one are as cheap.
        view[len(rows) :] = view[0]
        graph = self._graphs.get(index)
        if graph is not None:
            self._cuda.launch(graph)
        else:
            self._enqueue(index, shape)
        self._cuda.synchronize()
        if index not in self._graphs and self._captures and self._compiled.profiles[index].exact:
            self._graphs[index] = self._captured(index, shape)
        return {
            t.name: self._outputs[t.name]
            .view(t.dtype, _resolved(t.shape, shape))[
                tuple(slice(0, d) for d in _resolved(t.shape, rows.shape))
            ]
            .copy()
            for t in self._compiled.outputs
        }

    def _enqueue(self, index: int, shape: Shape) -> None:
        """Copies and kernels of one run, in the stream."""
        context, tensor = self._contexts[index], self._compiled.input
        self._cuda.copy_in(self._input, math.prod(shape) * np.dtype(tensor.dtype).itemsize)
        self._must(context.set_input_shape(tensor.name, shape), f"input shape {shape}")
        self._must(context.execute_async_v3(int(self._cuda.stream)), "the run")
        for t in self._compiled.outputs:
            size = math.prod(_resolved(t.shape, shape)) * np.dtype(t.dtype).itemsize
            self._cuda.copy_out(self._outputs[t.name], size)

    def _captured(self, index: int, shape: Shape) -> Any:
        """The CUDA graph of a profile of one shape; None where it cannot be captured."""
        try:
            return self._cuda.capture(lambda: self._enqueue(index, shape))
        except EncoderError as error:
            log.info("%s: no CUDA graph for %s: %s", self._compiled.file, shape, error)
            return None

    def _rtx_config(self, trt: Any) -> Any:
        """RTX captures CUDA graphs itself, once its kernels for a shape are compiled."""
        config = self._engine.create_runtime_config()
        config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        self._kernels = config.create_runtime_cache()
        if self._cache.is_file():
            self._kernels.deserialize(self._cache.read_bytes())
        config.set_runtime_cache(self._kernels)
        return config

    def _context(self, index: int, config: Any) -> Any:
        create = self._engine.create_execution_context
        context = create() if config is None else create(runtime_config=config)
        if context is None:
            raise EncoderError(f"{self._compiled.file}: no context: {self._words.last}")
        stream = int(self._cuda.stream)
        self._must(context.set_optimization_profile_async(index, stream), f"profile {index}")
        self._cuda.synchronize()
        for name, buffer in {self._compiled.input.name: self._input, **self._outputs}.items():
            self._must(context.set_tensor_address(name, buffer.device), f"the buffer of {name}")
        return context

    def _must(self, done: bool, what: str) -> None:
        if not done:
            raise EncoderError(
                f"{self._compiled.file}: TensorRT refuses {what}: {self._words.last}"
            )

    def _check(self, trt: Any) -> None:
        """The engine is the one that ``engines.json`` describes."""
        engine, compiled = self._engine, self._compiled
        found = {
            name: np.dtype(trt.nptype(engine.get_tensor_dtype(name))).name
            for name in map(engine.get_tensor_name, range(engine.num_io_tensors))
        }
        if (
            found != {t.name: t.dtype for t in (compiled.input, *compiled.outputs)}
            or self._profiles() != compiled.profiles
        ):
            raise CompiledMismatch(
                f"{compiled.file} is not the engine that engines.json describes: compile again"
            )

    def _profiles(self) -> tuple[Profile, ...]:
        source, count = self._compiled.input.name, self._engine.num_optimization_profiles
        shapes = [self._engine.get_tensor_profile_shape(source, i) for i in range(count)]
        return tuple(Profile(*map(tuple, shape)) for shape in shapes)


def _log_of(trt: Any) -> Any:
    """TensorRT's log in ours; ``last`` is its last error, for it answers False or None."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.last = "it does not say why"

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                self.last = message
            log.debug("TensorRT: %s", message)

    return Log()
