"""The GPU's memory, stream and graphs, through the bindings of NVIDIA's package cuda-bindings."""

from __future__ import annotations

import ctypes
import importlib
import math
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from engine import EncoderError, NoAccelerator

Shape = tuple[int, ...]
Array = npt.NDArray[Any]


class Cuda:
    """The first GPU, and a stream on it; CUDA's error codes as exceptions.

    Raises:
        NoAccelerator: cuda-bindings, the driver or the GPU is missing.
    """

    def __init__(self) -> None:
        try:
            self._api = importlib.import_module("cuda.bindings.runtime")
        except ImportError as error:
            raise NoAccelerator(
                "cuda-bindings is not installed: pip install 'entrepot[tensorrt]'"
            ) from error
        try:
            if not self.call("cudaGetDeviceCount"):
                raise EncoderError("no device")
        # A RuntimeError where even the driver's library is missing.
        except (EncoderError, RuntimeError) as error:
            raise NoAccelerator(
                f'no GPU ({error}): install NVIDIA\'s driver, or serve with plugin = "onnx"'
            ) from error
        kinds = self._api.cudaDeviceAttr
        major = self.call("cudaDeviceGetAttribute", kinds.cudaDevAttrComputeCapabilityMajor, 0)
        minor = self.call("cudaDeviceGetAttribute", kinds.cudaDevAttrComputeCapabilityMinor, 0)
        self.capability = f"{major}.{minor}"
        self.name = self.call("cudaGetDeviceProperties", 0).name.decode()
        self.stream = self.call("cudaStreamCreate")

    def call(self, function: str, *arguments: Any) -> Any:
        """What a function of the CUDA runtime returns beside its code.

        Raises:
            EncoderError: the code is not success.
        """
        code, *results = getattr(self._api, function)(*arguments)
        if code != self._api.cudaError_t.cudaSuccess:
            _, words = self._api.cudaGetErrorString(code)
            raise EncoderError(f"{function}: {words.decode()}")
        return results[0] if results else None

    def copy_in(self, buffer: Buffer, size: int) -> None:
        """``size`` bytes to the GPU, in the stream's order."""
        kind = self._api.cudaMemcpyKind.cudaMemcpyHostToDevice
        self.call("cudaMemcpyAsync", buffer.device, buffer.host, size, kind, self.stream)

    def copy_out(self, buffer: Buffer, size: int) -> None:
        """``size`` bytes from the GPU, in the stream's order."""
        kind = self._api.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self.call("cudaMemcpyAsync", buffer.host, buffer.device, size, kind, self.stream)

    def synchronize(self) -> None:
        self.call("cudaStreamSynchronize", self.stream)

    def capture(self, work: Callable[[], None]) -> Any:
        """``work`` as a graph to launch; it is recorded, not done."""
        mode = self._api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self.call("cudaStreamBeginCapture", self.stream, mode)
        try:
            work()
        finally:
            graph = self.call("cudaStreamEndCapture", self.stream)
        return self.call("cudaGraphInstantiate", graph, 0)

    def launch(self, graph: Any) -> None:
        self.call("cudaGraphLaunch", graph, self.stream)


class Buffer:
    """Page-locked memory of ``size`` bytes and as much on the GPU."""

    def __init__(self, cuda: Cuda, size: int) -> None:
        self.host = int(cuda.call("cudaHostAlloc", size, 0))
        weakref.finalize(self, _free, cuda, "cudaFreeHost", self.host).atexit = False
        self.device = int(cuda.call("cudaMalloc", size))
        weakref.finalize(self, _free, cuda, "cudaFree", self.device).atexit = False
        self._bytes = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(self.host))

    def view(self, dtype: npt.DTypeLike, shape: Shape) -> Array:
        """The first bytes of the host side, as an array that shares them."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        return self._bytes[:size].view(dtype).reshape(shape)


def _free(cuda: Cuda, function: str, address: int) -> None:
    with suppress(EncoderError):  # a GPU that is lost has taken its memory along
        cuda.call(function, address)
