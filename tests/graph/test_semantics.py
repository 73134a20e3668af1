"""What the documentation promises at the edges: ties, NaN, borders, indices, the reference's own errors."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.autodiff import gradients
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Value
from netwright.compiler.graph.rules import ShapeError
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.base import EvaluationError, NotDifferentiable
from netwright.compiler.ops.products.dot import MATMUL
from netwright.compiler.ops.values.constant import zeros_like
from netwright.compiler.ops.values.reduce import ArgmaxAttributes, ReduceAttributes
from netwright.compiler.ops.views.slice_pad import SliceAttributes
from netwright.compiler.ops.windows.conv import ConvAttributes
from netwright.compiler.ops.windows.reduce_window import ReduceWindowAttributes
from netwright.specs.dims import dim

NAN = float("nan")


def f64(*shape) -> TensorType:
    return TensorType("float64", shape)


def slope(graph: Graph, value: Value, x: np.ndarray) -> np.ndarray:
    """The gradient of the sum of ``value`` with respect to the input x."""
    axes = tuple(range(graph.type(value).rank))
    graph.set_output("loss", graph.apply("reduce", value, attrs=ReduceAttributes("sum", axes)))
    found, values = gradients(graph, "loss", ["x"])
    found.set_output("slope", values["x"])
    return evaluate(found, {"x": x})["slope"]


def test_relu_is_flat_at_zero_and_passes_nan_on():
    graph = Graph()
    x = graph.input("x", f64(4))
    relu = graph.apply("max", x, zeros_like(graph, x))
    graph.set_output("y", relu)
    values = np.array([-1.0, 0.0, 2.0, NAN])
    np.testing.assert_array_equal(evaluate(graph, {"x": values})["y"], [0, 0, 2, NAN])
    np.testing.assert_array_equal(slope(graph, relu, values), [0, 0, 1, 1])


def test_absolute_value_is_flat_at_zero():
    graph = Graph()
    x = graph.input("x", f64(3))
    np.testing.assert_array_equal(slope(graph, graph.apply("abs", x), np.array([-2.0, 0, 3])), [-1, 0, 1])


@pytest.mark.parametrize("op", ["max", "min"])
def test_first_extremum_of_a_reduction_gets_the_cotangent(op: str):
    graph = Graph()
    x = graph.input("x", f64(2, 2, 2))
    y = graph.apply("reduce", x, attrs=ReduceAttributes(op, (0, 2)))
    found = slope(graph, y, np.array([[[1.0, 1], [0, 5]], [[1, 1], [5, 0]]]))
    first = [[[1, 0], [0, 1]], [[0, 0], [0, 0]]] if op == "max" else [[[1, 0], [1, 0]], [[0, 0], [0, 0]]]
    np.testing.assert_array_equal(found, first)


def test_first_maximum_of_a_window_gets_the_cotangent_and_nan_counts_as_maximum():
    graph = Graph()
    x = graph.input("x", f64(1, 2, 4, 1))
    y = graph.apply("reduce_window", x, attrs=ReduceWindowAttributes("max", (1, 2, 2, 1), (1, 2, 2, 1)))
    image = np.array([[3.0, 3, 9, NAN], [3, 1, NAN, 2]]).reshape(1, 2, 4, 1)
    np.testing.assert_array_equal(slope(graph, y, image).reshape(2, 4), [[1, 0, 0, 1], [0, 0, 0, 0]])


def test_cells_that_no_window_meets_get_nothing():
    graph = Graph()
    x = graph.input("x", f64(1, 6, 1))
    y = graph.apply("reduce_window", x, attrs=ReduceWindowAttributes("sum", (1, 2, 1), (1, 3, 1)))
    assert slope(graph, y, np.zeros((1, 6, 1))).ravel().tolist() == [1, 1, 0, 1, 1, 0]


def test_argmax_is_the_first_and_counts_nan():
    graph = Graph()
    x = graph.input("x", f64(2, 3))
    graph.set_output("y", graph.apply("argmax", x, attrs=ArgmaxAttributes(1)))
    assert evaluate(graph, {"x": np.array([[1.0, 4, 4], [7, NAN, NAN]])})["y"].tolist() == [1, 1]


@pytest.mark.parametrize("index", [-1, 5])
def test_gather_names_the_index_that_is_out_of_range(index: int):
    graph = Graph()
    table, indices = graph.input("table", f64(5, 2)), graph.input("i", TensorType("int64", (2,)))
    graph.layer = "words"
    graph.set_output("y", graph.apply("gather", table, indices))
    with pytest.raises(EvaluationError, match=f"words: index {index} is out of range: there are 5 rows"):
        evaluate(graph, {"table": np.zeros((5, 2)), "i": np.array([0, index])})


def test_convolution_of_the_lecture():
    """The lecture's one-dimensional convolution by thirds, and the same padded with zeros."""
    graph = Graph()
    x, w = graph.input("x", f64(1, dim("T"), 1)), graph.input("w", f64(3, 1, 1))
    graph.set_output("y", graph.apply("conv", x, w, attrs=ConvAttributes((1,), (1,))))
    signal = np.array([4.0, 3, 2, -5, 3, 5, 2, 5, 5, 6])
    thirds = np.full((3, 1, 1), 1 / 3)
    valid = evaluate(graph, {"x": signal.reshape(1, -1, 1), "w": thirds})["y"].ravel()
    np.testing.assert_allclose(valid, [3, 0, 0, 1, 10 / 3, 4, 4, 16 / 3], atol=1e-12)
    padded = np.pad(signal, 1).reshape(1, -1, 1)
    same = evaluate(graph, {"x": padded, "w": thirds})["y"].ravel()
    np.testing.assert_allclose([same[0], same[-1]], [7 / 3, 11 / 3])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda g: g.apply("add", g.input("a", f64(2)), g.input("b", f64(3))), "add of different types"),
        (
            lambda g: g.apply("dot", g.input("a", f64(2, 3)), g.input("b", f64(4, 5)), attrs=MATMUL),
            r"\[2, 3\] and \[4, 5\] do not multiply: 3 is not 4",
        ),
        (
            lambda g: g.apply(
                "conv",
                g.input("x", f64(1, 2, 1)),
                g.input("w", f64(3, 1, 1)),
                attrs=ConvAttributes((1,), (1,)),
            ),
            "a window of 3 does not fit into 2",
        ),
        (
            lambda g: g.apply("slice", g.input("x", f64(3)), attrs=SliceAttributes((1,), (4,), (1,))),
            "slice from 1 to 4 of 3 cells",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(build, message: str):
    with pytest.raises(ShapeError, match=message):
        build(Graph())


def test_a_shape_rule_names_the_operand_at_fault():
    graph = Graph()
    a, b = graph.input("a", f64(2)), graph.input("b", f64(3))
    with pytest.raises(ShapeError) as caught:
        graph.apply("add", a, b)
    assert caught.value.operand == 1


def test_a_max_pool_has_one_gradient_only():
    graph = Graph()
    x = graph.input("x", f64(1, 4, 1))
    y = graph.apply("reduce_window", x, attrs=ReduceWindowAttributes("max", (1, 2, 1), (1, 2, 1)))
    graph.set_output(
        "loss", graph.apply("reduce", graph.apply("mul", y, y), attrs=ReduceAttributes("sum", (0, 1, 2)))
    )
    first, values = gradients(graph, "loss", ["x"])
    squares = first.apply("mul", values["x"], values["x"])
    first.set_output("again", first.apply("reduce", squares, attrs=ReduceAttributes("sum", (0, 1, 2))))
    with pytest.raises(NotDifferentiable, match="max pool"):
        gradients(first, "again", ["x"])


def test_a_loss_that_does_not_depend_on_an_input_has_gradient_zero():
    graph = Graph()
    x, unused = graph.input("x", f64(2)), graph.input("unused", f64(3))
    graph.set_output("loss", graph.apply("reduce", x, attrs=ReduceAttributes("sum", (0,))))
    found, values = gradients(graph, "loss", ["unused"])
    found.set_output("d", values["unused"])
    assert graph.type(unused).shape == (3,)
    assert evaluate(found, {"x": np.ones(2), "unused": np.ones(3)})["d"].tolist() == [0, 0, 0]


def test_only_scalars_have_gradients():
    graph = Graph()
    graph.set_output("y", graph.input("x", f64(2)))
    with pytest.raises(ShapeError, match=r"'y', which is float64\[2\] and not a float scalar"):
        gradients(graph, "y", ["x"])


# -- the reference itself --------------------------------------------------------------------------


def sequence() -> Graph:
    graph = Graph()
    x = graph.input("x", TensorType("float32", (dim("N"), 2 * dim("T"))))
    graph.input("n", TensorType("float32", (dim("N"),)))
    graph.set_output("y", graph.apply("neg", x))
    return graph


@pytest.mark.parametrize(
    ("inputs", "dims", "message"),
    [
        ({"x": np.zeros((3, 4), "f4")}, {"T": 2}, "the input 'n' is missing"),
        (
            {"x": np.zeros((3, 4), "f4"), "n": np.zeros(3, "f4"), "z": np.zeros(1)},
            {},
            "no input is called 'z'",
        ),
        ({"x": np.zeros((3, 4), "f4"), "n": np.zeros(2, "f4")}, {"T": 2}, "a size of 'n' is 2, but N is 3"),
        ({"x": np.zeros((3, 4), "f4"), "n": np.zeros(3, "f4")}, {}, r"the size 2\*T of 'x' is open: give T"),
        ({"x": np.zeros((3, 4), "f4"), "n": np.zeros(3, "f4")}, {"T": 3}, r"is 4, but 2\*T is 6"),
        ({"x": np.zeros((3, 4)), "n": np.zeros(3, "f4")}, {"T": 2}, "'x' is float32, not float64"),
        ({"x": np.zeros(3, "f4"), "n": np.zeros(3, "f4")}, {"T": 2}, "'x' has 2 axes, not 1"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    inputs: dict[str, np.ndarray], dims: dict[str, int], message: str
):
    with pytest.raises(EvaluationError, match=message):
        evaluate(sequence(), inputs, dims)


def test_dims_are_found_from_the_inputs():
    inputs = {"x": np.ones((3, 4), np.float32), "n": np.zeros(3, np.float32)}
    assert evaluate(sequence(), inputs, {"T": 2})["y"].tolist() == [[-1] * 4] * 3
