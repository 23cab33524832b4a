"""Served graphs as other runtimes can read them: plain float32 weights, standard operators."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from engine import InvalidModel


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with every weight as a plain float32 initializer and no rounding of activations.

    Undoes what makes served graphs small or fast on a CPU: DequantizeLinear or Cast of an
    initializer, DequantizeLinear of QuantizeLinear, and ONNX Runtime's own MatMulNBits and
    GatherBlockQuantized.

    Raises:
        InvalidModel: other operators of ONNX Runtime's own, which TensorRT cannot read.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    nodes: list[NodeProto] = []
    for node in graph.node:
        maker = made_by.get(node.input[0]) if node.input else None
        if node.op_type in ("DequantizeLinear", "Cast") and set(node.input) <= weights.keys():
            values = _evaluated(node, weights, model)
            weights[node.output[0]] = numpy_helper.from_array(values, node.output[0])
        elif node.op_type == "DequantizeLinear" and maker and maker.op_type == "QuantizeLinear":
            nodes += _bounded(node, maker, weights)
        elif node.op_type == "MatMulNBits":
            nodes += _as_matmul(node, weights)
        elif node.op_type == "GatherBlockQuantized":
            nodes += _as_gather(node, weights)
        else:
            nodes.append(node)
    _refuse_foreign(nodes)
    nodes = _used(_unguarded(nodes), {output.name for output in graph.output})
    used = {name for node in nodes for name in node.input}
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(tensor for name, tensor in weights.items() if name in used)
    kept = [opset for opset in copy.opset_import if opset.domain in ("", "ai.onnx")]
    del copy.opset_import[:]
    copy.opset_import.extend(kept)
    onnx.checker.check_model(copy)
    return copy


def _evaluated(
    node: NodeProto, weights: dict[str, TensorProto], model: onnx.ModelProto
) -> npt.NDArray[np.generic]:
    """The value of a node whose inputs are all weights."""
    graph = helper.make_graph(
        [node],
        "weights",
        [],
        [helper.make_tensor_value_info(node.output[0], TensorProto.UNDEFINED, None)],
        [weights[name] for name in node.input],
    )
    single = helper.make_model(graph, opset_imports=list(model.opset_import))
    (values,) = ReferenceEvaluator(single).run(None, {})
    return np.asarray(values)


def _as_matmul(node: NodeProto, weights: dict[str, TensorProto]) -> list[NodeProto]:
    """ONNX Runtime's MatMulNBits as a MatMul and, where it has a bias, an Add.

    B is uint8 ``[N, K / block, block * bits / 8]`` and holds the columns of the weight.
    """
    _, packed, scales, zeros, order, bias = (*node.input, *[""] * 6)[:6]
    settings = {attribute.name: attribute.i for attribute in node.attribute}
    if order:
        raise InvalidModel(f"{node.name}: MatMulNBits with a group index is not understood")
    columns = _dequantized(weights, packed, scales, zeros, settings, settings["N"])
    name, out = f"{packed}_plain", node.output[0]
    weights[name] = numpy_helper.from_array(
        np.ascontiguousarray(columns[:, : settings["K"]].T), name
    )
    if not bias:
        return [helper.make_node("MatMul", [node.input[0], name], [out])]
    product = f"{out}_unbiased"
    return [
        helper.make_node("MatMul", [node.input[0], name], [product]),
        helper.make_node("Add", [product, bias], [out]),
    ]


def _as_gather(node: NodeProto, weights: dict[str, TensorProto]) -> list[NodeProto]:
    """ONNX Runtime's GatherBlockQuantized, an embedding table in blocks, as a Gather."""
    packed, indices, scales, zeros = (*node.input, "")[:4]
    settings = {"gather_axis": 0, "quantize_axis": 1}
    settings |= {attribute.name: attribute.i for attribute in node.attribute}
    rows = weights[packed].dims[0]
    if (settings["gather_axis"], settings["quantize_axis"]) != (0, 1):
        raise InvalidModel(f"{node.name}: GatherBlockQuantized of other axes than a table's")
    table = _dequantized(weights, packed, scales, zeros, settings, rows)
    name = f"{packed}_plain"
    weights[name] = numpy_helper.from_array(table, name)
    return [helper.make_node("Gather", [name, indices], list(node.output), axis=0)]


