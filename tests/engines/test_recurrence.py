"""What is promised of recurrence: equal gradients however a loop is unrolled, and code that does not grow with time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pytest

from netwright.compiler.codegen.llvm.modules import program_modules
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.loop.text.printing import program_text

from ..slices import sliced
from .harness import Model

#: Of five steps, one or two are left over.
UNROLLS: tuple[Any, ...] = ("none", 2, 3, "full")


def network(layer: dict[str, Any], steps: int | str = "T", **train: Any) -> dict[str, Any]:
    """A recurrent layer under a dense one, trained with plain gradient descent."""
    return {
        "netwright": 1,
        "model": "steps",
        "dims": {"N": "batch", **({"T": "time"} if steps == "T" else {})},
        "inputs": {"x": {"shape": ["N", steps, 3], "dtype": "float64"}},
        "cells": {
            "delayed": {
                "args": {"H": "int"},
                "input": {"x": ["F"]},
                "states": {"h": {"shape": ["H"], "learn_init": True}, "slow": {"shape": ["H"]}},
                "params": {"A": {"shape": ["H", "H"]}, "B": {"shape": ["F", "H"]}},
                "update": [
                    {"slow": "0.9 * prev(slow) + 0.1 * prev(h)"},
                    {"h": "tanh(prev(h) @ A + x @ B + slow)"},
                ],
                "output": "h * slow",
            }
        },
        "layers": [
            {"name": "memory", "inputs": ["x"], **layer},
            {"name": "head", "type": "dense", "units": 2},
        ],
        "outputs": {"y": "head"},
        "train": {
            "data": {"train": "none.npz"},
            "loss": {"type": "mse", "output": "y", "target": "t"},
            "optimizer": {"type": "sgd", "learning_rate": 1.0},
            **train,
        },
    }


LAYERS: dict[str, dict[str, Any]] = {
    "lstm": {"type": "lstm", "units": 4, "bidirectional": True, "initial_state": "learned"},
    "gru": {"type": "gru", "units": 3, "layers": 2, "dropout": 0.5, "return_sequences": False},
    "cell": {"type": "recurrent", "cell": "delayed", "with": {"H": 4}, "reverse": True},
}


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(layer, id=name, marks=[pytest.mark.deep] * (name == "gru"))
        for name, layer in LAYERS.items()
    ],
)
def test_unrolling_does_not_change_gradients(layer: dict[str, Any], deep: bool) -> None:
    """One step of descent with rate 1 moves the parameters by their gradients: the same in all modes."""
    unrolls = UNROLLS if deep else ("none", 3, "full")  # 3 leaves two of the steps
    batches, updated = None, {}
    for unroll in unrolls:
        model = Model(network({**layer, "unroll": unroll}, 5), entries=("train_step",))
        batches = batches or model.batch({"N": 3})
        session = model.session(model.weights())
        session.run("train_step", batches)
        updated[unroll] = session.weights
    expected = model.interpret_step({"N": 3})
    model.compare("native", updated["full"], {name: expected[name] for name in updated["full"]})
    for unroll in unrolls:
        for name, expected in updated["none"].items():
            np.testing.assert_allclose(
                updated[unroll][name], expected, 1e-9, 1e-9, err_msg=f"{unroll}: {name}"
            )


@pytest.mark.parametrize(
    ("layer", "unroll"),
    sliced(product(("lstm", "cell"), (2, 5)), lambda layer, unroll: (layer == "cell") == (unroll == 2)),
)
def test_steps_that_are_left_over(layer: str, unroll: int) -> None:
    """Lengths that the number of unrolled steps does not divide, and shorter than it, on one program."""
    model = Model(network({**LAYERS[layer], "unroll": unroll}), entries=("predict", "train_step"))
    for steps in (1, 2, 4, 5, 6, 11):
        model.check_predict({"N": 2, "T": steps}, loops=steps <= 6)
        model.check_training({"N": 2, "T": steps}, 1)


@pytest.mark.parametrize("unroll", ["none", 2, "auto"])
def test_code_does_not_grow_with_time(unroll: Any) -> None:
    """A thousand steps or a hundred thousand: the same calls of as many kernels, whose tiles alone follow the sizes."""
    short, long = (
        code(Model(network({"type": "lstm", "units": 8, "unroll": unroll}, t), entries=("train_step",)))
        for t in (1000, 100000)
    )
    assert long.calls == short.calls
    assert long.entries < 1.5 * short.entries
    assert len(long.kernels) == len(short.kernels)
    assert long.statements < 1.5 * short.statements
    assert sum(long.kernels) < 1.5 * sum(short.kernels)


@dataclass(frozen=True)
class Code:
    """Calls of kernels, lines of LLVM IR of the entries (which work out from sizes what a call costs) and of each
    kernel, and of loop IR in all."""

    calls: int
    entries: int
    kernels: list[int]
    statements: int


def code(model: Model) -> Code:
    program = model.lowered.program
    modules = program_modules(program, host_target())
    kernels = sorted(text.count("\n") for text in modules.kernels.values())
    text = program_text(program)
    return Code(text.count(" call k"), modules.entries.count("\n"), kernels, text.count("\n"))


def test_a_state_that_is_the_same_in_every_step_and_sample() -> None:
    """It is among what the loop gives, and part of what is computed after the loop from all steps."""
    spec = network({"type": "recurrent", "cell": "still", "with": {"H": 3}})
    spec["cells"] = {
        "still": {
            "args": {"H": "int"},
            "input": {"x": ["F"]},
            "states": {"h": {"shape": ["H"]}, "m": {"shape": ["H", "F"]}},
            "params": {"b": {"shape": ["H"]}},
            "update": [{"m": "tanh(prev(m) + x)"}, {"h": "tanh(b)"}],
            "output": "concat(h, prev(h) @ m)",
        }
    }
    spec["outputs"]["states"] = "memory.state_all"
    model = Model(spec)
    model.check_predict({"N": 2, "T": 4}, 0, True)
    model.check_training({"N": 2, "T": 4}, 2, 0, 1, True)
