"""ONNX graphs in half precision, written out: TensorRT takes the types that a graph names.

Its networks are strongly typed since TensorRT 10, and since 11 there is no other kind. Matrix
products, convolutions and what lies between them run in fp16 or bf16; norms, softmax with the
mask added before it, pooling and the final scaling to length one stay fp32, for sums of many
terms and differences of near values are where half precision loses (NVIDIA's AutoCast keeps
the same kinds of nodes). Inputs and outputs keep their types.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from engine import InvalidModel

Precision = Literal["fp32", "fp16", "bf16"]

HALF = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
PRODUCTS = {"MatMul", "Gemm", "Conv"}
IN_HALF = PRODUCTS | {
    *("Add", "Sub", "Mul", "Gelu", "Relu", "LeakyRelu", "Clip"),
    *("Sigmoid", "HardSwish", "HardSigmoid", "Tanh", "Erf", "MaxPool"),
    *("Reshape", "Transpose", "Slice", "Split", "Concat", "Squeeze", "Unsqueeze", "Flatten"),
    "Gather",
}
"""Operators that half precision serves well."""


def in_precision(model: onnx.ModelProto, precision: Precision) -> onnx.ModelProto:
    """A copy of a graph of plain weights that computes in ``precision``.

    Raises:
        InvalidModel: the graph has branches or loops, or a value whose type is unknown.
    """
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    if precision == "fp32":
        return inferred
    halved = _Halving(inferred, HALF[precision]).run()
    onnx.checker.check_model(halved)
    return onnx.shape_inference.infer_shapes(halved, strict_mode=True)


class _Halving:
    """One conversion: which values exist in half precision, and the nodes so far."""

    def __init__(self, model: onnx.ModelProto, half: int) -> None:
        self._model = model
        self._half = half
        graph = model.graph
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        values = (*graph.value_info, *graph.input, *graph.output)
        self._types = {value.name: value.type.tensor_type.elem_type for value in values}
        self._types |= {name: tensor.data_type for name, tensor in self._weights.items()}
        self._sums = {o for n in graph.node if n.op_type.startswith("Reduce") for o in n.output}
        self._scores = {node.input[0] for node in graph.node if node.op_type == "Softmax"}
        self._nodes: list[NodeProto] = []
        self._in_half: dict[str, str] = {}
        self._only_half: set[str] = set()

    def run(self) -> onnx.ModelProto:
        graph = self._model.graph
        for node in graph.node:
            if any(attribute.HasField("g") for attribute in node.attribute):
                raise InvalidModel(
                    f"{node.op_type}: a graph with branches cannot be converted to half "
                    "precision: compile it with --precision fp32"
                )
            self._halve(node) if self._serves(node) else self._keep(node)
        for output in graph.output:
            self._float32(output.name)
        used = {name for node in self._nodes for name in node.input}
        kept = [tensor for name, tensor in self._weights.items() if name in used]
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(self._nodes)
        graph.initializer.extend(kept)
        return self._model

    def _serves(self, node: NodeProto) -> bool:
        """Whether half precision serves a node: right kind, float values, not what softmax
        takes, nor what bounds or reshapes a pooled value or a norm."""
        if node.op_type not in IN_HALF or not self._scores.isdisjoint(node.output):
            return False
        if node.op_type not in PRODUCTS and not self._sums.isdisjoint(node.input):
            return False
        return self._type(node.output[0]) == TensorProto.FLOAT

    def _halve(self, node: NodeProto) -> None:
        halved = NodeProto()
        halved.CopyFrom(node)
        for i, name in enumerate(node.input):
            if name and self._type(name) == TensorProto.FLOAT:
                halved.input[i] = self._halved(name)
        for i, name in enumerate(node.output):
            if name:
                halved.output[i] = self._in_half[name] = f"{name}_half"
                self._only_half.add(name)
        self._nodes.append(halved)

    def _keep(self, node: NodeProto) -> None:
        for name in node.input:
            self._float32(name)
        self._nodes.append(node)

    def _halved(self, name: str) -> str:
        """The name of a value's half-precision copy, made where there is none yet."""
        if name not in self._in_half:
            copy = self._in_half[name] = f"{name}_half"
            if name in self._weights:
                values = numpy_helper.to_array(self._weights[name])
                self._weights[copy] = numpy_helper.from_array(_narrowed(values, self._half), copy)
            else:
                self._nodes.append(helper.make_node("Cast", [name], [copy], to=self._half))
        return self._in_half[name]

    def _float32(self, name: str) -> None:
        """See that the float32 value ``name`` exists."""
        if name in self._only_half:
            self._only_half.remove(name)
            cast = helper.make_node("Cast", [self._in_half[name]], [name], to=TensorProto.FLOAT)
            self._nodes.append(cast)

    def _type(self, name: str) -> int:
        try:
            return self._types[name]
        except KeyError:
            raise InvalidModel(
                f"the type of {name!r} is not known: export the model again"
            ) from None


def _narrowed(values: npt.NDArray[np.float32], half: int) -> npt.NDArray[np.generic]:
    """Rounded to half precision; what is beyond fp16's ±65504 becomes that, not infinity."""
    if half == TensorProto.FLOAT16:
        limit = np.finfo(np.float16).max
        return np.clip(values, -limit, limit).astype(np.float16)
    return values.astype(helper.tensor_dtype_to_np_dtype(half))
