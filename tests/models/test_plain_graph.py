"""Served graphs in plain float32, and in half precision, give the rows that they gave."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine import InvalidModel
from models.half_precision import in_precision
from models.plain_graph import plain

Array = npt.NDArray[np.generic]
RNG = np.random.default_rng(0)


def graph(
    nodes: list[onnx.NodeProto], weights: dict[str, Array], shape: tuple[int, ...], out: int
) -> onnx.ModelProto:
    """Takes ``x``, float32 of ``shape``, and gives float32 ``y [shape[0], out]``."""
    made = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (shape[0], out))],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=10)


def run(model: onnx.ModelProto, x: Array) -> Array:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return np.asarray(session.run(None, {"x": x})[0])


def kinds(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_matmul_in_blocks(bits: int, zeros: bool, bias: bool) -> None:
    """Also where the last block is cut, and an odd number of 4-bit zero points is packed."""
    n, k, block = 6, 80, 32
    blocks = -(-k // block)
    weights: dict[str, Array] = {
        "b": RNG.integers(0, 256, (n, blocks, block * bits // 8), dtype=np.uint8),
        "s": RNG.uniform(0.01, 0.02, n * blocks).astype(np.float32),
    }
    inputs = ["x", "b", "s"]
    if zeros:
        weights["z"] = RNG.integers(0, 256, n * -(-blocks * bits // 8), dtype=np.uint8)
    if bias:
        weights["bias"] = RNG.standard_normal(n).astype(np.float32)
    if zeros or bias:
        inputs.append("z" if zeros else "")
    if bias:
        inputs += ["", "bias"]
    node = helper.make_node(
        "MatMulNBits", inputs, ["y"], domain="com.microsoft", K=k, N=n, bits=bits, block_size=block
    )
    model = graph([node], weights, (3, k), n)
    x = RNG.standard_normal((3, k)).astype(np.float32)
    assert set(kinds(plain(model))) == {"MatMul"} | ({"Add"} if bias else set())
    np.testing.assert_allclose(run(plain(model), x), run(model, x), rtol=1e-4, atol=1e-4)


def test_an_embedding_table_in_blocks() -> None:
    weights: dict[str, Array] = {
        "table": RNG.integers(0, 256, (10, 64), dtype=np.uint8),
        "s": RNG.uniform(0.01, 0.02, (10, 2)).astype(np.float32),
    }
    nodes = [
        helper.make_node("ArgMax", ["x"], ["ids"], axis=1, keepdims=0),
        helper.make_node(
            "GatherBlockQuantized",
            ["table", "ids", "s"],
            ["y"],
            domain="com.microsoft",
            gather_axis=0,
            quantize_axis=1,
            block_size=32,
            bits=8,
        ),
    ]
    model = graph(nodes, weights, (4, 10), 64)
    x = RNG.standard_normal((4, 10)).astype(np.float32)
    assert kinds(plain(model)) == {"ArgMax": 1, "Gather": 1}
    np.testing.assert_allclose(run(plain(model), x), run(model, x), rtol=1e-5)


def test_weights_in_blocks_and_in_half() -> None:
    weights: dict[str, Array] = {
        "q": RNG.integers(-127, 128, (64, 8), dtype=np.int8),
        "s": RNG.uniform(0.01, 0.02, (2, 8)).astype(np.float32),
        "h": RNG.standard_normal(8).astype(np.float16),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"], axis=0, block_size=32),
        helper.make_node("Cast", ["h"], ["b"], to=TensorProto.FLOAT),
        helper.make_node("Gemm", ["x", "w", "b"], ["y"]),
    ]
    model = graph(nodes, weights, (3, 64), 8)
    x = RNG.standard_normal((3, 64)).astype(np.float32)
    assert kinds(plain(model)) == {"Gemm": 1}
    np.testing.assert_allclose(run(plain(model), x), run(model, x), rtol=1e-5)


def test_a_rounded_activation_keeps_its_range() -> None:
    """Quantizers drop a ReLU whose work the range of int8 does: from 0 to 2 here."""
    weights: dict[str, Array] = {
        "s": np.float32(2 / 255),  # type: ignore[dict-item]
        "z": np.int8(-128),  # type: ignore[dict-item]
    }
    weights = {name: np.asarray(value) for name, value in weights.items()}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    model = graph(nodes, weights, (1, 4), 4)
    x = np.array([[-1.0, 0.5, 1.999, 7.0]], dtype=np.float32)
    assert kinds(plain(model)) == {"Clip": 1}
    np.testing.assert_allclose(run(plain(model), x), [[0.0, 0.5, 1.999, 2.0]], atol=1e-6)
    np.testing.assert_allclose(run(plain(model), x), run(model, x), atol=2 / 255)


def test_other_operators_of_onnx_runtime_are_refused() -> None:
    node = helper.make_node("FastGelu", ["x"], ["y"], domain="com.microsoft")
    with pytest.raises(InvalidModel, match=r"own operators \(FastGelu\): compile the folder"):
        plain(graph([node], {}, (1, 4), 4))


def attention() -> onnx.ModelProto:
    """Scores with a mask of -inf, torch's guard, a norm, pooling and scaling to length one."""
    weights: dict[str, Array] = {
        "w": RNG.standard_normal((8, 8)).astype(np.float32),
        "mask": np.array([0, 0, 0, 0, 0, 0, -np.inf, -np.inf], dtype=np.float32),
        "zero": np.zeros((), dtype=np.float32),
        "gain": np.ones(8, dtype=np.float32),
        "tiny": np.array(1e-12, dtype=np.float32),
        "axis": np.array([1]),
        "huge": np.array(1e9, dtype=np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["scores"]),
        helper.make_node("Add", ["scores", "mask"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["p"]),
        helper.make_node("IsNaN", ["p"], ["nan"]),
        helper.make_node("Where", ["nan", "zero", "p"], ["safe"]),
        helper.make_node("MatMul", ["safe", "w"], ["mixed"]),
        helper.make_node("Clip", ["mixed", "", "huge"], ["clipped"]),
        helper.make_node("LayerNormalization", ["clipped", "gain"], ["normed"]),
        helper.make_node("MatMul", ["normed", "w"], ["features"]),
        helper.make_node("ReduceL2", ["features", "axis"], ["length"]),
        helper.make_node("Max", ["length", "tiny"], ["bounded"]),
        helper.make_node("Div", ["features", "bounded"], ["y"]),
    ]
    return graph(nodes, weights, (3, 8), 8)


def test_the_guard_after_softmax_goes() -> None:
    model, x = attention(), RNG.standard_normal((3, 8)).astype(np.float32)
    assert {"IsNaN", "Where"}.isdisjoint(kinds(plain(model)))
    np.testing.assert_allclose(run(plain(model), x), run(model, x), rtol=1e-6)


def test_half_precision_leaves_the_sums_alone() -> None:
    model, x = plain(attention()), RNG.standard_normal((3, 8)).astype(np.float32)
    half = in_precision(model, "fp16")
    types = {value.name: value.type.tensor_type.elem_type for value in half.graph.value_info}
    types |= {tensor.name: tensor.data_type for tensor in half.graph.initializer}
    for node in half.graph.node:
        found = {types.get(name, TensorProto.FLOAT) for name in node.input if name}
        if node.op_type == "MatMul":
            assert found == {TensorProto.FLOAT16}
        if node.op_type in ("Softmax", "Add", "LayerNormalization", "ReduceL2", "Div"):
            assert found <= {TensorProto.FLOAT, TensorProto.INT64}, node.op_type
    rows, expected = run(half, x), run(model, x)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, expected, atol=5e-3)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-4)


def test_full_precision_changes_nothing() -> None:
    model = plain(attention())
    assert kinds(in_precision(model, "fp32")) == kinds(model)
