"""First weights are drawn when they are needed, and only where nothing takes their place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.compiler.frontend.network import Parameter, initial_values

Cli = Callable[..., Result]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the weights that are drawn."""
    names: list[str] = []
    fill = Parameter.fill

    def named(parameter: Parameter, values: np.ndarray, **how: Any) -> None:
        names.append(parameter.name)
        fill(parameter, values, **how)

    monkeypatch.setattr(Parameter, "fill", named)
    return names


def test_a_program_draws_at_its_first_call(tiny: Path, drawn: list[str]) -> None:
    model = netwright.load(tiny)
    program = model.compile(engine="reference", seed=5)
    assert "weights" in repr(program)
    assert program.learning_rate is not None
    assert not drawn
    name, shape = next((name, value.shape) for name, value in model.network.inputs.items())
    program.predict(**{name: np.ones((2, *shape[1:]), np.float32)})
    assert sorted(drawn) == sorted(model.network.parameters)
    weights = program.weights
    assert sorted(drawn) == sorted(weights)
    for name, array in initial_values(model.network, 5).items():
        np.testing.assert_array_equal(weights[name], array)


def test_weights_that_are_given_are_not_drawn(tiny: Path, cli: Cli, drawn: list[str]) -> None:
    model = netwright.load(tiny)
    weights = {name: np.zeros(p.shape, np.float32) for name, p in model.network.parameters.items()}
    program = model.compile(weights, engine="reference")
    program.save_weights(tiny.parent / "w.safetensors")
    start = model.compile(engine="reference").warm_start(tiny.parent / "w.safetensors")
    assert start.taken.keys() == weights.keys()
    done = cli("train", tiny, "--init", "w.safetensors", "--weights", "v.safetensors", "--epochs", "1")
    assert done.exit_code == 0, done.output
    done = cli("evaluate", tiny, "--weights", "v.safetensors")
    assert done.exit_code == 0, done.output
    assert not drawn


def test_a_training_that_goes_on_does_not_draw(tiny: Path, drawn: list[str]) -> None:
    model = netwright.load(tiny)
    checkpoint = tiny.parent / "t.checkpoint"
    model.compile(engine="reference").train(epochs=1, checkpoint=checkpoint)
    assert drawn
    drawn.clear()
    model.compile(engine="reference").train(epochs=2, resume=checkpoint)
    assert not drawn


def test_a_warm_start_draws_only_the_rest(tiny: Path, drawn: list[str]) -> None:
    model = netwright.load(tiny)
    program = model.compile(engine="reference")
    program.warm_start({"head.kernel": np.ones(model.network.parameters["head.kernel"].shape, np.float32)})
    assert not drawn
    assert (program.weights["head.kernel"] == 1).all()
    assert sorted(drawn) == sorted(model.network.parameters.keys() - {"head.kernel"})
