"""The matrices of fast convolutions, in exact arithmetic."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.machine import Machine
from netwright.compiler.observers import Choice, Observer
from netwright.compiler.ops.views.layout import ReverseAttributes
from netwright.compiler.ops.views.panels import PanelsAttributes
from netwright.compiler.ops.views.slice_pad import PadAttributes
from netwright.compiler.ops.windows.geometry import ConvAttributes
from netwright.compiler.ops.windows.winograd import (
    POINTS,
    TAPS,
    Matrix,
    data_matrix,
    filter_matrix,
    result_matrix,
)
from netwright.compiler.passes.base import PassContext
from netwright.compiler.passes.windows.winograd import Winograd
from netwright.compiler.passes.windows.winograd_costs import Images, best_tile, direct_cost, tiled_cost
from netwright.compiler.tuning import Algorithm, Tuning, TuningError
from netwright.specs.dims import DimLike, dim

from ..machines import AVX2, AVX512

N, H, W = dim("N"), dim("H"), dim("W")


def times(matrix: Matrix, vector: list[Fraction]) -> list[Fraction]:
    return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]


@pytest.mark.parametrize("tile", POINTS)
def test_products_at_points_give_the_filtered_signal(tile: int) -> None:
    draw = random.Random(tile)
    signal = [Fraction(draw.randint(-9, 9), draw.randint(1, 9)) for _ in range(tile + TAPS - 1)]
    taps = [Fraction(draw.randint(-9, 9), draw.randint(1, 9)) for _ in range(TAPS)]
    products = [
        a * b for a, b in zip(times(filter_matrix(tile), taps), times(data_matrix(tile), signal), strict=True)
    ]
    filtered = [sum(signal[i + k] * taps[k] for k in range(TAPS)) for i in range(tile)]
    assert times(result_matrix(tile), products) == filtered


def test_two_results_are_those_of_the_known_matrices() -> None:
    """F(2, 3) as Lavin and Gray print it, but for the signs of rows, which cancel out."""
    assert result_matrix(2) == ((1, 1, 1, 0), (0, 1, -1, 1))
    assert data_matrix(2) == ((-1, 0, 1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1))
    half = Fraction(1, 2)
    assert filter_matrix(2) == ((-1, 0, 0), (half, half, half), (half, -half, half), (0, 0, 1))


def costs(images: Images, machine: Machine = AVX512) -> list[int]:
    """What a convolution costs directly, and by tiles of 2×2 and 4×4 results."""
    return [round(direct_cost(images, machine)), *(round(tiled_cost(images, t, machine)) for t in POINTS)]


#: By samples, rows, columns and channels; ``False``: the tiles of each sample are a product of their own.
CHOICES: dict[tuple[int, ...], tuple[list[int], int | None, str]] = {
    (1, 8, 8, 16, 16): ([9216, 19984, 19408], None, "F(4, 3) would take 211% of a direct convolution's time"),
    (1, 14, 14, 256, 256): ([7962624, 5121552, 5846800], 2, "some 1.6 times as fast as directly"),
    (4, 14, 14, 256, 256): ([29638656, 16524048, 14509840], 4, "some 2.0 times as fast as directly"),
    (1, 56, 56, 64, 64): ([7225344, 4375312, 3618832], 4, "some 2.0 times as fast as directly"),
    (1, 112, 112, 32, 64): ([14450688, 9844496, 8456464], 4, "some 1.7 times as fast as directly"),
    (8, 7, 7, 512, 512): ([60751872, 41887504, 32794384], 4, "some 1.9 times as fast as directly"),
    (8, 7, 7, 512, 512, False): ([60751872, 41887504, 51668752], 2, "some 1.5 times as fast as directly"),
    (1, 1, 56, 16, 17): (
        [16128, 39568, 50320],
        None,
        "F(2, 3) would take 245% of a direct convolution's time",
    ),
    (1, 56, 1, 16, 17): (
        [16128, 39568, 50320],
        None,
        "F(2, 3) would take 245% of a direct convolution's time",
    ),
    (1, 56, 56, 15, 64): ([1693440, 1465104, 979024], None, "15 channels are too few to pay for transforms"),
    (1, 56, 56, 64, 1): ([1806336, 1552912, 1091920], None, "1 channel is too few to pay for transforms"),
}


@pytest.mark.parametrize("sizes", CHOICES, ids=str)
def test_tiles_are_chosen_by_cost(sizes: tuple[Any, ...]) -> None:
    images = Images(*sizes)
    assert (costs(images), *best_tile(images, AVX512)) == CHOICES[sizes]


def test_what_stays_in_caches_costs_less() -> None:
    """At the size of the second cache: weights, all that is between the stages, and weights beside a block of it."""
    small, two = Images(1, 8, 8, 16, 16), Images(2, 16, 8, 16, 16)
    assert costs(small, replace(AVX512, l2_bytes=9216)) == [9216, 31248, 34384]
    assert costs(small, replace(AVX512, l2_bytes=9215)) == [12096, 31248, 34384]
    assert costs(small, replace(AVX512, l2_bytes=18432)) == [9216, 19984, 30928]
    assert costs(small, replace(AVX512, l2_bytes=18431)) == [9216, 19984, 34384]
    assert costs(two, replace(AVX512, l2_bytes=40000)) == [36864, 49936, 38416]
    assert costs(two, replace(AVX512, l2_bytes=36863)) == [36864, 49936, 63760]


def test_no_vectors_and_no_images_leave_convolutions_direct() -> None:
    images = Images(1, 56, 56, 64, 64)
    assert best_tile(images, replace(AVX2, vector_bytes=8)) == (None, "the machine has no vectors")
    assert best_tile(images, replace(AVX2, vector_bytes=16))[0] == 4
    for none in (replace(images, rows=0), replace(images, columns=0)):
        assert best_tile(none, AVX2) == (None, "its images may be empty")


def test_open_sizes_are_usual_ones() -> None:
    assert Images.of(N - 1, H - 2, 10, 16, 17) == Images(1, 54, 10, 16, 17, together=False)
    assert Images.of(3, 5, W, 16, 17) == Images(3, 5, 56, 16, 17, together=True)


class Chosen(Observer):
    def __init__(self) -> None:
        self.all: list[Choice] = []

    def chose(self, choice: Choice) -> None:
        self.all.append(choice)


def convolution(
    rows: DimLike,
    filters: int = 32,
    *,
    samples: DimLike = N,
    columns: int = 12,
    fill: float = 0,
    interior: int = 0,
    reverses: bool = False,
) -> Graph:
    """A 3×3 convolution of images of 32 channels, with a margin of one cell."""
    graph = Graph()
    x = graph.input("x", TensorType("float32", (samples, rows, columns, 32)))
    w = graph.input("w", TensorType("float32", (3, 3, 32, filters)), "parameter")
    padding = PadAttributes((0, 1, 1, 0), (0, 1, 1, 0), (0, interior, 0, 0), fill)
    padded = graph.apply("pad", x, attrs=padding)
    if reverses:
        w = graph.apply("reverse", w, attrs=ReverseAttributes((0, 1)))
    graph.set_output("y", graph.apply("conv", padded, w, attrs=ConvAttributes((1, 1), (1, 1), 1)))
    return graph


def tuned(graph: Graph, algorithm: Algorithm | None, machine: Machine = AVX2) -> tuple[Graph, list[Choice]]:
    """The graph with the algorithm that was measured to be the fastest (None: nothing was measured)."""
    (node,) = (node for node in graph if node.op == "conv")
    x, w = (str(graph.type(value)).replace(", ", ",") for value in graph.operands(node))
    algorithms = () if algorithm is None else ((f"conv {x} {w}", algorithm),)
    observer = Chosen()
    context = PassContext(
        "predict", replace(machine, tuning=Tuning(algorithms=algorithms)), observer=observer
    )
    return Winograd().run(graph, context), observer.all


@pytest.mark.parametrize("algorithm", ["direct", "F(2, 3)", "F(4, 3)"])
def test_measured_algorithms_are_preferred(algorithm: Algorithm) -> None:
    graph, (choice,) = tuned(convolution(12, 32), algorithm)
    name = "direct" if algorithm == "direct" else f"Winograd's {algorithm}"
    assert (choice.algorithm, choice.reason) == (name, "it was measured to be the fastest")
    cells = [graph.type(node.values[0]).shape[0] for node in graph if node.op == "winograd_data"]
    assert cells == {"direct": [], "F(2, 3)": [16], "F(4, 3)": [36]}[algorithm]


def test_measured_algorithms_have_to_be_possible() -> None:
    for graph, machine, reason in (
        (convolution(12, 32), replace(AVX2, vector_bytes=8), "no vectors"),
        (convolution(H // 64, 32), AVX2, "may be empty"),
    ):
        with pytest.raises(TuningError, match=reason):
            tuned(graph, "F(4, 3)", machine)
        assert tuned(graph, "direct", machine)[0] is graph


def test_a_single_result_is_no_empty_image() -> None:
    graph, _ = tuned(convolution(1, columns=1), "F(2, 3)", replace(AVX2, vector_bytes=16))
    assert [graph.type(value).shape for value in graph.outputs.values()] == [(N, 1, 1, 32)]
    assert any(node.op == "winograd_result" for node in graph)


def test_refusals_have_reasons() -> None:
    observer = Chosen()
    graph = convolution(12)
    assert Winograd().run(graph, PassContext("predict", AVX2, "strict", observer=observer)) is graph
    assert [(choice.algorithm, choice.reason) for choice in observer.all] == [("direct", "math is strict")]


def test_weights_may_be_views_of_parameters() -> None:
    _, (choice,) = tuned(convolution(12, reverses=True), None)
    assert choice.algorithm == "Winograd's F(4, 3)"


def test_products_have_the_tiles_of_all_images_as_rows() -> None:
    """Or of each, where their number is open."""
    for samples, rows in ((2, (36, 1, 18, 32)), (N, (36, N, 9, 32))):
        graph, _ = tuned(convolution(12, samples=samples), "F(4, 3)")
        (*_, product) = (node for node in graph if node.op == "dot")
        assert graph.type(graph.operands(product)[0]).shape == rows


def paddings(graph: Graph) -> list[tuple[int, ...]]:
    made = (node.attrs for node in graph)
    return [attrs.high[1:3] for attrs in made if isinstance(attrs, PadAttributes)]  # pyright: ignore[reportReturnType]


def test_zeros_around_images_go_on_to_whole_tiles() -> None:
    assert paddings(tuned(convolution(12, 32), "F(4, 3)")[0]) == [(1, 1)]
    assert paddings(tuned(convolution(13, 32), "F(4, 3)")[0]) == [(1, 1), (4, 1)]
    assert paddings(tuned(convolution(13, 32, fill=1), "F(4, 3)")[0]) == [(1, 1)]
    assert paddings(tuned(convolution(13, 32, interior=1), "F(4, 3)")[0]) == [(1, 1)]


def test_weights_are_packed_if_they_fill_panels() -> None:
    for filters, packed in ((32, True), (20, False)):
        graph, _ = tuned(convolution(12, filters), "F(2, 3)")
        products = [node for node in graph if node.op == "dot"]
        weights = graph.producer(graph.operands(products[-1])[1])
        assert isinstance(weights.attrs, PanelsAttributes) is packed


def test_training_takes_small_tiles_of_what_is_computed_in_blocks() -> None:
    large, small = Images.of(32, 56, 56, 64, 64), Images.of(32, 8, 8, 64, 64)
    assert best_tile(large, AVX512)[0] == 4
    assert best_tile(large, AVX512, training=True)[0] == 2
    tile, reason = best_tile(small, AVX512, training=True)
    assert tile is None
    assert "memory" in reason
