"""Convolutions in int8, their activations' ranges learned from photos.

Weights have a scale per output channel, activations one per tensor, of uint8 (ONNX Runtime's
static quantization in its QDQ form, standard operators only). The first convolutions see the
picture large and lose most: of EfficientNet-Lite0, int8 in the stem and first stage alone turns
embeddings by more than in all other stages together. So a leading part stays float32: the
smallest that keeps the mean cosine on photos it was not calibrated with.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime import InferenceSession, SessionOptions
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

Floats = npt.NDArray[np.float32]
LEADING = (1 / 16, 3 / 16, 3 / 8)
"""Shares of the convolutions that may stay float32, tried in this order."""
COSINE = 0.997
"""Mean cosine to float32 at which EfficientNet-Lite0 lost 0.3 % of grocery R@1 (20 of 800
photos changed, 11 for the worse); at 0.995 it lost 1.3 %."""
FEWEST = 8
"""Graphs with fewer convolutions are transformers: their patch embedding is not worth it."""
BATCH = 8
FUSED = {"Clip", "Relu"}


def quantize_convolutions(file: Path, calibrate: Floats, held_out: Floats) -> onnx.ModelProto:
    """The graph in ``file`` with int8 convolutions, or as it is where no choice is near enough.

    ``calibrate`` and ``held_out`` are ``[n, 3, size, size]`` of different photos.
    """
    original = onnx.load(file)
    if sum(node.op_type == "Conv" for node in original.graph.node) < FEWEST:
        return original
    with tempfile.TemporaryDirectory() as scratch:
        prepared, candidate = Path(scratch) / "prepared.onnx", Path(scratch) / "int8.onnx"
        quant_pre_process(file, prepared, skip_symbolic_shape=True)
        expected = _run(file, held_out)
        for share in LEADING:
            _quantize(prepared, candidate, calibrate, share)
            cosine = float(np.einsum("ij,ij->i", expected, _run(candidate, held_out)).mean())
            logging.getLogger(__name__).info(
                "int8 after the first %.0f %% of convolutions: cosine %.4f", share * 100, cosine
            )
            if cosine >= COSINE:
                return onnx.load(candidate)
    return original


def _quantize(source: Path, target: Path, photos: Floats, share: float) -> None:
    quantize_static(
        source,
        target,
        _Batches(photos),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=_after(onnx.load(source).graph, share),
    )


def _after(graph: onnx.GraphProto, share: float) -> list[str]:
    """The names of the convolutions after the first ``share`` of them, of the bounds that are
    computed with them, and of the sums of two of these (residual connections)."""
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    first = round(len(convolutions) * share)
    chosen = {node.name for node in convolutions[first:]}
    made = {output for node in convolutions[first:] for output in node.output}
    for node in graph.node:
        inputs = {name for name in node.input if name}
        bounds = node.op_type in FUSED and node.input[0] in made
        if bounds or (node.op_type == "Add" and inputs <= made):
            chosen.add(node.name)
            made |= set(node.output)
    return [node.name for node in graph.node if node.name in chosen]


def _run(file: Path, pixels: Floats) -> Floats:
    """The first output's rows."""
    options = SessionOptions()
    options.intra_op_num_threads = 1
    session = InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name = session.get_outputs()[0].name
    rows = [session.run([name], {"pixels": batch})[0] for batch in _batches(pixels)]
    return np.concatenate(rows)


def _batches(pixels: Floats) -> Iterator[Floats]:
    for start in range(0, len(pixels), BATCH):
        yield pixels[start : start + BATCH]


class _Batches(CalibrationDataReader):
    def __init__(self, pixels: Floats) -> None:
        self._batches = _batches(pixels)

    def get_next(self) -> dict[str, Floats] | None:
        """The next batch, as the calibrator asks for it."""
        batch = next(self._batches, None)
        return None if batch is None else {"pixels": batch}
