"""Arithmetic on open sizes, as exporters write it: folded exactly, whatever its types and its path.

Each case computes a row of numbers from the sizes of `x` [N, T, 3]; they become the shape that zeros get, which two
bindings of the sizes show, and are compared with ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from netwright.onnx import import_model
from netwright.onnx.files import check

from .models import model, onnxruntime_outputs

FLOAT, INT32, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL


class Sizes:
    """Builds nodes: `n` and `t` are the sizes of the axes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray] = {}
        self("Shape", "x", to="shape")
        self.n, self.t = self("Gather", "shape", 0), self("Gather", "shape", 1)

    def __call__(self, op: str, *operands: object, to: str = "", **attributes: object) -> str:
        """Adds a node; numbers among the operands become constants, int64 and float32."""
        names = [one if isinstance(one, str) else self.constant(one) for one in operands]
        to = to or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, names, [to], **attributes))
        return to

    def constant(self, value: object) -> str:
        array = value if isinstance(value, np.ndarray) else np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def float(self, value: str) -> str:
        return self("Cast", value, to_type=FLOAT)

    def row(self, *values: object) -> str:
        return self("Concat", *(self("Reshape", one, np.asarray([1])) for one in values), axis=0)


def cast(s: Sizes, value: str, kind: int) -> str:
    name = f"v{len(s.nodes)}"
    s.nodes.append(helper.make_node("Cast", [value], [name], to=kind))
    return name


def scaled(s: Sizes, factor: float, rounding: str) -> str:
    return cast(s, s(rounding, s("Mul", cast(s, s.t, FLOAT), np.float32(factor))), INT64)


CASES: dict[str, Callable[[Sizes], str]] = {
    "int32": lambda s: s("Add", cast(s, cast(s, s.t, INT32), INT64), 1),
    "int32 beside int32": lambda s: cast(s, s("Mul", cast(s, s.t, INT32), np.int32(2)), INT64),
    "half, down": lambda s: scaled(s, 0.5, "Floor"),
    "seven tenths, down": lambda s: scaled(s, 0.7, "Floor"),
    "a third, up": lambda s: scaled(s, 1 / 3, "Ceil"),
    "half, to even": lambda s: scaled(s, 0.5, "Round"),
    "one and a half": lambda s: scaled(s, 1.5, "Floor"),
    "a ratio of sizes": lambda s: cast(
        s, s("Mul", s("Div", cast(s, s.t, FLOAT), cast(s, s.n, FLOAT)), cast(s, s.n, FLOAT)), INT64
    ),
    "a cast cuts": lambda s: cast(s, s("Div", cast(s, s.t, FLOAT), np.float32(4)), INT64),
    "a cast of what is negative": lambda s: s(
        "Neg", cast(s, s("Div", s("Sub", np.float32(1), cast(s, s.t, FLOAT)), np.float32(2)), INT64)
    ),
    "division": lambda s: s("Div", s("Add", s.t, 3), 4),
    "division of what is negative": lambda s: s("Neg", s("Div", s("Sub", 1, s.t), 2)),
    "remainder": lambda s: s("Mod", s.t, 4),
    "remainder of what is negative": lambda s: s("Mod", s("Neg", s.t), 4),
    "clip": lambda s: s("Clip", s("Sub", s.t, 2), 1, 4),
    "minimum": lambda s: s("Min", s.t, 5),
    "maximum": lambda s: s("Max", s.n, s.t),
    "minimum of a remainder": lambda s: s("Min", s("Mul", s("Div", s.t, 4), 4), s.t),
    "sum": lambda s: s("Sum", cast(s, s.t, FLOAT), np.float32(2), cast(s, s.n, FLOAT)),
    "where less": lambda s: s("Where", s("Less", s.t, 6), s.t, 6),
    "where greater": lambda s: s("Where", s("Greater", s.t, s.n), s.t, s.n),
    "where equal": lambda s: s("Where", s("Equal", s.t, 4), 9, s.t),
    "where or": lambda s: s("Where", s("Or", s("Equal", s.t, 7), s("Equal", s.t, 4)), 2, 5),
    "where not": lambda s: s("Where", s("Not", s("LessOrEqual", s.t, 6)), 2, 5),
    "where minus one": lambda s: s("Where", s("Equal", s.t, -1), 1, s.t),
    "gather of a comparison": lambda s: s("Mul", cast(s, s("Less", s.t, 6), INT64), 3),
    "product": lambda s: s("ReduceProd", s("Slice", "shape", [0], [2]), keepdims=0),
    "greatest": lambda s: s("ReduceMax", "shape", keepdims=0),
    "least": lambda s: s("ReduceMin", s("Slice", "shape", [1], [3]), keepdims=0),
    "total": lambda s: s("ReduceSum", "shape", keepdims=0),
    "power": lambda s: s("Pow", s.n, 2),
    "absolute": lambda s: s("Abs", s("Sub", s.n, s.t)),
    "sign": lambda s: s("Add", s("Sign", s("Sub", s.t, 5)), 2),
    "size": lambda s: s("Size", "x"),
    "split": lambda s: s("Squeeze", s("Slice", "shape", [1], [2]), np.asarray([0])),
}


