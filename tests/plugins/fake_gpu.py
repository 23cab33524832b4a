"""A GPU made of this process: CUDA and TensorRT as far as ``plugins`` call them.

Device memory is host memory, a stream does its work at once, capturing records it, and an
"engine" is a file that names the ONNX graph to run on the raw bytes at the addresses that it
was given. What the real ones refuse is refused here: shapes outside the profile, sizes beyond
an allocation, a run before every address is set.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable
from enum import IntEnum
from math import prod
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from weakref import finalize, ref

import numpy as np
import pytest

from plugins.onnx_encoder import onnx_session

SUCCESS, FAILURE = 0, 35


class FakeCuda(ModuleType):
    """``cuda.bindings.runtime``. ``capability`` (8, 6) is one GPU of that kind; ``fail`` names
    functions that answer with an error; ``launched`` counts replayed graphs."""

    cudaError_t = SimpleNamespace(cudaSuccess=SUCCESS)  # noqa: N815
    cudaDeviceAttr = SimpleNamespace(  # noqa: N815
        cudaDevAttrComputeCapabilityMajor=0, cudaDevAttrComputeCapabilityMinor=1
    )
    cudaMemcpyKind = SimpleNamespace(  # noqa: N815
        cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2
    )
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)  # noqa: N815

    def __init__(self, capability: tuple[int, int] = (8, 6)) -> None:
        super().__init__("cuda.bindings.runtime")
        self.capability = capability
        self.fail: set[str] = set()
        self.memory: dict[int, Any] = {}
        self.recording: list[Callable[[], None]] | None = None
        self.launched = 0

    def __getattr__(self, name: str) -> Callable[..., tuple[Any, ...]]:
        if not name.startswith("cuda"):
            raise AttributeError(name)

        def call(*arguments: Any) -> tuple[Any, ...]:
            if name in self.fail:
                return FAILURE, None
            result = getattr(self, f"do_{name}")(*arguments)
            return (SUCCESS,) if result is None else (SUCCESS, result)

        return call

    def do_cudaGetErrorString(self, code: int) -> bytes:  # noqa: N802
        return b"CUDA driver version is insufficient for CUDA runtime version"

    def do_cudaGetDeviceCount(self) -> int:  # noqa: N802
        return 1

    def do_cudaDeviceGetAttribute(self, attribute: int, device: int) -> int:  # noqa: N802
        return self.capability[attribute]

    def do_cudaGetDeviceProperties(self, device: int) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(name=b"Fake RTX")

    def do_cudaStreamCreate(self) -> int:  # noqa: N802
        return 7

    def do_cudaStreamSynchronize(self, stream: int) -> None:  # noqa: N802
        assert self.recording is None, "synchronizing ends a capture"

    def do_cudaMalloc(self, size: int) -> int:  # noqa: N802
        block = (ctypes.c_uint8 * size)(*([255] * min(size, 64)))  # garbage, as a GPU has it
        self.memory[ctypes.addressof(block)] = block
        return ctypes.addressof(block)

    def do_cudaHostAlloc(self, size: int, flags: int) -> int:  # noqa: N802
        return self.do_cudaMalloc(size)

    def do_cudaFree(self, address: int) -> None:  # noqa: N802
        del self.memory[address]

    do_cudaFreeHost = do_cudaFree  # noqa: N815

    def do_cudaMemcpyAsync(  # noqa: N802
        self, to: int, source: int, size: int, kind: int, stream: int
    ) -> None:
        assert size <= min(len(self.memory[to]), len(self.memory[source]))
        self.do(lambda: ctypes.memmove(to, source, size))

    def do_cudaStreamBeginCapture(self, stream: int, mode: int) -> None:  # noqa: N802
        self.recording = []

    def do_cudaStreamEndCapture(self, stream: int) -> list[Callable[[], None]]:  # noqa: N802
        recorded, self.recording = self.recording, None
        assert recorded is not None
        return recorded

    def do_cudaGraphInstantiate(self, graph: Any, flags: int) -> Any:  # noqa: N802
        return graph

    def do_cudaGraphLaunch(self, graph: Any, stream: int) -> None:  # noqa: N802
        self.launched += 1
        for work in graph:
            work()

    def do(self, work: Callable[[], Any]) -> None:
        """Now, or into the graph that is being captured."""
        if self.recording is None:
            work()
        else:
            self.recording.append(work)


class Severity(IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1
    INFO = 3


class FakeLog:
    Severity = Severity

    def __init__(self) -> None: ...


class FakeTensorrt(ModuleType):
    """``tensorrt_rtx`` or ``tensorrt``. ``refuses`` are its words for every engine, if any;
    ``off_by`` is added to every output; ``refused_runs`` counts down the runs it refuses;
    ``orphans`` tells of each context that went whether its cache of kernels had gone before."""

    ILogger = FakeLog
    CudaGraphStrategy = SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole graph")
    nptype = staticmethod(np.dtype)

    def __init__(self, cuda: FakeCuda, name: str = "tensorrt_rtx", version: str = "1.7.1") -> None:
        super().__init__(name)
        self.__version__ = version
        self.cuda = cuda
        self.refuses = ""
        self.off_by = 0.0
        self.refused_runs = 0
        self.contexts: list[FakeContext] = []
        self.orphans: list[bool] = []

    def Runtime(self, log: Any) -> Any:  # noqa: N802
        def deserialize_cuda_engine(data: bytes) -> FakeEngine | None:
            if self.refuses:
                log.log(Severity.ERROR, self.refuses)
                return None
            return FakeEngine(self, log, json.loads(data))

        return SimpleNamespace(deserialize_cuda_engine=deserialize_cuda_engine)


class FakeEngine:
    """``plan``: {"graph": path, "input": name, "profiles": [[min, opt, max], …]}."""

    def __init__(self, trt: FakeTensorrt, log: Any, plan: dict[str, Any]) -> None:
        self.trt, self.log, self.plan = trt, log, plan
        self.session: Any = onnx_session(Path(plan["graph"]), threads=1)
        self.inputs = {node.name: node for node in self.session.get_inputs()}
        self.outputs = {node.name: node for node in self.session.get_outputs()}
        self.names = [*self.inputs, *self.outputs]
        self.num_io_tensors = len(self.names)
        self.num_optimization_profiles = len(plan["profiles"])

    def get_tensor_name(self, index: int) -> str:
        return self.names[index]

    def get_tensor_dtype(self, name: str) -> str:
        kind = {**self.inputs, **self.outputs}[name].type
        return {"tensor(int64)": "int64", "tensor(float)": "float32"}[kind]

    def get_tensor_profile_shape(self, name: str, index: int) -> list[list[int]]:
        assert name in self.inputs, "TensorRT has no profile of it"
        shapes: list[list[int]] = self.plan["profiles"][index]
        return shapes

    def create_runtime_config(self) -> Any:
        config = SimpleNamespace(create_runtime_cache=FakeKernels)

        def set_runtime_cache(kernels: FakeKernels) -> bool:
            config.kernels = ref(kernels)  # as the binding does: it is not kept for the contexts
            return True

        config.set_runtime_cache = set_runtime_cache
        return config

    def create_execution_context(self, runtime_config: Any = None) -> FakeContext:
        rtx = self.trt.__name__ == "tensorrt_rtx"
        assert (runtime_config is not None) == rtx
        assert not rtx or runtime_config.cuda_graph_strategy == "whole graph"
        self.trt.contexts.append(FakeContext(self))
        if rtx:
            used = runtime_config.kernels
            finalize(self.trt.contexts[-1], lambda: self.trt.orphans.append(used() is None))
        return self.trt.contexts[-1]


class FakeKernels:
    """RTX's cache of compiled kernels."""

    def __init__(self) -> None:
        self.data = b"kernels"

    def serialize(self) -> bytes:
        return self.data

    def deserialize(self, data: bytes) -> bool:
        self.data = data + b"+"
        return True


