"""Quantized networks against ONNX Runtime: pairs of QuantizeLinear and DequantizeLinear, sums of whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

from numpy.typing import NDArray
from onnx.helper import make_node

from .compared import built, compare
from .example import weight_codes

RNG = np.random.default_rng(8)
F = np.float32


def draw(*shape: int, scale: float = 1) -> NDArray:
    return (RNG.normal(size=shape) * scale).astype(F)


@pytest.mark.parametrize(("dtype", "zero"), [(np.uint8, 128), (np.int8, 0), (np.int8, -7), (np.uint8, 0)])
def test_pairs_are_fake_quantize_layers(dtype: type, zero: int) -> None:
    constants = {"s": np.array(0.04, F), "z": np.array(zero, dtype)}
    nodes = [
        make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    found = built(nodes, {"x": (F, ["N", 3, 4, 4])}, ["y"], constants)
    imported = compare(found, {"x": draw(2, 3, 4, 4, scale=3)}, {"x": draw(3, 3, 4, 4, scale=9)}, tolerance=0)
    assert "fake_quantize" in imported.spec
    assert "expression" not in imported.spec


@pytest.mark.parametrize("channels", [3, 20])
@pytest.mark.parametrize("axis", [1, -1])
def test_a_scale_for_each_channel(channels: int, axis: int) -> None:
    shape = ["N", channels, 5, 5] if axis == 1 else ["N", 5, channels]
    constants = {
        "s": np.abs(draw(channels)) / 20 + F(0.01),
        "z": RNG.integers(-5, 5, channels).astype(np.int8),
    }
    nodes = [
        make_node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=axis),
        make_node("DequantizeLinear", ["q", "s", "z"], ["y"], axis=axis),
    ]
    found = built(nodes, {"x": (F, shape)}, ["y"], constants)
    sizes = [2, *(size for size in shape[1:] if isinstance(size, int))]
    imported = compare(found, {"x": draw(*sizes, scale=3)}, tolerance=0)
    assert "fake_quantize" in imported.spec


def test_a_network_with_pairs_around_its_layers() -> None:
    """What static quantization writes: weights as whole numbers, pairs around everything that is computed."""
    codes = RNG.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    constants: dict[str, NDArray] = {
        "w": codes,
        "ws": np.abs(draw(4)) / 500 + F(0.001),
        "wz": np.zeros(4, np.int8),
    }
    constants |= {"b": RNG.integers(-900, 900, 4).astype(np.int32), "bs": np.full(4, 0.0004, F)}
    constants |= {
        "s": np.array(0.03, F),
        "z": np.array(120, np.uint8),
        "t": np.array(0.07, F),
        "u": np.array(3, np.uint8),
    }
    nodes = [
        make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
        make_node("DequantizeLinear", ["b", "bs"], ["bd"], axis=0),
        make_node("Conv", ["xd", "wd", "bd"], ["c"], pads=[1, 1, 1, 1]),
        make_node("Relu", ["c"], ["r"]),
        make_node("QuantizeLinear", ["r", "t", "u"], ["rq"]),
        make_node("DequantizeLinear", ["rq", "t", "u"], ["rd"]),
        make_node("MaxPool", ["rd"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        make_node("QuantizeLinear", ["p", "t", "u"], ["pq"]),
        make_node("DequantizeLinear", ["pq", "t", "u"], ["y"]),
    ]
    found = built(nodes, {"x": (F, ["N", 3, 6, 6])}, ["y"], constants)
    imported = compare(found, {"x": draw(2, 3, 6, 6, scale=2)}, {"x": draw(1, 3, 6, 6, scale=2)})
    assert imported.spec.count("fake_quantize") == 3


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_whole_numbers_that_are_moved(dtype: type) -> None:
    """Through a pool and a transpose, as inputs and outputs too."""
    constants = {"s": np.array(0.04, F), "z": np.array(5, dtype)}
    nodes = [
        make_node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        make_node("Transpose", ["p"], ["t"], perm=[0, 2, 3, 1]),
        make_node("DequantizeLinear", ["t", "s", "z"], ["y"]),
    ]
    found = built(nodes, {"x": (dtype, ["N", 3, 4, 4])}, ["y"], constants)
    limits = np.iinfo(dtype)
    compare(found, {"x": RNG.integers(limits.min, limits.max + 1, (2, 3, 4, 4)).astype(dtype)})


def dynamic(kernel: NDArray, zero: NDArray | None, op: str, shape: list[Any], **attributes: Any) -> Any:
    constants = {"w": kernel, "f": np.array(0.01, F)} | ({} if zero is None else {"wz": zero})
    read = ["q", "w", "z"] + ([] if zero is None else ["wz"])
    nodes = [
        make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        make_node(op, read, ["i"], **attributes),
        make_node("Cast", ["i"], ["c"], to=1),
        make_node("Mul", ["s", "f"], ["m"]),
        make_node("Mul", ["c", "m"], ["y"]),
    ]
    return built(nodes, {"x": (F, shape)}, ["y"], constants)


@pytest.mark.parametrize(("dtype", "rows"), [(np.int8, 20), (np.uint8, 20), (np.int8, 3000)])
@pytest.mark.parametrize("rank", [2, 3])
def test_dynamically_quantized_products(dtype: type, rows: int, rank: int) -> None:
    kernel = weight_codes(dtype, rows, 6)
    shape = ["N", rows] if rank == 2 else ["N", "T", rows]
    found = dynamic(kernel, np.array(3, dtype), "MatMulInteger", shape)
    sizes = [(2, rows), (5, rows)] if rank == 2 else [(2, 3, rows), (1, 4, rows)]
    compare(found, *({"x": draw(*size, scale=4)} for size in sizes))


@pytest.mark.parametrize("zero", [None, np.array(7, np.uint8)])
def test_dynamically_quantized_convolutions(zero: NDArray | None) -> None:
    kernel = RNG.integers(0, 256, (4, 3, 3, 3)).astype(np.uint8)
    found = dynamic(kernel, zero, "ConvInteger", ["N", 3, 6, 6], pads=[1, 1, 1, 1])
    compare(found, {"x": draw(2, 3, 6, 6)}, {"x": draw(1, 3, 6, 6, scale=30)})


def test_an_input_of_zeros_has_a_scale() -> None:
    found = built([make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"])], {"x": (F, ["N", 4])}, ["q"])
    compare(found, {"x": np.zeros((2, 4), F)}, {"x": draw(2, 4)})


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("op", ["QLinearConv", "QLinearMatMul"])
def test_quantized_operators(op: str, dtype: type) -> None:
    limits = np.iinfo(dtype)

    def numbers(*shape: int) -> NDArray:
        return RNG.integers(limits.min, limits.max + 1, shape).astype(dtype)

    kernel = numbers(4, 3, 3, 3) if op == "QLinearConv" else numbers(6, 5)
    shape = ["N", 3, 6, 6] if op == "QLinearConv" else ["N", "T", 6]
    constants = {
        "xs": np.array(0.02, F),
        "xz": np.array(3, dtype),
        "w": kernel,
        "ws": np.array(0.01, F),
        "wz": np.array(0, dtype),
        "ys": np.array(0.3, F),
        "yz": np.array(7, dtype),
    }
    if op == "QLinearConv":
        constants["b"] = RNG.integers(-500, 500, 4).astype(np.int32)
    nodes = [make_node(op, ["x", *constants], ["q"]), make_node("DequantizeLinear", ["q", "ys", "yz"], ["y"])]
    found = built(nodes, {"x": (dtype, shape)}, ["y"], constants)
    sizes = [(2, 3, 6, 6), (1, 3, 6, 6)] if op == "QLinearConv" else [(2, 3, 6), (1, 4, 6)]
    compare(found, *({"x": numbers(*size)} for size in sizes))