@pytest.mark.parametrize("name", CASES)
def test_numbers_from_sizes(name: str) -> None:
    s = Sizes()
    found = CASES[name](s)
    if name == "sum":
        found = cast(s, found, INT64)
    shape = s.row(found)
    s("ConstantOfShape", shape, to="zeros")
    s("ReduceMean", "x", to="mean", axes=[0, 1, 2], keepdims=0)
    s("Add", "zeros", "mean", to="y")
    graph = model(s.nodes, {"x": ["N", "T", 3]}, ["y"], s.constants)
    compared(graph, (2, 7, 3), (3, 4, 3), (1, 13, 3))


def compared(graph: onnx.ModelProto, *shapes: tuple[int, ...]) -> None:
    """Compares with ONNX Runtime."""
    imported = import_model(graph)
    program = check(imported.spec).compile(dict(imported.weights), engine="reference", entries=["predict"])
    for shape in shapes:
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        (wanted,) = onnxruntime_outputs(graph, {"x": x})
        answer = program.predict(x=x)[imported.outputs["y"]]
        assert answer.shape == wanted.shape
        np.testing.assert_allclose(answer, wanted, rtol=1e-5, atol=1e-6)


def open_value(s: Sizes, value: str) -> None:
    """The number itself is computed with."""
    s("Mul", "x", value, to="y")


@pytest.mark.parametrize(
    "compute",
    [
        lambda s: cast(s, s.t, FLOAT),
        lambda s: s("Div", np.float32(1), cast(s, s("Mul", s.t, s.n), FLOAT)),
        lambda s: s("Reciprocal", cast(s, s("Max", s("Sub", s.t, 4), 1), FLOAT)),
        lambda s: cast(s, s("Div", s.t, 2), FLOAT),
    ],
)
def test_numbers_that_are_computed_with(compute: Callable[[Sizes], str]) -> None:
    s = Sizes()
    open_value(s, compute(s))
    compared(model(s.nodes, {"x": ["N", "T", 3]}, ["y"], s.constants), (2, 7, 3), (3, 4, 3))


