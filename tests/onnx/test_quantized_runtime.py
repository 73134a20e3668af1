"""What ONNX Runtime's own quantization writes, operators of its domain among it, against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx.helper import make_node
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from netwright.onnx import OnnxError, import_model

from ..slices import sliced
from .compared import built, compare, run
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
    constants = {"w": codes(dtype, rows, 6), "ws": np.abs(draw(6)) / 50, "wz": np.zeros(6, dtype)}
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
        "w": codes(dtype, directions, features, 4 * units),
        "r": codes(dtype, directions, units, 4 * units),
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


def half_of_starts(dtype: type, both: bool, columns: bool, start: str) -> bool:
    return ((dtype is np.int8) + both + columns + len(start)) % 2 == 0


@pytest.mark.parametrize(
    ("dtype", "both", "columns", "start"),
    sliced(product(DTYPES, (False, True), (False, True), ("", "constant", "given")), half_of_starts),
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


# Whole networks.


class _Reader(CalibrationDataReader):
    def __init__(self, *batches: NDArray):
        self.batches = iter([{"x": one} for one in batches])

    def get_next(self) -> dict[str, NDArray] | None:  # type: ignore[override]
        return next(self.batches, None)


def network() -> onnx.ModelProto:
    """Convolutions, pools, a residual sum, a gate, and a dense layer."""
    constants = {"w1": draw(8, 3, 3, 3) / 5, "b1": draw(8) / 5, "w2": draw(8, 8, 3, 3) / 8, "b2": draw(8) / 5}
    constants |= {"w3": draw(8, 8, 1, 1) / 3, "w4": draw(10, 16) / 4, "b4": draw(10) / 4}
    nodes = [
        make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1] * 4, name="first"),
        make_node("Relu", ["c1"], ["r1"]),
        make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        make_node("Conv", ["p1", "w2", "b2"], ["c2"], pads=[1] * 4, name="second"),
        make_node("LeakyRelu", ["c2"], ["r2"], alpha=0.2),
        make_node("Add", ["r2", "p1"], ["s"]),
        make_node("Conv", ["s", "w3"], ["c3"], name="gate"),
        make_node("Sigmoid", ["c3"], ["g"]),
        make_node("Mul", ["s", "g"], ["m"]),
        make_node("AveragePool", ["m"], ["p2"], kernel_shape=[2, 2], strides=[2, 2]),
        make_node("Concat", ["p2", "p2"], ["j"], axis=1),
        make_node("GlobalAveragePool", ["j"], ["v"]),
        make_node("Flatten", ["v"], ["f"]),
        make_node("Gemm", ["f", "w4", "b4"], ["y"], transB=1),
    ]
    return built(nodes, {"x": (F, ["N", 3, 16, 16])}, ["y"], constants, opset=13)


def half_of_forms(form: QuantFormat, channels: bool, kind: QuantType) -> bool:
    return ((form == QuantFormat.QDQ) + channels + (kind == QuantType.QInt8)) % 2 == 0


@pytest.mark.parametrize(
    ("form", "channels", "kind"),
    sliced(
        product((QuantFormat.QOperator, QuantFormat.QDQ), (False, True), (QuantType.QUInt8, QuantType.QInt8)),
        half_of_forms,
    ),
)
def test_a_network_quantized_beforehand(
    form: QuantFormat, channels: bool, kind: QuantType, tmp_path: Path
) -> None:
    onnx.save(network(), tmp_path / "floats.onnx")
    reader = _Reader(*(draw(2, 3, 16, 16) for _ in range(4)))
    quantize_static(
        tmp_path / "floats.onnx",
        tmp_path / "whole.onnx",
        reader,
        quant_format=form,
        per_channel=channels,
        activation_type=kind,
        weight_type=QuantType.QInt8,
    )
    found = onnx.load(tmp_path / "whole.onnx")
    if form == QuantFormat.QOperator:
        kinds = {node.op_type for node in found.graph.node}
        assert kinds >= {
            "QLinearConv",
            "QLinearAdd",
            "QLinearMul",
            "QLinearSigmoid",
            "QLinearLeakyRelu",
            "QGemm",
        }
        assert kinds >= {"QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearConcat"}
        compare(found, {"x": draw(3, 3, 16, 16)}, {"x": draw(1, 3, 16, 16)})
        return
    # Pairs are around sums of floats, which are rounded one way or the other: by one step at most.
    (last,) = [node for node in found.graph.node if "y" in node.output]
    (step,) = [one for one in found.graph.initializer if one.name == last.input[1]]
    given = {"x": draw(3, 3, 16, 16)}
    ours, theirs = run(import_model(found), given)["y"], onnxruntime_outputs(found, given)[0]
    apart = np.rint((ours - theirs) / onnx.numpy_helper.to_array(step))
    assert np.abs(apart).max() <= 1
    assert np.count_nonzero(apart) <= apart.size / 3


@pytest.mark.parametrize("channels", [False, True])
def test_networks_quantized_while_they_run(channels: bool, tmp_path: Path) -> None:
    units = 12
    constants = {
        "w": draw(2, 4 * units, 5) / 3,
        "r": draw(2, 4 * units, units) / 3,
        "b": draw(2, 8 * units) / 3,
    }
    constants |= {"k": draw(2 * units, 4), "shape": np.array([0, 0, -1])}
    nodes = [
        make_node("LSTM", ["x", "w", "r", "b"], ["h"], hidden_size=units, direction="bidirectional"),
        make_node("Transpose", ["h"], ["t"], perm=[0, 2, 1, 3]),
        make_node("Reshape", ["t", "shape"], ["s"]),
        make_node("MatMul", ["s", "k"], ["y"]),
    ]
    floats = built(nodes, {"x": (F, ["T", 1, 5])}, ["y"], constants, opset=13)
    onnx.save(floats, tmp_path / "floats.onnx")
    quantize_dynamic(tmp_path / "floats.onnx", tmp_path / "whole.onnx", per_channel=channels)
    found = onnx.load(tmp_path / "whole.onnx")
    assert "DynamicQuantizeLSTM" in {node.op_type for node in found.graph.node}
    compare(found, {"x": draw(6, 1, 5)}, {"x": draw(3, 1, 5)})


# Sequences of different lengths.


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
