"""Recurrent graphs for tests: every kind of body that the gradient of a scan treats differently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Value
from netwright.compiler.graph.types import TensorType
from netwright.compiler.ops.base import BroadcastAttributes
from netwright.compiler.ops.products.dot import MATMUL, DotAttributes
from netwright.compiler.ops.scans.scan_attributes import ScanAttributes
from netwright.compiler.ops.values.constant import IotaAttributes, splat_like, zeros_like
from netwright.compiler.ops.values.reduce import ReduceAttributes
from netwright.compiler.ops.views.concat import ConcatAttributes
from netwright.compiler.ops.views.layout import ReshapeAttributes, TransposeAttributes
from netwright.compiler.ops.views.slice_pad import SliceAttributes
from netwright.compiler.ops.windows.geometry import ConvAttributes
from netwright.specs.dims import DimLike

N, F, H, T = 2, 3, 4, 5

Inputs = dict[str, TensorType]
Body = Callable[[Graph, dict[str, Value]], dict[str, Value]]


def f64(*shape: DimLike) -> TensorType:
    return TensorType("float64", shape)


@dataclass(frozen=True)
class Cell:
    """A body: types of consts, carries and xs (one step), and the function that builds its outputs."""

    name: str
    consts: Inputs
    carries: Inputs
    xs: Inputs
    body: Body
    reverse: bool = False


def build_body(cell: Cell) -> Graph:
    body = Graph(cell.name)
    values = {
        name: body.input(name, type, "body")
        for group in (cell.consts, cell.carries, cell.xs)
        for name, type in group.items()
    }
    for name, value in cell.body(body, values).items():
        body.set_output(name, value)
    return body


def build(cell: Cell, *, length: DimLike = T, unroll: str | int = "none") -> Graph:
    """inputs → scan → a loss that reads every float result, each weighed differently."""
    graph = Graph(cell.name)
    body = build_body(cell)
    attrs = ScanAttributes(body, length, len(cell.consts), len(cell.carries), cell.reverse, unroll, cell.name)
    operands = [graph.input(name, type) for name, type in {**cell.consts, **cell.carries}.items()]
    for name, type in cell.xs.items():
        operands.append(graph.input(name, attrs.stacked(type)))
    node = graph.add("scan", operands, attrs)
    total: Value | None = None
    for i, (name, value) in enumerate(zip(body.outputs, node.values, strict=True)):
        graph.set_output(f"out_{name}", value)
        rank = graph.type(value).rank
        bent = graph.apply("sin", graph.apply("mul", value, splat_like(graph, 1 + i / 3, value)))
        term = graph.apply("reduce", bent, attrs=ReduceAttributes("sum", tuple(range(rank))))
        total = term if total is None else graph.apply("add", total, term)
    assert total is not None
    graph.set_output("loss", total)
    return graph


def draw(graph: Graph, seed: int = 0, dims: dict[str, int] | None = None) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {}
    for name, value in graph.inputs.items():
        type = graph.type(value)
        shape = [size if isinstance(size, int) else (dims or {})[str(size)] for size in type.shape]
        if type.dtype == "int64":
            arrays[name] = rng.integers(0, 3, shape)
        else:
            arrays[name] = rng.normal(size=shape).astype(type.dtype)
    return arrays


def bias(g: Graph, b: Value, like: Value) -> Value:
    shape = g.type(like).shape
    return g.apply("broadcast", b, attrs=BroadcastAttributes(shape, (len(shape) - 1,)))


def columns(g: Graph, x: Value, part: int) -> Value:
    attrs = SliceAttributes.along(g.type(x).shape, 1, part * H, (part + 1) * H)
    return g.apply("slice", x, attrs=attrs)


def matmul(g: Graph, a: Value, b: Value) -> Value:
    return g.apply("dot", a, b, attrs=MATMUL)


def _rnn(g: Graph, v: dict[str, Value]) -> dict[str, Value]:
    z = g.apply("add", matmul(g, v["x"], v["W"]), matmul(g, v["h"], v["U"]))
    h = g.apply("tanh", g.apply("add", z, bias(g, v["b"], z)))
    return {"h": h, "y": h}


def _state_space(g: Graph, v: dict[str, Value]) -> dict[str, Value]:
    """The output is a product of its own, and not the state."""
    z = g.apply("add", matmul(g, v["x"], v["B"]), matmul(g, v["h"], v["A"]))
    h = g.apply("tanh", z)
    return {"h": h, "y": matmul(g, h, v["C"])}


def _relu(g: Graph, v: dict[str, Value]) -> dict[str, Value]:
    z = g.apply("add", v["x"], matmul(g, v["h"], v["U"]))
    h = g.apply("max", z, zeros_like(g, z))
    return {"h": h, "y": h}


def _lstm(g: Graph, v: dict[str, Value]) -> dict[str, Value]:
    z = g.apply("add", matmul(g, v["x"], v["W"]), matmul(g, v["h"], v["U"]))
    z = g.apply("add", z, bias(g, v["b"], z))
    i, f, o = (g.apply("sigmoid", columns(g, z, part)) for part in (0, 1, 3))
    candidate = g.apply("tanh", columns(g, z, 2))
    c = g.apply("add", g.apply("mul", f, v["c"]), g.apply("mul", i, candidate))
    h = g.apply("mul", o, g.apply("tanh", c))
    return {"h": h, "c": c, "y": h}


def _gru(g: Graph, v: dict[str, Value]) -> dict[str, Value]:
    """Reset before the product: the second factor of a product is computed in the body."""
    z = g.apply("sigmoid", g.apply("add", matmul(g, v["x"], v["Wz"]), matmul(g, v["h"], v["Uz"])))
    r = g.apply("sigmoid", g.apply("add", matmul(g, v["x"], v["Wr"]), matmul(g, v["h"], v["Ur"])))
    kept = g.apply("mul", r, v["h"])
    n = g.apply("tanh", g.apply("add", matmul(g, v["x"], v["Wn"]), matmul(g, kept, v["Un"])))
    one = splat_like(g, 1, z)
    h = g.apply("add", g.apply("mul", z, v["h"]), g.apply("mul", g.apply("sub", one, z), n))
    return {"h": h, "y": h}


def _matrix_state(g: Graph, v: dict[str, Value]) -> dict[str, Value]:
    """A state of matrices, a product with the const on the left, a batched product with no const."""
    mixed = g.apply("dot", v["A"], v["S"], attrs=DotAttributes((1,), (1,)))
    mixed = g.apply("transpose", mixed, attrs=_permutation(1, 0, 2))
    x = g.apply("dot", v["x"], v["x"], attrs=DotAttributes((), (), 1))
    s = g.apply("tanh", g.apply("add", mixed, x))
    y = g.apply("dot", s, v["x"], attrs=DotAttributes((2,), (1,), 1))
    return {"S": s, "y": y}


def _permutation(*axes: int) -> TransposeAttributes:
    return TransposeAttributes(axes)


def _nonlinear_const(g: Graph, v: dict[str, Value]) -> dict[str, Value]:
    """A const that is no factor of a product: its cotangent is summed up in the loop."""
    scaled = g.apply("mul", v["h"], g.apply("sigmoid", v["a"]))
    h = g.apply("sin", g.apply("add", scaled, g.apply("mul", v["x"], bias(g, v["d"], scaled))))
    return {"h": h, "y": g.apply("mul", h, v["a"])}


def _masked(g: Graph, v: dict[str, Value]) -> dict[str, Value]:
    """Time and lengths: integers beside floats; finished sequences keep their state and give zeros."""
    h = g.apply("tanh", g.apply("add", v["x"], matmul(g, v["h"], v["U"])))
    time = g.apply("broadcast", v["t"], attrs=BroadcastAttributes((N,), ()))
    alive = g.apply("broadcast", g.apply("lt", time, v["lengths"]), attrs=BroadcastAttributes((N, H), (0,)))
    return {
        "h": g.apply("select", alive, h, v["h"]),
        "y": g.apply("select", alive, h, zeros_like(g, h)),
    }


def _embedding(g: Graph, v: dict[str, Value]) -> dict[str, Value]:
    x = g.apply("gather", v["table"], v["token"])
    h = g.apply("tanh", g.apply("add", x, matmul(g, v["h"], v["U"])))
    return {"h": h, "y": h}


def _conv_state(g: Graph, v: dict[str, Value]) -> dict[str, Value]:
    """A convolution inside the loop, a state that only passes through, and one that is overwritten."""
    moved = g.apply("conv", v["h"], v["K"], attrs=ConvAttributes((1,), (1,)))
    first = SliceAttributes((0, 0, 0), (N, 1, F), (1, 1, 1))
    x = g.apply("reshape", v["x"], attrs=ReshapeAttributes((N, 1, F)))
    h = g.apply("tanh", g.apply("concat", moved, x, attrs=ConcatAttributes(1)))
    return {"h": h, "p": v["p"], "q": x, "y": g.apply("slice", g.apply("mul", h, v["p"]), attrs=first)}


def _no_state(g: Graph, v: dict[str, Value]) -> dict[str, Value]:
    z = matmul(g, v["x"], v["W"])
    step = g.apply("iota", attrs=IotaAttributes("float64", g.type(z).shape, 1))
    return {"y": g.apply("tanh", g.apply("add", z, step)), "x2": v["x"]}


def _nested(g: Graph, v: dict[str, Value]) -> dict[str, Value]:
    """A scan in the body of a scan: the state runs over the features of every step."""
    cell = Cell("inner", {"u": f64(N)}, {"s": f64(N)}, {"e": f64(N)}, _inner)
    body = build_body(cell)
    xs = g.apply("transpose", v["x"], attrs=_permutation(1, 0))
    last, ys = g.add("scan", [v["u"], v["s"], xs], ScanAttributes(body, F, 1, 1)).values
    return {"s": last, "y": ys}


def _inner(g: Graph, v: dict[str, Value]) -> dict[str, Value]:
    s = g.apply("tanh", g.apply("add", g.apply("mul", v["s"], v["u"]), v["e"]))
    return {"s": s, "y": g.apply("mul", s, v["e"])}


_x, _h = {"x": f64(N, F)}, {"h": f64(N, H)}
_xh = {"x": f64(N, H)}

CELLS = [
    Cell("rnn", {"W": f64(F, H), "U": f64(H, H), "b": f64(H)}, _h, _x, _rnn),
    Cell("rnn_reverse", {"W": f64(F, H), "U": f64(H, H), "b": f64(H)}, _h, _x, _rnn, reverse=True),
    Cell("state_space", {"A": f64(H, H), "B": f64(F, H), "C": f64(H, 2)}, _h, _x, _state_space),
    Cell("relu", {"U": f64(H, H)}, _h, _xh, _relu),
    Cell(
        "lstm",
        {"W": f64(F, 4 * H), "U": f64(H, 4 * H), "b": f64(4 * H)},
        {**_h, "c": f64(N, H)},
        _x,
        _lstm,
    ),
    Cell(
        "gru",
        {f"{m}{g}": f64(F if m == "W" else H, H) for m in "WU" for g in "zrn"},
        _h,
        _x,
        _gru,
    ),
    Cell("matrix_state", {"A": f64(3, 3)}, {"S": f64(N, 3, 3)}, {"x": f64(N, 3)}, _matrix_state),
    Cell("nonlinear_const", {"a": f64(N, H), "d": f64(H)}, _h, _xh, _nonlinear_const),
    Cell(
        "masked",
        {"U": f64(H, H), "lengths": TensorType("int64", (N,))},
        _h,
        {**_xh, "t": TensorType("int64", ())},
        _masked,
    ),
    Cell(
        "embedding",
        {"table": f64(3, H), "U": f64(H, H)},
        _h,
        {"token": TensorType("int64", (N,))},
        _embedding,
    ),
    Cell(
        "conv_state",
        {"K": f64(2, F, F)},
        {"h": f64(N, 4, F), "p": f64(N, 4, F), "q": f64(N, 1, F)},
        _x,
        _conv_state,
    ),
    Cell("no_state", {"W": f64(F, H)}, {}, _x, _no_state),
    Cell("nested", {"u": f64(N)}, {"s": f64(N)}, _x, _nested),
]
