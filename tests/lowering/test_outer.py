"""Gradients of weights as sums of outer products: the tiles that are chosen, and that blocks add up to the whole."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.lowering.grouping.groups import Grouping
from netwright.compiler.lowering.grouping.roles import Roles
from netwright.compiler.lowering.outer.tiling import outer_tiling
from netwright.compiler.machine import Machine
from netwright.compiler.ops.products.dot import DotAttributes
from netwright.compiler.ops.windows.geometry import ConvKernelGradientAttributes
from netwright.specs.dims import dim

from ..machines import AVX2, AVX512, NEON
from .engines import run_loops, run_native

N = dim("N")
PACKED = "{} rows × {} vectors of 16, in sums of {} terms from packed vectors"


def convolution(
    cells: tuple[int, int], channels: int, filters: int, kernel: int, groups: int = 1, dtype: str = "float32"
) -> Graph:
    """The gradient of a convolution's weights, with stride 1."""
    graph, (height, width) = Graph(), cells
    x = graph.input("x", TensorType(dtype, (N, height + kernel - 1, width + kernel - 1, channels)))
    dy = graph.input("dy", TensorType(dtype, (N, height, width, filters)))
    attrs = ConvKernelGradientAttributes((kernel, kernel), (1, 1), (1, 1), groups)
    graph.set_output("dw", graph.apply("conv_kernel_gradient", x, dy, attrs=attrs))
    return graph


def dense(inputs: int, units: int, rows: object = N) -> Graph:
    graph = Graph()
    x = graph.input("x", TensorType("float32", (rows, inputs)))  # pyright: ignore[reportArgumentType]
    dy = graph.input("dy", TensorType("float32", (rows, units)))  # pyright: ignore[reportArgumentType]
    graph.set_output("dw", graph.apply("dot", x, dy, attrs=DotAttributes((0,), (0,), 0)))
    return graph


def chosen(graph: Graph, machine: Machine) -> str:
    groups = Grouping(Roles(graph))
    (group,) = groups.groups
    tiling = outer_tiling(groups.roles, group, group.space, {}, machine)
    return "" if tiling is None else tiling.describe(group.space, group.contractions()[0].extents)


@pytest.mark.parametrize(
    ("graph", "machine", "tiles"),
    [
        (convolution((32, 32), 64, 64, 3), AVX512, "6 rows × 4 vectors of 16, in sums of 64 terms"),
        (
            convolution((32, 32), 64, 64, 3),
            AVX2,
            "6 rows × 2 vectors of 8, in sums of 256 terms from packed vectors",
        ),
        (
            convolution((32, 32), 64, 64, 3),
            NEON,
            "5 rows × 4 vectors of 4, in sums of 256 terms from packed vectors",
        ),
        (
            convolution((16, 16), 128, 128, 3),
            AVX512,
            f"{PACKED.format(6, 4, 64)}, columns outermost",
        ),
        (
            convolution((4, 4), 512, 512, 3),
            AVX512,
            f"{PACKED.format(9, 3, 112)}, columns outermost",
        ),
        (convolution((32, 32), 3, 16, 3), AVX512, "2·3·3 rows × 1 vector of 16, in sums of 256 terms"),
        (
            convolution((32, 32), 3, 64, 3),
            AVX2,
            "3·3 rows × 1 vector of 8, in sums of 512 terms from packed vectors",
        ),
        (
            convolution((12, 12), 64, 64, 3, groups=64),
            AVX512,
            "3·3 rows × 2 vectors of 16, in sums of 72 terms",
        ),
        (
            dense(128, 512),
            AVX512,
            f"{PACKED.format(8, 3, 113)}, columns outermost",
        ),
        (dense(128, 512, rows=63), AVX512, ""),  # too few terms
        (dense(128, 4), AVX512, ""),  # lanes along other axes
        (convolution((12, 12), 64, 64, 3, groups=2), AVX512, ""),
    ],
)
def test_tiles(graph: Graph, machine: Machine, tiles: str) -> None:
    assert chosen(graph, machine) == tiles


def drawn(graph: Graph, samples: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for name, value in graph.inputs.items():
        type = graph.type(value)
        shape = [size if isinstance(size, int) else samples for size in type.shape]
        arrays[name] = random.standard_normal(shape).astype(type.dtype)
    return arrays


@pytest.mark.parametrize(
    "graph",
    [
        convolution((20, 21), 13, 37, 3),  # rows and columns that fill no tile, blocks of some rows
        convolution((5, 4), 20, 70, 2),  # blocks of samples, the last one smaller
        convolution((1, 700), 6, 33, 1),  # blocks of some cells of a row
        convolution((9, 9), 40, 40, 3, groups=40),
        convolution((9, 9), 12, 20, 2, dtype="float64"),
        dense(150, 90),
    ],
)
def test_blocks_add_up_to_the_whole(graph: Graph) -> None:
    """For any number of threads, to the bit."""
    inputs = drawn(graph, 19)
    expected = evaluate(graph, inputs, {"N": 19})["dw"]
    results = [run_native(graph, inputs, {"N": 19}, threads)["dw"] for threads in (1, 2, 3)]
    tolerance = 1e-9 if expected.dtype == np.float64 else 1e-4
    np.testing.assert_allclose(results[0], expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
    assert all(np.array_equal(results[0], other) for other in results[1:])


def test_threads_share_nothing() -> None:
    """Tiles that threads divide store to memory of their own, which the loop interpreter watches."""
    graph = convolution((3, 3), 9, 40, 2)
    inputs = drawn(graph, 5)
    expected = evaluate(graph, inputs, {"N": 5})["dw"]
    for machine in (AVX512, NEON):
        result = run_loops(graph, inputs, {"N": 5}, machine, nthreads=3)["dw"]
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)
