"""A recurrence one step at a time, for peers that have no streams: its states are inputs and outputs of the network,
which the caller hands on from call to call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import netwright

from ..networks.builder import Spec
from ..problem import Arrays, Problem
from . import Unsupported

STATES = {"rnn": ("h",), "gru": ("h",), "lstm": ("h", "c")}


@dataclass(frozen=True)
class Stateful:
    """The network of a problem with its states as the inputs `before_h`, … and the outputs `after_h`, …."""

    problem: Problem
    spec: Spec
    states: Mapping[str, str]
    """The output that gives each input's next value."""

    @cached_property
    def model(self) -> netwright.Model:
        """With all sizes fixed."""
        return netwright.load(self.spec, dims=dict(self.problem.case.sizes))

    def proto(self) -> Any:
        """As an ONNX model."""
        from netwright.onnx import export_model  # not every peer with steps needs onnx

        return export_model(self.model, dict(self.problem.weights)).proto

    def start(self) -> Arrays:
        """The inputs of the first step."""
        batch = self.problem.case.batch
        zeros = {
            name: np.zeros((batch, self.spec["inputs"][name]["shape"][1]), np.float32) for name in self.states
        }
        return {**self.problem.inputs, **zeros}


def stateful(problem: Problem) -> Stateful:
    """Raises Unsupported for networks other than one layer of `rnn`, `lstm` or `gru` and what has no memory."""
    spec = problem.spec
    recurrent = [keys for keys in spec["layers"] if keys["type"] in STATES]
    if len(recurrent) != 1 or recurrent[0].get("layers", 1) > 1 or recurrent[0].get("bidirectional"):
        raise Unsupported("steps of more than one layer")
    (layer,) = recurrent
    names = STATES[layer["type"]]
    before = {name: f"before_{name}" for name in names}
    given = before if len(names) > 1 else before["h"]
    return Stateful(
        problem,
        {
            **spec,
            "inputs": {
                **spec["inputs"],
                **{name: {"shape": ["N", layer["units"]]} for name in before.values()},
            },
            "layers": [
                {**keys, "initial_state": given} if keys is layer else keys for keys in spec["layers"]
            ],
            "outputs": {**spec["outputs"], **{f"after_{name}": f"{layer['name']}.{name}" for name in names}},
        },
        {before[name]: f"after_{name}" for name in names},
    )
