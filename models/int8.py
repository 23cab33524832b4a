"""Matrices and embedding tables of an ONNX graph as int8 by block, computed with as such.

ONNX Runtime's ``MatMulNBits`` with accuracy level 4 rounds activations to int8 too, each row by
blocks of its own, so that an embedding cannot depend on its batch. ``GatherBlockQuantized``
unpacks only the rows that are looked up. Both store ``q + 128`` as uint8 beside float32 scales;
see ContribOperators.md of ONNX Runtime.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from .blocks import BLOCK, SMALLEST, quantize_blocks

DOMAIN = "com.microsoft"
INT8_ACTIVATIONS = 4
"""The accuracy level of MatMulNBits at which it multiplies int8 by int8."""
ZERO = 128
"""Stored for the weight 0; what both operators assume of 8 bits without zero points."""


def store_int8(model: onnx.ModelProto) -> None:
    """Store in place the constant matrices of products as int8 and unpack them when the graph is
    loaded, so that activations are not rounded; lookups are as in :func:`quantize_matrices`.

    For what decides between near ties: of 3,124 words of queries, 99.26 % kept their tag where
    activations were rounded too, and all of them here.
    """
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    unpacked: list[NodeProto] = []
    for node in graph.node:
        name = node.input[1] if node.op_type in ("MatMul", "Gemm") else ""
        matrix = _matrix(name, weights)
        settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        axis = 1 if settings.get("transB", 0) else 0
        if matrix is None or matrix.shape[axis] % BLOCK:
            continue
        values, scales = quantize_blocks(matrix if axis else np.ascontiguousarray(matrix.T))
        stored = (values, scales) if axis else (values.T, scales.T)
        names = [f"{name}_int8", f"{name}_scale"]
        for part, array in zip(names, stored, strict=True):
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), part))
        graph.initializer.remove(weights.pop(name))
        unpacked.append(
            helper.make_node("DequantizeLinear", names, [name], axis=axis, block_size=BLOCK)
        )
    nodes = [*unpacked, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    quantize_matrices(model)


def quantize_matrices(model: onnx.ModelProto) -> None:
    """Rewrite in place every product with, and lookup in, a constant float32 matrix whose rows
    (as they are summed over, or looked up) are whole blocks."""
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    packed: dict[str, TensorProto] = {}
    nodes = [_rewritten(node, weights, packed) for node in graph.node]
    if not packed:
        return
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*kept, *packed.values()])
    if all(opset.domain != DOMAIN for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))


def _rewritten(
    node: NodeProto, weights: dict[str, TensorProto], packed: dict[str, TensorProto]
) -> NodeProto:
    settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "Gather" and settings.get("axis", 0) == 0:
        table = _matrix(node.input[0], weights)
        if table is not None and table.shape[1] % BLOCK == 0:
            return _as_lookup(node, table, packed)
    if node.op_type == "MatMul" or (node.op_type == "Gemm" and _is_linear(settings)):
        matrix = _matrix(node.input[1], weights)
        if matrix is not None:
            turned = not settings.get("transB", 0)
            rows = matrix.T if turned else matrix
            if rows.shape[1] % BLOCK == 0 and _is_bias(node.input[2:], weights, len(rows)):
                stem = f"{node.input[1]}_{'turned' if turned else 'rows'}"
                return _as_product(node, stem, np.ascontiguousarray(rows), packed)
    return node


def _is_linear(gemm: dict[str, object]) -> bool:
    return (gemm.get("alpha", 1.0), gemm.get("beta", 1.0), gemm.get("transA", 0)) == (1.0, 1.0, 0)


def _is_bias(names: list[str], weights: dict[str, TensorProto], width: int) -> bool:
    """None, or one vector with a value for each column."""
    return all(name in weights and list(weights[name].dims) == [width] for name in names)


def _matrix(name: str, weights: dict[str, TensorProto]) -> npt.NDArray[np.float32] | None:
    """The constant float32 matrix ``name``, if it is one and worth it."""
    tensor = weights.get(name)
    if tensor is None or tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2:
        return None
    return numpy_helper.to_array(tensor) if np.prod(tensor.dims) >= SMALLEST else None


def _as_product(
    node: NodeProto, stem: str, rows: npt.NDArray[np.float32], packed: dict[str, TensorProto]
) -> NodeProto:
    """``x @ rows.T + bias``; ``stem`` names ``rows``, for a matrix may be used both ways."""
    columns, inner = rows.shape
    shape = (columns, inner // BLOCK, BLOCK)
    bias = ["", "", node.input[2]] if len(node.input) == 3 else []
    return helper.make_node(
        "MatMulNBits",
        [node.input[0], *_pack(stem, rows, shape, packed), *bias],
        list(node.output),
        node.name,
        domain=DOMAIN,
        K=inner,
        N=columns,
        bits=8,
        block_size=BLOCK,
        accuracy_level=INT8_ACTIVATIONS,
    )


def _as_lookup(
    node: NodeProto, table: npt.NDArray[np.float32], packed: dict[str, TensorProto]
) -> NodeProto:
    values, scales = _pack(f"{node.input[0]}_table", table, table.shape, packed)
    return helper.make_node(
        "GatherBlockQuantized",
        [values, node.input[1], scales],
        list(node.output),
        node.name,
        domain=DOMAIN,
        bits=8,
        block_size=BLOCK,
        gather_axis=0,
        quantize_axis=1,
    )


def _pack(
    stem: str,
    rows: npt.NDArray[np.float32],
    shape: tuple[int, ...],
    packed: dict[str, TensorProto],
) -> tuple[str, str]:
    """The names, which begin with ``stem``, of the values, in ``shape``, and of the scales of
    ``rows``."""
    names = f"{stem}_int8", f"{stem}_scale"
    if names[0] not in packed:
        quantized, scales = quantize_blocks(rows)
        values = (quantized.astype(np.int16) + ZERO).astype(np.uint8).reshape(shape)
        packed[names[0]] = numpy_helper.from_array(values, names[0])
        packed[names[1]] = numpy_helper.from_array(np.ascontiguousarray(scales), names[1])
    return names
