"""The calls of TensorRT that turn an ONNX graph into an engine.

Two libraries share them, for their Python interface is the same: ``tensorrt_rtx`` builds ahead
of time, without a GPU, for the kinds of GPU named or for every one from Ampere on; ``tensorrt``
(data centre) times kernels, so it builds only on the kind of GPU that will run the engine.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from engine import InvalidModel, InvalidSettings, NoAccelerator, Profile
from engine.compiled import Library, Tensor

log = logging.getLogger(__name__)

LIBRARIES: tuple[Library, ...] = ("tensorrt_rtx", "tensorrt")
PACKAGES = {
    "tensorrt_rtx": "pip install 'entrepot[tensorrt]'",
    "tensorrt": "install NVIDIA's package `tensorrt`, or compile with --library tensorrt_rtx",
}
TIMING_CACHE = "timing.cache"


def import_library(library: str) -> Any:
    """The module. Raises NoAccelerator with the command that installs it."""
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise NoAccelerator(f"{library} is not installed: {PACKAGES[library]}") from error


def described(value: onnx.ValueInfoProto) -> Tensor:
    """An input or output as ``engines.json`` tells it."""
    kind = value.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in kind.shape.dim)
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)).name
    return Tensor(value.name, dtype, shape)


def compile_graph(
    trt: Any,
    graph: onnx.ModelProto,
    name: str,
    profiles: Sequence[Profile],
    capabilities: Sequence[str],
    folder: Path,
) -> bytes:
    """The serialized engine; ``name`` is kept in it. ``trt`` is one of ``LIBRARIES``, and
    ``folder`` is where the data-centre one keeps the timings of its kernels.

    Raises:
        InvalidModel: TensorRT refuses the graph; its words are told.
        InvalidSettings: a capability that RTX does not know.
    """
    words = _log_of(trt)
    builder = trt.Builder(words)
    # The only kind since TensorRT 11, which still takes the flag.
    strongly_typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(strongly_typed)
    parser = trt.OnnxParser(network, words)
    if not parser.parse(graph.SerializeToString()):
        errors = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise InvalidModel(f"{name}: TensorRT cannot read the graph: {errors}")
    network.name = name
    _check_network(trt, network, graph, name)
    config = builder.create_builder_config()
    source = network.get_input(0).name
    for shapes in profiles:
        profile = builder.create_optimization_profile()
        profile.set_shape(source, shapes.min, shapes.opt, shapes.max)
        if config.add_optimization_profile(profile) < 0:
            raise InvalidModel(f"{name}: TensorRT refuses {shapes}: {words.last}")
    timings = None
    if trt.__name__ == "tensorrt_rtx":
        _set_capabilities(trt, config, capabilities)
    else:
        timings = _timing_cache(config, folder / TIMING_CACHE)
    data = builder.build_serialized_network(network, config)
    if data is None:
        raise InvalidModel(f"{name}: TensorRT cannot compile the graph: {words.last}")
    if timings is not None:
        (folder / TIMING_CACHE).write_bytes(bytes(timings.serialize()))
    return bytes(data)


def _check_network(trt: Any, network: Any, graph: onnx.ModelProto, name: str) -> None:
    """What was parsed takes and gives what the graph says, in the same types."""
    tensors = [network.get_input(i) for i in range(network.num_inputs)]
    tensors += [network.get_output(i) for i in range(network.num_outputs)]
    parsed = [(t.name, np.dtype(trt.nptype(t.dtype)).name) for t in tensors]
    declared = [described(value) for value in (*graph.graph.input, *graph.graph.output)]
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


def present_capability() -> str:
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
