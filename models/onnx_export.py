"""torch modules to ONNX files, and torch weights rounded as the served ones are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from engine import InvalidModel

from .blocks import BLOCK, SMALLEST, quantize_blocks

OPSET = 21
LARGEST = 2_000_000_000
"""Bytes of weights that one ONNX file (a protocol buffer) can hold, with room for the graph."""


def export_onnx(
    module: nn.Module,
    example: Tensor,
    file: Path,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    dynamic: tuple[int, ...] = (0,),
) -> None:
    """Write ``module`` as ONNX; the axes ``dynamic`` of its input may have any length.

    Raises:
        InvalidModel: more weights than one file holds.
    """
    size = sum(t.numel() * t.element_size() for t in (*module.parameters(), *module.buffers()))
    if size > LARGEST:
        raise InvalidModel(
            f"{file.name}: {size / 1e9:.1f} GB of weights; a served tower holds at most "
            f"{LARGEST / 1e9:.0f} GB: choose a smaller model"
        )
    torch.onnx.export(
        module.eval(),
        (example,),
        file,
        dynamo=True,
        opset_version=OPSET,
        dynamic_shapes=(dict.fromkeys(dynamic, torch.export.Dim.DYNAMIC),),
        input_names=list(inputs),
        output_names=list(outputs),
        external_data=False,
        verbose=False,
    )
    strip(file)


def strip(file: Path) -> None:
    """Remove what the exporter notes about the source: stack traces with paths of this machine."""
    model = onnx.load(file)
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.value_info):
        part.doc_string = ""
        del part.metadata_props[:]
    onnx.save(model, file)


def round_to_served(module: nn.Module) -> None:
    """Give ``module`` in place the weights that the int8 variant stores for it (matrices by
    :func:`models.blocks.quantize_blocks`, all else as float16), so that what is trained on top
    of it sees the very features that are served."""
    with torch.no_grad():
        for weight in (p for p in module.parameters() if p.numel() >= SMALLEST):
            if weight.ndim == 2 and weight.shape[1] % BLOCK == 0:
                quantized, scale = quantize_blocks(weight.numpy())
                weight.copy_(torch.from_numpy(quantized * np.repeat(scale, BLOCK, axis=1)))
            else:
                weight.copy_(weight.half().float())
