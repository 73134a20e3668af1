"""Slices of slices of an open axis, of which some sizes leave nothing: every access of theirs has to be proved."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.views.slice_pad import PadAttributes, SliceAttributes

from ..slices import sliced
from .test_found import one_input


def cut(start: int | None, stop: int | None = None, step: int = 1) -> dict[str, Any]:
    bounds = {"starts": start, "stops": stop}
    return {
        "type": "slice",
        "axes": 0,
        "steps": step,
        **{key: value for key, value in bounds.items() if value is not None},
    }


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("least", "slices"),
    [
        pytest.param(1, [cut(-2), cut(-2, None, 2), cut(-2, None, 2)], id="the last two, three times"),
        pytest.param(1, [cut(-1, 1, -2)] * 2, id="backwards"),
        pytest.param(1, [cut(-2, 1, -2)] * 2, id="backwards from the last but one"),
        pytest.param(1, [cut(-2, 1)] * 2, id="the last two, of the first"),
        pytest.param(1, [cut(2, None, 3), cut(-7, None, -3), cut(10, 1, -1)], id="masked lanes"),
        pytest.param(3, [cut(200, None, 2), cut(-70, None, -1), cut(-3, 60, -2)], id="hundreds"),
    ],
)
def test_slices_of_slices(least: int, slices: list[dict[str, Any]]) -> None:
    model = one_input(["T"], *slices, dims={"T": {"min": least}})
    for cells in (*range(least, 12), 150, 300):
        expected = np.arange(cells, dtype=np.float64)
        for one in slices:
            expected = expected[slice(one.get("starts"), one.get("stops"), one["steps"])]
        table = {"x": np.arange(cells, dtype=np.float64)}
        np.testing.assert_array_equal(model.interpret("predict", table, {"T": cells})["y"], expected)
        model.check_predict({"T": cells}, loops=cells < 4)


# Other seeds leave nothing of known cells, an error.
@pytest.mark.parametrize("seed", sliced([0, 1, 3, 4, 6, 7, 10], {1, 3, 6, 10}.__contains__))
def test_drawn_slices_of_slices_in_training(seed: int) -> None:
    """Their gradients put cells back where they came from."""
    random = Random(seed)
    slices: list[dict[str, Any]] = []
    for _ in range(random.randint(2, 3)):
        start, stop = (random.choice((None, -7, -3, -2, -1, 0, 1, 2, 4, 10)) for _ in range(2))
        step = random.choice((1, -1, 2, -2, 3, -3))
        slices.append({**cut(-2 if start is None and stop is None else start, stop, step), "axes": 1})
    train = {
        "data": {"train": "none.npz"},
        "targets": {"t": {"shape": ["N", 3], "dtype": "float64"}},
        "loss": {"type": "mse", "output": "y", "target": "t"},
        "optimizer": {"type": "sgd", "learning_rate": 0.1},
    }
    dims = {"N": "batch", "T": {"min": 5}}
    layers = [
        {"type": "dense", "units": 3, "activation": "tanh"},
        *slices,
        {"type": "reduce", "op": "sum", "axes": 1},
    ]
    model = one_input(["N", "T", 2], *layers, dims=dims, train=train)
    for cells in (5, 6, 11):
        model.check_training({"N": 2, "T": cells}, 2, threads=2, loops=cells == 5)


def test_a_limit_before_the_start_leaves_nothing() -> None:
    """As where a slice of a slice has no cells. NumPy counts a negative limit from the end."""
    x = np.arange(6.0)
    graph = Graph("empty")
    value = graph.input("x", TensorType("float64", (6,)))
    none = graph.apply("slice", value, attrs=SliceAttributes((0,), (-2,), (3,)))
    back = graph.apply("pad", none, attrs=PadAttributes((0,), (8,), (2,)))
    graph.set_output("none", none)
    graph.set_output("back", back)
    found = evaluate(graph, {"x": x})
    assert found["none"].shape == (0,)
    np.testing.assert_array_equal(found["back"], np.zeros(6))