def _dequantized(
    weights: dict[str, TensorProto],
    packed: str,
    scales: str,
    zeros: str,
    settings: dict[str, int],
    rows: int,
) -> npt.NDArray[np.float32]:
    """``[rows, n]`` in float32 of unsigned values in blocks: 8 / ``bits`` to a byte, low bits
    first; a scale and a zero point per block, by default the middle of the range."""
    bits, block = settings.get("bits", 4), settings["block_size"]
    values = _unpacked(numpy_helper.to_array(weights[packed]).reshape(rows, -1), bits)
    scale = numpy_helper.to_array(weights[scales]).astype(np.float32).reshape(rows, -1)
    zero = np.full(scale.shape, 1 << (bits - 1), dtype=np.float32)
    if zeros:
        given = numpy_helper.to_array(weights[zeros])
        packs = given.dtype == np.uint8
        zero = _unpacked(given.reshape(rows, -1), bits) if packs else given.reshape(scale.shape)
        zero = zero[:, : scale.shape[1]].astype(np.float32)
    spread = np.repeat(np.stack([scale, zero]), block, axis=2)[:, :, : values.shape[1]]
    plain_values: npt.NDArray[np.float32] = (values - spread[1]) * spread[0]
    return plain_values


def _unpacked(packed: npt.NDArray[np.uint8], bits: int) -> npt.NDArray[np.float32]:
    """Along the last axis, 8 / ``bits`` values a byte, low bits first."""
    parts = [(packed >> shift) & ((1 << bits) - 1) for shift in range(0, 8, bits)]
    return np.stack(parts, axis=-1).reshape(*packed.shape[:-1], -1).astype(np.float32)


def _bounded(node: NodeProto, maker: NodeProto, weights: dict[str, TensorProto]) -> list[NodeProto]:
    """DequantizeLinear(QuantizeLinear(x)), an activation rounded to int8, as what it does
    beside rounding: x within the range of int8, which may stand for a ReLU that was dropped."""
    scale, zero = (numpy_helper.to_array(weights[name]) for name in maker.input[1:3])
    limits = np.iinfo(zero.dtype)
    ends = [
        (np.float32(limit) - zero.astype(np.float32)) * scale for limit in (limits.min, limits.max)
    ]
    names = [f"{node.output[0]}_{end}" for end in ("low", "high")]
    for name, end in zip(names, ends, strict=True):
        weights[name] = numpy_helper.from_array(end.astype(np.float32).reshape(()), name)
    return [helper.make_node("Clip", [maker.input[0], *names], list(node.output))]


def _unguarded(nodes: list[NodeProto]) -> list[NodeProto]:
    """Without ``Where(IsNaN(p), 0, p)`` after a softmax ``p``.

    torch exports it for rows of attention whose keys are all masked, which no text has: it has
    its own tokens. TensorRT-RTX 1.7 takes it for its fused attention and then fails a check of
    its own (``is_softmax(op->operands()[0]->tensor()->producer())``).
    """
    made_by = {name: node for node in nodes for name in node.output}
    renamed: dict[str, str] = {}
    kept: list[NodeProto] = []
    for node in nodes:
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)
        test = made_by.get(node.input[0]) if node.op_type == "Where" else None
        guarded = made_by.get(node.input[2]) if test is not None else None
        if (
            test is not None
            and guarded is not None
            and (test.op_type, guarded.op_type) == ("IsNaN", "Softmax")
            and test.input[0] == node.input[2]
        ):
            renamed[node.output[0]] = node.input[2]
        else:
            kept.append(node)
    return kept


def _used(nodes: list[NodeProto], wanted: set[str]) -> list[NodeProto]:
    """The nodes, in order, that the values ``wanted`` need."""
    kept: list[NodeProto] = []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.output):
            wanted = wanted | set(node.input)
            kept.append(node)
    return kept[::-1]


def _refuse_foreign(nodes: list[NodeProto]) -> None:
    foreign = sorted({node.op_type for node in nodes if node.domain not in ("", "ai.onnx")})
    if foreign:
        raise InvalidModel(
            f"TensorRT cannot read ONNX Runtime's own operators ({', '.join(foreign)}): compile "
            "the folder that `entrepot models export` or `import` wrote, not a variant of it"
        )
