"""What ONNX Runtime's own quantization writes, operators of its domain among it, against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx.helper import make_node

from netwright.onnx import OnnxError, import_model

from ..slices import sliced
from .compared import built, compare, run
from .example import weight_codes
from .models import onnxruntime_outputs

RNG = np.random.default_rng(18)
F = np.float32
DOMAIN = "com.microsoft"
DTYPES = (np.uint8, np.int8)
BYTES = pytest.mark.parametrize("dtype", DTYPES)


def codes(dtype: type, *shape: int) -> NDArray:
    limits = np.iinfo(dtype)
    return RNG.integers(limits.min, limits.max + 1, shape).astype(dtype)


def draw(*shape: int) -> NDArray:
    return RNG.normal(size=shape).astype(F)


def scales(dtype: type, **named: float) -> dict[str, NDArray]:
    """Scales as floats, zero points (names that end with z) as whole numbers."""
    return {name: np.array(one, dtype if name.endswith("z") else F) for name, one in named.items()}


# Operators by themselves.


@BYTES
@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
@pytest.mark.parametrize("out", [0.047, 0.11])
def test_two_operands(op: str, dtype: type, out: float) -> None:
    """Of all pairs of numbers; what broadcasts, too. Where a sum lies between two numbers but for its rounding, as with
    some pairs of scales that are round decimals, it may become the other one."""
    constants = scales(dtype, as_=0.0213, az=3, bs=0.0371, bz=-5 if dtype is np.int8 else 5, ys=out, yz=7)
    read = ["a", "as_", "az", "b", "bs", "bz", "ys", "yz"]
    nodes = [make_node(op, read, ["y"], domain=DOMAIN)]
    every = np.arange(256, dtype=np.uint8).view(dtype)
    found = built(nodes, {"a": (dtype, ["N", 256]), "b": (dtype, ["N", 256])}, ["y"], constants)
    a, b = np.broadcast_arrays(every[:, None], every[None])
    given = {"a": a.copy(), "b": b.copy()}
    ours, theirs = run(import_model(found), given)["y"], onnxruntime_outputs(found, given)[0]
    apart = np.abs(ours.astype(int) - theirs.astype(int))
    assert apart.max() <= 1
    assert np.count_nonzero(apart) <= (20 if op == "QLinearAdd" else 0)
    found = built(nodes, {"a": (dtype, ["N", 4, 5, 5]), "b": (dtype, [4, 1, 1])}, ["y"], constants)
    compare(found, {"a": codes(dtype, 2, 4, 5, 5), "b": codes(dtype, 4, 1, 1)})


ONE_OPERAND: list[tuple[str, dict[str, Any]]] = [
    ("QLinearSigmoid", {}),
    ("QLinearLeakyRelu", {"alpha": 0.1}),
    ("QLinearSoftmax", {"axis": 1, "opset": 13}),
    ("QLinearSoftmax", {"axis": -1, "opset": 11}),
    ("QLinearGlobalAveragePool", {}),
    ("QLinearGlobalAveragePool", {"channels_last": 1}),
    ("QLinearAveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("QLinearAveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    ("QLinearAveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("QLinearAveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    ("QLinearAveragePool", {"kernel_shape": [2, 2], "channels_last": 1}),
]


def alternating(operator: tuple[str, dict[str, Any]], dtype: type, same: bool) -> bool:
    """Each operator of both types, and of scales that are and are not the same."""
    return (ONE_OPERAND.index(operator) + (dtype is np.int8) + same) % 2 == 0


@pytest.mark.parametrize(
    ("operator", "dtype", "same"), sliced(product(ONE_OPERAND, DTYPES, (True, False)), alternating)
)
def test_one_operand(operator: tuple[str, dict[str, Any]], dtype: type, same: bool) -> None:
    op, attributes = operator
    out = {"ys": 0.02, "yz": 3} if same else {"ys": 0.0131, "yz": 9}
    constants = scales(dtype, xs=0.02, xz=3, **out)
    nodes = [make_node(op, ["x", *constants], ["y"], domain=DOMAIN, **attributes)]
    found = built(nodes, {"x": (dtype, ["N", 6, 8, 8])}, ["y"], constants)
    compare(found, {"x": codes(dtype, 2, 6, 8, 8)}, {"x": codes(dtype, 1, 6, 8, 8)})


def test_a_pool_over_open_sizes() -> None:
    constants = scales(np.uint8, xs=0.02, xz=3, ys=0.013, yz=9)
    nodes = [make_node("QLinearGlobalAveragePool", ["x", *constants], ["y"], domain=DOMAIN)]
    found = built(nodes, {"x": (np.uint8, ["N", 3, "H", "W"])}, ["y"], constants)
    compare(found, {"x": codes(np.uint8, 2, 3, 5, 7)}, {"x": codes(np.uint8, 1, 3, 9, 4)})


@BYTES
def test_operands_of_different_scales_joined(dtype: type) -> None:
    constants = scales(dtype, ys=0.02, yz=3, as_=0.02, az=3, bs=0.031, bz=5)
    read = ["ys", "yz", "a", "as_", "az", "b", "bs", "bz"]
    nodes = [make_node("QLinearConcat", read, ["y"], domain=DOMAIN, axis=1)]
    found = built(nodes, {"a": (dtype, ["N", 2, 4]), "b": (dtype, ["N", 3, 4])}, ["y"], constants)
    compare(found, {"a": codes(dtype, 3, 2, 4), "b": codes(dtype, 3, 3, 4)})


def test_one_of_two_quantized_operands() -> None:
    constants = scales(np.uint8, as_=0.02, az=3, bs=0.031, bz=5, ys=0.025, yz=4)
    read = ["c", "a", "as_", "az", "b", "bs", "bz", "ys", "yz"]
    nodes = [make_node("QLinearWhere", read, ["y"], domain=DOMAIN)]
    shape = ["N", 12]
    ports = {"c": (np.bool_, shape), "a": (np.uint8, shape), "b": (np.uint8, shape)}
    found = built(nodes, ports, ["y"], constants)
    given = {"c": RNG.random((4, 12)) < 0.5, "a": codes(np.uint8, 4, 12), "b": codes(np.uint8, 4, 12)}
    compare(found, given)


@BYTES
@pytest.mark.parametrize("quantized", [True, False])
@pytest.mark.parametrize("columns", [True, False])
def test_matrices_with_a_bias(dtype: type, quantized: bool, columns: bool) -> None:
    constants = scales(dtype, xs=0.02, xz=3)
    constants |= {
        "w": codes(dtype, 7, 40),
        "ws": draw(7).__abs__() + F(0.01) if columns else np.array(0.03, F),
    }
    constants |= {"wz": np.zeros(7, dtype) if columns else np.array(5, dtype)}
    constants |= {"b": RNG.integers(-900, 900, 7).astype(np.int32)}
    constants |= scales(dtype, ys=0.6, yz=4) if quantized else {}
    nodes = [make_node("QGemm", ["x", *constants], ["y"], domain=DOMAIN, transB=1, alpha=0.5)]
    found = built(nodes, {"x": (dtype, ["N", 40])}, ["y"], constants)
    compare(found, {"x": codes(dtype, 5, 40)}, {"x": codes(dtype, 1, 40)})


@BYTES
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [20, 2000])
def test_products_that_give_floats(dtype: type, bias: bool, rows: int) -> None:
    constants = {"w": weight_codes(dtype, rows, 6), "ws": np.abs(draw(6)) / 50, "wz": np.zeros(6, dtype)}
    last = {"b": draw(6)} if bias else {}
    nodes = [make_node("DynamicQuantizeMatMul", ["x", *constants, *last], ["y"], domain=DOMAIN)]
    found = built(nodes, {"x": (F, ["N", "T", rows])}, ["y"], constants | last)
    compare(found, {"x": draw(2, 3, rows)}, {"x": draw(1, 5, rows)})
    constants |= {"xs": np.array(0.02, F), "xz": np.array(4, np.uint8)}
    read = ["x", "w", "xs", "ws", "xz", "wz", *last]
    nodes = [make_node("MatMulIntegerToFloat", read, ["y"], domain=DOMAIN)]
    found = built(nodes, {"x": (np.uint8, ["N", rows])}, ["y"], constants | last)
    compare(found, {"x": codes(np.uint8, 3, rows)})


def test_what_the_runtime_counts_otherwise_is_refused() -> None:
    constants = scales(np.uint8, xs=0.02, xz=3, ys=0.02, yz=3)
    attributes = {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [2, 2], "ceil_mode": 1}
    node = make_node(
        "QLinearAveragePool", ["x", *constants], ["y"], domain=DOMAIN, count_include_pad=1, **attributes
    )
    with pytest.raises(OnnxError, match="count_include_pad: what lies beyond the padding"):
        import_model(built([node], {"x": (np.uint8, ["N", 6, 8, 8])}, ["y"], constants))


# Recurrences.


def quantized_lstm(
    dtype: type, samples: int, units: int, *, columns: bool = False, both: bool = False, start: str = ""
) -> onnx.ModelProto:
    directions, features = 2 if both else 1, 10
    shape = (directions, 4 * units) if columns else (directions,)
    constants = {
        "w": weight_codes(dtype, directions, features, 4 * units),
        "r": weight_codes(dtype, directions, units, 4 * units),
    }
    constants |= {name: (RNG.random(shape) / 300 + 0.001).astype(F) for name in ("ws", "rs")}
    zeros = [np.zeros(shape, dtype) if columns else np.full(shape, at, dtype) for at in (3, 7)]
    constants |= dict(zip(("wz", "rz"), zeros, strict=True)) | {"b": draw(directions, 8 * units)}
    inputs: dict[str, Any] = {"x": (F, ["T", samples, features])}
    first = (
        {"h": draw(directions, samples, units) / 2, "c": draw(directions, samples, units) / 2}
        if start
        else {}
    )
    if start == "given":
        inputs |= {name: (F, list(array.shape)) for name, array in first.items()}
    else:
        constants |= first
    read = ["x", "w", "r", "b", "", "h" if start else "", "c" if start else "", "", "ws", "wz", "rs", "rz"]
    direction = "bidirectional" if both else "forward"
    results = ["y", "last_h", "last_c"]
    node = make_node(
        "DynamicQuantizeLSTM", read, results, domain=DOMAIN, hidden_size=units, direction=direction
    )
    return built([node], inputs, results, constants)


def each_pair(dtype: type, both: bool, columns: bool, start: str) -> bool:
    """Each value of each parameter with each of the others: two of eight cases for each start."""
    first = {"": (False, False, False), "constant": (False, True, True), "given": (False, True, False)}[start]
    return (dtype is np.int8, both, columns) in (first, tuple(not value for value in first))


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("dtype", "both", "columns", "start"),
    sliced(product(DTYPES, (False, True), (False, True), ("", "constant", "given")), each_pair),
)
def test_dynamically_quantized_recurrences(dtype: type, both: bool, columns: bool, start: str) -> None:
    found = quantized_lstm(dtype, 1, 16, columns=columns, both=both, start=start)
    bindings = []
    for steps in (7, 2):
        given = {"x": draw(steps, 1, 10)}
        if start == "given":
            given |= {name: draw(2 if both else 1, 1, 16) / 2 for name in ("h", "c")}
        bindings.append(given)
    imported = compare(found, *bindings, tolerance=2e-6)
    assert imported.spec.count("type: recurrent,") == 1 + both
    assert imported.spec.count("quantized_lstm:") == 1


def test_sums_too_large_for_a_float_are_taken_apart() -> None:
    found = quantized_lstm(np.uint8, 1, 600)
    assert "recurrent_kernel_high" in compare(found, {"x": draw(5, 1, 10)}, tolerance=2e-6).spec


def by_samples(model: onnx.ModelProto, given: Mapping[str, NDArray]) -> list[NDArray]:
    """What ONNX Runtime gives where each of three samples has a thread of its own; one thread quantizes those of all
    together."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return session.run(None, dict(given))


