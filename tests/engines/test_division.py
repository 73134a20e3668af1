"""How threads divide kernels: what there is to divide, and that parts are alike and give the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netwright.compiler.loop import ir
from netwright.compiler.loop.walks import parallel_nest
from netwright.compiler.loop.work import WorkEstimates
from netwright.runtime.sessions.session import Session
from netwright.specs.dims import evaluate

from .harness import Model

IMAGES: dict[str, Any] = {
    "netwright": 1,
    "model": "images",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 20, 20, 3]}},
    "layers": [
        {
            "name": "a",
            "type": "conv2d",
            "filters": 24,
            "kernel_size": 3,
            "padding": "same",
            "activation": "relu",
        },
        {"name": "b", "type": "depthwise_conv2d", "kernel_size": 3, "padding": "same"},
        {"name": "c", "type": "max_pool2d", "pool_size": 2},
        {"name": "d", "type": "conv2d", "filters": 24, "kernel_size": 1, "activation": "tanh"},
        {"name": "e", "type": "flatten"},
        {"name": "y", "type": "dense", "units": 5},
    ],
    "outputs": {"y": "y"},
    "train": {
        "data": {"train": "train.npz"},
        "loss": {"type": "softmax_cross_entropy", "output": "y", "target": "label"},
        "optimizer": {"type": "adam"},
    },
}


@pytest.fixture(scope="module")
def images() -> Model:
    return Model(IMAGES)


def nests(function: ir.Function) -> list[tuple[ir.For, ...]]:
    """The nests of parallel loops of a kernel."""
    found: list[tuple[ir.For, ...]] = []
    stack = [*function.body]
    while stack:
        statement = stack.pop()
        if isinstance(statement, ir.For) and statement.kind == "parallel":
            found.append(parallel_nest(statement))
        elif isinstance(statement, ir.For | ir.If):
            stack += statement.body
    return found


def count(loop: ir.For, dims: dict[str, int]) -> int:
    return len(range(evaluate(loop.start, dims), evaluate(loop.stop, dims), loop.step))


def test_one_image_is_divided(images: Model) -> None:
    """Convolutions over its rows; before, there was nothing to divide but the batch."""
    program = images.lowered.program
    works = WorkEstimates(program.kernels)
    calls = [one for one in program.entries["predict"].function.body if isinstance(one, ir.Call)]
    work = [evaluate(works.of_call(call), {"N": 1}) for call in calls]
    assert sum(operations > 10_000 for operations in work) == 3


def test_filters_gradients_are_divided_over_all_their_cells(images: Model) -> None:
    """Not over the three rows of a filter: one of two threads would have two of them."""
    shapes = {
        tuple(count(loop, {"N": 4}) for loop in nest)
        for kernel in images.lowered.program.kernels.values()
        if any(buffer.access != "read" and buffer.shape[:2] == (3, 3) for buffer in kernel.buffers)
        for nest in nests(kernel)
    }
    assert {shape[0] * shape[1] for shape in shapes if len(shape) > 1} == {9}


@pytest.mark.parametrize("batch", [1, 7, 32])
def test_rows_that_are_left_belong_to_the_last_tile(images: Model, batch: int) -> None:
    """One loop for all rows of a product: a second one for the rest would be divided by itself."""
    kernels = images.lowered.program.kernels.values()
    tiled = [
        nest
        for kernel in kernels
        for nest in nests(kernel)
        if nest[-1].body and isinstance(nest[-1].body[0], ir.If)
    ]
    assert tiled
    for nest in tiled:
        rows = evaluate(nest[-1].stop, {"N": batch})
        assert count(nest[-1], {"N": batch}) == -(-rows // nest[-1].step)


@pytest.mark.alike(2)
@pytest.mark.parametrize("batch", [1, 2, 7, 13])
@pytest.mark.parametrize("entry", ["predict", "train_step"])
def test_results_are_the_same_bits_on_any_number(images: Model, batch: int, entry: str) -> None:
    random = np.random.default_rng(batch)
    given: dict[str, np.ndarray] = {"x": random.standard_normal((batch, 20, 20, 3), np.float32)}
    if entry == "train_step":
        given["label"] = random.integers(0, 5, batch)
    results = []
    for threads in (1, 2, 3, 5, 16):
        session = Session(images.new_engine(threads), images.weights())
        getattr(session, entry)(**given)
        found = getattr(session, entry)(**given)
        results.append((found, session.weights))
    (first, weights), *others = results
    for found, changed in others:
        for name in first:
            np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(first[name]), err_msg=name)
        for name in weights:
            np.testing.assert_array_equal(changed[name], weights[name], err_msg=name)
