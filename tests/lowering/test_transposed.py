"""Kernels that read along another axis than they write: every order of axes, sizes around a vector's, open sizes."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Value
from netwright.compiler.graph.types import FLOATS, TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.loop import ir
from netwright.compiler.machine import Machine
from netwright.compiler.ops.base import BroadcastAttributes
from netwright.compiler.ops.views.concat import ConcatAttributes
from netwright.compiler.ops.views.layout import ReshapeAttributes, TransposeAttributes
from netwright.compiler.ops.views.slice_pad import PadAttributes
from netwright.compiler.ops.windows.conv import ConvAttributes
from netwright.compiler.ops.windows.reduce_window import ReduceWindowAttributes
from netwright.specs.dims import DimLike, Shape, dim
from netwright.specs.dims import evaluate as evaluate_size

from ..machines import AVX512, MACHINES
from ..slices import sliced
from .engines import lowered, run_loops, run_native

DIMS = {"N": 2, "H": 19, "W": 5}
N, H, W = (dim(name) for name in DIMS)
SHAPES: list[Shape] = [
    (2, 3, 17),
    (1, 16, 16),
    (5, 32, 2),
    (3, 4, 4),
    (2, 21, 9),
    (7, 1, 20),
    (N, H, 3),
    (H, 4, W),
    (W, 18, H),
]


def transposed(g: Graph, x: Value, order: tuple[int, ...]) -> Value:
    return g.apply("transpose", x, attrs=TransposeAttributes(order))


def drawn(graph: Graph, dims: dict[str, int] = DIMS) -> dict[str, np.ndarray]:
    random, found = np.random.default_rng(7), {}
    for name, value in graph.inputs.items():
        type = graph.type(value)
        numbers = random.standard_normal([evaluate_size(size, dims) for size in type.shape])
        found[name] = (
            (numbers > 0)
            if type.dtype == "bool"
            else (numbers if type.dtype in FLOATS else 9 * numbers).astype(type.dtype)
        )
    return found


def check(graph: Graph, machine: Machine = AVX512, threads: int = 2, native: bool = False) -> None:
    inputs = drawn(graph)
    expected = evaluate(graph, inputs, DIMS)
    runs = [run_loops(graph, inputs, DIMS, machine, threads)]
    if native:
        runs.append(
            run_native(graph, inputs, {name: DIMS[name] for name in DIMS if _has(graph, name)}, threads)
        )
    for found in runs:
        for name, array in expected.items():
            scale = np.sqrt(np.mean(np.square(array, dtype=np.float64)))
            np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-5 * scale)


def _has(graph: Graph, name: str) -> bool:
    return any(
        name in getattr(size, "symbols", ()) for v in graph.inputs.values() for size in graph.type(v).shape
    )


@pytest.mark.alike(2)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("order", list(permutations(range(3)))[1:], ids=str)
def test_every_order_of_axes(shape: Shape, order: tuple[int, ...]) -> None:
    g = Graph("order")
    x = g.input("x", TensorType("float32", shape))
    g.set_output("y", transposed(g, x, order))
    check(g, native=True)


@pytest.mark.alike(2)
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("dtype", ["float64", "int32", "uint8", "bool"])
def test_every_machine_and_type(machine: str, dtype: str) -> None:
    g = Graph("types")
    for number, shape in enumerate([(2, 21, 9), (H, 4, W)]):
        x = g.input(f"x{number}", TensorType(dtype, shape))
        g.set_output(f"y{number}", transposed(g, x, (0, 2, 1)))
        g.set_output(f"z{number}", transposed(g, x, (2, 1, 0)))
    check(g, MACHINES[machine])


@pytest.mark.alike(2)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7, 16, 18])
@pytest.mark.parametrize("height", [6, H])
def test_what_is_computed_on_the_way(channels: int, height: DimLike) -> None:
    """Sums with values in the result's order, of a broadcast and of several transposed ones, and their activations."""
    g = Graph("sum")
    x = g.input("x", TensorType("float32", (2, channels, height, 17)))
    w = g.input("w", TensorType("float32", (channels,)))
    y = transposed(g, x, (0, 2, 3, 1))
    shape = g.type(y).shape
    scaled = g.apply("mul", y, g.apply("broadcast", w, attrs=BroadcastAttributes(shape, (3,))))
    g.set_output("y", g.apply("tanh", g.apply("add", scaled, y)))
    back = g.input("back", TensorType("float32", shape))
    g.set_output("z", g.apply("abs", transposed(g, back, (0, 3, 1, 2))))
    check(g, native=True)


