"""`bptt.checkpoint`: the gradient that keeps states now and then is the one that keeps all steps, to the bit.

Natively, on one and two threads; it also agrees with the interpreter. Finite differences of the graph are in
``tests/ir/test_gradients.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from netwright.analysis.resources import Resources
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import host_target, named_target
from netwright.compiler.frontend.build import bounded_network, build_network
from netwright.specs.load import LoadResult, load_spec_text
from netwright.training.identity import spec_identity

from .harness import Arrays, Model

HEAD = {"name": "h", "type": "dense", "units": 3}
#: A weight that is used twice, one that is computed from a weight, a gain, a product on which only outputs depend.
CELL = {
    "args": {"H": "int"},
    "input": {"x": ["F"]},
    "states": {"h": {"shape": ["H"], "init": "zeros", "learn_init": True}},
    "params": {
        "A": {"shape": ["H", "H"], "init": "orthogonal"},
        "B": {"shape": ["F", "H"], "init": "glorot_uniform"},
        "g": {"shape": ["H"], "init": "ones"},
        "C": {"shape": ["H", 2], "init": "glorot_uniform"},
    },
    "update": {"h": "tanh(prev(h) @ A + g * (x @ B) + (prev(h) * prev(h)) @ A + prev(h) @ tanh(A))"},
    "output": "softmax(h @ C)",
}
CONVOLUTION = {
    "args": {"C": "int"},
    "input": {"x": ["W", "F"]},
    "states": {"h": {"shape": ["W", "C"], "init": "zeros"}},
    "params": {
        "K": {"shape": [3, "F", "C"], "init": "glorot_uniform"},
        "R": {"shape": [3, "C", "C"], "init": "glorot_uniform"},
        "b": {"shape": ["C"], "init": "zeros"},
    },
    "update": {"h": "tanh(convolve(x, K) + convolve(prev(h), R) + b)"},
    "output": "h",
}


def _spec(
    layers: Sequence[Mapping[str, Any]], x: Sequence[int | str], bptt: Mapping[str, Any] | None, **more: Any
) -> dict[str, Any]:
    lengths = more.pop("lengths", False)
    return {
        "netwright": 1,
        "model": "m",
        "dims": {name: {"role": role} for name, role in (("N", "batch"), ("T", "time")) if name in x},
        "inputs": {
            "x": {"shape": list(x), **({"lengths": "n"} if lengths else {})},
            **({"n": {"shape": [x[0]], "dtype": "int64"}} if lengths else {}),
        },
        "layers": [*layers, HEAD],
        "outputs": {"y": "h"},
        "train": {
            "data": {"train": "none.npz"},
            "loss": {"type": "mse", "output": "y", "target": "t"},
            "optimizer": {"type": "sgd", "learning_rate": 0.1},
            "clip_norm": 5.0,
            **({"bptt": dict(bptt)} if bptt else {}),
        },
        **more,
    }


def _stepped(model: Model, dims: Mapping[str, int], threads: int = 1) -> Arrays:
    """Weights, states and outputs after two steps of training."""
    session = model.session(model.weights(), threads)
    outputs: Arrays = {}
    for step in range(2):
        outputs = model.run_native(session, "train_step", model.batch(dims, step))
    return {name: np.array(array) for name, array in {**session.weights, **session.state, **outputs}.items()}


GRU = {"name": "a", "type": "gru", "units": 8, "layers": 2, "dropout": 0.3}
LSTM = {"name": "a", "type": "lstm", "units": 8, "initial_state": "learned", "return_sequences": False}
NOISE = {"recurrent_dropout": 0.3, "input_dropout": 0.2, "zoneout": 0.1}
OF_CELL = {"name": "a", "type": "recurrent", "cell": "own"}
#: Layers, the input, other keys of the spec, blocks of steps, and sizes.
CASES: dict[str, tuple[Any, ...]] = {
    "stacked, dropout, lengths": (
        [GRU],
        ["N", "T", 5],
        {"lengths": True},
        [3],
        [{"N": 3, "T": 10}, {"N": 9, "T": 2}],
    ),
    "noise in the recurrence, windows": (
        [{"name": "a", "type": "lstm", "units": 8, **NOISE}],
        ["N", "T", 5],
        {"window": 6},
        [2],
        [{"N": 2, "T": 6}, {"N": 1, "T": 3}],
    ),
    "both directions, the last step only, known sizes": (
        [{**LSTM, "bidirectional": True}],
        [2, 10, 5],
        {},
        [1],
        [{}],
    ),
    "a cell": (
        [{**OF_CELL, "with": {"H": 8}}],
        ["N", 10, 5],
        {"cells": {"own": CELL}},
        [4],
        [{"N": 1}, {"N": 5}],
    ),
    "convolutions, unrolled": (
        [
            {**OF_CELL, "with": {"C": 6}, "reverse": True, "unroll": 2},
            {"name": "r", "type": "reshape", "shape": [2, "T", 24]},
        ],
        [2, "T", 4, 2],
        {"cells": {"own": CONVOLUTION}},
        [3],
        [{"T": 7}],
    ),
}


@pytest.mark.alike(2)
@pytest.mark.parametrize("case", CASES)
def test_gradients_are_the_same_to_the_bit(case: str) -> None:
    layers, x, more, blocks, bindings = CASES[case]
    window = {key: more[key] for key in ("window",) if key in more}
    more = {key: value for key, value in more.items() if key != "window"}
    machine = describe(host_target())
    whole = Model(_spec(layers, x, window, **more), machine, ("train_step",))
    expected = [_stepped(whole, dims) for dims in bindings]
    for steps in blocks:
        model = Model(_spec(layers, x, {**window, "checkpoint": steps}, **more), machine, ("train_step",))
        for dims, arrays in zip(bindings, expected, strict=True):
            for threads in (1, 2):
                own = _stepped(model, dims, threads)
                for name, array in arrays.items():
                    np.testing.assert_array_equal(own[name], array, f"{name}, {steps} steps, {dims}")
        dims, session = bindings[0], model.session(model.weights())
        outputs = model.run_native(session, "train_step", model.batch(dims))
        model.compare("native", {**session.weights, **session.state, **outputs}, model.interpret_step(dims))


RNN = {"name": "a", "type": "rnn", "units": 8, "initial_state": "learned"}
IMAGES = [
    {"name": "d", "type": "dense", "units": 3},
    {**OF_CELL, "with": {"C": 16}, "unroll": "full"},
    {"name": "r", "type": "reshape", "shape": [2, 4, 96]},
]
#: A CPU (None: this one), a dtype, layers with copies of their steps, and the input.
COPIES: dict[str, tuple[str | None, str, Any, list[int | str]]] = {
    "two at a time": ("haswell", "float64", [{**RNN, "unroll": 2}], [5, 5, 3]),
    "more than a block has": ("x86-64-v2", "float32", [{**RNN, "unroll": 3}], ["N", 5, 3]),
    "all, of convolutions": (None, "float32", IMAGES, [2, 4, 6, 3]),
}


@pytest.mark.alike(2)
@pytest.mark.parametrize("case", COPIES)
def test_copies_of_steps_have_the_bits_of_single_steps(case: str) -> None:
    """Which steps are copies, and which are single, depends on the blocks."""
    cpu, dtype, layers, x = COPIES[case]
    machine = describe(host_target() if cpu is None else named_target(cpu))
    cells = {"own": CONVOLUTION}
    spec = _spec(layers, x, None, lengths=layers is not IMAGES, cells=cells, dtype=dtype)
    spec["inputs"]["x"]["dtype"] = dtype
    blocks = {**spec, "train": {**spec["train"], "bptt": {"checkpoint": 2}}}
    dims = {"N": 5} if "N" in x else {}
    expected, found = (_stepped(Model(each, machine, ("train_step",)), dims) for each in (spec, blocks))
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, name)


def _loaded(bptt: Mapping[str, Any] | None, steps: int | str = "T", **time: int) -> LoadResult:
    layers = [{"name": "a", "type": "lstm", "units": 16}]
    spec = _spec(layers, ["N", steps, 4], bptt)
    if "T" in spec["dims"]:
        spec["dims"]["T"] |= time
    return load_spec_text(json.dumps(spec), "spec.json")


def _checkpoints(load: LoadResult) -> set[int]:
    network, diagnostics = build_network(load)
    assert network is not None, diagnostics.to_text()
    return {one.steps for one in network.checkpoints}


def test_auto_is_about_the_square_root_of_the_steps() -> None:
    assert _checkpoints(_loaded({"checkpoint": "auto"}, 10_000)) == {100}
    assert _checkpoints(_loaded({"checkpoint": "auto"}, 997)) == {32}
    assert _checkpoints(_loaded({"checkpoint": "auto"}, 360)) == {18}
    assert _checkpoints(_loaded({"checkpoint": "auto"}, max=1000)) == {32}
    assert _checkpoints(_loaded({"checkpoint": "auto", "window": 50}, max=1000)) == {8}
    assert _checkpoints(_loaded({"checkpoint": "auto"})) == {64}
    assert _checkpoints(_loaded({"checkpoint": 7})) == {7}
    assert _checkpoints(_loaded(None)) == set()


def test_long_sequences_take_less_memory() -> None:
    """The card's numbers are the planner's. What is left is what goes in and out of the layer at each step."""
    arenas = []
    for bptt in (None, {"checkpoint": "auto"}):
        load = _loaded(bptt)
        network, _ = build_network(load)
        assert network is not None
        resources = Resources(load, bounded_network(load, network), ["train_step"])
        arenas.append([resources.memory("train_step", {"N": 8, "T": steps}).arena for steps in (100, 10_000)])
    (_, whole), (short, long) = arenas
    assert long < whole / 4
    sequences = 10_000 * 8 * 4 * (4 + 5 * 16)  # x, and the outputs and their cotangents, with their copies
    assert long < sequences + 20 * short


def test_a_training_may_go_on_with_other_checkpoints() -> None:
    identities = [spec_identity(_loaded(bptt)) for bptt in (None, {"checkpoint": 7}, {"checkpoint": "auto"})]
    assert identities[0] == identities[1] == identities[2]


@pytest.mark.parametrize(
    ("bptt", "code", "said"),
    [
        ({}, "NW0212", "window or checkpoint is needed"),
        ({"checkpoint": 0}, "NW0204", "checkpoint has to be at least 1"),
        ({"checkpoint": "some"}, "NW0203", "expected auto or a number of steps"),
        ({"checkpoint": 4, "carry_state": False}, "NW0212", "the state is carried between windows"),
    ],
)
def test_what_checkpoints_are(bptt: Mapping[str, Any], code: str, said: str) -> None:
    layers = [{"name": "a", "type": "rnn", "units": 4}]
    spec = _spec(layers, ["N", "T", 4], None)
    spec["train"]["bptt"] = dict(bptt)
    load = load_spec_text(json.dumps(spec), "spec.json")
    (error,) = load.diagnostics.errors
    assert error.code == code
    assert said in error.message


def test_checkpoints_need_a_recurrence() -> None:
    spec = _spec([{"name": "a", "type": "dense", "units": 4}], ["N", "T", 4], {"checkpoint": 4})
    _, diagnostics = build_network(load_spec_text(json.dumps(spec), "spec.json"))
    assert [(error.code, error.message) for error in diagnostics.errors] == [
        ("NW0408", "bptt.checkpoint keeps states of recurrences, and no layer is recurrent")
    ]
