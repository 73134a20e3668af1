"""Networks that are deep, or read a value many times: each operation is emitted once, and no walk recurses."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from netwright.compiler.interpreter import evaluate
from netwright.compiler.loop import ir
from netwright.compiler.loop.expressions import operands_of
from netwright.compiler.pipeline import GRAPH

from ..slices import sliced
from .harness import Model

Spec = dict[str, Any]


def chain(*layers: Spec, **more: Any) -> Spec:
    return {
        "netwright": 1,
        "model": "deep",
        "dims": {"N": "batch"},
        "inputs": {"x": {"shape": ["N", 8], "dtype": "float64"}},
        "layers": list(layers),
        "outputs": {"y": layers[-1]["name"]},
        **more,
    }


def trained(spec: Spec, *shape: Any) -> Spec:
    return spec | {
        "train": {
            "data": {"train": "t.npz"},
            "targets": {"t": {"shape": list(shape), "dtype": "float64"}},
            "loss": {"type": "mse", "output": "y", "target": "t"},
            "optimizer": {"type": "sgd", "learning_rate": 0.01},
            "batch_size": 4,
            "epochs": 1,
        }
    }


def reusing_cell(depth: int) -> Spec:
    """aₖ₊₁ = tanh(aₖ·aₖ + aₖ): every step reads the one before three times."""
    steps = [f"a{k + 1} = tanh(a{k} * a{k} + a{k})" for k in range(depth)]
    cell = {
        "args": {"H": "int"},
        "input": {"x": ["F"]},
        "states": {"h": {"shape": ["H"]}},
        "params": {"W": {"shape": ["F", "H"]}},
        "update": ["a0 = x @ W", *steps, f"h = prev(h) + a{depth}"],
        "output": "h",
    }
    return {
        "netwright": 1,
        "model": "reuse",
        "dims": {"N": "batch", "T": "time"},
        "inputs": {"s": {"shape": ["N", "T", 4], "dtype": "float64"}},
        "cells": {"c": cell},
        "layers": [{"name": "y", "type": "recurrent", "cell": "c", "inputs": ["s"], "with": {"H": 4}}],
        "outputs": {"y": "y"},
    }


def reusing_layers(depth: int) -> Spec:
    layers: list[Spec] = [{"name": "d", "type": "dense", "units": 8}]
    for k in range(depth):
        value = {"name": f"a{k}", "type": "expression", "value": "tanh(a * a + a) / maximum(a, 2)"}
        layers.append({**value, "inputs": {"a": layers[-1]["name"]}})
    return chain(*layers)


def emitted(model: Model) -> int:
    """How many operations on data the program's kernels hold."""
    count = 0
    stack: list[Any] = [stmt for kernel in model.lowered.program.kernels.values() for stmt in kernel.body]
    while stack:
        match stack.pop():
            case ir.For(body=inside):
                stack += inside
            case ir.If(body=inside, orelse=orelse):
                stack += (*inside, *orelse)
            case ir.Declare(value=value) | ir.Assign(value=value) | ir.Store(value=value):
                stack.append(value)
            case ir.Call() | ir.Barrier() | ir.LetIndex():
                pass
            case expr:
                count += 1
                stack += operands_of(expr)
    return count


@pytest.mark.parametrize("spec", [reusing_cell, reusing_layers])
@pytest.mark.parametrize("training", [False, True])
def test_code_grows_with_the_operations_not_with_the_reads(spec: Any, training: bool) -> None:
    counts: list[int] = []
    for depth in (4, 8, 12):
        text = (
            trained(spec(depth), *(["N", "T", 4] if spec is reusing_cell else ["N", 8]))
            if training
            else spec(depth)
        )
        counts.append(emitted(Model(text, entries=("train_step",) if training else ("predict",))))
    first, second = counts[1] - counts[0], counts[2] - counts[1]
    assert 0 < second <= 1.1 * first


def test_reused_values_are_right() -> None:
    model = Model(trained(reusing_cell(11), "N", "T", 4), entries=("predict", "train_step"))
    model.check_predict({"N": 3, "T": 4})
    model.check_training({"N": 3, "T": 4})


def test_a_long_cell_is_differentiated() -> None:
    """1,500 cheap operations in a row, none of which is worth a place on the tape."""
    spec = reusing_cell(1)
    spec["cells"]["c"]["update"] = [
        "a0 = x @ W",
        *(f"a{k + 1} = a{k} + prev(h)" for k in range(1500)),
        "h = a1500 * a1500",
    ]
    graph = Model(trained(spec, "N", "T", 4)).network.graphs["train_step"]
    assert sum(node.op == "scan" for node in graph) == 2


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        ({"type": "relu"}, 2000),
        ({"type": "softplus"}, 100),
        ({"type": "dense", "units": 8, "activation": "tanh"}, 50),
    ],
)
def test_chains(layer: Spec, count: int) -> None:
    model = Model(chain({"name": "y", **layer, "repeat": count}), entries=("predict",))
    model.check_predict({"N": 3}, loops=False)