MOVES: dict[str, Callable[[Sizes], object]] = {
    "the last step": lambda s: s("Gather", "x", s("Sub", s.t, 1), axis=1, to="y"),
    "the last step, from the end": lambda s: s("Gather", "x", -1, axis=1, to="y"),
    "the middle": lambda s: s("Gather", "x", s("Div", s.t, 2), axis=1, to="y"),
    "first and last": lambda s: s("Gather", "x", s.row(0, s("Sub", s.t, 1)), axis=1, to="y"),
    "tiles": lambda s: s("Tile", "x", s.row(1, s.n, 2), to="y"),
    "a constant as often as there are samples": lambda s: s(
        "Add", "x", s("Tile", np.ones((1, 1, 3), np.float32), s.row(s.n, s.t, 1)), to="y"
    ),
    "padded to a multiple": lambda s: s(
        "Pad", "x", s.row(0, 0, 0, 0, s("Mod", s("Neg", s.t), 4), 0), np.float32(0.5), to="y"
    ),
    "cut to a multiple": lambda s: s("Pad", "x", s.row(0, 0, 0, 0, s("Neg", s("Mod", s.t, 3)), 0), to="y"),
    "padded to a number": lambda s: s("Pad", "x", s.row(0, 0, 0, 0, s("Sub", 7, s.t), 0), to="y"),
    "padded at the edge": lambda s: s(
        "Pad", "x", s.row(0, s("Mod", s.t, 3), 0, 0, s("Mod", s.t, 2), 0), mode="edge", to="y"
    ),
    "frames": lambda s: s(
        "Reshape",
        s("Slice", "x", [0], s("Reshape", s("Mul", s("Div", s.t, 2), 2), np.asarray([1])), [1]),
        s.row(s.n, s("Div", s.t, 2), 2, 3),
        to="y",
    ),
    "samples and steps joined": lambda s: s("Reshape", "x", s.row(s("Mul", s.n, s.t), 3), to="y"),
    "joined and split again": lambda s: s(
        "Reshape", s("Reshape", "x", s.row(s("Mul", s.n, s.t), 3)), s.row(s.t, s.n, -1), to="y"
    ),
    "a sum split": lambda s: s(
        "Reshape",
        s("Reshape", s("Pad", "x", s.row(0, 0, 0, 0, 1, 0)), s.row(-1, 3)),
        s.row(s("Add", s.t, 1), s.n, 3),
        to="y",
    ),
    "expanded": lambda s: s("Expand", s("ReduceMean", "x", axes=[1]), s.row(1, s.n, 1), to="y"),
    "steps": lambda s: s(
        "Mul", "x", s("Unsqueeze", cast(s, s("Range", 0, s.t, 1), FLOAT), np.asarray([0, 2])), to="y"
    ),
    "steps in floats": lambda s: s(
        "Mul",
        "x",
        s(
            "Unsqueeze",
            s("Range", np.float32(0), cast(s, s.t, FLOAT), np.float32(1)),
            np.asarray([0, 2]),
        ),
        to="y",
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_sizes_as_positions_repeats_and_paddings(name: str) -> None:
    s = Sizes()
    MOVES[name](s)
    compared(model(s.nodes, {"x": ["N", "T", 3]}, ["y"], s.constants), (2, 7, 3), (3, 4, 3))


def test_a_size_of_minus_one_is_open() -> None:
    graph = model([helper.make_node("Relu", ["x"], ["y"])], {"x": [-1, -1, 3]}, ["y"])
    for axis in graph.graph.input[0].type.tensor_type.shape.dim[:2]:
        axis.dim_value = -1
    imported = import_model(graph)
    assert "x: {shape: [x_0, x_1, 3]}" in imported.spec


def test_a_size_may_be_long_text() -> None:
    """Strides and paddings of many layers, in names as exporters write them."""
    nodes, last = [], "x"
    for number in range(6):
        nodes.append(
            helper.make_node(
                "MaxPool", [last], [f"p{number}"], kernel_shape=[3], strides=[2], pads=[0, 2 - number % 2]
            )
        )
        last = f"p{number}"
    nodes += [
        helper.make_node("Upsample", [last, "scales"], ["u"]),
        helper.make_node("MaxPool", ["u"], ["v"], kernel_shape=[2], strides=[3]),
        helper.make_node("Shape", ["v"], ["shape"]),
        helper.make_node("Slice", ["shape"], ["n"], starts=[0], ends=[1]),
        helper.make_node("Slice", ["shape"], ["t"], starts=[2], ends=[3]),
        helper.make_node("Concat", ["n", "t", "three"], ["target"], axis=0),
        helper.make_node("Reshape", ["v", "target"], ["y"]),
    ]
    constants = {"scales": np.asarray([1, 1, 5], np.float32)}
    constants |= {"three": np.asarray([3])}
    graph = model(nodes, {"x": ["N", 3, "p2o_DynamicDimension_with_a_long_name"]}, ["y"], constants, opset=9)
    imported = import_model(graph)
    line = next(line for line in imported.spec.splitlines() if "type: reshape" in line)
    assert len(line) > 64
    compared(graph, (1, 3, 300), (2, 3, 131))