class FakeContext:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.profile = -1
        self.shape: tuple[int, ...] = ()
        self.addresses: dict[str, int] = {}
        self.runs: list[tuple[int, ...]] = []

    def set_optimization_profile_async(self, index: int, stream: int) -> bool:
        self.profile = index
        return True

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return name in self.engine.names

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        low, _, high = self.engine.plan["profiles"][self.profile]
        if not all(a <= d <= b for a, d, b in zip(low, shape, high, strict=True)):
            self.engine.log.log(Severity.ERROR, f"{shape} is outside profile {self.profile}")
            return False
        self.shape = shape
        return True

    def execute_async_v3(self, stream: int) -> bool:
        trt = self.engine.trt
        if trt.refused_runs:
            trt.refused_runs -= 1
            self.engine.log.log(Severity.ERROR, "the device is lost")
            return False
        assert set(self.addresses) == set(self.engine.names)
        shape = self.shape
        trt.cuda.do(lambda: self._run(shape))
        return True

    def _run(self, shape: tuple[int, ...]) -> None:
        engine, memory = self.engine, self.engine.trt.cuda.memory
        self.runs.append(shape)
        (name,) = engine.inputs
        dtype = np.dtype(engine.get_tensor_dtype(name))
        raw = np.frombuffer(memory[self.addresses[name]], np.uint8)
        rows = raw[: prod(shape) * dtype.itemsize].view(dtype).reshape(shape)
        for output, value in zip(
            engine.outputs, engine.session.run(None, {name: rows}), strict=True
        ):
            data = (value + engine.trt.off_by).astype(np.float32).tobytes()
            assert len(data) <= len(memory[self.addresses[output]])
            ctypes.memmove(self.addresses[output], data, len(data))


def install(
    monkeypatch: pytest.MonkeyPatch, library: str = "tensorrt_rtx", **options: Any
) -> FakeTensorrt:
    """Put a fake GPU and library in the place of the real ones."""
    cuda = FakeCuda(**options)
    trt = FakeTensorrt(cuda, library)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", cuda)
    for name in ("tensorrt_rtx", "tensorrt"):
        monkeypatch.setitem(sys.modules, name, trt if name == library else None)
    return trt


def engine_file(graph: Path, source: str, profiles: list[Any]) -> bytes:
    """What :class:`FakeTensorrt` takes for an engine of ``graph``."""
    return json.dumps({"graph": str(graph), "input": source, "profiles": profiles}).encode()