def test_a_long_chain_is_trained() -> None:
    dense = {"name": "d", "type": "dense", "units": 8}
    spec = trained(chain(dense, {"name": "y", "type": "leaky_relu", "repeat": 400}), "N", 8)
    model, dims = Model(spec, entries=("train_step",)), {"N": 2}
    table = {**model.weights(), **model.states(dims), **model.batch(dims)}
    session = model.session(model.weights())
    outputs = model.run_native(session, "train_step", table)
    model.compare(
        "step", {**session.weights, **session.state, **outputs}, model.interpret("train_step", table, dims)
    )


def test_views_of_views() -> None:
    count = 400
    layers = [
        {"name": f"v{k}", "type": "slice", "axes": [1], "starts": [1], "stops": [count + 8 - k]}
        for k in range(count)
    ]
    spec = chain(*layers)
    spec["inputs"]["x"]["shape"] = ["N", count + 8]
    Model(spec).check_predict({"N": 2})


def test_a_thousand_terms() -> None:
    text = " + ".join(["a"] * 500 + ["a * a"] * 250)
    spec = chain({"name": "y", "type": "expression", "inputs": {"a": "x"}, "value": text.replace(" ", "")})
    Model(spec).check_predict({"N": 2})


def recurrent(cell: str, steps: int, unroll: object) -> Spec:
    layer = {"name": "y", "type": cell, "units": 3, "return_sequences": True}
    if unroll is not None:
        layer["unroll"] = unroll
    spec = chain(layer)
    spec["inputs"]["x"]["shape"] = ["N", steps, 2]
    return trained(spec, "N", steps, 3)


@pytest.mark.parametrize(("cell", "steps"), [("rnn", 200), ("lstm", 40), ("gru", 40)])
def test_a_recurrence_unrolled_over_many_steps(cell: str, steps: int) -> None:
    """The graphs after all passes, of which no loop is left, in both directions."""
    dims = {"N": 2}
    rolled, unrolled = (Model(recurrent(cell, steps, unroll)) for unroll in (None, "full"))
    table = {**rolled.weights(), **rolled.states(dims), **rolled.batch(dims)}
    for entry in ("predict", "train_step"):
        graph = GRAPH.run(unrolled.network.graphs[entry])
        assert all(node.op != "scan" for node in graph)
        found = evaluate(graph, {name: table[name] for name in graph.inputs}, dims)
        for name, array in rolled.interpret(entry, table, dims).items():
            np.testing.assert_allclose(found[name], array, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("cell", sliced(["rnn", "lstm", "gru"], lambda cell: cell == "gru"))
def test_steps_of_an_unrolled_recurrence_share_their_kernels(cell: str) -> None:
    entries = ("predict", "train_step")
    few, more = (Model(recurrent(cell, steps, "full"), entries=entries) for steps in (4, 7))
    # One more per step reads its cotangents where the samples of a batch lie apart.
    assert len(more.lowered.program.kernels) <= len(few.lowered.program.kernels) + 3 + 2
    few.check_predict({"N": 2})
    few.check_training({"N": 2})


def test_an_unrolled_recurrence_is_compiled() -> None:
    spec = recurrent("rnn", 24, "full")
    del spec["train"]
    model = Model(spec)
    model.check_predict({"N": 2}, loops=False)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ({"type": "dense", "units": 8, "activation": "relu"}, ["N", 8]),
        pytest.param(
            {"type": "conv2d", "filters": 2, "kernel_size": 3, "padding": "same", "activation": "relu"},
            ["N", 4, 4, 2],
            marks=pytest.mark.deep,  # counting calls of functions makes them slow
        ),
    ],
)
def test_work_grows_with_the_layers(layer: Spec, shape: list[Any]) -> None:
    """Calls of functions while a train step is made, from the passes to the loops' verified text."""

    def calls(depth: int) -> int:
        spec = trained(
            chain(*({"name": f"l{k}", **layer} for k in range(depth)), outputs={"y": f"l{depth - 1}"}), *shape
        )
        spec["inputs"]["x"]["shape"] = shape
        model, count = Model(spec, entries=("train_step",)), 0
        assert model.network.graphs["train_step"]

        def counted(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(counted)
        try:
            assert model.lowered.program.entries
        finally:
            sys.setprofile(before)
        return count

    calls(3)  # fills the caches of what depends on no depth
    few, some, many = map(calls, (5, 10, 20))
    assert many - some <= 1.1 * 2 * (some - few)