def test_the_state_of_each_sample_is_quantized_by_itself() -> None:
    found = quantized_lstm(np.int8, 3, 8)
    given = {"x": draw(6, 3, 10)}
    compare(found, given, expected=[by_samples(found, given)], tolerance=2e-6)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"peepholes": np.ones((1, 24), F)}, "peepholes are not supported"),
        ({"activations": ["Sigmoid", "Relu", "Tanh"]}, "activations: there is sigmoid, tanh, tanh alone"),
        ({"input_forget": 1}, "input_forget: gates that are coupled"),
    ],
)
def test_what_a_quantized_recurrence_has_not(change: dict[str, Any], reason: str) -> None:
    found = quantized_lstm(np.uint8, 1, 8)
    (node,) = found.graph.node
    for name, value in change.items():
        if isinstance(value, np.ndarray):
            found.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
            node.input[7] = name
        else:
            node.attribute.append(onnx.helper.make_attribute(name, value))
    with pytest.raises(OnnxError, match=reason):
        import_model(found)


# Sequences of different lengths.


@pytest.mark.alike(2)
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("start", ["", "given"])
@pytest.mark.parametrize("opset", [12, 17])
def test_quantized_recurrences_over_sequences_of_different_lengths(
    both: bool, start: str, opset: int
) -> None:
    """What comes after the end of the longest sequence has no part in how the input is quantized."""
    found = quantized_lstm(np.uint8, 3, 8, both=both, start=start)
    found.opset_import[0].version = opset
    found.graph.node[0].input[4] = "n"
    found.graph.input.append(onnx.helper.make_tensor_value_info("n", onnx.TensorProto.INT32, [3]))
    bindings = []
    for lengths in ([6, 2, 4], [3, 1, 2], [0, 6, 5]):
        given = {"x": draw(6, 3, 10), "n": np.asarray(lengths, np.int32)}
        given["x"][max(lengths) :] *= 50
        if start:
            given |= {name: draw(2 if both else 1, 3, 8) / 2 for name in ("h", "c")}
        bindings.append(given)
    expected = [by_samples(found, given) for given in bindings]
    imported = compare(found, *bindings, expected=expected, tolerance=2e-6)
    assert imported.spec.count("lengths: n") == 1 + both