def test_parts_of_other_buffers() -> None:
    """Results that are stored into padding and between the parts of a concatenation."""
    g = Graph("parts")
    x = g.input("x", TensorType("float32", (2, 20, 18, 17)))
    last = transposed(g, x, (0, 2, 3, 1))
    g.set_output(
        "padded", g.apply("pad", last, attrs=PadAttributes((0, 1, 2, 3), (0, 1, 0, 1), (0, 1, 0, 0)))
    )
    other = g.input("other", TensorType("float32", (2, 18, 17, 5)))
    g.set_output("joined", g.apply("concat", g.apply("abs", other), last, attrs=ConcatAttributes(3)))
    check(g, native=True)


def test_pools_of_images_with_channels_first() -> None:
    g = Graph("pool")
    x = g.input("x", TensorType("float32", (1, 21, 12, 38)))
    window = ReduceWindowAttributes("max", (1, 2, 2, 1), (1, 2, 2, 1))
    g.set_output("y", g.apply("reduce_window", transposed(g, x, (0, 2, 3, 1)), attrs=window))
    check(g, native=True)
    assert widest(g) == 16


@pytest.mark.parametrize("times", [2, 3, 4, 5, 8])
def test_cells_repeated_along_the_last_axis(times: int) -> None:
    g = Graph("repeat")
    x = g.input("x", TensorType("float32", (2, 5, 37)))
    wide = g.apply("broadcast", x, attrs=BroadcastAttributes((2, 5, 37, times), (0, 1, 2)))
    g.set_output("y", g.apply("reshape", wide, attrs=ReshapeAttributes((2, 5, 37 * times))))
    check(g, native=True)


FEW = [("avx512", 1), ("avx512", 3), ("avx2", 2), ("avx2", 4), ("sse", 2), ("neon", 2)]
WIDTHS = [21, 80, H + 8]
STEPS = [(1, 1, 1), (2, 1, 1), (1, 2, 2)]


def each_pair(few: tuple[str, int], width: DimLike, steps: tuple[int, int, int]) -> bool:
    """Any two of the three parameters come together once."""
    return (FEW.index(few) + WIDTHS.index(width) + STEPS.index(steps)) % 3 == 0


@pytest.mark.alike(3)
@pytest.mark.parametrize(("few", "width", "steps"), sliced(product(FEW, WIDTHS, STEPS), each_pair))
def test_convolutions_with_few_features(
    few: tuple[str, int], width: DimLike, steps: tuple[int, int, int]
) -> None:
    """Of images with channels first and last, with a bias, an activation and a pool. Steps are the stride, dilation and
    size of a pool's window."""
    (machine, features), (stride, dilation, window) = few, steps
    g = Graph("few")
    x = g.input("x", TensorType("float32", (1, 3, 5, width)))
    w = g.input("w", TensorType("float32", (2, 3, 3, features)), "parameter")
    b = g.input("b", TensorType("float32", (features,)), "parameter")
    attrs = ConvAttributes((1, stride), (1, dilation))
    y = g.apply("conv", transposed(g, x, (0, 2, 3, 1)), w, attrs=attrs)
    shape = g.type(y).shape
    y = g.apply("tanh", g.apply("add", y, g.apply("broadcast", b, attrs=BroadcastAttributes(shape, (3,)))))
    if window > 1:
        cells = (1, window, window, 1)
        y = g.apply("reduce_window", y, attrs=ReduceWindowAttributes("max", cells, cells))
    g.set_output("y", y)
    last = g.input("last", TensorType("float32", (1, 4, width, 3)))
    v = g.input("v", TensorType("float32", (2, 3, 3, features)), "parameter")
    g.set_output("z", transposed(g, g.apply("conv", last, v, attrs=attrs), (0, 3, 1, 2)))
    check(g, MACHINES[machine], native=machine == "avx512")


def test_vectors_are_as_wide_as_the_machines() -> None:
    for shape, order in (
        ((64, 48, 48), (1, 2, 0)),
        ((48, 48, 64), (2, 0, 1)),
        ((H, W, 3), (2, 0, 1)),
        ((3, H, 40), (1, 2, 0)),
    ):
        g = Graph("order")
        g.set_output("y", transposed(g, g.input("x", TensorType("float32", shape)), order))
        assert widest(g) == 16


def widest(graph: Graph) -> int:
    """The most lanes that a kernel loads at once."""
    program, _ = lowered(graph)
    text = [statement for kernel in program.kernels.values() for statement in _statements(kernel.body)]
    return max(s.value.type.lanes for s in text if isinstance(s, ir.Declare | ir.Store))


def _statements(body: tuple[ir.Stmt, ...]) -> list[ir.Stmt]:
    found: list[ir.Stmt] = []
    for statement in body:
        found += _statements(statement.body) if isinstance(statement, ir.For | ir.If) else [statement]
    return found
